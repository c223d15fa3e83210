package redisconn

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// How often Redis is asked for its memory, and how long it may take to answer.
const (
	memoryFor    = 5 * time.Second
	memoryWithin = 500 * time.Millisecond
)

// A Memory knows how much memory Redis uses. It is safe for concurrent use, has
// no goroutines, and asks Redis at most every 5 s.
type Memory struct {
	client redis.UniversalClient
	now    func() time.Time

	mu        sync.Mutex
	asking    bool
	at        time.Time
	used, max int64
	err       error
}

// NewMemory reads from client.
func NewMemory(client redis.UniversalClient) *Memory { return &Memory{client: client, now: time.Now} }

// Stats returns the bytes that Redis uses and may use at most: its maxmemory,
// or else what its machine has; of a cluster, the sum over its masters. It
// takes 0.5 s at most, and no time while another call is asking. With an error
// the numbers are those of before.
func (m *Memory) Stats(ctx context.Context) (used, max int64, err error) {
	m.mu.Lock()
	if m.asking || !m.at.IsZero() && m.now().Sub(m.at) < memoryFor {
		defer m.mu.Unlock()
		return m.used, m.max, m.err
	}
	m.asking = true
	m.mu.Unlock()

	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), memoryWithin)
	defer cancel()
	used, max, err = m.ask(ctx)

	m.mu.Lock()
	defer m.mu.Unlock()
	m.asking, m.at, m.err = false, m.now(), err
	if err == nil {
		m.used, m.max = used, max
	}
	return m.used, m.max, m.err
}

func (m *Memory) ask(ctx context.Context) (used, max int64, err error) {
	servers, ok := m.client.(*redis.ClusterClient)
	if !ok {
		return memoryOf(ctx, m.client)
	}
	var mu sync.Mutex
	err = servers.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error {
		u, x, err := memoryOf(ctx, c)
		mu.Lock()
		defer mu.Unlock()
		used, max = used+u, max+x
		return err
	})
	return used, max, err
}

func memoryOf(ctx context.Context, c redis.Cmdable) (used, max int64, err error) {
	info, err := c.Info(ctx, "memory").Result()
	if err != nil {
		return 0, 0, fmt.Errorf("asking redis for its memory: %w", err)
	}
	fields := make(map[string]int64)
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			fields[name] = n
		}
	}
	if max = fields["maxmemory"]; max == 0 {
		max = fields["total_system_memory"]
	}
	return fields["used_memory"], max, nil
}
