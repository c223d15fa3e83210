package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/onemeter/onemeter/server/chat"
)

// A Cost has the cost parameters of argon2id.
type Cost struct {
	Memory  uint32 // KiB; at least 8 for each of Threads
	Passes  uint32 // at least 1
	Threads uint8  // at least 1
}

// defaultCost is the minimum that OWASP recommends.
var defaultCost = Cost{Memory: 19 << 10, Passes: 2, Threads: 1}

// Limits of a stored hash: a hash that somebody wrote into the database must not exhaust the server's memory.
const (
	maxMemory  = 256 << 10 // KiB
	maxPasses  = 16
	maxThreads = 16
	saltSize   = 16
	keySize    = 32
	maxPart    = 64 // bytes of a salt or a key
	maxHash    = 256
)

// A Hasher implements chat.Hasher with argon2id. It computes few hashes at a time, because each takes a processor and
// 19 MiB. Others wait in a queue; if it is full, or the wait too long, Hash and Verify return an error of kind
// chat.KindUnavailable. A Hasher is safe for concurrent use.
type Hasher struct {
	cost    Cost
	queue   chan struct{} // has an element for each hash that waits or runs
	slots   chan struct{} // has an element for each hash that runs
	maxWait time.Duration
}

var _ chat.Hasher = (*Hasher)(nil)

// NewHasher makes a Hasher that uses half of the processors. A hash waits for 10 s at most, and the queue is as long as
// can be computed in about that time.
func NewHasher() *Hasher { return NewHasherAt(defaultCost) }

// NewHasherAt is NewHasher with another cost for new hashes. A cost below the default is for tests in which passwords
// are not the matter: it protects nobody's.
func NewHasherAt(c Cost) *Hasher {
	slots := max(1, runtime.GOMAXPROCS(0)/2)
	return newHasher(c, slots, 256*slots, 10*time.Second)
}

func newHasher(c Cost, slots, queue int, maxWait time.Duration) *Hasher {
	return &Hasher{cost: c, queue: make(chan struct{}, queue), slots: make(chan struct{}, slots), maxWait: maxWait}
}

// Hash implements chat.Hasher. The result is a PHC string.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	p := phc{Cost: h.cost, salt: make([]byte, saltSize)}
	_, _ = rand.Read(p.salt) // never fails (crypto/rand)
	if err := h.enter(ctx); err != nil {
		return "", fmt.Errorf("auth: hash: %w", err)
	}
	defer h.leave()
	p.key = p.derive(password, keySize)
	return p.String(), nil
}

// Verify implements chat.Hasher. With an empty hash it takes as long and returns false. It returns an error if hash is
// neither empty nor an argon2id hash within the limits.
func (h *Hasher) Verify(ctx context.Context, hash, password string) (bool, error) {
	p := phc{Cost: h.cost, salt: make([]byte, saltSize), key: make([]byte, keySize)}
	if hash != "" {
		var err error
		if p, err = parsePHC(hash); err != nil {
			return false, fmt.Errorf("auth: verify: %w", err)
		}
	}
	if err := h.enter(ctx); err != nil {
		return false, fmt.Errorf("auth: verify: %w", err)
	}
	defer h.leave()
	same := subtle.ConstantTimeCompare(p.derive(password, len(p.key)), p.key) == 1
	return same && hash != "", nil
}

// errBusy is returned if too many hashes wait.
var errBusy = &chat.Error{
	Kind: chat.KindUnavailable, What: "the server is busy", Why: "too many logins and registrations at once; try again in a moment",
	RetryAfter: 2 * time.Second,
}

// enter waits up to maxWait for a slot. If the queue is full, it returns errBusy at once.
func (h *Hasher) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case h.queue <- struct{}{}:
	default:
		return errBusy
	}
	timeout := time.NewTimer(h.maxWait)
	defer timeout.Stop()
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		<-h.queue
		return ctx.Err()
	case <-timeout.C:
		<-h.queue
		return errBusy
	}
}

func (h *Hasher) leave() { <-h.slots; <-h.queue }

// A phc is a decoded PHC string: $argon2id$v=19$m=19456,t=2,p=1$salt$key.
type phc struct {
	Cost
	salt, key []byte
}

func (p phc) derive(password string, size int) []byte {
	return argon2.IDKey([]byte(password), p.salt, p.Passes, p.Memory, p.Threads, uint32(size))
}

func (p phc) String() string {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.Memory, p.Passes, p.Threads, b64(p.salt), b64(p.key))
}

var errNotPHC = errors.New("the stored hash is not an argon2id hash, or its cost exceeds the limits of this server")

func parsePHC(s string) (phc, error) {
	var p phc
	parts := strings.Split(s, "$")
	if len(s) > maxHash || len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprint("v=", argon2.Version) {
		return p, errNotPHC
	}
	costs := strings.Split(parts[3], ",")
	if len(costs) != 3 {
		return p, errNotPHC
	}
	memory, ok1 := number(costs[0], "m=", maxMemory)
	passes, ok2 := number(costs[1], "t=", maxPasses)
	threads, ok3 := number(costs[2], "p=", maxThreads)
	salt, err1 := base64.RawStdEncoding.Strict().DecodeString(parts[4])
	key, err2 := base64.RawStdEncoding.Strict().DecodeString(parts[5])
	p = phc{Cost: Cost{uint32(memory), uint32(passes), uint8(threads)}, salt: salt, key: key}
	switch {
	case !ok1, !ok2, !ok3, err1 != nil, err2 != nil,
		memory < 8*threads, len(salt) < 8, len(salt) > maxPart, len(key) < 16, len(key) > maxPart:
		return phc{}, errNotPHC
	}
	return p, nil
}

// number parses the number after name in s. It must be between 1 and limit.
func number(s, name string, limit uint64) (uint64, bool) {
	digits, ok := strings.CutPrefix(s, name)
	n, err := strconv.ParseUint(digits, 10, 32)
	return n, ok && err == nil && n >= 1 && n <= limit
}
