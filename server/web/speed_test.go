//go:build unix

package web_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/coder/websocket"
)

// firstPaint limits the time from the reload of an open conversation to its first paint: the
// best of up to ten.
func firstPaint(t *testing.T, b *chromium) {
	const most = 300
	a := start(t)
	alice, _ := a.pair(t, b)
	best := 1e9
	for try := 0; try < 10 && best > most; try++ {
		alice.do(chromedp.Reload())
		alice.sees(`.message .text`, "Hello Bob")
		best = min(best, eval[float64](alice, `performance.getEntriesByName('first-contentful-paint')[0].startTime`))
	}
	load := loadPerCPU()
	t.Logf("first paint after %.0f ms, with %.1f processes for each CPU", best, load)
	if best > most && load < 2 { // otherwise other processes slow it down
		t.Errorf("first paint after %.0f ms, want at most %d", best, most)
	}
}

// loadPerCPU returns the load average of the last minute divided by the number of CPUs, or 0
// if the system does not report it.
func loadPerCPU() (load float64) {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	_, _ = fmt.Sscan(string(text), &load)
	return load / float64(runtime.NumCPU())
}

// longConversation scrolls through 100,000 messages, and checks that the page holds only
// those near the visible ones.
func longConversation(t *testing.T, b *chromium) {
	const many = 100_000
	a := start(t)
	alice := a.register(t, "10001", "alice", "Alice Winter")
	a.register(t, "10002", "bob", "Bob Sommer")
	alice.send(t, 2, "message 1")
	a.Fill(t, many, func(seq int) int64 { return int64(1 + seq/3%2) })

	bob := b.open(t, "http://"+a.Addr, desktop)
	bob.login("bob")
	bob.reads("Alice Winter")
	bob.sees(`.message .text`, fmt.Sprint("message ", many))
	rows := func(where string) {
		t.Helper()
		if n := eval[int](bob, `document.querySelectorAll('.message').length`); n > 400 {
			t.Errorf("%s: the page holds %d messages, want at most 400", where, n)
		}
	}
	rows("at the end")
	bob.js(`document.querySelector('.messages').scrollTop = 0`)
	bob.until(`!!document.querySelector('[data-seq="1"]')`)
	rows("at the beginning")
	for _, part := range []float64{0.25, 0.5, 0.9} {
		bob.js(fmt.Sprintf(`void (box => { box.scrollTop = box.scrollHeight * %g })(document.querySelector('.messages'))`, part))
		bob.until(`(box => [...box.querySelectorAll('.message')].some(m => { const r = m.getBoundingClientRect(); return r.top > 100 && r.bottom < 600 }))(document.querySelector('.messages'))`)
		rows(fmt.Sprint("at ", part))
	}
	// Visible messages do not move when a new one arrives.
	before := eval[float64](bob, `(window.held = [...document.querySelectorAll('.message')].find(m => m.getBoundingClientRect().top > 200)).getBoundingClientRect().top`)
	alice.send(t, 2, "new")
	bob.sees(`.toend .badge`, "1")
	if after := eval[float64](bob, `window.held.getBoundingClientRect().top`); after != before {
		t.Errorf("a visible message moved from %g to %g when a new one arrived", before, after)
	}
	bob.button("To the newest message")
	bob.sees(`.message .text`, "new")
}

// flood sends 1000 messages a second to the open conversation while its reader writes.
func flood(t *testing.T, b *chromium) {
	const rate, seconds = 1000, 5
	a := start(t)
	alice := a.register(t, "10001", "alice", "Alice Winter")
	a.register(t, "10002", "bob", "Bob Sommer")
	bob := b.open(t, "http://"+a.Addr, desktop)
	bob.login("bob")
	alice.send(t, 2, "before")
	bob.reads("Alice Winter")
	bob.js(`void (window.gaps = [], function frame(then) { requestAnimationFrame(now => { window.gaps.push(now - then); frame(now) }) }(performance.now()))`)

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := alice.Dial(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(-1)
	go func() { // read the acknowledgements
		for {
			if _, _, err := conn.Read(ctx); err != nil {
				return
			}
		}
	}()
	began := time.Now()
	for i := range rate * seconds {
		if wait := time.Until(began.Add(time.Duration(i) * time.Second / rate)); wait > time.Millisecond {
			time.Sleep(wait)
		}
		frame := fmt.Sprintf(`{"type":"message.send","payload":{"receiver_id":2,"content":"flood %d","client_msg_id":"f%d"}}`, i, i)
		if err := conn.Write(ctx, websocket.MessageText, []byte(frame)); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("sent in %s", time.Since(began).Round(time.Millisecond))
	bob.says("still here")
	bob.until(`document.querySelector('[data-seq="%d"]')`, rate*seconds+2)
	bob.shot("after")
	worst := eval[float64](bob, `Math.max(...window.gaps)`)
	t.Logf("longest time between two frames: %.0f ms of %d frames", worst, eval[int](bob, `window.gaps.length`))
	if worst > 1000 && loadPerCPU() < 2 {
		t.Errorf("the page drew no frame for %.0f ms, want at most 1000", worst)
	}
	if n := eval[int](bob, `document.querySelectorAll('.message').length`); n > 400 {
		t.Errorf("the page holds %d messages, want at most 400", n)
	}
}
