package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/onemeter/onemeter/internal/needs"
)

// TestKill9 kills the real binary in the middle of a stream, several times:
// nothing that was acknowledged is lost, nothing is stored twice, seq has no
// gap, each sender's messages are in their order, and all see them all.
func TestKill9(t *testing.T) {
	prog := alone(t)
	all := start(t, 1, prog)
	clients := members(t, all, 4)
	for i, c := range clients {
		c.run(t, all, i)
	}
	for range 3 {
		goOn(t, clients, 100)
		all.node(0).kill()
		all.replace(t, 0, prog)
	}
	goOn(t, clients, 100)
	settle(t, clients)
	check(t, all.node(0), clients)
}

// members makes clients who write to a group and, in pairs, to each other.
func members(t *testing.T, all *nodes, n int) []*client {
	t.Helper()
	clients := make([]*client, n)
	for i := range clients {
		clients[i] = newClient(t, all.node(i), fmt.Sprint(20000+i))
	}
	g := all.node(0).group(t, clients...)
	for i, c := range clients {
		c.sends = []target{g, {ReceiverID: clients[i^1].account.ID}}
	}
	return clients
}

// TestSignalStopsCleanly sends SIGTERM while a client is connected.
func TestSignalStopsCleanly(t *testing.T) {
	p := launch(t, alone(t))
	account := p.register(t, "30000")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := account.Dial(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	read := make(chan error, 1)
	go func() {
		var err error
		for err == nil {
			_, _, err = conn.Read(ctx)
		}
		read <- err
	}()
	p.stop(t, shutdownTimeout)
	if err := <-read; websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the client was told %v, want %v", err, websocket.StatusGoingAway)
	}
	for _, secret := range []string{"secret!", account.Token} {
		if strings.Contains(p.log.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

// TestStopWhileTheDatabaseHangs: a connection that waits for a database without an answer, for
// presence, calls and notices in turn, is not open for longer than the shutdown has time.
func TestStopWhileTheDatabaseHangs(t *testing.T) {
	t.Parallel()
	prog := shared(t)
	db, err := url.Parse(strings.TrimPrefix(prog.env[0], "IM_DB="))
	if err != nil {
		t.Fatal(err)
	}
	proxy := needs.NewProxy(t, db.Host)
	db.Host = proxy.Addr
	prog.env[0] = "IM_DB=" + db.String()
	p := launch(t, prog)
	account := p.register(t, "30000")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p.do(t, account, "GET", mePath, nil, nil) // so that the session is cached
	proxy.Freeze()
	defer proxy.Heal()
	conn, err := account.Dial(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	go func() { // answers the closing handshake
		for err := error(nil); err == nil; {
			_, _, err = conn.Read(ctx)
		}
	}()
	p.stop(t, shutdownTimeout)
}

// shutdownTimeout is the default of the setting.
const shutdownTimeout = 10 * time.Second
