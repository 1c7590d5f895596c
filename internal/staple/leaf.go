package staple

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/tlswright/tlswright/internal/fetch"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/pki/ocsp"
)

// When the next response is asked for.
const (
	again      = time.Minute // after a failure; fetch remembers it for as long
	againLast  = time.Hour
	atLeast    = 10 * time.Second
	atMost     = 12 * time.Hour // however long a response is in force: a revocation should be known of
	maxAsked   = 4              // responders of one certificate
	maxIssuers = 4              // addresses of its issuer
)

// leaf is a certificate, of a server or a CA above it, with the response for it.
type leaf struct {
	id         [32]byte
	chain      [][]byte
	cert       *x509.Certificate // nil: it cannot be read, and nothing is done for it
	name       string
	responders []string

	mu       sync.Mutex
	issuer   *x509.Certificate // nil: not found yet
	der      []byte            // the newest response; nil: none
	standing *pki.Staple       // what it says
	due      time.Time
	failures int
	problem  string
}

// newLeaf looks a chain up on disk.
func (k *Keeper) newLeaf(id [32]byte, chain [][]byte) *leaf {
	l := &leaf{id: id}
	for _, der := range chain {
		l.chain = append(l.chain, bytes.Clone(der))
	}
	c, err := cert.ParseX509(l.chain[0])
	if err != nil {
		l.problem = printable(err)
		return l
	}
	l.cert, l.name = c, pki.Name(c.Subject)
	if c.IsCA && bytes.Equal(c.RawIssuer, c.RawSubject) {
		return l // a root: it is trusted, or not
	}
	for _, url := range c.OCSPServer {
		if low := strings.ToLower(url); strings.HasPrefix(low, "http://") || strings.HasPrefix(low, "https://") {
			l.responders = append(l.responders, url)
		}
	}
	l.responders = l.responders[:min(len(l.responders), maxAsked)]
	if len(l.responders) == 0 {
		if demands(c) {
			l.problem = "it demands a stapled OCSP response, and names no responder"
		}
		return l
	}
	l.issuer = k.knownIssuer(l)
	l.due = k.o.Now()
	if l.issuer != nil {
		if der := k.readFile(l); der != nil {
			_ = l.take(der, k.o.Now()) // else it is fetched
		}
	}
	return l
}

// knownIssuer looks for the issuer in the chain and among the keeper's certificates.
func (k *Keeper) knownIssuer(l *leaf) *x509.Certificate {
	for _, der := range l.chain[1:] {
		if c, err := cert.ParseX509(der); err == nil && isIssuer(c, l.cert) {
			return c
		}
	}
	for _, c := range k.o.Issuers {
		if isIssuer(c, l.cert) {
			return c
		}
	}
	return nil
}

// isIssuer reports whether a certificate's name and key made another one.
func isIssuer(c, of *x509.Certificate) bool {
	return bytes.Equal(c.RawSubject, of.RawIssuer) && cert.CheckSignatureFrom(of, c) == nil
}

// findIssuer gives the issuer, fetched from where the leaf says that it is, if need be.
func (k *Keeper) findIssuer(ctx context.Context, l *leaf) (*x509.Certificate, error) {
	l.mu.Lock()
	issuer := l.issuer
	l.mu.Unlock()
	if issuer != nil {
		return issuer, nil
	}
	errs := []error{errNoIssuer}
	for i, url := range l.cert.IssuingCertificateURL {
		if i == maxIssuers {
			break
		}
		found, err := k.o.Fetcher.Issuers(ctx, url)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, c := range found {
			if isIssuer(c, l.cert) {
				l.mu.Lock()
				l.issuer = c
				l.mu.Unlock()
				return c, nil
			}
		}
		errs = append(errs, &fetch.Error{URL: pki.Printable(url), Reason: "is not the issuer"})
	}
	return nil, inOneLine(errs)
}

// inOneLine puts several failures behind each other.
func inOneLine(errs []error) error {
	var texts []string
	for _, err := range errs {
		texts = append(texts, err.Error())
	}
	return errors.New(strings.Join(texts, "; "))
}

// fetch asks the responders in turn until one gives a response that will do.
func (k *Keeper) fetch(ctx context.Context, l *leaf) error {
	issuer, err := k.findIssuer(ctx, l)
	if err != nil {
		return err
	}
	// SHA-1 names, and nothing more: that is what responders have ready (RFC 5019, Section 2.1.1).
	id, err := ocsp.NewCertID(l.cert.SerialNumber.Bytes(), issuer, crypto.SHA1)
	if err != nil {
		return err
	}
	request, err := ocsp.CreateRequest([]ocsp.CertID{id}, nil)
	if err != nil {
		return err
	}
	var errs []error
	for _, url := range l.responders {
		der, err := k.o.Fetcher.OCSP(ctx, url, request)
		if err == nil {
			if err = l.take(der, k.o.Now()); err == nil {
				k.writeFile(l, der)
				return nil
			}
			err = &fetch.Error{URL: pki.Printable(url), Reason: err.Error()}
		}
		errs = append(errs, err)
	}
	return inOneLine(errs)
}

// take keeps a response that is valid and no older than the one that is kept.
func (l *leaf) take(der []byte, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	standing, err := pki.CheckStaple(der, l.cert, l.issuer, now)
	if err != nil {
		return err
	}
	if l.standing != nil && standing.ThisUpdate.Before(l.standing.ThisUpdate) {
		return errors.New("gives an older response than before")
	}
	l.der, l.standing, l.failures, l.problem = der, standing, 0, ""
	if standing.Revoked {
		l.problem = "the responder says that the certificate was revoked: it has to be replaced"
	}
	l.due = next(now, standing)
	return nil
}

// next is when to ask again: around half of the time for which a response is in force, so that there is time to try again.
func next(now time.Time, s *pki.Staple) time.Time {
	half := s.NextUpdate.Sub(s.ThisUpdate) / 2
	at := s.ThisUpdate.Add(half + rand.N(max(half/5, 1)) - half/10)
	if at.Before(now) {
		at = now.Add(s.NextUpdate.Sub(now) / 4)
	}
	if latest := now.Add(atMost - rand.N(atMost/10)); at.After(latest) {
		at = latest
	}
	if earliest := now.Add(atLeast); at.Before(earliest) {
		at = earliest
	}
	return at
}

// current is what is sent at a time. A response that says revoked is not: it is no help to anybody, and the operator is
// told of it otherwise.
func (l *leaf) current(now time.Time) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.der == nil || l.standing.Revoked || now.After(l.standing.NextUpdate) {
		return nil
	}
	return l.der
}

// told is what whoever serves the leaf was told of.
func (l *leaf) told() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.der == nil || l.standing.Revoked {
		return nil
	}
	return l.der
}

// expire drops a response that is not in force any more.
func (l *leaf) expire(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.der != nil && now.After(l.standing.NextUpdate) {
		l.der = nil
	}
}

// dueAt is when something is to be done: a response to be asked for, or to be dropped.
func (l *leaf) dueAt() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.due
	if l.der != nil {
		if end := l.standing.NextUpdate.Add(time.Millisecond); at.IsZero() || end.Before(at) {
			at = end
		}
	}
	return at
}

func (l *leaf) wantsFetch(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.due.IsZero() && !l.due.After(now)
}

// fail notes why there is nothing new, and when it is tried again. It reports whether that is news.
func (l *leaf) fail(now time.Time, err error) bool {
	text := printable(err)
	l.mu.Lock()
	defer l.mu.Unlock()
	news := l.problem != text
	wait := min(again<<min(l.failures, 10), againLast)
	if l.der != nil { // the less is left, the more often
		wait = min(wait, max(again, l.standing.NextUpdate.Sub(now)/4))
	}
	l.due = now.Add(wait + rand.N(wait/8+1))
	l.failures++
	l.problem = text
	return news
}

func (l *leaf) trouble() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.problem
}

// demands reports whether clients refuse a certificate without a response. A CA demands it of what it signs.
func demands(c *x509.Certificate) bool { return pki.MustStaple(c) && !c.IsCA }

func (l *leaf) status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := Status{Leaf: l.cert, Responders: l.responders, MustStaple: demands(l.cert), Next: l.due, Problem: l.problem}
	if l.standing != nil {
		s.Revoked = l.standing.Revoked
	}
	if l.der != nil {
		s.ThisUpdate, s.NextUpdate = l.standing.ThisUpdate, l.standing.NextUpdate
	}
	return s
}

// path is the file of a leaf's response.
func (k *Keeper) path(l *leaf) string {
	sum := sha256.Sum256(l.chain[0])
	return filepath.Join(k.o.Dir, hex.EncodeToString(sum[:])+".ocsp")
}

// readFile gives what is on disk; nil: nothing.
func (k *Keeper) readFile(l *leaf) []byte {
	if k.o.Dir == "" {
		return nil
	}
	info, err := os.Stat(k.path(l))
	if err != nil || !info.Mode().IsRegular() || info.Size() > fetch.MaxOCSP {
		return nil // it is fetched
	}
	der, err := os.ReadFile(k.path(l))
	if err != nil {
		return nil
	}
	return der
}

func (k *Keeper) writeFile(l *leaf, der []byte) {
	if k.o.Dir == "" {
		return
	}
	if err := keystore.WriteFile(k.path(l), der, 0o600); err != nil {
		k.o.Log.Warn("an OCSP response cannot be kept on disk", "certificate", l.name, "error", printable(err))
	}
}
