package blob

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7/pkg/s3utils"
)

// S3Config says where an [S3] store is. It holds no credentials: they come from where Amazon's own programs look for
// them: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, the shared credentials file, or the machine's role.
type S3Config struct {
	Bucket    string
	Prefix    string        // of every object name, followed by a slash; may be empty
	Endpoint  string        // http(s)://host:port; empty: Amazon
	Region    string        // empty: AWS_REGION, AWS_DEFAULT_REGION, or what the server says
	PathStyle *bool         // use endpoint/bucket instead of bucket.endpoint; nil: bucket.endpoint on Amazon only
	CA        string        // PEM file of the authority that signed the endpoint's certificate; empty: the system's authorities
	Insecure  bool          // trust any certificate of the endpoint
	Create    bool          // create the bucket if it does not exist
	Timeout   time.Duration // how long the server may be silent; 0: 5 s

	// Transport, if not nil, wraps the store's own transport, for example to measure it. The store uses the result,
	// and closes the idle connections of its own transport.
	Transport func(http.RoundTripper) http.RoundTripper
}

const (
	defaultTimeout = 5 * time.Second
	maxTimeout     = 10 * time.Minute
	maxPrefix      = 512 // of the 1024 bytes of an object name
)

// ParseS3URL parses
//
//	s3://bucket/prefix?endpoint=https://host:port&region=…&path_style=true&ca=FILE&insecure=true&create=false&timeout=5s
//
// where all but the bucket is optional. The error names every fault. It does not repeat any part of the URL, which
// may be secret.
func ParseS3URL(raw string) (S3Config, error) {
	rest, ok := strings.CutPrefix(raw, "s3://")
	if !ok {
		return S3Config{}, errors.New("is not an S3 URL: want s3://bucket/prefix?endpoint=https://host:port&region=…")
	}
	rest, query, _ := strings.Cut(rest, "?")
	c := S3Config{Create: true}
	var faults []error
	if strings.Contains(rest, "@") {
		faults = append(faults, errCredentials)
	}
	if strings.Contains(raw, "#") {
		faults = append(faults, errors.New("has a #: write %23"))
	}
	c.Bucket, c.Prefix, _ = strings.Cut(rest, "/")
	prefix, err := url.PathUnescape(c.Prefix)
	if err != nil {
		faults = append(faults, errors.New("the prefix has a % without two hexadecimal digits after it: write %25 for %"))
	}
	c.Prefix = strings.Trim(prefix, "/")
	faults = append(faults, c.parseQuery(query)...)
	if err := errors.Join(append(faults, c.faults()...)...); err != nil {
		return S3Config{}, err
	}
	return c, nil
}

var errCredentials = errors.New("has an @, as after credentials: " +
	"put them into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, never into a URL")

func (c *S3Config) parseQuery(query string) (faults []error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		faults = append(faults, errors.New("the settings after the ? have a ;, or a % without two hexadecimal digits after it: write %3B for ; and %25 for %"))
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		list := values[name]
		known, err := c.set(name, list[0])
		switch {
		case !known:
			faults = append(faults, fmt.Errorf("unknown setting %s: use endpoint, region, path_style, ca, insecure, create or timeout", shown(name)))
		case len(list) > 1:
			faults = append(faults, fmt.Errorf("%s: is set more than once: set it once", name))
		case err != nil:
			faults = append(faults, fmt.Errorf("%s: %w", name, err))
		}
	}
	return faults
}

// set sets the option with this name, if there is one.
func (c *S3Config) set(name, value string) (known bool, err error) {
	switch name {
	case "endpoint":
		c.Endpoint = value
		if value == "" {
			err = errEndpoint
		}
	case "region":
		c.Region = value
	case "path_style":
		c.PathStyle = new(bool)
		*c.PathStyle, err = parseBool(value)
	case "ca":
		c.CA = value
		if value == "" {
			err = errCA
		}
	case "insecure":
		c.Insecure, err = parseBool(value)
	case "create":
		c.Create, err = parseBool(value)
	case "timeout":
		if c.Timeout, err = time.ParseDuration(value); err != nil || c.Timeout == 0 {
			c.Timeout, err = 0, errTimeout
		}
	default:
		return false, nil
	}
	return true, err
}

func parseBool(s string) (bool, error) {
	switch s {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, errors.New("want true or false")
}

// shown returns the name of an option, unless it may be part of a secret.
func shown(name string) string {
	if len(name) > 20 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return "(its name is not shown, because it may be secret)"
	}
	return strconv.Quote(name)
}

var (
	errEndpoint = errors.New("want http://host:port or https://host:port, with nothing after it")
	errCA       = errors.New("want a PEM file of certificates, together with an https endpoint and without insecure")
	errTimeout  = fmt.Errorf("want a duration up to %v, such as 5s", maxTimeout)
)

// faults returns everything that is wrong with c.
func (c S3Config) faults() (faults []error) {
	fault := func(name string, err error) {
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", name, err))
		}
	}
	if s3utils.CheckValidBucketNameStrict(c.Bucket) != nil {
		fault("bucket", errors.New("want a name of 3 to 63 lower case letters, digits, dots and hyphens that begins and ends with a letter or digit"))
	}
	if !validPrefix(c.Prefix) {
		fault("prefix", fmt.Errorf("want up to %d bytes of UTF-8, without //, parts that are . or .., \\ and control characters", maxPrefix))
	}
	fault("endpoint", checkEndpoint(c.Endpoint, c.Insecure))
	if c.CA != "" && (c.Insecure || !strings.HasPrefix(c.Endpoint, "https://")) {
		fault("ca", errCA)
	} else {
		_, err := c.authorities()
		fault("ca", err)
	}
	if strings.Trim(c.Region, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" || len(c.Region) > 64 {
		fault("region", errors.New("want up to 64 letters, digits and hyphens, such as eu-central-1"))
	}
	if c.Timeout < 0 || c.Timeout > maxTimeout {
		fault("timeout", errTimeout)
	}
	return faults
}

// authorities returns the certificates in the file CA, or nil if there is no file.
func (c S3Config) authorities() (*x509.CertPool, error) {
	if c.CA == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(c.CA)
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return nil, fmt.Errorf("the file cannot be read: %w", e.Err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("the file has no PEM certificate: want a PEM file of certificates")
	}
	return pool, nil
}

func validPrefix(prefix string) bool {
	if prefix == "" {
		return true
	}
	for part := range strings.SplitSeq(prefix, "/") {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	control := func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }
	return len(prefix) <= maxPrefix && strings.IndexFunc(prefix, control) < 0 && s3utils.CheckValidObjectName(prefix) == nil
}

func checkEndpoint(endpoint string, insecure bool) error {
	if endpoint == "" {
		if insecure {
			return errors.New("insecure is only for an endpoint of your own: set endpoint, or leave insecure out")
		}
		return nil
	}
	u, err := url.Parse(endpoint)
	switch {
	case strings.Contains(endpoint, "@"):
		return errCredentials
	case err != nil, u.Scheme != "http" && u.Scheme != "https", endpoint != u.Scheme+"://"+u.Host && endpoint != u.Scheme+"://"+u.Host+"/":
		return errEndpoint
	case !s3utils.IsValidIP(u.Hostname()) && !s3utils.IsValidDomain(u.Hostname()):
		return errors.New("the host must be a valid DNS name or an IP address")
	case insecure && u.Scheme == "http":
		return errors.New("insecure is only for https, because http has no certificates: leave it out")
	}
	if port, err := strconv.ParseUint(u.Port(), 10, 16); u.Host != u.Hostname() && (err != nil || port == 0) && !bareIPv6(u) {
		return errors.New("the port must be a number from 1 to 65535")
	}
	return nil
}

// bareIPv6 reports whether u's host is [address] without a port.
func bareIPv6(u *url.URL) bool { return u.Host == "["+u.Hostname()+"]" }
