package needs

import "testing"

// Redis returns the URL of the Redis server, and a prefix for keys and channels that no other test uses.
func Redis(t testing.TB) (url, prefix string) {
	t.Helper()
	return env(t, "Redis", "IM_TEST_REDIS"), random() + ":"
}

// RedisTLS is [Redis], but the URL is that of the TLS port, with the certificate of [CA].
func RedisTLS(t testing.TB) (url, prefix string) {
	t.Helper()
	return env(t, "Redis with TLS", "IM_TEST_REDIS_TLS"), random() + ":"
}

// S3 returns the endpoint of the S3 server, and the name of a bucket that does not exist yet. The credentials are in
// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION, where S3 clients look for them.
func S3(t testing.TB) (endpoint, bucket string) {
	t.Helper()
	return env(t, "an S3 server", "IM_TEST_S3"), random()
}
