package httpmetrics_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onemeter/onemeter/telemetry/httpmetrics"
	"github.com/onemeter/onemeter/telemetry/telemetrytest"
)

// drawn is a text of characters that HTTP accepts in a token.
func drawn(r *rand.Rand) string {
	b := make([]byte, 1+r.IntN(12))
	for i := range b {
		b[i] = "abcXYZ019-._~"[r.IntN(13)]
	}
	return string(b)
}

// 10,000 requests, in which everything is random that a client can choose, add no series except one for each status,
// known method and version of HTTP.
func TestClientsMakeNoSeries(t *testing.T) {
	const clients, each = 20, 500
	rec := telemetrytest.New(t)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /items/{id}", func(w http.ResponseWriter, r *http.Request) {
		readAll(w, r)
		w.WriteHeader(http.StatusCreated)
	})
	s := serve(t, httpmetrics.Handler(mux, httpmetrics.WithMeterProvider(rec)))
	var asking sync.WaitGroup
	for c := range clients {
		asking.Go(func() {
			r := rand.New(rand.NewPCG(12, uint64(c)))
			for range each {
				makeUp(t, r, s.Listener.Addr().String())
			}
		})
	}
	asking.Wait()
	s.Close()
	possible := map[string]bool{}
	for _, version := range []string{"1.0", "1.1"} {
		for method, statuses := range map[string][]int{"_OTHER": {307, 404, 405}, "POST": {201, 307, 404}} { // 307 cleans a path
			for _, status := range statuses {
				route := ""
				if status == http.StatusCreated {
					route = `http_route="/items/{id}",`
				}
				possible[fmt.Sprintf(`{http_request_method=%q,http_response_status_code="%d",%snetwork_protocol_version=%q,url_scheme="http"}`,
					method, status, route, version)] = true
			}
		}
	}
	for _, version := range []string{"1.0", "1.1"} { // broken uploads, some with a path that the mux redirects or does not know
		for _, route := range []string{`http_route="/items/{id}",`, ""} {
			for _, method := range []string{"POST", "_OTHER"} {
				possible[fmt.Sprintf(`{error_type="canceled",http_request_method=%q,%snetwork_protocol_version=%q,url_scheme="http"}`, method, route, version)] = true
			}
		}
	}
	lines := series(rec, durations+"_count")
	for _, line := range lines {
		if labels, _, _ := strings.Cut(line, " "); !possible[labels] {
			t.Errorf("made up: %s", line)
		}
	}
	if len(lines) < 8 {
		t.Errorf("%d series: %q", len(lines), lines)
	}
	if got := len(series(rec, active)); got != 2 {
		t.Errorf("%d series of active requests", got)
	}
	if got := rec.Sum("http.server.active_requests"); got != 0 {
		t.Errorf("%v requests are active", got)
	}
	if got := rec.Count("http.server.request.duration"); got < clients*each/2 || got > clients*each {
		t.Errorf("%d requests were counted", got)
	}
	if got := rec.Sum("http.server.request.body.size"); got < 1 || got > clients*each*100 {
		t.Errorf("bodies of %v bytes were read", got)
	}
}

// makeUp sends one request on a new connection, and reads the status if one comes.
func makeUp(t *testing.T, r *rand.Rand, addr string) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	method, path := drawn(r), "/"+drawn(r)
	if r.IntN(3) == 0 {
		method = http.MethodPost
	}
	if r.IntN(2) == 0 {
		path = "/items/" + drawn(r) + "?" + drawn(r)
	}
	head := fmt.Sprintf("%s %s HTTP/1.%d\r\nHost: %s.example\r\nUser-Agent: %s\r\n%s: %s\r\nConnection: close\r\n",
		method, path, r.IntN(10), drawn(r), drawn(r), drawn(r), drawn(r))
	switch r.IntN(5) {
	case 0: // an upload that is broken off
		fmt.Fprintf(conn, "%sContent-Length: 99999999999\r\n\r\nbegun", head)
		return
	case 1:
		fmt.Fprintf(conn, "%sContent-Length: -%d\r\n\r\n", head, r.IntN(1000))
	case 2:
		fmt.Fprintf(conn, "%sTransfer-Encoding: chunked\r\n\r\n5\r\nbegun\r\n0\r\n\r\n", head)
	case 3: // a chunk whose size is not a number
		fmt.Fprintf(conn, "%sTransfer-Encoding: chunked\r\n\r\n5\r\nbegun\r\nzz\r\n", head)
	default:
		fmt.Fprintf(conn, "%s\r\n", head)
	}
	_, _ = bufio.NewReader(conn).ReadString('\n')
}
