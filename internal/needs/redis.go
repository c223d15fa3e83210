package needs

import "testing"

// Redis returns the URL of the Redis server, and a prefix that no other test's
// keys and channels have.
func Redis(t testing.TB) (url, prefix string) {
	t.Helper()
	return env(t, "Redis", "IM_TEST_REDIS"), random() + ":"
}

// RedisTLS is Redis by its port that speaks TLS, with the certificate in [CA].
func RedisTLS(t testing.TB) (url, prefix string) {
	t.Helper()
	return env(t, "Redis with TLS", "IM_TEST_REDIS_TLS"), random() + ":"
}

// S3 returns the endpoint of the S3 server, and the name of a bucket that is
// not there yet. The credentials are where S3 clients look for them, in the
// environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION.
func S3(t testing.TB) (endpoint, bucket string) {
	t.Helper()
	return env(t, "an S3 server", "IM_TEST_S3"), random()
}
