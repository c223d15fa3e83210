//go:build unix

package admin_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onemeter/onemeter/internal/browser"
)

// imadmin runs the program in front of backends, and returns the URL of its console.
func imadmin(t *testing.T, backends ...string) (url string) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "imadmin")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../../cmd/imadmin").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(program, "--addr", "127.0.0.1:0", "--backend", strings.Join(backends, ","), "--log-format", "json")
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("imadmin: %v", err)
		}
	})
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		var line struct{ Msg, Console string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "imadmin is up" {
			go func() { // read the rest of the log
				for lines.Scan() {
				}
			}()
			return line.Console
		}
	}
	t.Fatal("imadmin does not start")
	return ""
}

// severalNodes checks that imadmin shows the nodes together and names the one that is away.
// If none is left, the page must say so, and that the action was not done.
func severalNodes(t *testing.T, b *browser.Browser) {
	s := start(t)
	s.boss(t)
	alice := s.register(t, "10001", "alice", "Alice Winter")
	_, port, _ := strings.Cut(s.Addr, ":")
	const gone = "127.0.0.1:1" // nobody listens there
	w := &window{b.Open(t, imadmin(t, "http://"+s.Addr, "http://localhost:"+port, "http://"+gone), browser.Desktop), t}
	w.Sees(`.away`, gone+" does not answer")
	w.enter("boss")
	w.Sees(`main h1`, "Dashboard")
	for _, name := range []string{s.Addr, "localhost:" + port} { // one server by two names
		w.Sees(`figure .legend`, name)
	}
	w.Shot("dashboard")
	w.visit("#system", "System")
	for _, want := range []string{s.Addr, "localhost:" + port, "database", "instruments"} {
		w.Sees(`section`, want)
	}
	w.Shot("system")
	w.visit("#users", "Users")
	w.Button("Ban: Alice Winter")
	w.Fill(`dialog [name=reason]`, "away")
	s.Stop()
	w.JS(`[...document.querySelectorAll('dialog[open] button')].find(b => b.textContent === 'Ban').click()`)
	w.Sees(`dialog [role=alert]`, "nothing was done")
	w.Sees(`.away`, "No server answers")
	w.Shot("nobody")
	s.Run(t)
	w.Until(`!document.querySelector('.away')?.textContent.includes('No server answers')`)
	var a struct{ Status string }
	boss := s.register(t, "10005", "second", "Second Boss")
	s.Appoint(t, boss.Account, "admin")
	if boss.do(t, "GET", fmt.Sprint("/api/super-admin/users/", alice.id), nil, &a); a.Status != "active" {
		t.Errorf("Alice is %s after a ban that reached no server, want active", a.Status)
	}
}
