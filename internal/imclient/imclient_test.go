package imclient_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/onemeter/onemeter/internal/imclient"
)

// answering is a server that gives one answer to all.
func answering(t *testing.T, answer http.HandlerFunc) imclient.Account {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return imclient.Account{URL: server.URL, Token: "a-token"}
}

func TestRefusalsAreErrors(t *testing.T) {
	a := answering(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "the user is full", http.StatusTeapot) })
	_, dialErr := a.Dial(t.Context())
	for _, err := range []error{a.Do(t.Context(), "GET", "/x", nil, nil), dialErr} {
		var refused *imclient.Error
		if !errors.As(err, &refused) || refused.Status != http.StatusTeapot || !strings.Contains(err.Error(), "418") {
			t.Errorf("error %v, want one of status 418", err)
		}
		if strings.Contains(err.Error(), a.Token) {
			t.Errorf("error %v has the token", err)
		}
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	large := strings.Repeat(" ", 1<<20)
	for what, answer := range map[string]http.HandlerFunc{
		"not JSON":     func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"another kind": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"data":"text"}`)) },
		"no end": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				_, _ = w.Write([]byte(large))
			}
		},
	} {
		var data struct{ ID int64 }
		if err := answering(t, answer).Do(t.Context(), "GET", "/x", nil, &data); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	never := answering(t, func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })
	if err := never.Do(ctx, "GET", "/x", nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

func TestFramesThatAreNone(t *testing.T) {
	for _, text := range []string{"", "[]", "{", `{"type":7}`} {
		a := answering(t, func(w http.ResponseWriter, r *http.Request) {
			conn, err := websocket.Accept(w, r, nil)
			if err == nil {
				_ = conn.Write(r.Context(), websocket.MessageText, []byte(text))
				_ = conn.Close(websocket.StatusNormalClosure, "")
			}
		})
		conn, err := a.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if f, err := conn.ReadFrame(t.Context()); err == nil || websocket.CloseStatus(err) != -1 {
			t.Errorf("%q: frame %+v, error %v", text, f, err)
		}
		_ = conn.CloseNow()
	}
}
