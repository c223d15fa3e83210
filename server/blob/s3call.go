package blob

import (
	"context"
	"crypto/tls"
	"encoding/xml"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/onemeter/onemeter/server/chat"
)

const (
	attempts = 3 // attempts for one request, while the server is unreachable
	backoff  = 100 * time.Millisecond
)

var errSilent = errors.New("the server said nothing for too long")

// A watch cancels a context when the server has been silent for too long.
type watch struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	after  time.Duration
}

// watch starts a watch; call stop to end it.
func (s *S3) watch(ctx context.Context) *watch {
	w := &watch{after: s.timeout}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	w.timer = time.AfterFunc(w.after, func() { w.cancel(errSilent) })
	return w
}

func (w *watch) heard()       { w.timer.Reset(w.after) }
func (w *watch) pause()       { w.timer.Stop() }
func (w *watch) silent() bool { return errors.Is(context.Cause(w.ctx), errSilent) }
func (w *watch) stop() {
	w.timer.Stop()
	w.cancel(nil)
}

// call makes a request. If the server refuses or breaks connections, or is overloaded, it tries again, up to attempts
// times with a growing pause. If the server is silent, it does not try again. It returns the errors of explain.
func (s *S3) call(ctx context.Context, request func(w *watch) error) error {
	return s.begin(ctx, func(w *watch) error {
		err := request(w)
		if err == nil {
			w.stop()
		}
		return err
	})
}

// begin is call, but a successful request keeps the watch.
func (s *S3) begin(ctx context.Context, request func(w *watch) error) error {
	for attempt := 1; ; attempt++ {
		w := s.watch(ctx)
		err := request(w)
		if err == nil {
			return nil
		}
		silent := w.silent()
		w.stop()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if silent {
			return s.away(errSilent)
		}
		err = s.explain(err)
		if chat.KindOf(err) != chat.KindUnavailable || attempt == attempts {
			return err
		}
		if err := pause(ctx, backoff<<attempt); err != nil {
			return err
		}
	}
}

// pause waits a random time between half of d and d.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d/2 + rand.N(d/2))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// hasCode reports whether the server answered with one of codes.
func hasCode(err error, codes ...string) bool {
	e, ok := errors.AsType[minio.ErrorResponse](err)
	if ok {
		for _, code := range codes {
			if e.Code == code {
				return true
			}
		}
	}
	return false
}

// explain turns an error of the client into one that says what to do.
func (s *S3) explain(err error) error {
	e, answered := errors.AsType[minio.ErrorResponse](err)
	switch {
	case !answered:
		return s.explainNoAnswer(err)
	case e.Code == "NoSuchKey":
		return fmt.Errorf("%w (%w)", chat.ErrNotFound, err)
	case e.StatusCode >= 500 && e.StatusCode != http.StatusNotImplemented, e.StatusCode == http.StatusTooManyRequests:
		return s.away(err)
	}
	if why := s.refusal(e); why != "" {
		return fmt.Errorf("%s (%s: %w)", why, e.Code, err)
	}
	switch e.Code {
	case "SlowDown", "RequestTimeout", "Throttling", "BadDigest", "XAmzContentSHA256Mismatch", "IncompleteBody":
		return s.away(err)
	}
	return fmt.Errorf("S3 at %s answered %s: %w", s.host(), e.Code, err)
}

// refusal says why trying again is useless, or returns "".
func (s *S3) refusal(e minio.ErrorResponse) string {
	switch e.Code {
	case "NoSuchBucket":
		return fmt.Sprintf("there is no bucket %s: make it, or let the server make it with create=true", s.bucket)
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "XAdminUserNotFound":
		return fmt.Sprintf("%s refuses the credentials: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the role", s.host())
	case "AccessDenied", "AllAccessDisabled", "AccountProblem":
		return fmt.Sprintf("access to bucket %s is denied: allow the credentials s3:ListBucket, s3:GetObject, s3:PutObject, "+
			"s3:DeleteObject and s3:AbortMultipartUpload, or use another bucket", s.bucket)
	case "AuthorizationHeaderMalformed", "PermanentRedirect", "InvalidRegion", "IllegalLocationConstraintException",
		"InvalidLocationConstraint", "TemporaryRedirect":
		if e.Region != "" {
			return fmt.Sprintf("bucket %s is in another region: set region=%s", s.bucket, e.Region)
		}
		return fmt.Sprintf("bucket %s is in another region: set region to the bucket's", s.bucket)
	case "BucketAlreadyExists":
		return fmt.Sprintf("bucket %s belongs to somebody else: choose another name", s.bucket)
	case "RequestTimeTooSkewed":
		return "this machine's clock and the server's differ: set them right"
	}
	if strings.Contains(e.Code, " ") { // the code is the HTTP status: the response was not S3's
		return s.host() + " answers unlike S3: check the endpoint, the region and the credentials"
	}
	return ""
}

func (s *S3) explainNoAnswer(err error) error {
	_, unknownCertificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, notXML := errors.AsType[*xml.SyntaxError](err)
	switch {
	case errors.Is(err, errNoCredentials):
		return err
	case unknownCertificate:
		return fmt.Errorf("the certificate of %s is not to be trusted: name its authority's file in ca=FILE (%w)", s.host(), err)
	case strings.Contains(err.Error(), "HTTP response to HTTPS client"):
		return fmt.Errorf("%s does not speak TLS: write http:// in the endpoint, or set TLS up there (%w)", s.host(), err)
	case notXML:
		return fmt.Errorf("%s does not speak S3: check the endpoint (%w)", s.host(), err)
	}
	return s.away(fmt.Errorf("is it up, and the endpoint right? %w", err))
}

// away returns the error for clients while the server is unreachable, with the cause for the log.
func (s *S3) away(cause error) error {
	e := &chat.Error{Kind: chat.KindUnavailable, What: "the file store does not answer", Why: "try again in a moment"}
	return fmt.Errorf("%w (S3 at %s: %w)", e, s.host(), cause)
}

func (s *S3) host() string { return s.core.EndpointURL().Host }

var errNoCredentials = errors.New("there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role gives some")

// required is a chain of credential providers that fails if none has credentials. A plain chain would return empty
// ones.
type required struct{ credentials.Chain }

func awsCredentials() *credentials.Credentials {
	return credentials.New(&required{credentials.Chain{Providers: []credentials.Provider{
		&credentials.EnvAWS{},
		&credentials.FileAWSCredentials{},
		&credentials.IAM{Client: &http.Client{Timeout: defaultTimeout}},
	}}})
}

// RetrieveWithCredContext implements credentials.Provider.
func (r *required) RetrieveWithCredContext(cc *credentials.CredContext) (credentials.Value, error) {
	v, err := r.Chain.RetrieveWithCredContext(cc)
	if err == nil && (v.AccessKeyID == "" || v.SecretAccessKey == "") {
		err = errNoCredentials
	}
	return v, err
}
