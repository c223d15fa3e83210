//go:build unix

package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/onemeter/onemeter/internal/needs"
	"github.com/onemeter/onemeter/server"
)

// browserPatience is for browsers that start, on a machine with much to do.
const browserPatience = time.Minute

// A stage is where the pages come from, and what they report to.
type stage struct {
	*httptest.Server
	reports chan report
	hangUp  map[string]chan struct{} // by the user who hangs up
}

// A report is what a page says.
type report struct {
	Me    string `json:"me"`
	Event string `json:"event"`
	Text  string `json:"text"`
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{
		reports: make(chan report, 100),
		hangUp:  map[string]chan struct{}{"alice": make(chan struct{}), "bob": make(chan struct{})},
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServer(http.Dir("call/testpage")))
	mux.HandleFunc("POST /report", func(_ http.ResponseWriter, r *http.Request) {
		var said report
		if err := json.NewDecoder(r.Body).Decode(&said); err != nil {
			said.Event, said.Text = "error", err.Error()
		}
		s.reports <- said
	})
	mux.HandleFunc("GET /hangup", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-s.hangUp[r.FormValue("me")]:
		case <-r.Context().Done():
		}
	})
	s.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		s.CloseClientConnections() // killed browsers leave some open
		s.Close()
	})
	return s
}

// await waits until pages have told of an event, and returns what the last of
// them said. An error of any page is the end.
func (s *stage) await(t *testing.T, event string, pages ...string) (text string) {
	t.Helper()
	timeout := time.After(browserPatience)
	for len(pages) > 0 {
		select {
		case r := <-s.reports:
			t.Logf("%s: %s %s", r.Me, r.Event, r.Text)
			if r.Event == "error" {
				t.Fatal("the page failed")
			}
			if i := slices.Index(pages, r.Me); i >= 0 && r.Event == event {
				pages, text = slices.Delete(pages, i, i+1), r.Text
			}
		case <-timeout:
			t.Fatalf("%v did not say %s", pages, event)
		}
	}
	return text
}

// open starts a browser of its own for a user, with a camera and a microphone
// that are made up; kill takes it away as a crash would.
func (s *stage) open(t *testing.T, chromium, name string, u *user, to int64) (kill func()) {
	t.Helper()
	page := s.URL + "/call.html?" + url.Values{
		"ws": {"ws" + strings.TrimPrefix(u.app.url, "http") + "/ws"}, "token": {u.token}, "me": {name},
	}.Encode()
	if to != 0 {
		page += fmt.Sprint("#to=", to)
	}
	cmd := exec.Command(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--allow-loopback-in-peer-connection",
		"--autoplay-policy=no-user-gesture-required", "--remote-debugging-port=0", "--user-data-dir="+t.TempDir(), page)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // with all its children
		_ = cmd.Wait()
	})
	t.Cleanup(kill)
	return kill
}

// TestBrowsers has two browsers call each other.
func TestBrowsers(t *testing.T) {
	chromium := needs.Chromium(t)
	s := newStage(t)
	a := start(t, func(c *server.Config) {
		shortCalls(c)
		c.CallRing = browserPatience
		c.AllowedOrigins = []string{strings.TrimPrefix(s.URL, "http://")}
	})
	alice, bob := pair(t, a, a)
	for _, way := range []string{"hangs up", "is killed"} {
		t.Run("one "+way, func(t *testing.T) {
			gauge(t, 0, a)
			s.open(t, chromium, "bob", bob, 0)
			s.await(t, "ready", "bob")
			kill := s.open(t, chromium, "alice", alice, bob.id)
			s.await(t, "playing", "alice", "bob")
			gauge(t, 2, a)
			reason := "user_hangup"
			if way == "is killed" {
				reason = "network_error"
				kill()
			} else {
				s.hangUp["alice"] <- struct{}{}
			}
			if got := s.await(t, "ended", "bob"); got != reason {
				t.Errorf("ended by %s, want %s", got, reason)
			}
			gauge(t, 0, a)
		})
	}
}
