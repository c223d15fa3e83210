package telemetry

import "log/slog"

// A voice is where a Provider logs to: the logger of WithLogger, or else what is slog's default at that moment.
type voice struct{ to *slog.Logger }

func (v voice) logger() *slog.Logger {
	if v.to != nil {
		return v.to
	}
	return slog.Default()
}

func (v voice) warn(text string, args ...any) { v.logger().Warn("telemetry: "+text, args...) }

func (v voice) info(text string, args ...any) { v.logger().Info("telemetry: "+text, args...) }
