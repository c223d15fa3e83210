package check

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDockerfileBuilds runs the build that the image is made by, without Docker,
// in a tree of what its .dockerignore lets through.
func TestDockerfileBuilds(t *testing.T) {
	commands := regexp.MustCompile(`(?m)^RUN (CGO_ENABLED=0 go build .*)$`).FindAllStringSubmatch(contents(t, "deploy/Dockerfile"), -1)
	if len(commands) != 2 {
		t.Fatalf("%d builds in the Dockerfile", len(commands))
	}
	tree, out := t.TempDir(), t.TempDir()
	for line := range strings.Lines(contents(t, "deploy/Dockerfile.dockerignore")) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "!"); ok {
			from, err := filepath.Abs(filepath.Join(root, name))
			if err != nil {
				t.Fatal(err)
			}
			if info, err := os.Stat(from); err != nil {
				t.Fatal(err)
			} else if info.IsDir() {
				err = os.CopyFS(filepath.Join(tree, name), os.DirFS(from))
				if err != nil {
					t.Fatal(err)
				}
			} else if err := os.MkdirAll(filepath.Dir(filepath.Join(tree, name)), 0o755); err != nil {
				t.Fatal(err)
			} else if err := os.Link(from, filepath.Join(tree, name)); err != nil {
				if err := os.Symlink(from, filepath.Join(tree, name)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for _, command := range commands {
		cmd := exec.Command("sh", "-c", strings.Replace(command[1], "/out/", out+"/", 1))
		cmd.Dir, cmd.Env = tree, append(os.Environ(), "VERSION=1.2.3", "COMMIT=0123456789abcdef")
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
	}
	isStatic(t, filepath.Join(out, "imserver"))
	isStatic(t, filepath.Join(out, "imadmin"))
	if text, err := exec.Command(filepath.Join(out, "imserver"), "--version").Output(); err != nil || !strings.HasPrefix(string(text), "imserver 1.2.3 (commit 0123456789ab, go") {
		t.Errorf("it says it is %q: %v", text, err)
	}
	if text, err := exec.Command(filepath.Join(out, "imadmin"), "--version").Output(); err != nil || !strings.HasPrefix(string(text), "imadmin 1.2.3 (commit 0123456789ab, go") {
		t.Errorf("it says it is %q: %v", text, err)
	}
}

func isStatic(t *testing.T, file string) {
	t.Helper()
	binary, err := elf.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer binary.Close()
	for _, p := range binary.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("%s is not static: it has %v", file, p.Type)
		}
	}
}

// TestDockerfileImage wants images of one program that is not root's: the server's,
// and, by its name, the console's.
func TestDockerfileImage(t *testing.T) {
	before, image, ok := strings.Cut(contents(t, "deploy/Dockerfile"), "\nFROM scratch\n")
	build, console, named := strings.Cut(before, "\nFROM scratch AS imadmin\n")
	if !ok || !named {
		t.Fatal("the images are not made from scratch")
	}
	for _, want := range []string{
		"\nUSER 65532:65532\n", `CMD ["/imadmin", "--healthcheck"]`, `ENTRYPOINT ["/imadmin"]`, "ca-certificates.crt", "\nEXPOSE 3001\n", "\nENV IMADMIN_ADDR=:3001\n",
	} {
		if !strings.Contains(console, want) {
			t.Errorf("the console's image lacks %q", want)
		}
	}
	for _, want := range []string{"\nARG VERSION\n", "\nARG COMMIT\n"} { // without them, the build's variables are empty
		if !strings.Contains(build, want) {
			t.Errorf("the build lacks %q", want)
		}
	}
	isPinned(t, regexp.MustCompile(`(?m)^FROM (\S+) AS build$`).FindStringSubmatch(build)[1])
	for _, want := range []string{
		"\nUSER 65532:65532\n", `CMD ["/imserver", "--healthcheck"]`, `ENTRYPOINT ["/imserver"]`, "ca-certificates.crt", "\nEXPOSE 8080\n", "\nVOLUME /data\n",
	} {
		if !strings.Contains(image, want) {
			t.Errorf("the image lacks %q", want)
		}
	}
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(contents(t, "go.mod"))[1]
	if !strings.Contains(build, "golang:"+version+".") {
		t.Errorf("built by another Go than %s", version)
	}
}
