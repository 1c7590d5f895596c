package fetch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlsnet"
)

// Bounds on what is taken in, and on the time it may take.
const (
	MaxCertificates = 256 << 10 // bytes of an issuer or a bundle of them
	MaxCRL          = 64 << 20  // bytes of a CRL: about 1.3 million entries
	MaxOCSP         = 64 << 10  // bytes of an OCSP response
	maxRedirects    = 3
	maxURL          = 2048 // characters

	// DefaultTimeout is for one question, redirects included.
	DefaultTimeout = 10 * time.Second
	// negativeFor is how long a failure is remembered.
	negativeFor = time.Minute
	// maxRemembered bounds how many failures are remembered.
	maxRemembered = 1024
)

// Options say how to go out. The zero value is sound: public addresses only, https verified by the system's roots.
type Options struct {
	// AllowPrivate also asks loopback, private and link-local addresses: for a CA of one's own network.
	AllowPrivate bool
	// Timeout bounds one question; 0: DefaultTimeout.
	Timeout time.Duration
	// TLS verifies https servers; nil: by the roots of the system.
	TLS *tlsnet.Config
	// Now tells the time; nil: time.Now.
	Now func() time.Time
	// LookUp turns a host name into addresses; nil: the system's resolver.
	LookUp func(ctx context.Context, host string) ([]netip.Addr, error)
}

// Error says which address gave nothing, and why. All its strings can be shown as they are.
type Error struct {
	URL    string
	Reason string
	Err    error // beneath; may be nil
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.URL, e.Reason) }

// Unwrap gives the error beneath.
func (e *Error) Unwrap() error { return e.Err }

// Fetcher asks. It may be used concurrently.
type Fetcher struct {
	o         Options
	transport *tlsnet.Transport
	flights   singleflight.Group
	failures  failures
}

// New makes a Fetcher.
func New(o Options) *Fetcher {
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	f := &Fetcher{o: o}
	f.transport = &tlsnet.Transport{Config: o.TLS, AllowPlaintext: true, Connect: Gate{AllowPrivate: o.AllowPrivate, LookUp: o.LookUp}.Dial, DisableCompression: true}
	return f
}

// Close gives up idle connections.
func (f *Fetcher) Close() { f.transport.CloseIdleConnections() }

// question is one thing to ask for.
type question struct {
	url    string
	body   []byte // of a POST; nil: GET
	kind   string // content type of the body
	accept string
	limit  int64
}

// key tells questions apart.
func (q question) key() string {
	sum := sha256.Sum256(q.body)
	return q.url + "\x00" + string(sum[:])
}

// ask answers a question: once for all who ask it at the same time.
func (f *Fetcher) ask(ctx context.Context, q question) ([]byte, error) {
	if err := checkURL(q.url); err != nil {
		return nil, err
	}
	key := q.key()
	if err := f.failures.recall(key, f.o.Now()); err != nil {
		return nil, err
	}
	// The shared request outlives a caller who gives up: others may wait for it, and its time is bounded.
	shared := f.flights.DoChan(key, func() (any, error) {
		once, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.o.Timeout)
		defer cancel()
		answer, err := f.request(once, q)
		if err != nil {
			f.failures.remember(key, err, f.o.Now())
			return nil, err
		}
		return answer, nil
	})
	select {
	case <-ctx.Done():
		return nil, &Error{URL: pki.Printable(q.url), Reason: "given up: " + ctx.Err().Error(), Err: ctx.Err()}
	case r := <-shared:
		if r.Err != nil {
			return nil, r.Err
		}
		return bytes.Clone(r.Val.([]byte)), nil
	}
}

// request asks, follows redirects and reads the answer.
func (f *Fetcher) request(ctx context.Context, q question) ([]byte, error) {
	at := q.url
	for range maxRedirects + 1 {
		response, err := f.roundTrip(ctx, q, at)
		if err != nil {
			return nil, failed(at, err)
		}
		next := response.Header.Get("Location")
		if !isRedirect(response.StatusCode) || next == "" {
			return readAnswer(response, at, q.limit)
		}
		_ = response.Body.Close()
		target, err := response.Request.URL.Parse(next)
		if err != nil {
			return nil, &Error{URL: pki.Printable(at), Reason: "redirects to what is no URL", Err: err}
		}
		if q.body != nil && response.StatusCode != http.StatusTemporaryRedirect && response.StatusCode != http.StatusPermanentRedirect {
			return nil, &Error{URL: pki.Printable(at), Reason: "redirects a POST as if it were a GET"}
		}
		at = target.String()
		if err := checkURL(at); err != nil {
			return nil, err
		}
	}
	return nil, &Error{URL: pki.Printable(q.url), Reason: fmt.Sprintf("redirects more than %d times", maxRedirects)}
}

func (f *Fetcher) roundTrip(ctx context.Context, q question, at string) (*http.Response, error) {
	method, body := http.MethodGet, io.Reader(nil)
	if q.body != nil {
		method, body = http.MethodPost, bytes.NewReader(q.body)
	}
	r, err := http.NewRequestWithContext(ctx, method, at, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", "tlswright")
	r.Header.Set("Accept", q.accept)
	if q.kind != "" {
		r.Header.Set("Content-Type", q.kind)
	}
	return f.transport.RoundTrip(r)
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// readAnswer reads a body of at most limit bytes.
func readAnswer(response *http.Response, at string, limit int64) ([]byte, error) {
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, &Error{URL: pki.Printable(at), Reason: fmt.Sprintf("answers with HTTP status %d", response.StatusCode)}
	}
	if response.ContentLength > limit {
		return nil, tooLarge(at, limit)
	}
	answer, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	if err != nil {
		return nil, failed(at, err)
	}
	if int64(len(answer)) > limit {
		return nil, tooLarge(at, limit)
	}
	if len(answer) == 0 {
		return nil, &Error{URL: pki.Printable(at), Reason: "answers with nothing"}
	}
	return answer, nil
}

func tooLarge(at string, limit int64) error {
	return &Error{URL: pki.Printable(at), Reason: fmt.Sprintf("answers with more than %d bytes", limit)}
}

// failed puts the error of a connection into words.
func failed(at string, err error) error {
	var known *Error
	if errors.As(err, &known) {
		return &Error{URL: pki.Printable(at), Reason: known.Reason, Err: err}
	}
	reason := pki.Printable(err.Error())
	if errors.Is(err, context.DeadlineExceeded) {
		reason = "does not answer in time"
	}
	return &Error{URL: pki.Printable(at), Reason: reason, Err: err}
}

// checkURL refuses what is not http or https, and credentials in a URL.
func checkURL(text string) error {
	fail := func(reason string) error { return &Error{URL: pki.Printable(shorten(text)), Reason: reason} }
	if len(text) > maxURL {
		return fail(fmt.Sprintf("is longer than %d characters", maxURL))
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return fail("is not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return fail("is not http or https, and nothing else is asked")
	case u.Hostname() == "":
		return fail("names no host")
	case u.User != nil:
		return fail("carries a user name, which is not sent to strangers")
	}
	return nil
}

func shorten(text string) string {
	if len(text) > 100 {
		return text[:100] + "…"
	}
	return text
}
