package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/onemeter/onemeter/internal/imclient"
	"github.com/onemeter/onemeter/server/redisconn/redistest"
)

// TestSoak kills nodes, the database, Redis and the store of files at random,
// for as long as SOAK says, while clients write, files are uploaded, and others
// come and go. It kills servers that it was given, so it has to be alone with
// them: run it by make soak-server.
func TestSoak(t *testing.T) {
	length, err := time.ParseDuration(os.Getenv("SOAK"))
	if err != nil {
		t.Skip("SOAK is no duration: make soak-server sets it")
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("%s, seed %d", length, seed)
	redis, where := redisPart(t)
	parts := []part{redis, servicePart(t, "mariadb"), servicePart(t, "s3")}
	prog := sharedWith(t, "--redis="+where, "--token-ttl=24h") // whose cleanup needs the parts
	var clocks *clockBuild
	if length >= clocksFrom {
		build := newClockBuild(t)
		prog.bin, clocks = build.bin, &build
	} else {
		t.Logf("no clock jumps in soaks of less than %s: they need a build of imserver of their own", clocksFrom)
	}
	s := &soak{
		t: t, prog: prog, all: start(t, 3, prog), random: mathrand.New(mathrand.NewPCG(seed, 0)),
		parts: parts, clocks: clocks, done: make(map[string]int),
	}
	clients := members(t, s.all, 8)
	for i, c := range clients {
		c.pace, c.patient = 60*time.Millisecond, true
		c.run(t, s.all, i)
	}
	files, visitors := s.courier(clients[0].account), s.visitors()

	for end := time.Now().Add(length); time.Now().Before(end); {
		goOn(t, clients, 20) // all is well again
		s.strike()
		time.Sleep(time.Duration(s.random.Int64N(int64(3 * time.Second)))) // what happens until the next fault
	}
	goOn(t, clients, 20)
	settle(t, clients)
	visitors()
	stored := files()
	check(t, s.all.node(0), clients)
	s.compare(clients[0].account, stored)
	s.report(clients, len(stored))
}

// clocksFrom is how long a soak has to be for clocks to jump in it, too.
const clocksFrom = 10 * time.Minute

var clockJumps = []time.Duration{-10 * time.Minute, 0, 10 * time.Minute}

// A soak is what TestSoak puts under stress.
type soak struct {
	t      *testing.T
	prog   program
	all    *nodes
	parts  []part
	clocks *clockBuild // nil: clocks do not jump
	random *mathrand.Rand
	done   map[string]int // how often each fault came

	visits, refused atomic.Int64
	here, most      atomic.Int64 // visitors that are connected, and the most that were
}

// strike brings about one fault, sometimes two, and mends them.
func (s *soak) strike() {
	i := s.random.IntN(len(s.all.procs))
	part := s.parts[s.random.IntN(len(s.parts))]
	pause := time.Duration(s.random.Int64N(int64(4 * time.Second)))
	kinds := 5
	if s.clocks != nil {
		kinds = 6
	}
	switch s.random.IntN(kinds) {
	case 0:
		s.count("node killed")
		s.all.node(i).kill()
		time.Sleep(pause) // how long it is away
		s.all.replace(s.t, i, s.prog)
	case 1:
		s.count("node stopped")
		s.all.node(i).stop(s.t, 2*shutdownTimeout)
		s.all.replace(s.t, i, s.prog)
	case 2:
		s.count("node frozen")
		s.all.node(i).signal(s.t, syscall.SIGSTOP)
		time.Sleep(pause)
		s.all.node(i).signal(s.t, syscall.SIGCONT)
	case 3:
		s.count(part.name + " killed")
		part.kill()
		time.Sleep(pause)
		part.start()
	case 4:
		s.count(part.name + " and node killed")
		part.kill()
		s.all.node(i).kill()
		part.start()
		s.all.replace(s.t, i, s.prog)
	case 5:
		ahead := clockJumps[s.random.IntN(len(clockJumps))] // until the next one, or until the node ends
		s.count(fmt.Sprintf("clock of a node jumps to %s from ours", ahead))
		s.clocks.set(s.t, s.all.node(i), ahead)
	}
}

func (s *soak) count(fault string) {
	s.done[fault]++
	s.t.Log(fault)
}

func (p *process) signal(t *testing.T, sig os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// A part is what nodes rely on, and can be without for a while.
type part struct {
	name        string
	kill, start func()
}

// redisPart is a Redis of this test's own.
func redisPart(t *testing.T) (part, string) {
	r := redistest.New(t)
	return part{"redis", r.Stop, r.Start}, r.URL()
}

// servicePart is a server that .ci/services started. Its successors have the
// same command, folder and environment, and so the same port and data.
func servicePart(t *testing.T, name string) part {
	t.Helper()
	pid, err := strconv.Atoi(os.Getenv("IM_TEST_" + strings.ToUpper(name) + "_PID"))
	if err != nil {
		t.Fatalf("no process id of %s: run this by make soak-server", name)
	}
	proc := func(file string) []string {
		text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), file))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
	}
	args, env := proc("cmdline"), proc("environ")
	// The accounts that it makes are there by now.
	args = slices.DeleteFunc(args, func(a string) bool { return strings.HasPrefix(a, "--init-file") })
	dir, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "cwd"))
	if err != nil {
		t.Fatal(err)
	}
	running, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	p := part{name: name}
	p.kill = func() {
		_ = running.Kill()
		_, _ = running.Wait()
		for running.Signal(syscall.Signal(0)) == nil { // the first is no child of ours
			time.Sleep(10 * time.Millisecond)
		}
	}
	p.start = func() {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir, cmd.Env = dir, env
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		running = cmd.Process
	}
	t.Cleanup(p.kill)
	return p
}

// courier uploads files until stored is called, which returns their hashes by id.
// An upload that fails is tried again, as a client would.
func (s *soak) courier(account imclient.Account) (stored func() map[int64]string) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	files := make(map[int64]string)
	go func() {
		defer close(done)
		for n := 0; ctx.Err() == nil; n++ {
			content := make([]byte, 100<<10)
			_, _ = rand.Read(content)
			var file struct{ ID int64 }
			body := imclient.File{Name: "random", Content: content}
			if err := account.At(s.all.node(n).url).Do(ctx, http.MethodPost, "/api/files/upload", body, &file); err == nil {
				sum := sha256.Sum256(content)
				files[file.ID] = hex.EncodeToString(sum[:])
			} else {
				s.refused.Add(1)
			}
			select {
			case <-time.After(500 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}()
	stored = func() map[int64]string { cancel(); <-done; return files }
	s.t.Cleanup(func() { stored() })
	return stored
}

// compare downloads every file whose upload was acknowledged.
func (s *soak) compare(account imclient.Account, stored map[int64]string) {
	s.t.Helper()
	for id, want := range stored {
		answer, err := account.At(s.all.node(0).url).Ask(s.t.Context(), http.MethodGet, fmt.Sprintf("/api/files/%d/download", id), nil)
		if err != nil {
			s.t.Fatal(err)
		}
		sum := sha256.Sum256(answer.Body)
		if hex.EncodeToString(sum[:]) != want {
			s.t.Errorf("file %d: status %d, and its bytes are not those that were uploaded", id, answer.Status)
		}
	}
}

// visitors are SOAK_VISITORS connections, 200 if it is not set, that come, stay
// for a while, and go, until the function is called: of accounts with 50 of them
// each, and at most 100 new ones a second.
func (s *soak) visitors() (stop func()) {
	n := 200
	if text := os.Getenv("SOAK_VISITORS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			s.t.Fatalf("SOAK_VISITORS=%q is no number", text)
		}
	}
	accounts := make([]imclient.Account, (n+49)/50)
	for i := range accounts {
		accounts[i] = s.all.node(i).register(s.t, fmt.Sprint(30000+i))
	}
	longest := max(20*time.Second, 2*time.Duration(n)*time.Second/100)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			for ctx.Err() == nil {
				stay, end := context.WithTimeout(ctx, mathrand.N(longest))
				s.visit(stay, accounts[i%len(accounts)].At(s.all.node(i).url))
				<-stay.Done()
				end()
			}
		})
	}
	stop = func() { cancel(); wg.Wait() }
	s.t.Cleanup(stop)
	return stop
}

// visit reads what comes, as long as ctx and the connection last.
func (s *soak) visit(ctx context.Context, account imclient.Account) {
	conn, err := account.Dial(ctx)
	if err != nil {
		return
	}
	defer func() { _ = conn.CloseNow() }()
	s.visits.Add(1)
	s.present(1)
	defer s.present(-1)
	for err == nil {
		_, _, err = conn.Read(ctx)
	}
}

// present counts visitors who came or went.
func (s *soak) present(n int64) {
	for here, most := s.here.Add(n), s.most.Load(); here > most; most = s.most.Load() {
		if s.most.CompareAndSwap(most, here) {
			return
		}
	}
}

func (s *soak) report(clients []*client, files int) {
	s.t.Helper()
	var waits []time.Duration
	for _, c := range clients {
		waits = append(waits, c.waits...)
	}
	slices.Sort(waits)
	at := func(q float64) time.Duration { return waits[int(q*float64(len(waits)-1))].Round(time.Millisecond / 10) }
	s.t.Logf("faults: %v", s.done)
	s.t.Logf("acknowledged: %d messages; lost, doubled, out of order: none but what is said above", len(waits))
	s.t.Logf("acknowledged within: median %s, 99%% %s, 99.9%% %s, all %s", at(.5), at(.99), at(.999), at(1))
	s.t.Logf("%d files of 100 KiB stored and compared, %d uploads refused meanwhile; %d visits, %d at a time at most",
		files, s.refused.Load(), s.visits.Load(), s.most.Load())
	for i := range s.all.procs {
		pid := s.all.node(i).cmd.Process.Pid
		if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid)); err == nil {
			var size, resident int
			if _, err := fmt.Sscan(string(text), &size, &resident); err == nil {
				s.t.Logf("node %d: %d MiB resident", i, resident*os.Getpagesize()>>20)
			}
		}
	}
}
