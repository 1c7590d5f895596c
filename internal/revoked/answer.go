package revoked

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/tlswright/tlswright/internal/fetch"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/crl"
	"github.com/tlswright/tlswright/pki/ocsp"
)

// answerAtMost is how long an OCSP answer is taken for the newest, however long it holds.
const answerAtMost = time.Hour

// maxResponders bounds how many responders of one certificate are asked.
const maxResponders = 4

// answer is what OCSP responders say of one certificate.
type answer struct {
	pool *Pool
	key  key
	path []*x509.Certificate // the certificate, and those above it

	fetching turn // one at a time

	mu       sync.Mutex
	der      []byte // the newest answer that counts; nil: none
	this     time.Time
	until    time.Time // it holds no longer
	revoked  bool
	due      time.Time
	used     time.Time
	failures int
	problem  string
}

// answerFor gives what is kept for the first certificate of a path, from disk if it is new; nil: it names no responder, or
// nobody is asked.
func (p *Pool) answerFor(path []*x509.Certificate) *answer {
	k, ok := keyOf(path)
	if !ok || len(responders(path[0])) == 0 || p.o.Fetcher == nil {
		return nil
	}
	p.mu.Lock()
	a, known := p.answers[k]
	p.mu.Unlock()
	if known {
		return a
	}
	fresh := &answer{pool: p, fetching: make(turn, 1), key: k, path: p.sharedPath(path), used: p.o.Now()}
	fresh.restore()
	p.mu.Lock()
	defer p.mu.Unlock()
	if a, known := p.answers[k]; known {
		return a
	}
	if len(p.answers) >= maxAnswers {
		n := 0
		for old := range p.answers { // any will do: a walk over a map meets them in no order
			delete(p.answers, old)
			if n++; n == maxAnswers/16 {
				break
			}
		}
	}
	p.answers[k] = fresh
	return fresh
}

// responders are the addresses in a certificate that can be asked.
func responders(c *x509.Certificate) (urls []string) {
	for _, u := range c.OCSPServer {
		if isURL(strings.ToLower(u)) && len(urls) < maxResponders {
			urls = append(urls, u)
		}
	}
	return urls
}

func (a *answer) name() string {
	return hex.EncodeToString(a.key.issuer[:]) + hex.EncodeToString([]byte(a.key.serial))
}

// restore takes what is on disk, if it still counts.
func (a *answer) restore() {
	if der := a.pool.disk.read("ocsp", a.name(), fetch.MaxOCSP); der != nil {
		_ = a.take(der, false) // else it is fetched
	}
}

// use gives the answer at hand, nil if there is none that still holds.
func (a *answer) use() []byte {
	now := a.pool.o.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.used = now
	if a.der == nil || now.After(a.until) {
		return nil
	}
	return a.der
}

func (a *answer) idle(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return now.Sub(a.used) > unusedFor && now.After(a.until)
}

func (a *answer) dueAt() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.pool.o.Now().Sub(a.used) > unusedFor || a.revoked {
		return time.Time{}
	}
	return a.due
}

func (a *answer) refresh(ctx context.Context) { _ = a.fetch(ctx) } // kept as the answer's problem

// fetch asks the responders in turn until one gives an answer that counts.
func (a *answer) fetch(ctx context.Context) error {
	a.mu.Lock()
	had := a.this
	a.mu.Unlock()
	if err := a.fetching.take(ctx); err != nil {
		return err
	}
	defer a.fetching.give()
	a.mu.Lock()
	done := a.this.After(had)
	a.mu.Unlock()
	if done {
		return nil
	}
	request, err := question(a.path[0], a.path[1])
	if err != nil {
		return a.fail(err)
	}
	var errs []error
	for _, url := range responders(a.path[0]) {
		if a.pool.silent.is(url, a.pool.o.Now()) {
			errs = append(errs, &fetch.Error{URL: pki.Printable(url), Reason: "did not answer a moment ago"})
			continue
		}
		der, err := a.pool.o.Fetcher.OCSP(ctx, url, request)
		a.pool.silent.note(url, err, a.pool.o.Now())
		if err == nil {
			if err = a.take(der, true); err == nil {
				return nil
			}
			err = &fetch.Error{URL: pki.Printable(url), Reason: err.Error()}
		}
		errs = append(errs, err)
	}
	return a.fail(errors.Join(errs...))
}

// question asks about one certificate, by SHA-1: responders that know another hash are few (RFC 5019, Section 2.1.1).
func question(c, issuer *x509.Certificate) ([]byte, error) {
	id, err := ocsp.NewCertID(c.SerialNumber.Bytes(), issuer, crypto.SHA1)
	if err != nil {
		return nil, err
	}
	return ocsp.CreateRequest([]ocsp.CertID{id}, nil)
}

// take keeps an answer that counts and is no older than the one that is kept.
func (a *answer) take(der []byte, isNew bool) error {
	now := a.pool.o.Now()
	o := pki.RevocationOptions{Mode: pki.RevocationHard, OCSP: [][]byte{der}, Extra: a.pool.o.Extra}
	r := pki.JudgeRevocation(a.path, o, now)[0]
	if r.Source != "OCSP" || r.Status != pki.RevocationGood && r.Status != pki.RevocationRevoked {
		return errors.New(r.Text)
	}
	a.mu.Lock()
	if r.ThisUpdate.Before(a.this) {
		a.mu.Unlock()
		return errors.New("gives an older answer than before, of " + stamp(r.ThisUpdate))
	}
	other := isNew && string(a.der) != string(der)
	a.der, a.this, a.until, a.revoked = der, r.ThisUpdate, r.NextUpdate, r.Status == pki.RevocationRevoked
	a.due, a.failures, a.problem = ahead(now, r.ThisUpdate, r.NextUpdate, answerAtMost), 0, ""
	if a.revoked && r.Reason == crl.CertificateHold {
		a.revoked = false // it may come back
	}
	a.mu.Unlock()
	if !other {
		return nil
	}
	if err := a.pool.disk.write("ocsp", a.name(), der); err != nil {
		a.pool.o.Log.Warn("an OCSP answer cannot be kept on disk", "error", pki.Printable(err.Error()))
	}
	a.pool.changed(map[key]bool{a.key: true})
	a.pool.wake()
	return nil
}

// fail notes why there is nothing new.
func (a *answer) fail(err error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.problem = pki.Printable(strings.ReplaceAll(err.Error(), "\n", "; "))
	a.due = a.pool.o.Now().Add(afterFailures(a.failures, againFirst, againLast))
	a.failures++
	return err
}

// silentFor is how long a responder that did not answer in time is left alone. A failure of another kind comes at once, and
// is remembered for each question by package fetch.
const silentFor = 30 * time.Second

// maxSilent bounds how many responders are remembered.
const maxSilent = 1024

// silences knows responders that do not answer, so that not every client has to wait for each of them.
type silences struct {
	mu    sync.Mutex
	until map[string]time.Time // by address
}

func (s *silences) is(url string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return now.Before(s.until[url])
}

func (s *silences) note(url string, err error, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !errors.Is(err, context.DeadlineExceeded) {
		delete(s.until, url)
		return
	}
	if s.until == nil || len(s.until) >= maxSilent {
		s.until = make(map[string]time.Time)
	}
	s.until[url] = now.Add(silentFor)
}
