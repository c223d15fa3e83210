package redisconn

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// ErrAway is the error of commands that are not sent, because earlier ones found Redis unreachable.
var ErrAway = errors.New("redis is away")

// Parameters of a breaker.
const (
	tripAfter = 3 // failures in a row
	firstWait = 250 * time.Millisecond
	maxWait   = 4 * time.Second
)

// A breaker makes commands fail at once while Redis is unreachable. It is a hook of the client.
type breaker struct {
	now func() time.Time

	mu       sync.Mutex
	failures int // in a row
	wait     time.Duration
	until    time.Time // when the next command may be sent
	probing  bool      // one is being sent
}

var _ redis.Hook = (*breaker)(nil)

func newBreaker(now func() time.Time) *breaker { return &breaker{now: now} }

// enter reports whether a command may be sent. If so, call leave after it.
func (b *breaker) enter() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures < tripAfter {
		return true
	}
	if b.probing || b.now().Before(b.until) {
		return false
	}
	b.probing = true
	return true
}

// leave records the result of a command.
func (b *breaker) leave(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !isAway(err):
		b.failures, b.wait, b.probing = 0, 0, false
	case errors.Is(err, context.Canceled): // no evidence either way: the next command may try
		b.probing = false
	case b.failures < tripAfter-1:
		b.failures++
	case b.failures < tripAfter || b.probing:
		b.failures, b.probing = tripAfter, false
		b.wait = min(max(2*b.wait, firstWait), maxWait)
		// The wait is random, so that nodes which lost Redis together do not return together.
		b.until = b.now().Add(b.wait/2 + rand.N(b.wait/2))
	}
}

// isAway reports whether err means that Redis does not serve, and is not just an error reply.
func isAway(err error) bool {
	var answer redis.Error
	if err == nil || errors.Is(err, redis.Nil) {
		return false
	}
	if !errors.As(err, &answer) {
		return true
	}
	for _, prefix := range []string{"LOADING", "MASTERDOWN", "CLUSTERDOWN", "READONLY"} {
		if strings.HasPrefix(answer.Error(), prefix) {
			return true
		}
	}
	return false
}

// setUp are the commands with which the library opens a connection, for commands that were let through and for
// subscriptions. They always pass and are not counted: the command that needed the connection is.
var setUp = map[string]bool{"hello": true, "auth": true, "select": true, "client": true, "readonly": true}

func isSetUp(cmds ...redis.Cmder) bool {
	for _, cmd := range cmds {
		if !setUp[cmd.Name()] {
			return false
		}
	}
	return true
}

// DialHook implements redis.Hook. Dialing is not limited.
func (b *breaker) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (b *breaker) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if isSetUp(cmd) {
			return next(ctx, cmd)
		}
		if !b.enter() {
			cmd.SetErr(ErrAway)
			return ErrAway
		}
		err := next(ctx, cmd)
		b.leave(err)
		return err
	}
}

// ProcessPipelineHook implements redis.Hook.
func (b *breaker) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if isSetUp(cmds...) {
			return next(ctx, cmds)
		}
		if !b.enter() {
			for _, cmd := range cmds {
				cmd.SetErr(ErrAway)
			}
			return ErrAway
		}
		err := next(ctx, cmds)
		b.leave(err)
		return err
	}
}
