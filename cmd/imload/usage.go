package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// A usage is the CPU time that processes have used, and the memory that they use now.
type usage struct {
	cpu time.Duration
	rss int64 // bytes
}

// clockTick is the unit of times in /proc, the same on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// usageOf returns the sum of the usages of processes.
func usageOf(pids []int) (sum usage, err error) {
	for _, pid := range pids {
		u, err := usageOfOne(pid)
		if err != nil {
			return usage{}, err
		}
		sum.cpu, sum.rss = sum.cpu+u.cpu, sum.rss+u.rss
	}
	return sum, nil
}

// usageOfOne reads the usage of a process from /proc.
func usageOfOne(pid int) (usage, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return usage{}, fmt.Errorf("usage of process %d: %w", pid, err)
	}
	// The name is in parentheses and may contain anything. The state, field 3, follows it.
	_, rest, _ := strings.Cut(string(text[strings.LastIndexByte(string(text), ')'):]), " ")
	f := strings.Fields(rest)
	const utime, stime, rss = 14 - 3, 15 - 3, 24 - 3
	if len(f) <= rss {
		return usage{}, fmt.Errorf("usage of process %d: /proc/%d/stat has too few fields", pid, pid)
	}
	user, err1 := strconv.ParseInt(f[utime], 10, 64)
	system, err2 := strconv.ParseInt(f[stime], 10, 64)
	pages, err3 := strconv.ParseInt(f[rss], 10, 64)
	if err1 != nil || err2 != nil || err3 != nil {
		return usage{}, fmt.Errorf("usage of process %d: /proc/%d/stat has no numbers where expected", pid, pid)
	}
	return usage{cpu: time.Duration(user+system) * clockTick, rss: pages * int64(os.Getpagesize())}, nil
}
