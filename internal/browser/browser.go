// Package browser lets tests use a page as people do, in a real Chromium: open
// windows, fill in fields, press buttons, read texts and take pictures. [Open]
// starts a browser.
package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	downloads "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/onemeter/onemeter/internal/needs"
)

// Patience is how long a test waits for a page. It is long, because browsers are
// slow on a busy machine.
const Patience = 30 * time.Second

// A Browser is one Chromium process, with a fake camera and a fake microphone.
type Browser struct {
	ctx context.Context
}

// Open starts a Chromium, and stops it when the test ends. Without Chromium, it skips
// the test: see [needs.Chromium].
func Open(t *testing.T) *Browser {
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
	return &Browser{ctx}
}

// A Window is a page with a profile of its own, which has its cookies and storage.
// Exceptions and security errors in the page fail the test. If a method fails, or the
// page does not do within [Patience] what it waits for, it ends the test.
type Window struct {
	t      testing.TB
	ctx    context.Context
	faults *faults
}

// A Screen is the size of a page in CSS pixels, its colour scheme, and whether it
// has a touch screen.
type Screen struct {
	Width, Height int64
	Dark, Touch   bool
}

// The usual screens.
var (
	Desktop = Screen{Width: 1100, Height: 720}
	Phone   = Screen{Width: 360, Height: 720, Touch: true}
)

// Open opens the page at url in a new window, and closes it when the test ends.
func (b *Browser) Open(t *testing.T, url string, s Screen) *Window {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	w := &Window{t, ctx, &faults{}}
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
	if s.Dark {
		media[0].Value = "dark"
	}
	viewport := []chromedp.EmulateViewportOption{}
	if s.Touch {
		viewport = append(viewport, chromedp.EmulateTouch, chromedp.EmulateMobile)
	}
	w.Do(
		chromedp.EmulateViewport(s.Width, s.Height, viewport...),
		Command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: media}),
		Command(emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}),
		chromedp.Navigate(url),
	)
	return w
}

// Command returns an action that sends a command of the DevTools protocol.
func Command[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, c, params)
		return err
	})
}

// faults collects the errors of a page. It is safe for concurrent use.
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

// Do runs chromedp's actions, within Patience.
func (w *Window) Do(actions ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, Patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		w.fail(err)
	}
}

// fail ends the test, and logs the text of the page.
func (w *Window) fail(err error) {
	w.t.Helper()
	w.Shot("failed")
	ctx, cancel := context.WithTimeout(w.ctx, Patience)
	defer cancel()
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
	w.t.Fatalf("%v; the page reads:\n%s", err, text)
}

// Fill waits for the element that a CSS selector matches, and types text into it.
func (w *Window) Fill(selector, text string) {
	w.t.Helper()
	w.Do(chromedp.WaitVisible(chromedp.CSS(selector)), chromedp.SendKeys(chromedp.CSS(selector), text))
}

// Press waits for the element that a CSS selector matches, and clicks it.
func (w *Window) Press(selector string) {
	w.t.Helper()
	w.Do(chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// Button waits for the button or link with this label or text, and clicks it.
func (w *Window) Button(label string) {
	w.t.Helper()
	w.Do(chromedp.Click(fmt.Sprintf(`//*[self::button or self::a][@aria-label=%q or normalize-space()=%q]`, label, label), chromedp.NodeVisible))
}

// Confirm clicks the button with this label, and answers yes or no to the browser's
// dialog that the page then opens.
func (w *Window) Confirm(label string, yes bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, Patience)
	defer cancel()
	questions := chromedp.Events(ctx, page.JavascriptDialogOpening)
	answered := make(chan error, 1)
	go func() {
		var err error
		for _, err = range questions {
			if err == nil {
				_, err = chromedp.Call(ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: yes})
			}
			break
		}
		answered <- err
	}()
	w.Button(label)
	if err := <-answered; err != nil {
		w.fail(fmt.Errorf("no question after %s: %w", label, err))
	}
}

// Downloads makes the page save files in a temporary folder, and returns the folder.
func (w *Window) Downloads() (folder string) {
	w.t.Helper()
	folder = w.t.TempDir()
	params := downloads.SetDownloadBehaviorParams{
		Behavior: downloads.SetDownloadBehaviorBehaviorAllow, DownloadPath: folder,
		BrowserContextID: chromedp.FromContext(w.ctx).BrowserContextID,
	}
	if _, err := chromedp.CallBrowser(w.ctx, downloads.SetDownloadBehavior, params); err != nil {
		w.fail(err)
	}
	return folder
}

// Key presses a key as a keyboard does, so that the page can prevent the browser's
// default action, which it cannot with chromedp's own key actions. name is its
// KeyboardEvent.key and code, text is what it types, and code is its Windows key code.
func (w *Window) Key(name, text string, code int64, modifiers ...chromedp.Modifier) {
	w.t.Helper()
	p := input.DispatchKeyEventParams{Key: name, Code: name, Text: text, WindowsVirtualKeyCode: code, Type: kb.KeyDown}
	for _, m := range modifiers {
		p.Modifiers |= int64(m)
	}
	up := p
	up.Type, up.Text = kb.KeyUp, ""
	w.Do(Command(input.DispatchKeyEvent, p), Command(input.DispatchKeyEvent, up))
}

// Until waits until a JavaScript condition is true, within Patience. The condition is a
// format for args, as of fmt.Sprintf.
func (w *Window) Until(condition string, args ...any) {
	w.t.Helper()
	expression := "!!(" + fmt.Sprintf(condition, args...) + ")"
	ctx, cancel := context.WithTimeout(w.ctx, Patience)
	defer cancel()
	_, err := chromedp.Run(ctx, chromedp.Poll[bool](expression, chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(Patience)))
	if err != nil {
		w.fail(fmt.Errorf("%w: %s", err, expression))
	}
}

// Sees waits until an element that a CSS selector matches contains text.
func (w *Window) Sees(selector, text string) {
	w.t.Helper()
	w.Until(`[...document.querySelectorAll(%q)].some(e => e.textContent.includes(%q))`, selector, text)
}

// Eval returns the value of a JavaScript expression. If that is a promise, Eval waits for
// its result.
func Eval[T any](w *Window, expression string) T {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, Patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		w.fail(fmt.Errorf("%w: %s", err, expression))
	}
	return v
}

// JS runs a statement in the page.
func (w *Window) JS(statement string) {
	w.t.Helper()
	Eval[chromedp.Void](w, statement)
}

// Shot saves a picture of the page, as PNG, in the folder that IM_TEST_SHOTS names. If
// the variable is not set, it does nothing.
func (w *Window) Shot(name string) {
	dir := os.Getenv("IM_TEST_SHOTS")
	if dir == "" {
		return
	}
	ctx, cancel := context.WithTimeout(w.ctx, Patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, strings.ReplaceAll(w.t.Name(), "/", "-")+"-"+name+".png"), png, 0o600)
	}
	if err != nil {
		w.t.Log(err)
	}
}

// Accessible fails the test if axe-core finds a serious or critical fault in the page.
// axe is the source code of axe-core, and where names the page in the test's error.
func (w *Window) Accessible(axe, where string) {
	w.t.Helper()
	w.JS(`void (window.axe ?? (0, eval)(` + Quote(axe) + `))`)
	found := Eval[[]struct {
		ID, Impact, Help string
		Nodes            []struct{ HTML, FailureSummary string }
	}](w, `axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.filter(v => ['serious', 'critical'].includes(v.impact)))`)
	for _, v := range found {
		for _, n := range v.Nodes {
			w.t.Errorf("%s: %s (%s): %s\n%s", where, v.ID, v.Impact, n.HTML, n.FailureSummary)
		}
	}
}

// Quote returns a text as a JavaScript string literal.
func Quote(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(text)
}
