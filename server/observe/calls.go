package observe

import (
	"context"

	"github.com/onemeter/onemeter/server/call"
)

// The phases of im.call.setup.duration.
const (
	phaseAnswer = "answer" // from the offer to the answer
	phaseMedia  = "media"  // from the answer to media
)

// Calls returns the hooks that feed the instruments of calls.
func (o *Observer) Calls() call.Hooks {
	started, setup := by(o.ins.callsStarted, value(byCallType.key)), by(o.ins.callSetup, value(byCallPhase.key))
	ended, talked := by(o.ins.callsEnded, value(byCallEnd.key)), by(o.ins.callDuration, value(byCallEnd.key))
	return call.Hooks{
		Started: func(ctx context.Context, d call.Started) {
			started.of(string(d.Type)).Add(ctx, 1)
		},
		Progressed: func(ctx context.Context, d call.Progressed) {
			phase := phaseAnswer
			if d.State == call.Connected {
				phase = phaseMedia
			}
			setup.of(phase).Record(ctx, d.After.Seconds())
		},
		Finished: func(ctx context.Context, d call.Finished) {
			ended.of(string(d.Reason)).Add(ctx, 1)
			if d.Connected {
				talked.of(string(d.Reason)).Record(ctx, d.Talk.Seconds())
			}
		},
	}
}
