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

// Calls are the hooks by which calls feed their instruments.
func (o *Observer) Calls() call.Hooks {
	ins := o.ins
	types, reasons, phases := byValue(byCallType.key), byValue(byCallEnd.key), byValue(byCallPhase.key)
	return call.Hooks{
		Started: func(ctx context.Context, d call.Started) {
			ins.callsStarted.Add(ctx, 1, types.of(string(d.Type)).add...)
		},
		Progressed: func(ctx context.Context, d call.Progressed) {
			phase := phaseAnswer
			if d.State == call.Connected {
				phase = phaseMedia
			}
			ins.callSetup.Record(ctx, d.After.Seconds(), phases.of(phase).record...)
		},
		Finished: func(ctx context.Context, d call.Finished) {
			l := reasons.of(string(d.Reason))
			ins.callsEnded.Add(ctx, 1, l.add...)
			if d.Connected {
				ins.callDuration.Record(ctx, d.Talk.Seconds(), l.record...)
			}
		},
	}
}
