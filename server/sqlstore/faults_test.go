package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/onemeter/onemeter/internal/needs"
	"github.com/onemeter/onemeter/server/chat"
)

// A pair is a store behind a proxy, and two users who talk.
type pair struct {
	*Store
	proxy        *needs.Proxy
	url          string // past the proxy
	conversation int64
	users        [2]int64
}

func newPair(t *testing.T, settings string) *pair {
	t.Helper()
	p := &pair{url: needs.MySQL(t)}
	u, err := url.Parse(p.url)
	if err != nil {
		t.Fatal(err)
	}
	p.proxy = needs.NewProxy(t, u.Host)
	u.Host, u.RawQuery = p.proxy.Addr, settings
	p.Store = openTest(t, Config{MySQL: u.String()})
	p.users = [2]int64{newUser(t, p.Store, "+10000"), newUser(t, p.Store, "+10001")}
	if p.conversation, err = openDirect(t.Context(), p.Store, p.users[0], p.users[1]); err != nil {
		t.Fatal(err)
	}
	return p
}

// message is one on its way, without a ClientMsgID.
func (p *pair) message(content string) chat.NewMessage {
	return chat.NewMessage{
		ConversationID: p.conversation, SenderID: p.users[0], Content: content, Type: chat.TypeText, CreatedAt: time.Now(),
	}
}

// stored counts the messages, past the proxy.
func (p *pair) stored(t *testing.T) (n, lastSeq int64) {
	t.Helper()
	s := openTest(t, Config{MySQL: p.url})
	err := row(t.Context(), s.read, `SELECT COUNT(*), COALESCE(MAX(seq), 0) FROM messages`, nil, &n, &lastSeq)
	if err != nil {
		t.Fatal(err)
	}
	return n, lastSeq
}

// TestLostAnswers severs the connection at each statement of Append, before the
// server gets it or after.
func TestLostAnswers(t *testing.T) {
	p := newPair(t, "")
	want := int64(0)
	for _, statement := range []string{"START TRANSACTION", "FOR UPDATE", "INSERT INTO messages", "UPDATE conversations", "COMMIT"} {
		for _, after := range []bool{false, true} {
			p.proxy.SeverAt(statement, after)
			batch := []chat.NewMessage{p.message("a"), p.message("b")}
			batch[1].ClientMsgID = fmt.Sprint(statement, after)
			results, err := p.Append(t.Context(), batch)
			if err != nil {
				t.Errorf("%s, after %v: %v", statement, after, err)
				continue
			}
			for i, r := range results {
				want++
				if r.Err != nil || r.Duplicate || r.Message.Seq != want {
					t.Errorf("%s, after %v: message %d is %+v, want seq %d", statement, after, i, r, want)
				}
			}
		}
	}
	if n, last := p.stored(t); n != want || last != want {
		t.Errorf("%d messages up to %d are stored, want %d", n, last, want)
	}
}

// TestUnansweredCommitIsToldApart has no server to ask what became of it.
func TestUnansweredCommitIsToldApart(t *testing.T) {
	p := newPair(t, "")
	p.proxy.SeverAt("COMMIT", true)
	err := p.write.inTx(t.Context(), func(ctx context.Context, q querier) error {
		_, err := exec(ctx, q, "UPDATE users SET bio = 'x'")
		return err
	})
	if _, unknown := errors.AsType[*unknownError](err); !unknown {
		t.Fatalf("the commit's answer was lost, and it said %v", err)
	}
	e, ok := errors.AsType[*chat.Error](p.fail(t.Context(), "test", err))
	if !ok || e.Kind != chat.KindUnavailable || e.Why == "nothing was stored; try again in a moment" {
		t.Errorf("%+v", e)
	}
}

func TestLostReadsAreReadAgain(t *testing.T) {
	p := newPair(t, "")
	for _, after := range []bool{false, true} {
		p.proxy.SeverAt("FROM users u WHERE u.id IN", after)
		if users, err := p.Users(t.Context(), p.users[:]); err != nil || len(users) != 2 {
			t.Errorf("after %v: %v, %v", after, users, err)
		}
	}
	p.proxy.Sever()
	if err := p.Ping(t.Context()); err != nil {
		t.Errorf("with every idle connection gone: %v", err)
	}
}

// TestLostWritesAreNotWrittenAgain: whether the account was made is not known.
func TestLostWritesAreNotWrittenAgain(t *testing.T) {
	p := newPair(t, "")
	p.proxy.SeverAt("COMMIT", true)
	_, err := p.CreateUser(t.Context(), chat.User{Phone: "+19999"}, "h")
	if chat.KindOf(err) != chat.KindUnavailable {
		t.Error(err)
	}
}

// TestServerHangs wants every method's deadline kept, and nothing left waiting.
func TestServerHangs(t *testing.T) {
	p := newPair(t, "connect-timeout=200ms&timeout=400ms")
	if err := p.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.proxy.Freeze()
	before := runtime.NumGoroutine()
	for name, call := range map[string]func(context.Context) error{
		"Append": func(ctx context.Context) error {
			_, err := p.Append(ctx, []chat.NewMessage{p.message("x")})
			return err
		},
		"Users":      func(ctx context.Context) error { _, err := p.Users(ctx, p.users[:]); return err },
		"CreateUser": func(ctx context.Context) error { _, err := p.CreateUser(ctx, chat.User{}, ""); return err },
		"Ping":       p.Ping,
	} {
		for what, within := range map[string]time.Duration{"deadline": 100 * time.Millisecond, "own timeout": time.Hour} {
			ctx, cancel := context.WithTimeout(t.Context(), within)
			start := time.Now()
			err := call(ctx)
			if took := time.Since(start); took > 3*time.Second {
				t.Errorf("%s, %s: took %s", name, what, took)
			}
			if chat.KindOf(err) != chat.KindUnavailable {
				t.Errorf("%s, %s: %v", name, what, err)
			}
			if errors.Is(err, context.DeadlineExceeded) != (ctx.Err() != nil) {
				t.Errorf("%s, %s: %v, whose context says %v", name, what, err, ctx.Err())
			}
			cancel()
		}
	}
	if after := runtime.NumGoroutine(); after > before+8 {
		t.Errorf("%d goroutines became %d", before, after)
	}
	p.proxy.Heal()
	if _, err := p.Append(t.Context(), []chat.NewMessage{p.message("again")}); err != nil {
		t.Errorf("after it went on: %v", err)
	}
	if n, last := p.stored(t); n != last {
		t.Errorf("%d messages, the last has seq %d", n, last)
	}
}

// TestCommitHangs: the deadline counts for the commit too.
func TestCommitHangs(t *testing.T) {
	p := newPair(t, "")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	err := p.write.inTx(ctx, func(ctx context.Context, q querier) error {
		_, err := exec(ctx, q, "UPDATE users SET bio = 'x'")
		p.proxy.Freeze()
		return err
	})
	if took := time.Since(start); took > 2*time.Second || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v after %s", err, took)
	}
	if _, unknown := errors.AsType[*unknownError](err); !unknown {
		t.Errorf("%v does not say that it is unknown", err)
	}
}

// TestSlowServerIsConnectedTo: making a connection takes several answers, in all
// longer than one may take.
func TestSlowServerIsConnectedTo(t *testing.T) {
	p := newPair(t, "")
	p.proxy.Delay(450 * time.Millisecond)
	defer p.proxy.Heal()
	p.proxy.Sever()
	var err error
	for range 3 { // noise may make it slower yet
		if _, err = p.Append(t.Context(), []chat.NewMessage{p.message("slowly")}); err == nil {
			return
		}
	}
	t.Error(err)
}

func TestServerAway(t *testing.T) {
	p := newPair(t, "")
	p.proxy.Cut()
	start := time.Now()
	_, err := p.Append(t.Context(), []chat.NewMessage{p.message("x")})
	if took := time.Since(start); chat.KindOf(err) != chat.KindUnavailable || took > 2*time.Second {
		t.Errorf("%v after %s", err, took)
	}
	p.proxy.Heal()
	if _, err := p.Append(t.Context(), []chat.NewMessage{p.message("y")}); err != nil {
		t.Error(err)
	}
	if n, last := p.stored(t); n != 1 || last != 1 {
		t.Errorf("%d messages up to %d", n, last)
	}
}

// TestDeadlocksAreTriedAgain makes one of two transactions that lock the same
// two rows in opposite orders.
func TestDeadlocksAreTriedAgain(t *testing.T) {
	p := newPair(t, "")
	var both, all sync.WaitGroup
	both.Add(2)
	runs := make([]int, 2)
	for i := range 2 {
		all.Go(func() {
			err := p.write.inTx(t.Context(), func(ctx context.Context, q querier) error {
				runs[i]++
				if err := touch(ctx, q, p.users[i]); err != nil {
					return err
				}
				if runs[i] == 1 {
					both.Done()
					both.Wait()
				}
				return touch(ctx, q, p.users[1-i])
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if runs[0]+runs[1] != 3 {
		t.Errorf("they ran %v times, want one of them twice", runs)
	}
	for _, id := range p.users {
		var n int64
		if err := row(t.Context(), p.read, "SELECT last_seen FROM users WHERE id = ?", []any{id}, &n); err != nil || n != 2 {
			t.Errorf("user %d was touched %d times, %v", id, n, err)
		}
	}
}

func touch(ctx context.Context, q querier, user int64) error {
	_, err := exec(ctx, q, "UPDATE users SET last_seen = last_seen + 1 WHERE id = ?", user)
	return err
}

func TestRollbackFreesTheRows(t *testing.T) {
	p := newPair(t, "conns=2")
	fault := errors.New("a fault")
	for range 4 { // more often than there are connections
		err := p.write.inTx(t.Context(), func(ctx context.Context, q querier) error {
			return errors.Join(touch(ctx, q, p.users[0]), fault)
		})
		if !errors.Is(err, fault) {
			t.Fatal(err)
		}
	}
	if err := p.SetLastSeen(t.Context(), p.users[:1], time.Now()); err != nil {
		t.Fatal(err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = p.write.inTx(t.Context(), func(ctx context.Context, q querier) error {
			panic(touch(ctx, q, p.users[0]))
		})
	}()
	if err := p.SetLastSeen(t.Context(), p.users[:1], time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if inUse := p.Stats().InUse; inUse != 0 {
		t.Errorf("%d connections are in use", inUse)
	}
}

// TestNumbers is a sample of what a server says.
func TestNumbers(t *testing.T) {
	for n, want := range map[uint16]failure{1040: failBusy, 1213: failBusy, 1053: failLost, 1290: failAway, 1062: failDuplicate, 1146: failOther} {
		if got := classifyNumber(n); got != want {
			t.Errorf("error %d is %v, want %v", n, got, want)
		}
	}
}

// TestStatementsSentAhead are part of the transaction, also where none follows.
func TestStatementsSentAhead(t *testing.T) {
	for engine, cfg := range map[string]func(t *testing.T) Config{
		"sqlite": func(*testing.T) Config { return Config{} },
		"mysql":  func(t *testing.T) Config { return Config{MySQL: needs.MySQL(t)} },
	} {
		t.Run(engine, func(t *testing.T) {
			s := openTest(t, cfg(t))
			user := newUser(t, s, "+10000")
			bio := func() string {
				users, err := s.Users(t.Context(), []int64{user})
				if err != nil || len(users) != 1 {
					t.Fatal(users, err)
				}
				return users[0].Bio
			}
			set := func(bio string, then ...string) error {
				return s.write.inTx(t.Context(), func(ctx context.Context, q querier) error {
					err := q.execAhead(ctx, "UPDATE users SET bio = ? WHERE id = ?", bio, user)
					for _, statement := range then {
						err = errors.Join(err, q.execAhead(ctx, statement))
					}
					return err
				})
			}
			if err := set("one"); err != nil || bio() != "one" {
				t.Errorf("alone: %v, %q", err, bio())
			}
			if err := set("two", "UPDATE users SET role = 'user'"); err != nil || bio() != "two" {
				t.Errorf("with another: %v, %q", err, bio())
			}
			if err := set("three", "UPDATE users SET no_such = 1"); err == nil || bio() != "two" {
				t.Errorf("with one that fails: %v, %q", err, bio())
			}
			if err := s.write.inTx(t.Context(), func(context.Context, querier) error { return nil }); err != nil {
				t.Errorf("without a statement: %v", err)
			}
		})
	}
}
