package server

import (
	"net/http"
	"net/http/pprof"
	"runtime/debug"
	"strconv"
	"time"
)

// maxProfile is the longest duration of a profile. While it runs, it costs CPU and memory.
const maxProfile = time.Minute

// profiles returns the pages of net/http/pprof and the build information, by their patterns. It omits pprof's page with
// the command line, which may have a password.
func profiles() map[string]http.Handler {
	return map[string]http.Handler{
		"GET /debug/pprof/":        bounded(pprof.Index), // and heap, goroutine, …
		"GET /debug/pprof/profile": bounded(pprof.Profile),
		"GET /debug/pprof/trace":   bounded(pprof.Trace),
		"GET /debug/pprof/symbol":  http.HandlerFunc(pprof.Symbol),
		"POST /debug/pprof/symbol": http.MaxBytesHandler(http.HandlerFunc(pprof.Symbol), 1<<20),
		"GET /debug/build":         http.HandlerFunc(buildInfo),
	}
}

// bounded refuses a profile that is longer than maxProfile.
func bounded(page http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text := r.URL.Query().Get("seconds")
		seconds, err := strconv.ParseFloat(text, 64)
		if text != "" && (err != nil || !(seconds > 0 && seconds <= maxProfile.Seconds())) {
			http.Error(w, "seconds must be a number above 0, and at most "+strconv.Itoa(int(maxProfile.Seconds()))+".", http.StatusBadRequest)
			return
		}
		page(w, r)
	})
}

// buildInfo shows what the program was built from: the versions of its module and dependencies, and the commit.
func buildInfo(w http.ResponseWriter, _ *http.Request) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		http.Error(w, "The program was built without modules.", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(info.String()))
}
