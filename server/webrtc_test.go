package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"

	"github.com/onemeter/onemeter/server"
)

// A phone is a WebRTC client: a real peer, which knows of the other by the
// server's frames alone. What it does, it does in the goroutine of run.
type phone struct {
	t    *testing.T
	pc   *webrtc.PeerConnection
	s    *socket
	call string // its id, once known

	local   chan *webrtc.ICECandidate // of this side; nil after the last
	mine    []*webrtc.ICECandidate    // before the call has an id
	up      chan struct{}             // its media
	texts   chan string               // on the data channel
	packets chan int                  // of audio: bytes of each
	hangUp  chan struct{}
	ended   chan string // the reason
}

// newPhone makes a phone of a user; with relayed it may use nothing but the relay.
func newPhone(t *testing.T, u *user, relayed bool) *phone {
	t.Helper()
	var engine webrtc.SettingEngine
	engine.SetIncludeLoopbackCandidate(true)
	engine.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() })
	engine.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	engine.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	var codecs webrtc.MediaEngine
	if err := codecs.RegisterDefaultCodecs(); err != nil {
		t.Fatal(err)
	}
	cfg := webrtc.Configuration{}
	if relayed {
		cfg.ICETransportPolicy = webrtc.ICETransportPolicyRelay
		for _, s := range u.ice(t).Servers {
			cfg.ICEServers = append(cfg.ICEServers, webrtc.ICEServer{URLs: s.URLs, Username: s.Username, Credential: s.Credential})
		}
	}
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(engine), webrtc.WithMediaEngine(&codecs)).NewPeerConnection(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p := &phone{
		t: t, pc: pc, s: u.dial(t),
		local: make(chan *webrtc.ICECandidate, 100), up: make(chan struct{}, 1),
		texts: make(chan string, 10), packets: make(chan int, 1000), ended: make(chan string, 1),
		hangUp: make(chan struct{}),
	}
	pc.OnICECandidate(func(c *webrtc.ICECandidate) { p.local <- c })
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			select {
			case p.up <- struct{}{}:
			default:
			}
		}
	})
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { p.listen(track) })
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	p.talk(ctx)
	go func() {
		defer close(done)
		p.run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-done
		if err := pc.GracefulClose(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// talk sends audio, silence as Opus has it, until ctx ends.
func (p *phone) talk(ctx context.Context) {
	p.t.Helper()
	track, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, "audio", "phone")
	if err == nil {
		_, err = p.pc.AddTrack(track)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	go func() {
		const frame = 20 * time.Millisecond
		ticker := time.NewTicker(frame)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C: // nothing is sent before the connection is up
				_ = track.WriteSample(media.Sample{Data: []byte{0xf8, 0xff, 0xfe}, Duration: frame})
			}
		}
	}()
}

func (p *phone) listen(track *webrtc.TrackRemote) {
	for {
		packet, _, err := track.ReadRTP()
		if err != nil {
			return
		}
		select {
		case p.packets <- len(packet.Payload):
		default:
		}
	}
}

// chat has the phone say its name on a data channel.
func (p *phone) chat(c *webrtc.DataChannel, name string) {
	c.OnOpen(func() { p.ok(c.SendText("this is " + name)) })
	c.OnMessage(func(m webrtc.DataChannelMessage) { p.texts <- string(m.Data) })
}

// run does what comes: from the server, and from the peer connection.
func (p *phone) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case f, ok := <-p.s.frames:
			if !ok {
				return
			}
			p.ok(p.handle(f))
		case <-p.hangUp:
			p.send("call.end", map[string]any{"call_id": p.call})
		case c := <-p.local:
			p.mine = append(p.mine, c)
		case <-p.up:
			p.send("call.status", map[string]any{"call_id": p.call, "status": "connected"})
		}
		for p.call != "" && len(p.mine) > 0 {
			p.sendCandidate(p.mine[0])
			p.mine = p.mine[1:]
		}
	}
}

func (p *phone) sendCandidate(c *webrtc.ICECandidate) {
	payload := map[string]any{"call_id": p.call, "ice_candidate": nil}
	if c != nil {
		payload["ice_candidate"] = c.ToJSON()
	}
	p.send("call.ice", payload)
}

func (p *phone) handle(f frame) error {
	var c struct {
		CallID    string                    `json:"call_id"`
		Status    string                    `json:"status"`
		Reason    string                    `json:"reason"`
		SDP       webrtc.SessionDescription `json:"sdp"`
		Candidate *webrtc.ICECandidateInit  `json:"ice_candidate"`
	}
	if err := json.Unmarshal(f.Payload, &c); err != nil {
		return err
	}
	switch f.Type {
	case "call.offer":
		return p.answer(c.CallID, c.SDP)
	case "call.answer":
		return p.pc.SetRemoteDescription(c.SDP)
	case "call.ice":
		if c.Candidate == nil { // that was the last
			return nil
		}
		return p.pc.AddICECandidate(*c.Candidate)
	case "call.status":
		p.call = c.CallID
	case "call.end":
		p.ended <- c.Reason
	case "error":
		return fmt.Errorf("the server answers %s", f.Payload)
	}
	return nil
}

func (p *phone) answer(id string, offer webrtc.SessionDescription) error {
	if err := p.pc.SetRemoteDescription(offer); err != nil {
		return err
	}
	answer, err := p.pc.CreateAnswer(nil)
	if err != nil {
		return err
	}
	p.send("call.answer", map[string]any{"call_id": id, "sdp": answer})
	p.call = id
	return p.pc.SetLocalDescription(answer)
}

// dial calls a user.
func (p *phone) dial(to int64) {
	p.t.Helper()
	offer, err := p.pc.CreateOffer(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.pc.SetLocalDescription(offer); err != nil {
		p.t.Fatal(err)
	}
	p.send("call.offer", map[string]any{"to_user": to, "call_type": "audio", "sdp": offer})
}

// send may be called by any goroutine.
func (p *phone) send(frameType string, payload any) {
	_, err := p.s.conn.WriteFrame(context.Background(), frameType, payload)
	p.ok(err)
}

func (p *phone) ok(err error) {
	if err != nil {
		p.t.Error(err)
	}
}

// path is what the media takes: the types of both ends.
func (p *phone) path() string {
	pair, err := p.pc.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
	if err != nil || pair == nil {
		return fmt.Sprint("none: ", err)
	}
	return pair.Local.Typ.String() + "-" + pair.Remote.Typ.String()
}

func take[T any](t *testing.T, what string, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(patience):
		t.Fatalf("no %s within %s", what, patience)
	}
	return v
}

// TestPeers has two real peers talk, by our signalling alone: over a data channel
// and in audio, directly and by our relay.
func TestPeers(t *testing.T) {
	t.Parallel()
	t.Run("direct", func(t *testing.T) { peersTalk(t, false, start(t, shortCalls)) })
	t.Run("relayed", func(t *testing.T) {
		a := start(t, func(c *server.Config) { shortCalls(c); withTURN(c) })
		peersTalk(t, true, a)
		p := a.scrape(t)
		if asked, failed := p.samples["turn_relay_attempts_total"], p.samples["turn_relay_failures_total"]; asked < 4 || failed != 0 {
			t.Errorf("%v allocations were asked for, %v failed", asked, failed)
		}
	})
	t.Run("on two nodes", func(t *testing.T) { peersTalk(t, false, two(t)...) })
}

func peersTalk(t *testing.T, relayed bool, nodes ...*app) {
	alice, bob := pair(t, nodes[0], nodes[len(nodes)-1])
	t.Run("and hang up", func(t *testing.T) {
		hers, his := talking(t, relayed, alice, bob, nodes)
		hers.hangUp <- struct{}{}
		if got := take(t, "end", his.ended); got != "user_hangup" {
			t.Errorf("it ended by %s", got)
		}
		gauge(t, 0, nodes...)
	})
	t.Run("and one is killed", func(t *testing.T) {
		hers, his := talking(t, relayed, alice, bob, nodes)
		_ = hers.s.conn.CloseNow()
		if got := take(t, "end", his.ended); got != "network_error" {
			t.Errorf("it ended by %s", got)
		}
		gauge(t, 0, nodes...)
	})
}

// talking connects the phones of two users, and returns when both have heard the
// other and the server counts them.
func talking(t *testing.T, relayed bool, alice, bob *user, nodes []*app) (hers, his *phone) {
	t.Helper()
	hers, his = newPhone(t, alice, relayed), newPhone(t, bob, relayed)
	channel, err := hers.pc.CreateDataChannel("chat", nil)
	if err != nil {
		t.Fatal(err)
	}
	hers.chat(channel, "alice")
	his.pc.OnDataChannel(func(c *webrtc.DataChannel) { his.chat(c, "bob") })
	gauge(t, 0, nodes...)
	hers.dial(bob.id)
	if got := take(t, "text", hers.texts); got != "this is bob" {
		t.Errorf("alice reads %q", got)
	}
	if got := take(t, "text", his.texts); got != "this is alice" {
		t.Errorf("bob reads %q", got)
	}
	for _, p := range []*phone{hers, his} {
		for range 10 {
			if n := take(t, "audio", p.packets); n != 3 {
				t.Errorf("%d bytes of audio", n)
			}
		}
		if path := p.path(); strings.Contains(path, "relay") != relayed || strings.Contains(path, "host") == relayed {
			t.Errorf("the media goes %s", path)
		}
	}
	gauge(t, 2, nodes...)
	return hers, his
}
