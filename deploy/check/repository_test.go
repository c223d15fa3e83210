package check

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// root is the repository's.
const root = "../.."

var help = sync.OnceValues(func() (string, error) {
	cmd := exec.Command("go", "run", "./cmd/imserver", "--help")
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	return string(out), err
})

// isSetting fails where imserver does not know a variable.
func isSetting(t *testing.T, name string) {
	t.Helper()
	text, err := help()
	if err != nil {
		t.Fatalf("imserver --help: %v\n%s", err, text)
	}
	if strings.HasPrefix(name, "IM_") && !strings.Contains(text, "("+name+")") && !strings.Contains(text, "\n  "+name+"\n") {
		t.Errorf("%s is no setting of imserver", name)
	}
}

// isPinned fails where an image may be another one tomorrow.
func isPinned(t *testing.T, image string) {
	t.Helper()
	_, tag, _ := strings.Cut(image[strings.LastIndex(image, "/")+1:], ":")
	if strings.Count(tag, ".") < 1 || strings.Contains(tag, "latest") || !strings.ContainsAny(tag, "0123456789") {
		t.Errorf("image %s is not pinned to a version", image)
	}
}

func contents(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{root}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
