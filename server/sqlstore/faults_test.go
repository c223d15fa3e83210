package sqlstore

import (
	"context"
	"crypto/rand"
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

// A pair is a store behind a proxy, with a conversation of two users.
type pair struct {
	*Store
	proxy        *needs.Proxy
	url          string // of the database without the proxy
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

// message returns a message to store, without a ClientMsgID.
func (p *pair) message(content string) chat.NewMessage {
	return chat.NewMessage{
		ConversationID: p.conversation, SenderID: p.users[0], Content: content, Type: chat.TypeText, CreatedAt: time.Now(),
	}
}

// stored returns the number of messages and the largest seq. It does not use the proxy.
func (p *pair) stored(t *testing.T) (n, lastSeq int64) {
	t.Helper()
	s := openTest(t, Config{MySQL: p.url})
	err := row(t.Context(), s.read, `SELECT COUNT(*), COALESCE(MAX(seq), 0) FROM messages`, nil, &n, &lastSeq)
	if err != nil {
		t.Fatal(err)
	}
	return n, lastSeq
}

// TestLostAnswers severs the connection at each statement of Append, before or after
// the server receives it. Append must store each message once all the same.
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
		t.Errorf("%d messages are stored, the last has seq %d, want %d", n, last, want)
	}
}

// TestLostAnswersToFew severs the connection at the one round trip of a small batch, before
// the database gets it or after. The batch is not in the order in which it locks.
func TestLostAnswersToFew(t *testing.T) {
	p := newPair(t, "")
	other, err := openDirect(t.Context(), p.Store, p.users[0], p.users[0])
	if err != nil {
		t.Fatal(err)
	}
	want := int64(0)
	for i := range 8 {
		after := i%2 == 0
		batch := []chat.NewMessage{p.message("to myself"), p.message("to the other")}[i/2%2:]
		for k := range batch {
			batch[k].ClientMsgID, batch[k].ReceiverID = fmt.Sprint(i, k), p.users[1]
		}
		if len(batch) == 2 {
			batch[0].ConversationID, batch[0].ReceiverID = other, p.users[0]
		}
		p.proxy.SeverAt("INSERT INTO messages", after)
		results, err := p.Append(t.Context(), batch)
		if err != nil {
			t.Fatalf("after %v: %v", after, err)
		}
		want++
		for k, r := range results {
			m := r.Message
			if r.Err != nil || r.Duplicate || m.ConversationID != batch[k].ConversationID || m.Content != batch[k].Content || m.ReceiverID != batch[k].ReceiverID {
				t.Errorf("after %v: %+v", after, r)
			}
			if got, err := p.Message(t.Context(), m.ID); err != nil || got != m {
				t.Errorf("after %v: stored is %+v, %v, want %+v", after, got, err, m)
			}
		}
		if got := results[len(results)-1].Message.Seq; got != want {
			t.Errorf("after %v: seq %d, want %d", after, got, want)
		}
	}
	if n, _ := p.stored(t); n != want+4 {
		t.Errorf("%d messages are stored, want %d", n, want+4)
	}
}

// TestUnansweredCommitIsToldApart: if the answer to a commit is lost, the error says that
// the result is unknown.
func TestUnansweredCommitIsToldApart(t *testing.T) {
	p := newPair(t, "")
	p.proxy.SeverAt("COMMIT", true)
	err := p.write.inTx(t.Context(), func(ctx context.Context, q querier) error {
		_, err := exec(ctx, q, "UPDATE users SET bio = 'x'")
		return err
	})
	if _, unknown := errors.AsType[*unknownError](err); !unknown {
		t.Fatalf("a commit without an answer returned %v, want an unknownError", err)
	}
	e, ok := errors.AsType[*chat.Error](p.fail(t.Context(), "test", err))
	if !ok || e.Kind != chat.KindUnavailable || e.Why == "nothing was stored; try again in a moment" {
		t.Errorf("error %+v, want kind unavailable, and a text that does not say that nothing was stored", e)
	}
}

func TestLostReadsAreReadAgain(t *testing.T) {
	p := newPair(t, "")
	for _, after := range []bool{false, true} {
		p.proxy.SeverAt("FROM users u WHERE u.id IN", after)
		if users, err := p.Users(t.Context(), p.users[:]); err != nil || len(users) != 2 {
			t.Errorf("connection severed, after the statement %v: %v, %v; want both users", after, users, err)
		}
	}
	p.proxy.Sever()
	if err := p.Ping(t.Context()); err != nil {
		t.Errorf("Ping after all idle connections were severed: %v", err)
	}
}

// TestLostWritesAreNotWrittenAgain: a write whose commit is not answered is not retried,
// because the account may exist.
func TestLostWritesAreNotWrittenAgain(t *testing.T) {
	p := newPair(t, "")
	p.proxy.SeverAt("COMMIT", true)
	_, err := p.CreateUser(t.Context(), chat.User{Phone: "+19999"}, "h")
	if chat.KindOf(err) != chat.KindUnavailable {
		t.Errorf("error %v, want kind unavailable", err)
	}
}

// TestServerHangs: if the server stops answering, methods return by their deadline, and
// leave no goroutine behind.
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
		"Append one": func(ctx context.Context) error {
			m := p.message("x")
			m.ClientMsgID, m.ReceiverID = rand.Text(), p.users[1]
			_, err := p.Append(ctx, []chat.NewMessage{m})
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
				t.Errorf("%s, %s: took %s, want at most 3s", name, what, took)
			}
			if chat.KindOf(err) != chat.KindUnavailable {
				t.Errorf("%s, %s: error %v, want kind unavailable", name, what, err)
			}
			if errors.Is(err, context.DeadlineExceeded) != (ctx.Err() != nil) {
				t.Errorf("%s, %s: error %v, but the error of the context is %v", name, what, err, ctx.Err())
			}
			cancel()
		}
	}
	if after := runtime.NumGoroutine(); after > before+8 {
		t.Errorf("%d goroutines before, %d after", before, after)
	}
	p.proxy.Heal()
	if _, err := p.Append(t.Context(), []chat.NewMessage{p.message("again")}); err != nil {
		t.Errorf("Append after the server answers again: %v", err)
	}
	if n, last := p.stored(t); n != last {
		t.Errorf("%d messages are stored, but the last has seq %d", n, last)
	}
}

// TestCommitHangs: the deadline also applies to the commit.
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
		t.Errorf("%v after %s, want an exceeded deadline within 2s", err, took)
	}
	if _, unknown := errors.AsType[*unknownError](err); !unknown {
		t.Errorf("error %v, want an unknownError", err)
	}
}

// TestSlowServerIsConnectedTo: a connection to a slow server succeeds, although its
// several answers together take longer than the timeout of one.
func TestSlowServerIsConnectedTo(t *testing.T) {
	p := newPair(t, "")
	p.proxy.Delay(450 * time.Millisecond)
	defer p.proxy.Heal()
	p.proxy.Sever()
	var err error
	for range 3 { // on a busy machine it may be slower still
		if _, err = p.Append(t.Context(), []chat.NewMessage{p.message("slowly")}); err == nil {
			return
		}
	}
	t.Errorf("three times: %v", err)
}

func TestServerAway(t *testing.T) {
	p := newPair(t, "")
	p.proxy.Cut()
	start := time.Now()
	_, err := p.Append(t.Context(), []chat.NewMessage{p.message("x")})
	if took := time.Since(start); chat.KindOf(err) != chat.KindUnavailable || took > 2*time.Second {
		t.Errorf("error %v after %s, want kind unavailable within 2s", err, took)
	}
	p.proxy.Heal()
	if _, err := p.Append(t.Context(), []chat.NewMessage{p.message("y")}); err != nil {
		t.Errorf("Append after the server is back: %v", err)
	}
	if n, last := p.stored(t); n != 1 || last != 1 {
		t.Errorf("%d messages are stored, the last has seq %d, want one", n, last)
	}
}

// TestDeadlocksAreTriedAgain runs two transactions that lock the same two rows in
// opposite order. One of them must run again, and both succeed.
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
		t.Errorf("the transactions ran %v times, want one of them twice", runs)
	}
	for _, id := range p.users {
		var n int64
		if err := row(t.Context(), p.read, "SELECT last_seen FROM users WHERE id = ?", []any{id}, &n); err != nil || n != 2 {
			t.Errorf("user %d was updated %d times (%v), want 2", id, n, err)
		}
	}
}

func touch(ctx context.Context, q querier, user int64) error {
	_, err := exec(ctx, q, "UPDATE users SET last_seen = last_seen + 1 WHERE id = ?", user)
	return err
}

// TestClearingWaitsWithoutLocks: who deletes a conversation for themself locks it before the
// member, as a message does. The other order would make the two deadlock.
func TestClearingWaitsWithoutLocks(t *testing.T) {
	p := newPair(t, "")
	if _, err := p.Append(t.Context(), []chat.NewMessage{p.message("x")}); err != nil {
		t.Fatal(err)
	}
	var clearing sync.WaitGroup
	err := p.write.inTx(t.Context(), func(ctx context.Context, q querier) error {
		if _, err := exec(ctx, q, "UPDATE conversations SET title = 'x' WHERE id = ?", p.conversation); err != nil {
			return err
		}
		clearing.Go(func() {
			if _, done, err := p.ClearConversation(t.Context(), p.users[0], p.conversation, 0); err != nil || !done {
				t.Errorf("cleared: %v, %v", done, err)
			}
		})
		p.awaitLockWait(t)
		_, err := one(ctx, q, scanID, "SELECT user_id FROM members WHERE conversation_id = ? AND user_id = ? FOR UPDATE NOWAIT", p.conversation, p.users[0])
		return err
	})
	if err != nil {
		t.Errorf("the member is locked by one who waits for the conversation: %v", err)
	}
	clearing.Wait()
}

// awaitLockWait returns when a transaction waits for a lock of the pair's conversation.
func (p *pair) awaitLockWait(t *testing.T) {
	t.Helper()
	const fresh = 150 * time.Millisecond // the server shows what it last found to who asks again within 100 ms
	for deadline := time.Now().Add(stall); time.Now().Before(deadline); time.Sleep(fresh) {
		var n int
		err := row(t.Context(), p.read, `SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT' AND trx_query LIKE ?`,
			[]any{fmt.Sprintf("%%cleared_seq%%id = %d AND%%", p.conversation)}, &n)
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			return
		}
	}
	t.Error("no transaction waits for the conversation")
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
		t.Errorf("%d connections are still in use", inUse)
	}
}

// TestNumbers classifies some error numbers of MySQL.
func TestNumbers(t *testing.T) {
	for n, want := range map[uint16]failure{1040: failBusy, 1213: failBusy, 1053: failLost, 1290: failAway, 1062: failDuplicate, 1146: failOther} {
		if got := classifyNumber(n); got != want {
			t.Errorf("error %d is classified as %v, want %v", n, got, want)
		}
	}
}

// TestStatementsSentAhead: statements of execAhead are part of their transaction, also
// if no other statement follows.
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
				t.Errorf("one statement: %v, bio %q", err, bio())
			}
			if err := set("two", "UPDATE users SET role = 'user'"); err != nil || bio() != "two" {
				t.Errorf("two statements: %v, bio %q", err, bio())
			}
			if err := set("three", "UPDATE users SET no_such = 1"); err == nil || bio() != "two" {
				t.Errorf("a statement, and one that fails: %v, bio %q", err, bio())
			}
			if err := s.write.inTx(t.Context(), func(context.Context, querier) error { return nil }); err != nil {
				t.Errorf("a transaction without statements: %v", err)
			}
		})
	}
}
