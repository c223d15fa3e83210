// Package redisconn opens the Redis that the server's adapters share.
//
// [Open] makes a client of a URL: one server, sentinels or a cluster. The
// client gives up on a Redis that is away at once rather than after a timeout
// each time, so who uses it needs no breaker of its own. [Memory] reads how
// much of its memory Redis has used.
package redisconn

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/redis/go-redis/v9"
)

// LogTo has what the Redis library says go to log instead of standard error,
// for the whole process. It says little that its errors do not, so it is logged
// at the level of debugging.
func LogTo(log *slog.Logger) { redis.SetLogger(logger{log}) }

type logger struct{ log *slog.Logger }

// Printf implements the library's logger.
func (l logger) Printf(ctx context.Context, format string, v ...any) {
	l.log.DebugContext(ctx, "redis client", "says", fmt.Sprintf(format, v...))
}
