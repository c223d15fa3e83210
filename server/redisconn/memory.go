package redisconn

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// Memory is the memory of Redis, in bytes: what it uses, and its limit, which is maxmemory or else the memory of its
// machine.
type Memory struct{ Used, Max int64 }

// ReadMemory asks Redis for its memory. For a cluster it returns the sum over the masters.
func ReadMemory(ctx context.Context, client redis.UniversalClient) (all Memory, err error) {
	cluster, ok := client.(*redis.ClusterClient)
	if !ok {
		return memoryOf(ctx, client)
	}
	var mu sync.Mutex
	err = cluster.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error {
		m, err := memoryOf(ctx, c)
		mu.Lock()
		defer mu.Unlock()
		all.Used, all.Max = all.Used+m.Used, all.Max+m.Max
		return err
	})
	return all, err
}

func memoryOf(ctx context.Context, c redis.Cmdable) (Memory, error) {
	info, err := c.Info(ctx, "memory").Result()
	if err != nil {
		return Memory{}, fmt.Errorf("redis: INFO memory: %w", err)
	}
	fields := make(map[string]int64)
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			fields[name] = n
		}
	}
	m := Memory{Used: fields["used_memory"], Max: fields["maxmemory"]}
	if m.Max == 0 {
		m.Max = fields["total_system_memory"]
	}
	return m, nil
}
