//go:build unix

package web_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/onemeter/onemeter/internal/needs"
)

// patience is for browsers on a machine with much to do.
const patience = 30 * time.Second

// A browser is one Chromium, with a camera and a microphone that are made up.
type browser struct {
	ctx context.Context
}

// TestBrowser has people use the client, in one Chromium. make test-browser runs it.
func TestBrowser(t *testing.T) {
	b := openBrowser(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, *browser)
	}{
		{"people", people},
		{"files", filesSent},
		{"group", group},
		{"scripts", scripts},
		{"reconnects", reconnects},
		{"restarts", restarts},
		{"refusals", refusals},
		{"renews", renews},
		{"call", calls},
		{"keyboard", keyboard},
		{"looks", looks},
		{"first paint", firstPaint},
		{"long conversation", longConversation},
		{"flood", flood},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, b) })
	}
}

func openBrowser(t *testing.T) *browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(needs.Chromium(t)), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("use-fake-device-for-media-stream", true),
		chromedp.Flag("use-fake-ui-for-media-stream", true), chromedp.Flag("allow-loopback-in-peer-connection", true),
		chromedp.Flag("autoplay-policy", "no-user-gesture-required"), chromedp.Flag("lang", "en-GB"),
	)
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return &browser{ctx}
}

// A window is a page with a session of its own. Whatever it logs as an error
// fails the test.
type window struct {
	t      *testing.T
	ctx    context.Context
	faults *faults
}

// screen is how large a page is, and what it prefers.
type screen struct {
	width, height int64
	dark, touch   bool
}

var desktop, phone = screen{width: 1100, height: 720}, screen{width: 360, height: 720, touch: true}

func (b *browser) open(t *testing.T, url string, s screen) *window {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	w := &window{t, ctx, &faults{}}
	if err := chromedp.Listen(ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			w.faults.add(e.ExceptionDetails.Exception.Description)
		case *log.EventEntryAdded:
			if e.Entry.Source == "security" || e.Entry.Source == "javascript" {
				w.faults.add(e.Entry.Text)
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, fault := range w.faults.all() {
			t.Errorf("the page failed: %s", fault)
		}
	})
	media := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "light"}}
	if s.dark {
		media[0].Value = "dark"
	}
	viewport := []chromedp.EmulateViewportOption{}
	if s.touch {
		viewport = append(viewport, chromedp.EmulateTouch, chromedp.EmulateMobile)
	}
	w.do(
		chromedp.EmulateViewport(s.width, s.height, viewport...),
		command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: media}),
		command(emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}),
		chromedp.Navigate(url),
	)
	return w
}

// command is an action that gives the browser a command.
func command[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, c, params)
		return err
	})
}

// faults of a page, from when it is listened to.
type faults struct {
	mu   sync.Mutex
	list []string
}

func (f *faults) add(text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(f.list, text)
}

func (f *faults) all() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.list)
}

func (w *window) do(actions ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		w.fail(err)
	}
}

// fail ends the test, and tells what the page shows.
func (w *window) fail(err error) {
	w.t.Helper()
	w.shot("failed")
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
	w.t.Fatalf("%v; the page reads:\n%s", err, text)
}

// Selectors of what tests touch.
const (
	composer = `.composer textarea`
	search   = `#search`
)

// fill writes a text where a selector points.
func (w *window) fill(selector, text string) {
	w.t.Helper()
	w.do(chromedp.WaitVisible(chromedp.CSS(selector)), chromedp.SendKeys(chromedp.CSS(selector), text))
}

// press pushes what a selector points to.
func (w *window) press(selector string) {
	w.t.Helper()
	w.do(chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// button pushes the one with a label or a text.
func (w *window) button(label string) {
	w.t.Helper()
	w.do(chromedp.Click(fmt.Sprintf(`//*[self::button or self::a][@aria-label=%q or normalize-space()=%q]`, label, label), chromedp.NodeVisible))
}

// key pushes a key as a keyboard does: a page that takes it keeps the browser
// from acting on it. chromedp's own keys are not kept.
func (w *window) key(name, text string, code int64, modifiers ...chromedp.Modifier) {
	w.t.Helper()
	p := input.DispatchKeyEventParams{Key: name, Code: name, Text: text, WindowsVirtualKeyCode: code, Type: kb.KeyDown}
	for _, m := range modifiers {
		p.Modifiers |= int64(m)
	}
	up := p
	up.Type, up.Text = kb.KeyUp, ""
	w.do(command(input.DispatchKeyEvent, p), command(input.DispatchKeyEvent, up))
}

// until waits for a condition, in JavaScript.
func (w *window) until(condition string, args ...any) {
	w.t.Helper()
	expression := "!!(" + fmt.Sprintf(condition, args...) + ")"
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	_, err := chromedp.Run(ctx, chromedp.Poll[bool](expression, chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(patience)))
	if err != nil {
		w.fail(fmt.Errorf("%w: %s", err, expression))
	}
}

// sees waits until a text is where a selector points.
func (w *window) sees(selector, text string) {
	w.t.Helper()
	w.until(`[...document.querySelectorAll(%q)].some(e => e.textContent.includes(%q))`, selector, text)
}

// eval returns the value of an expression.
func eval[T any](w *window, expression string) T {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		w.fail(fmt.Errorf("%w: %s", err, expression))
	}
	return v
}

// js runs a statement in the page.
func (w *window) js(statement string) {
	w.t.Helper()
	eval[chromedp.Void](w, statement)
}

// shot keeps a picture of the page where IM_TEST_SHOTS names a folder.
func (w *window) shot(name string) {
	dir := os.Getenv("IM_TEST_SHOTS")
	if dir == "" {
		return
	}
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, strings.ReplaceAll(w.t.Name(), "/", "-")+"-"+name+".png"), png, 0o600)
	}
	if err != nil {
		w.t.Log(err)
	}
}

// register fills in the form.
func (w *window) register(phone, username, nickname string) {
	w.t.Helper()
	w.button("Register")
	w.fill(`input[name=nickname]`, nickname)
	w.fill(`input[name=username]`, username)
	w.fill(`input[name=phone]`, phone)
	w.fill(`input[name=password]`, password+"\r")
	w.until(`!!document.querySelector('.sidebar')`)
	w.connected()
}

// login fills in the form, as a user that there is.
func (w *window) login(who string) {
	w.t.Helper()
	w.fill(`input[name=who]`, who)
	w.fill(`input[name=password]`, password+"\r")
	w.until(`!!document.querySelector('.sidebar')`)
	w.connected()
}

// connected waits until the list is there.
func (w *window) connected() {
	w.t.Helper()
	w.until(`!!document.querySelector('nav') && !document.querySelector('[aria-busy]')`)
}

// meets finds somebody by the search, and opens the conversation.
func (w *window) meets(q, name string) {
	w.t.Helper()
	w.fill(search, q)
	w.sees(`nav .name`, name)
	w.press(`nav a.row`)
	w.sees(`.chat h2`, name)
}

// says writes a message and sends it.
func (w *window) says(text string) {
	w.t.Helper()
	w.fill(composer, text)
	w.press(`.composer .send`)
	w.sees(`.message.mine .text`, text)
}

// reads opens a conversation of the list by its name.
func (w *window) reads(name string) {
	w.t.Helper()
	w.sees(`nav .name`, name)
	w.do(chromedp.Click(fmt.Sprintf(`//nav//a[.//*[@class="name" and normalize-space()=%q]]`, name), chromedp.NodeVisible))
	w.sees(`.chat h2`, name)
}

// pair are two who have a conversation, each with a window of his own.
func (a *app) pair(t *testing.T, b *browser) (alice, bob *window) {
	t.Helper()
	one := a.register(t, "10001", "alice", "Alice Winter")
	two := a.register(t, "10002", "bob", "Bob Sommer")
	one.send(t, two.ID, "Hello Bob")
	alice, bob = b.open(t, "http://"+a.addr, desktop), b.open(t, "http://"+a.addr, desktop)
	alice.login("alice")
	bob.login("bob")
	alice.reads("Bob Sommer")
	bob.reads("Alice Winter")
	return alice, bob
}

// menu does something with the message that has a text.
func (w *window) menu(text, entry string) {
	w.t.Helper()
	w.sees(`.message .text`, text)
	w.js(fmt.Sprintf(`[...document.querySelectorAll('.message')].find(m => m.textContent.includes(%q)).querySelector('.more').click()`, text))
	w.button(entry)
}

// gapless scrolls through the whole conversation, and wants each message of n once.
func (w *window) gapless(n int) {
	w.t.Helper()
	w.until(`document.querySelector('[data-seq="%d"]')`, n)
	got := eval[string](w, fmt.Sprintf(`(async n => {
		const box = document.querySelector('.messages'), seen = new Set()
		for (let turn = 0; turn < 2000; turn++) {
			const seqs = [...box.querySelectorAll('[data-seq]')].map(e => Number(e.dataset.seq))
			if (new Set(seqs).size < seqs.length) return 'one is there twice'
			if (seqs.some((seq, i) => i > 0 && seq <= seqs[i-1])) return 'not in order: ' + seqs
			seqs.forEach(seq => seen.add(seq))
			if (box.scrollTop <= 0 && seen.has(1)) break
			box.scrollTop -= box.clientHeight * 0.8
			await new Promise(r => setTimeout(r, 30))
		}
		box.scrollTop = box.scrollHeight
		for (let seq = 1; seq <= n; seq++) if (!seen.has(seq)) return seq + ' is missing'
		return seen.size === n ? '' : seen.size + ' messages'
	})(%d)`, n))
	if got != "" {
		w.t.Errorf("of %d messages, %s", n, got)
	}
}
