package telemetry

import "log/slog"

// A voice is the log of a Provider: the logger of WithLogger, or slog's default logger at the time of each message.
type voice struct{ to *slog.Logger }

func (v voice) logger() *slog.Logger {
	if v.to != nil {
		return v.to
	}
	return slog.Default()
}

func (v voice) warn(text string, args ...any) { v.logger().Warn("telemetry: "+text, args...) }

func (v voice) info(text string, args ...any) { v.logger().Info("telemetry: "+text, args...) }
