package server

import (
	"net/http"
	"net/http/pprof"
	"runtime/debug"
	"strconv"
	"time"
)

// maxProfile bounds a profile over time: while it runs, it costs CPU, or holds
// what it gathers in memory.
const maxProfile = time.Minute

// profiles are the pages of net/http/pprof and of the build, by their patterns.
// The command line, which pprof would show as well, may hold a password.
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

// bounded refuses a profile that takes too long.
func bounded(page http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text := r.URL.Query().Get("seconds")
		seconds, err := strconv.ParseFloat(text, 64)
		if text != "" && (err != nil || !(seconds > 0 && seconds <= maxProfile.Seconds())) {
			http.Error(w, "seconds is a number above 0, and at most "+strconv.Itoa(int(maxProfile.Seconds()))+".", http.StatusBadRequest)
			return
		}
		page(w, r)
	})
}

// buildInfo tells what the program was built from: its module's version, its
// dependencies' and the commit.
func buildInfo(w http.ResponseWriter, _ *http.Request) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		http.Error(w, "The program was built without modules.", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(info.String()))
}
