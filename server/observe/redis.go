package observe

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Redis returns a hook for a client. It times each command, and each pipeline as one operation, as
// db.client.operation.duration. If an earlier hook refuses a command, nothing reaches Redis and nothing is recorded.
func (o *Observer) Redis() redis.Hook {
	return &redisHook{o.tracing, by(o.ins.operationDuration, redisAttrs)}
}

type redisHook struct {
	tracing  tracing
	duration *table[redisOperation, metric.Float64Histogram]
}

// A redisOperation has the labels of a command. The commands are the server's own, so there are few.
type redisOperation struct{ prefix, command, failure string }

func redisAttrs(op redisOperation) []attribute.KeyValue {
	return operationAttrs("redis", op.name(), "", op.failure)
}

func (op redisOperation) name() string {
	return strings.TrimSpace(op.prefix + " " + strings.ToUpper(op.command))
}

// DialHook implements redis.Hook.
func (h *redisHook) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (h *redisHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		return h.record(ctx, redisOperation{command: cmd.Name()}, func(ctx context.Context) error { return next(ctx, cmd) })
	}
}

// ProcessPipelineHook implements redis.Hook.
func (h *redisHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		return h.record(ctx, pipelineOf(cmds), func(ctx context.Context) error { return next(ctx, cmds) })
	}
}

func (h *redisHook) record(ctx context.Context, op redisOperation, do func(context.Context) error) error {
	start := time.Now()
	span := trace.Span(noop.Span{})
	if h.tracing.within(ctx) {
		ctx, span = h.tracing.operation(ctx, start, op.name(), redisAttrs(op)...)
	}
	err := do(ctx)
	op.failure = redisFailure(err)
	h.duration.of(op).Record(ctx, time.Since(start).Seconds())
	if op.failure != "" {
		span.SetStatus(codes.Error, op.failure)
	}
	span.End()
	return err
}

// pipelineOf names a pipeline or a transaction. If all its commands are the same, the name includes it.
func pipelineOf(cmds []redis.Cmder) redisOperation {
	op := redisOperation{prefix: "PIPELINE"}
	if n := len(cmds); n > 2 && cmds[0].Name() == "multi" {
		op.prefix, cmds = "MULTI", cmds[1:n-1]
	}
	for i, cmd := range cmds {
		switch name := cmd.Name(); {
		case i == 0:
			op.command = name
		case name != op.command:
			op.command = ""
			return op
		}
	}
	return op
}

// Values of error.type for Redis: one of these words, or the prefix of Redis's error reply.
var (
	redisWords    = []string{"cancelled", "timeout", "pool_timeout", "connection", "other"}
	redisPrefixes = []string{
		"ERR", "ASK", "BUSY", "CLUSTERDOWN", "CROSSSLOT", "EXECABORT", "LOADING", "MASTERDOWN", "MISCONF", "MOVED", "NOAUTH",
		"NOPERM", "NOREPLICAS", "NOSCRIPT", "OOM", "READONLY", "TRYAGAIN", "UNBLOCKED", "WRONGPASS", "WRONGTYPE",
	}
)

func redisErrorTypes() string {
	return "`" + strings.Join(slices.Concat(redisWords, redisPrefixes), "` `") + "`"
}

// redisFailure returns "" if Redis answered, even if the answer is nil.
func redisFailure(err error) string {
	if err == nil || errors.Is(err, redis.Nil) {
		return ""
	}
	if answer, ok := errors.AsType[redis.Error](err); ok {
		if prefix, _, _ := strings.Cut(answer.Error(), " "); slices.Contains(redisPrefixes, prefix) {
			return prefix
		}
		return "other"
	}
	return noAnswer(err)
}

func noAnswer(err error) string {
	timeout, ok := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.Is(err, redis.ErrPoolTimeout):
		return "pool_timeout"
	case errors.Is(err, context.DeadlineExceeded), ok && timeout.Timeout():
		return "timeout"
	}
	return "connection"
}
