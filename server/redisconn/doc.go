// Package redisconn opens the Redis that the server's adapters share.
//
// [Open] creates a client from a URL: one server, sentinels or a cluster. While Redis is unreachable, the client's
// commands fail at once instead of timing out each time, so its users need no breaker. [ReadMemory] reads how much
// memory Redis uses.
package redisconn

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/redis/go-redis/v9"
)

// LogTo sends the Redis library's log to log instead of standard error, for the whole process. It uses level DEBUG,
// because the errors of commands say nearly the same.
func LogTo(log *slog.Logger) { redis.SetLogger(logger{log}) }

type logger struct{ log *slog.Logger }

// Printf implements the library's logger.
func (l logger) Printf(ctx context.Context, format string, v ...any) {
	l.log.DebugContext(ctx, "redis client", "says", fmt.Sprintf(format, v...))
}
