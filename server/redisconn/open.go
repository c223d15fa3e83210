package redisconn

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Config says which Redis to open. URL is required.
type Config struct {
	// URL is redis://user:password@host:6379/0, rediss:// for TLS, or unix://; redis+sentinel:// with a master_name
	// (user and password are for the sentinels, those for the servers are options), or redis+cluster://. Its options
	// are go-redis's: pool_size, read_timeout, addr for further hosts… and ca, a PEM file of authorities to trust in
	// addition to the system's.
	URL      string
	PoolSize int // connections, unless the URL has a pool_size; 0: 10 per processor
}

// Defaults for options that the URL does not set. A command is tried twice: the second try is for a connection that
// Redis closed while it was idle.
const (
	dialTimeout = 2 * time.Second
	ioTimeout   = time.Second
	retries     = 1
	dialTries   = 1
)

// Open creates a client, without connecting yet. While Redis is unreachable, commands fail at once with [ErrAway],
// except that one at a time is sent to see whether Redis is back. Subscriptions are not limited. The client obeys the
// deadlines of contexts. The caller must close it.
//
// The error names every fault of the URL, and no part of a password.
func Open(cfg Config) (redis.UniversalClient, error) {
	kind, url, ca, err := parse(cfg.URL)
	if err != nil {
		return nil, err
	}
	var client redis.UniversalClient
	switch kind {
	case single:
		client, err = openSingle(url, ca, cfg)
	case sentinel:
		client, err = openSentinel(url, ca, cfg)
	case cluster:
		client, err = openCluster(url, ca, cfg)
	}
	if err != nil {
		return nil, err
	}
	client.AddHook(newBreaker(time.Now))
	return client, nil
}

func openSingle(url, ca string, cfg Config) (redis.UniversalClient, error) {
	o, err := redis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	timeouts(&o.DialTimeout, &o.ReadTimeout, &o.WriteTimeout)
	counts(&o.PoolSize, cfg.PoolSize, &o.MaxRetries, &o.DialerRetries)
	o.ContextTimeoutEnabled = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	if err := trust(o.TLSConfig, ca); err != nil {
		return nil, err
	}
	return redis.NewClient(o), nil
}

func openSentinel(url, ca string, cfg Config) (redis.UniversalClient, error) {
	o, err := redis.ParseFailoverURL(url)
	if err != nil {
		return nil, err
	}
	timeouts(&o.DialTimeout, &o.ReadTimeout, &o.WriteTimeout)
	counts(&o.PoolSize, cfg.PoolSize, &o.MaxRetries, &o.DialerRetries)
	o.ContextTimeoutEnabled = true
	if err := trust(o.TLSConfig, ca); err != nil {
		return nil, err
	}
	return redis.NewFailoverClient(o), nil
}

func openCluster(url, ca string, cfg Config) (redis.UniversalClient, error) {
	o, err := redis.ParseClusterURL(url)
	if err != nil {
		return nil, err
	}
	timeouts(&o.DialTimeout, &o.ReadTimeout, &o.WriteTimeout)
	counts(&o.PoolSize, cfg.PoolSize, &o.MaxRetries, &o.DialerRetries)
	o.ContextTimeoutEnabled = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	if err := trust(o.TLSConfig, ca); err != nil {
		return nil, err
	}
	return redis.NewClusterClient(o), nil
}

func timeouts(dial, read, write *time.Duration) {
	orElse(dial, dialTimeout)
	orElse(read, ioTimeout)
	orElse(write, ioTimeout)
}

func counts(pool *int, poolSize int, tries, dials *int) {
	orElse(pool, poolSize)
	orElse(tries, retries)
	orElse(dials, dialTries)
}

// orElse sets a field that the URL left at zero.
func orElse[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// trust makes conf trust the authorities in file in addition to the system's.
func trust(conf *tls.Config, file string) error {
	if file == "" {
		return nil
	}
	if conf == nil {
		return errors.New("ca: has no effect without TLS: use a scheme that begins with rediss, or leave ca out")
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("ca: %w", err)
	}
	conf.RootCAs, err = x509.SystemCertPool()
	if err != nil {
		conf.RootCAs = x509.NewCertPool()
	}
	if !conf.RootCAs.AppendCertsFromPEM(pem) {
		return fmt.Errorf("ca: %s has no certificate in PEM format", file)
	}
	return nil
}
