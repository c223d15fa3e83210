package observe

import (
	"context"
	"strconv"

	"github.com/onemeter/onemeter/server/chat"

	"go.opentelemetry.io/otel/attribute"
)

// Chat returns the hooks that feed the instruments of the domain.
func (o *Observer) Chat() chat.Hooks {
	ins := o.ins
	refused := by(ins.refused, value("reason"))
	lookups := by(ins.cacheLookups, lookupAttrs)
	rejections := by(ins.loginsRejected, rejectionAttrs)
	searches := by(ins.searchDuration, value("outcome"))
	return chat.Hooks{
		MessageStored: func(ctx context.Context, _ chat.MessageStored) { ins.messagesSent.Add(ctx, 1) },
		MessageRefused: func(ctx context.Context, d chat.MessageRefused) {
			refused.of(string(d.Reason)).Add(ctx, 1)
		},
		BatchCommitted: func(ctx context.Context, d chat.BatchCommitted) {
			if d.Err != nil {
				ins.commitFailures.Add(ctx, 1)
				return
			}
			ins.batchSize.Record(ctx, int64(d.Messages))
			ins.commitDuration.Record(ctx, d.Duration.Seconds())
		},
		CacheLookup: func(ctx context.Context, d chat.CacheLookup) {
			if d.Hit {
				ins.cacheHits.Add(ctx, 1)
			} else {
				ins.cacheMisses.Add(ctx, 1)
			}
			lookups.of(d).Add(ctx, 1)
		},
		LoginRejected: func(ctx context.Context, d chat.LoginRejected) {
			rejections.of(d).Add(ctx, 1)
		},
		FileStored: func(ctx context.Context, d chat.FileStored) { ins.uploadBytes.Add(ctx, d.Bytes) },
		FileDeleted: func(ctx context.Context, d chat.FileDeleted) {
			ins.filesDeleted.Add(ctx, 1)
			ins.deletedBytes.Add(ctx, d.Bytes)
		},
		Searched: func(ctx context.Context, d chat.Searched) {
			searches.of(string(d.Outcome)).Record(ctx, d.Duration.Seconds())
		},
		Recovered: func(ctx context.Context, d chat.Recovered) {
			ins.recovered.Add(ctx, int64(d.Messages))
			if d.Err != nil {
				ins.recoveryFailures.Add(ctx, 1)
			}
		},
		PublishFailed: func(ctx context.Context, _ error) { ins.publishFailures.Add(ctx, 1) },
	}
}

func lookupAttrs(d chat.CacheLookup) []attribute.KeyValue {
	return []attribute.KeyValue{attribute.String("cache", d.Cache), attribute.String("hit", strconv.FormatBool(d.Hit))}
}

func rejectionAttrs(d chat.LoginRejected) []attribute.KeyValue {
	operation := "login"
	if d.Registration {
		operation = "register"
	}
	return []attribute.KeyValue{attribute.String("operation", operation), attribute.String("reason", string(d.Reason))}
}
