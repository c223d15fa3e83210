package ws

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/onemeter/onemeter/server/chat"
)

// The receivers of a benchmark run in a process of their own, so that this process only has the CPU and memory of the
// server. To run the benchmarks:
//
//	go test ./server/ws -run '^$' -bench Fanout -benchmem -benchtime 2s
//	go test ./server/ws -run '^$' -bench Idle -benchtime 1x

// receiversEnv makes this binary run as receivers: it reads lines of "host:port path" and connects to each. After an
// empty line it prints "ready". It ends with its input.
const receiversEnv = "ONEMETER_TEST_RECEIVERS"

func runReceivers() {
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		if in.Text() == "" {
			fmt.Println("ready")
			continue
		}
		addr, path, _ := strings.Cut(in.Text(), " ")
		nc, err := net.Dial("tcp", addr)
		if err == nil {
			_, err = fmt.Fprintf(nc, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
				"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", path, addr)
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		_, _ = io.ReadFull(nc, make([]byte, len("HTTP/1.1 101")))
		go func() { _, _ = io.Copy(io.Discard, nc) }()
	}
}

// receivers connects one receiver to each URL.
func receivers(b *testing.B, urls []string) {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), receiversEnv+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	for _, url := range urls {
		addr, path, _ := strings.Cut(strings.TrimPrefix(url, "ws://"), "/")
		_, _ = fmt.Fprintln(in, addr, "/"+path)
	}
	_, _ = fmt.Fprintln(in)
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		b.Fatal("receivers: ", line)
	}
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

const fanout = 500

// benchEvent is a message of 100 bytes to a group.
func benchEvent(to []int64) chat.Event {
	now := time.Now()
	return chat.Event{Type: chat.EventMessageNew, To: to, At: now, Payload: chat.MessageNew{
		Message: chat.InFrame(chat.Message{ID: 123456, SenderID: 1, ChatID: 7, Seq: 1234, Content: strings.Repeat("hello wor ", 10),
			Type: chat.TypeText, Status: chat.StatusSent, ClientMsgID: "c-123456", CreatedAt: now, UpdatedAt: now}),
		Chat:   chat.FrameChat{ID: 7, Kind: chat.Group, Title: "all of us"},
		Sender: chat.FrameSender{ID: 1, Username: "ann", Nickname: "Ann"},
	}}
}

// measure runs deliver for b and reports what one delivery costs in this process.
func measure(b *testing.B, deliver func()) {
	b.ReportAllocs()
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, n := cpuTime(), 0
	for b.Loop() {
		deliver()
		n++
	}
	cpu = cpuTime() - cpu
	runtime.ReadMemStats(&after)
	each := float64(n * fanout)
	b.ReportMetric(float64(b.Elapsed())/each, "ns/delivery")
	b.ReportMetric(float64(cpu)/each, "cpu-ns/delivery")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/each, "allocs/delivery")
}

// benchHub measures a hub with window events in flight; pace is the time from one to the next.
func benchHub(b *testing.B, opaque bool, window int, pace time.Duration) {
	under := make(chan struct{}, window)
	w := newWorld(b, Config{PingInterval: time.Hour, MaxConnsPerUser: fanout, Hooks: Hooks{
		Delivered: func(_ context.Context, d Delivered) {
			if d.Type == chat.EventMessageNew {
				<-under
			}
			if d.Dropped != 0 {
				b.Errorf("%+v", d)
			}
		},
	}})
	if opaque {
		w.hideTCP()
	}
	var urls []string
	var to []int64
	for i := range fanout {
		u := w.user("u" + strconv.Itoa(i))
		to = append(to, u.User.ID)
		urls = append(urls, w.url(u.Access))
	}
	receivers(b, urls)
	w.await("connections", func() bool { return w.hub.Stats().FramesWritten == fanout })
	e := benchEvent(to)
	next := time.Now()
	measure(b, func() {
		if pace > 0 {
			next = next.Add(pace)
			time.Sleep(time.Until(next))
		}
		under <- struct{}{}
		e.At = time.Now()
		w.hub.Deliver(context.Background(), e)
	})
	for range window {
		under <- struct{}{}
	}
}

// BenchmarkFanout sends events to 500 connections. It compares the hub as it is ("hub"), the hub with a goroutine for
// each write ("goroutines"), and only the library with one Write per receiver ("bare"). "one" sends an event when the
// last one is written, "many" keeps 16 in flight, and "paced" sends 40 events a second.
func BenchmarkFanout(b *testing.B) {
	const pace = time.Second / 40
	b.Run("hub/one", func(b *testing.B) { benchHub(b, false, 1, 0) })
	b.Run("goroutines/one", func(b *testing.B) { benchHub(b, true, 1, 0) })
	b.Run("bare/one", func(b *testing.B) { benchBare(b, 0) })
	b.Run("hub/many", func(b *testing.B) { benchHub(b, false, 16, 0) })
	b.Run("goroutines/many", func(b *testing.B) { benchHub(b, true, 16, 0) })
	b.Run("hub/paced", func(b *testing.B) { benchHub(b, false, 16, pace) })
	b.Run("goroutines/paced", func(b *testing.B) { benchHub(b, true, 16, pace) })
	b.Run("bare/paced", func(b *testing.B) { benchBare(b, pace) })
}

func benchBare(b *testing.B, pace time.Duration) {
	conns := make(chan *websocket.Conn, fanout)
	var reads sync.WaitGroup
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			b.Error(err)
			return
		}
		conns <- c
		reads.Go(func() { _, _, _ = c.Read(context.Background()) })
	}))
	defer srv.Close()
	urls := make([]string, fanout)
	for i := range urls {
		urls[i] = "ws" + strings.TrimPrefix(srv.URL, "http") + "/"
	}
	receivers(b, urls)
	all := make([]*websocket.Conn, fanout)
	for i := range all {
		all[i] = <-conns
	}
	e := benchEvent(nil)
	next := time.Now()
	measure(b, func() {
		if pace > 0 {
			next = next.Add(pace)
			time.Sleep(time.Until(next))
		}
		body, err := json.Marshal(map[string]any{"type": e.Type, "payload": e.Payload, "timestamp": time.Now()})
		for _, c := range all {
			err = errors.Join(err, c.Write(context.Background(), websocket.MessageText, body))
		}
		if err != nil {
			b.Fatal(err)
		}
	})
	for _, c := range all {
		_ = c.CloseNow()
	}
	reads.Wait()
}

// BenchmarkIdle measures the memory of an idle connection. ONEMETER_IDLE is the number of connections (10000).
func BenchmarkIdle(b *testing.B) {
	n := 10000
	if s := os.Getenv("ONEMETER_IDLE"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	const perUser = 100
	w := newWorld(b, Config{PingInterval: time.Hour, MaxConnsPerUser: perUser})
	var urls []string
	for i := 0; len(urls) < n; i++ {
		u := w.user("u" + strconv.Itoa(i))
		for range min(perUser, n-len(urls)) {
			urls = append(urls, w.url(u.Access))
		}
	}
	for b.Loop() { // before the metrics below, which it would reset
		runtime.Gosched()
	}
	before, rss := memory()
	receivers(b, urls)
	w.await("connections", func() bool { return w.hub.Stats().FramesWritten == int64(n) })
	after, rssAfter := memory()
	each := func(bytes uint64) float64 { return float64(bytes) / float64(n) / 1024 }
	b.ReportMetric(each(after.HeapAlloc-before.HeapAlloc), "heap-KiB/conn")
	b.ReportMetric(each(after.StackInuse-before.StackInuse), "stack-KiB/conn")
	b.ReportMetric(each(rssAfter-rss), "rss-KiB/conn")
}

// memory returns the memory in use after a garbage collection, and the resident set in bytes.
func memory() (m runtime.MemStats, rss uint64) {
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	statm, _ := os.ReadFile("/proc/self/statm")
	if fields := strings.Fields(string(statm)); len(fields) > 1 {
		pages, _ := strconv.ParseUint(fields[1], 10, 64)
		rss = pages * uint64(os.Getpagesize())
	}
	return m, rss
}
