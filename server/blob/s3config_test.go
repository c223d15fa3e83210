package blob

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseS3URL(t *testing.T) {
	for raw, want := range map[string]S3Config{
		"s3://bucket":  {Bucket: "bucket", Create: true},
		"s3://bucket/": {Bucket: "bucket", Create: true},
		"s3://bucket/a/b%20c/?create=false": {
			Bucket: "bucket", Prefix: "a/b c",
		},
		"s3://my.bucket-1?endpoint=https://minio:9000&region=eu-central-1&path_style=true&insecure=true&timeout=1m": {
			Bucket: "my.bucket-1", Endpoint: "https://minio:9000", Region: "eu-central-1", PathStyle: new(true),
			Insecure: true, Create: true, Timeout: time.Minute,
		},
		"s3://bucket?endpoint=http%3A%2F%2F%5B%3A%3A1%5D%3A9000%2F&path_style=false": {
			Bucket: "bucket", Endpoint: "http://[::1]:9000/", PathStyle: new(false), Create: true,
		},
		"s3://bucket?endpoint=http://[::1]&insecure=false": {Bucket: "bucket", Endpoint: "http://[::1]", Create: true},
	} {
		got, err := ParseS3URL(raw)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", raw, diff)
		}
		if _, err := newS3(got); err != nil {
			t.Errorf("%s: the client: %v", raw, err)
		}
	}
}

func TestParseS3URLNamesEveryFault(t *testing.T) {
	for raw, faults := range map[string][]string{
		"":                        {"is not an S3 URL"},
		"file://data/files":       {"is not an S3 URL"},
		"S3://bucket":             {"is not an S3 URL"},
		"s3:bucket":               {"is not an S3 URL"},
		"s3://":                   {"bucket: "},
		"s3://ab":                 {"bucket: "},
		"s3://Bucket":             {"bucket: "},
		"s3://buck_et":            {"bucket: "},
		"s3://bucket:9000":        {"bucket: "},
		"s3://127.0.0.1":          {"bucket: "},
		"s3://%62ucket":           {"bucket: "},
		"s3://key:hunter2@bucket": {"AWS_ACCESS_KEY_ID", "bucket: "},
		"s3://bucket/a//b":        {"prefix: "},
		"s3://bucket/../b":        {"prefix: "},
		"s3://bucket/%2e":         {"prefix: "},
		"s3://bucket/%0a":         {"prefix: "},
		"s3://bucket/%ff":         {"prefix: "},
		"s3://bucket/%5c":         {"prefix: "},
		"s3://bucket/%zz":         {"the prefix has a %"},
		"s3://bucket/" + strings.Repeat("a", 513): {"prefix: "},
		"s3://bucket#x":                                                            {"has a #"},
		"s3://bucket?endpoint":                                                     {"endpoint: "},
		"s3://bucket?endpoint=minio:9000":                                          {"endpoint: "},
		"s3://bucket?endpoint=ftp://minio":                                         {"endpoint: "},
		"s3://bucket?endpoint=http://":                                             {"endpoint: "},
		"s3://bucket?endpoint=http://:9000":                                        {"endpoint: "},
		"s3://bucket?endpoint=http://a$b:9000":                                     {"endpoint: "},
		"s3://bucket?endpoint=http://minio:0":                                      {"port"},
		"s3://bucket?endpoint=http://minio:":                                       {"port"},
		"s3://bucket?endpoint=http://minio:99999":                                  {"port"},
		"s3://bucket?endpoint=http://minio:x":                                      {"endpoint: "},
		"s3://bucket?endpoint=http://minio/path":                                   {"endpoint: "},
		"s3://bucket?endpoint=http://minio%3Fx":                                    {"endpoint: "},
		"s3://bucket?endpoint=http://key:hunter2@minio:9000":                       {"endpoint: has an @"},
		"s3://bucket?insecure=true":                                                {"insecure is only for an endpoint"},
		"s3://bucket?endpoint=http://minio&insecure=true":                          {"http has no certificates"},
		"s3://bucket?ca=":                                                          {"ca: "},
		"s3://bucket?ca=x":                                                         {"ca: "},
		"s3://bucket?endpoint=http://minio&ca=x":                                   {"ca: "},
		"s3://bucket?endpoint=https://minio&ca=x&insecure=true":                    {"ca: "},
		"s3://bucket?region=eu%20west":                                             {"region: "},
		"s3://bucket?path_style=yes":                                               {"path_style: want true or false"},
		"s3://bucket?insecure=1&create=&timeout=5":                                 {"insecure: ", "create: ", "timeout: "},
		"s3://bucket?timeout=0s":                                                   {"timeout: "},
		"s3://bucket?timeout=-1s":                                                  {"timeout: "},
		"s3://bucket?timeout=1h":                                                   {"timeout: "},
		"s3://bucket?region=a&region=b":                                            {"region: is set more than once"},
		"s3://bucket?pathstyle=true":                                               {`unknown setting "pathstyle"`},
		"s3://bucket?AKIAHUNTER2=x":                                                {"unknown setting (its name is not shown"},
		"s3://bucket?secret_key=hunter2":                                           {`unknown setting "secret_key"`},
		"s3://bucket?a;b":                                                          {"have a ;"},
		"s3://bucket?region=%":                                                     {"have a ;"},
		"s3://k:hunter2@B/a//b?endpoint=hunter2&region=hunter2!&create=hunter2&x=": {"@", "bucket", "prefix", "endpoint", "region", "create", `"x"`},
	} {
		_, err := ParseS3URL(raw)
		if err == nil {
			t.Errorf("%s: no error", raw)
			continue
		}
		if strings.Contains(strings.ToLower(err.Error()), "hunter2") {
			t.Errorf("%s: the error repeats the secret: %v", raw, err)
		}
		for _, fault := range faults {
			if !strings.Contains(err.Error(), fault) {
				t.Errorf("%s: the error does not say %q: %v", raw, fault, err)
			}
		}
	}
}

// FuzzParseS3URL inserts a secret into a URL. An error must not repeat it, and without an
// error there must be a client.
func FuzzParseS3URL(f *testing.F) {
	const secret = "S3CR3T"
	for _, seed := range []string{
		"s3://bucket/prefix?endpoint=https://minio:9000&region=eu-west-1&path_style=true&insecure=true&create=false&timeout=5s",
		"s3://key:@bucket", "s3://bucket?endpoint=http://user:@[::1]:9000/", "s3://%zz?%zz;&=&=", "",
	} {
		for _, at := range []uint{0, 5, 9, uint(len(seed))} {
			f.Add(seed, at)
		}
	}
	f.Fuzz(func(t *testing.T, raw string, at uint) {
		for _, raw := range []string{raw, raw[:at%uint(len(raw)+1)] + secret + raw[at%uint(len(raw)+1):]} {
			cfg, err := ParseS3URL(raw)
			if err != nil {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("%q: the error repeats the secret: %v", raw, err)
				}
				continue
			}
			cfg.CA = "" // no file may be read
			s, err := newS3(cfg)
			if err != nil {
				t.Errorf("%q: the client: %v", raw, err)
				continue
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}
