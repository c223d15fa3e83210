package server_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/logging"
	"github.com/pion/turn/v4"
	"github.com/pion/webrtc/v4"

	"github.com/onemeter/onemeter/server"
	"github.com/onemeter/onemeter/telemetry"
)

// iceServers are what a client is told, as it is told it.
type iceServers struct {
	Servers []struct {
		URLs       []string `json:"urls"`
		Username   string   `json:"username"`
		Credential string   `json:"credential"`
	} `json:"ice_servers"`
	TTL int64 `json:"ttl"`
}

func (u *user) ice(t *testing.T) iceServers {
	t.Helper()
	return decode[struct{ Data iceServers }](t, u.do(t, http.StatusOK, "GET", "/api/calls/ice-servers", nil)).Data
}

// withTURN has a relay on loopback.
func withTURN(c *server.Config) { c.TURNAddr, c.TURNAllowPrivate = "127.0.0.1:0", true }

// allocate asks the TURN server that a client was told of for an allocation.
func allocate(t *testing.T, told iceServers, credential string) (net.PacketConn, error) {
	t.Helper()
	relay := told.Servers[len(told.Servers)-1]
	host, _, _ := strings.Cut(strings.TrimPrefix(relay.URLs[0], "turn:"), "?")
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	client, err := turn.NewClient(&turn.ClientConfig{
		TURNServerAddr: host, Conn: conn, Username: relay.Username, Password: credential,
		LoggerFactory: &logging.DefaultLoggerFactory{DefaultLogLevel: logging.LogLevelDisabled},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client.Allocate()
}

func TestNoICEServers(t *testing.T) {
	a := start(t, nil)
	if told := a.register(t, "10001", "").ice(t); told.Servers == nil || len(told.Servers) != 0 {
		t.Errorf("%+v", told)
	}
	if status, _ := a.call(t, "", "GET", "/api/calls/ice-servers", nil); status != http.StatusUnauthorized {
		t.Errorf("to somebody unknown: %d", status)
	}
}

// TestICEServersElsewhere wants credentials that coturn computes likewise.
func TestICEServersElsewhere(t *testing.T) {
	a := start(t, func(c *server.Config) {
		c.ICEServers = []string{"stun:stun.example.com", "turn:turn.example.com?transport=udp", "turns:turn.example.com"}
		c.ICESecret = "north"
	})
	alice := a.register(t, "10001", "")
	told := alice.ice(t)
	if len(told.Servers) != 2 || told.TTL != 12*3600 {
		t.Fatalf("%+v", told)
	}
	stun, relay := told.Servers[0], told.Servers[1]
	if diff := cmp.Diff([]string{"stun:stun.example.com"}, stun.URLs); diff != "" || stun.Username != "" || stun.Credential != "" {
		t.Errorf("STUN: %+v", stun)
	}
	if diff := cmp.Diff([]string{"turn:turn.example.com?transport=udp", "turns:turn.example.com"}, relay.URLs); diff != "" {
		t.Error(diff)
	}
	end, id, _ := strings.Cut(relay.Username, ":")
	unix, err := strconv.ParseInt(end, 10, 64)
	if left := time.Until(time.Unix(unix, 0)); err != nil || left > 12*time.Hour || left < 11*time.Hour || id != fmt.Sprint(alice.id) {
		t.Errorf("name %q", relay.Username)
	}
	mac := hmac.New(sha1.New, []byte("north"))
	mac.Write([]byte(relay.Username))
	if want := base64.StdEncoding.EncodeToString(mac.Sum(nil)); relay.Credential != want {
		t.Errorf("credential %q, want %q", relay.Credential, want)
	}
}

// TestTURNOnThePage counts what clients saw: a relay, and a refusal.
func TestTURNOnThePage(t *testing.T) {
	a := start(t, func(c *server.Config) {
		withTURN(c)
		c.TURNUserAllocations = 1
	})
	told := a.register(t, "10001", "").ice(t)
	good := told.Servers[1].Credential
	conn, err := allocate(t, told, good)
	if err != nil {
		t.Fatal(err)
	}
	for _, credential := range []string{good, "wrong"} { // over the limit; a wrong one
		if _, err := allocate(t, told, credential); err == nil {
			t.Error("not refused")
		}
	}
	p := a.scrape(t)
	for name, want := range map[string]float64{
		"turn_relay_attempts_total": 3, "turn_relay_failures_total": 2, "im_turn_allocations_active": 1,
		`im_turn_relayed_bytes_total{direction="to_peer"}`: 0, `im_turn_packets_dropped_total{reason="limit"}`: 0,
	} {
		if got, ok := p.samples[name]; !ok || got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	a.eventually(t, "the allocation is gone", func(p page) bool { return p.samples["im_turn_allocations_active"] == 0 })
}

// TestNodesTakeEachOthersCredentials needs no setting but the secret that nodes share.
func TestNodesTakeEachOthersCredentials(t *testing.T) {
	same := func(c *server.Config) {
		withTURN(c)
		c.JWTSecret = strings.Repeat("secret", 6)
	}
	a, b := start(t, same), start(t, same)
	one, other := a.register(t, "10001", "").ice(t), b.register(t, "10002", "").ice(t)
	one.Servers[1].URLs = other.Servers[1].URLs
	conn, err := allocate(t, one, one.Servers[1].Credential)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	b.eventually(t, "an allocation", func(p page) bool { return p.samples["turn_relay_attempts_total"] == 1 })
	stranger := start(t, withTURN).register(t, "10001", "").ice(t)
	stranger.Servers[1].URLs = other.Servers[1].URLs
	if _, err := allocate(t, stranger, stranger.Servers[1].Credential); err == nil {
		t.Error("a credential of a server with another secret is taken")
	}
}

func TestTURNAddressTaken(t *testing.T) {
	taken, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	tel, err := telemetry.New(t.Context(), telemetry.WithoutRuntime())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tel.Shutdown(context.Background()) }()
	cfg := server.DefaultConfig()
	dir := t.TempDir()
	cfg.Addr, cfg.DB, cfg.Blob = "127.0.0.1:0", "sqlite://"+filepath.Join(dir, "im.db"), "file://"+filepath.Join(dir, "files")
	cfg.TURNAddr = taken.LocalAddr().String()
	_, err = server.New(t.Context(), cfg, tel, slog.New(slog.DiscardHandler), "test")
	if err == nil || !strings.Contains(err.Error(), cfg.TURNAddr) || !strings.Contains(err.Error(), "--turn-addr") {
		t.Errorf("an address that is taken: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "im.db")); !os.IsNotExist(err) {
		t.Errorf("a database was made all the same: %v", err)
	}
}

// TestRelayedDataChannel connects two peers who may use nothing but the relay,
// by what the server told them, and stops the server in the middle of it.
func TestRelayedDataChannel(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			a := start(t, withTURN)
			alice := newPeer(t, a.register(t, "10001", "").ice(t), transport)
			bob := newPeer(t, a.register(t, "10002", "").ice(t), transport)
			hers, err := alice.CreateDataChannel("data", nil)
			if err != nil {
				t.Fatal(err)
			}
			got := make(chan string, 2)
			listen := func(c *webrtc.DataChannel, text string) {
				c.OnOpen(func() { _ = c.SendText(text) })
				c.OnMessage(func(m webrtc.DataChannelMessage) { got <- string(m.Data) })
			}
			listen(hers, "from alice")
			bob.OnDataChannel(func(c *webrtc.DataChannel) { listen(c, "from bob") })
			connect(t, alice, bob)
			texts := map[string]bool{}
			for len(texts) < 2 {
				select {
				case text := <-got:
					texts[text] = true
				case <-time.After(patience):
					t.Fatalf("only %v within %s", texts, patience)
				}
			}
			p := a.scrape(t)
			if asked, failed := p.samples["turn_relay_attempts_total"], p.samples["turn_relay_failures_total"]; asked < 2 || failed != 0 {
				t.Errorf("%v allocations were asked for, %v failed", asked, failed)
			}
			for _, direction := range []string{"to_peer", "from_peer"} {
				if n := p.samples[`im_turn_relayed_bytes_total{direction="`+direction+`"}`]; n < 1000 {
					t.Errorf("%v bytes were relayed %s", n, direction)
				}
			}
			if err := a.stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// newPeer makes a peer that has no candidates but the relay's.
func newPeer(t *testing.T, told iceServers, transport string) *webrtc.PeerConnection {
	t.Helper()
	relay := told.Servers[1]
	cfg := webrtc.Configuration{ICETransportPolicy: webrtc.ICETransportPolicyRelay}
	for _, url := range relay.URLs {
		if strings.HasSuffix(url, transport) {
			cfg.ICEServers = append(cfg.ICEServers, webrtc.ICEServer{URLs: []string{url}, Username: relay.Username, Credential: relay.Credential})
		}
	}
	var engine webrtc.SettingEngine
	engine.SetIncludeLoopbackCandidate(true)
	engine.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() })
	engine.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeTCP4})
	p, err := webrtc.NewAPI(webrtc.WithSettingEngine(engine)).NewPeerConnection(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.GracefulClose(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// connect exchanges what two peers have to tell, all candidates at once.
func connect(t *testing.T, offers, answers *webrtc.PeerConnection) {
	t.Helper()
	gathered := func(p *webrtc.PeerConnection, s webrtc.SessionDescription, err error) webrtc.SessionDescription {
		t.Helper()
		all := webrtc.GatheringCompletePromise(p)
		if err == nil {
			err = p.SetLocalDescription(s)
		}
		if err != nil {
			t.Fatal(err)
		}
		<-all
		if text := p.LocalDescription().SDP; !strings.Contains(text, "typ relay") || strings.Contains(text, "typ host") {
			t.Fatalf("candidates:\n%s", text)
		}
		return *p.LocalDescription()
	}
	offer, err := offers.CreateOffer(nil)
	offer = gathered(offers, offer, err)
	if err := answers.SetRemoteDescription(offer); err != nil {
		t.Fatal(err)
	}
	answer, err := answers.CreateAnswer(nil)
	answer = gathered(answers, answer, err)
	if err := offers.SetRemoteDescription(answer); err != nil {
		t.Fatal(err)
	}
}
