package blob

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onemeter/onemeter/server/chat"
)

// TestAFullDiskIsToldAsSuch fills a small disk of its own, where the machine
// lets it make one.
func TestAFullDiskIsToldAsSuch(t *testing.T) {
	folder := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder).CombinedOutput(); err != nil {
		t.Skipf("no disk to fill: %v %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", folder).Run() })
	s := openTest(t, folder)
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := s.Put(t.Context(), bytes.NewReader(make([]byte, 1<<20)))
	if chat.KindOf(err) != chat.KindNoSpace || !strings.Contains(err.Error(), "the operator") {
		t.Errorf("too large for the disk: %v", err)
	}
	if left := files(t, folder); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("with room again: %v", err)
	}
	_ = os.WriteFile(filepath.Join(folder, "other"), make([]byte, 1<<20), 0o600) // as far as there is room
	if err := s.Ping(t.Context()); chat.KindOf(err) != chat.KindNoSpace {
		t.Errorf("without room: %v", err)
	}
}
