package revoked

import (
	"bytes"
	"context"
	"crypto/x509"
	"slices"
	"strings"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/pki/crl"
)

// inquiry finds out about the first certificate of a path.
type inquiry struct {
	checker *Checker
	pool    *Pool
	path    []*x509.Certificate
	verdict *verdict // of the chain it belongs to

	offered bool     // somebody offers to tell its status
	notes   []string // who gave no answer
}

// Bounds on what one certificate makes us do.
const (
	maxNotes  = 3 // failures that an error tells of
	maxPoints = 8 // addresses of CRLs
)

// refuses reports whether a status is a reason to refuse.
//
// An unknown status of a CA is none where nobody offers to tell it, for private CAs seldom do so of those below them, and
// else nobody at all could come in.
func (q *inquiry) refuses(r *pki.RevocationResult) bool {
	if r.Status == pki.RevocationUnknown && q.path[0].IsCA && !q.offered {
		return false
	}
	return r.Refused(q.checker.o.Mode)
}

// within bounds how long the verdict holds.
func (q *inquiry) within(d time.Duration) {
	if end := q.pool.o.Now().Add(d); end.Before(q.verdict.until) {
		q.verdict.until = end
	}
}

// status asks what is at hand, and then those who can be asked. What is remembered as revoked stays so; then the CA's own
// records count, and what they know nothing of is left to CRLs and OCSP.
func (q *inquiry) status(ctx context.Context) pki.RevocationResult {
	if k, ok := keyOf(q.path); ok {
		if m, ok := q.pool.journal.recall(k); ok {
			return m.result()
		}
	}
	r, by, note := q.pool.byLive(ctx, q.path)
	if note != "" { // a statement that still holds is taken in their place, but not for long
		q.note(note)
		q.within(unknownFor)
	}
	if by == nil {
		return q.byStatements(ctx)
	}
	q.verdict.by = append(q.verdict.by, by)
	switch {
	case r.Status == pki.RevocationUnknown && q.path[0].IsCA:
		return q.byStatements(ctx) // a CA may be older than the records of the one above it
	case r.Status == pki.RevocationUnknown:
		q.offered = true
		q.within(unknownFor)
	case r.Status == pki.RevocationGood && len(q.checker.lists) > 0:
		if other := q.judge(q.configured(), nil); other.Status == pki.RevocationRevoked {
			return other
		}
	}
	return r
}

func (q *inquiry) note(text string) {
	text = pki.Printable(strings.ReplaceAll(text, "\n", "; "))
	if len(q.notes) < maxNotes && !slices.Contains(q.notes, text) {
		q.notes = append(q.notes, text)
	}
}

// byStatements takes the status from CRLs and OCSP answers. Where the certificate names a responder, its answer is wanted,
// for it is newer than most CRLs; where there is none, CRLs will do.
func (q *inquiry) byStatements(ctx context.Context) pki.RevocationResult {
	c := q.path[0]
	q.offered = q.offered || len(c.OCSPServer)+len(c.CRLDistributionPoints) > 0 || q.isListed()
	var answers [][]byte
	if a := q.pool.answerFor(q.path); a != nil {
		der := a.use()
		if der == nil {
			asking, cancel := context.WithTimeout(ctx, q.pool.o.Patience*3/5) // the rest is for the lists
			if err := a.fetch(asking); err != nil {
				q.note(err.Error())
			}
			cancel()
			der = a.use()
		}
		if der != nil {
			answers = [][]byte{der}
		}
	}
	r := q.judge(q.gather(), answers)
	for round := 0; round < 2 && r.Status == pki.RevocationUnknown; round++ { // the first one may bring the addresses of deltas
		for _, l := range q.gather() {
			if err := q.bring(ctx, l); err != nil {
				q.note(err.Error())
			}
		}
		r = q.judge(q.gather(), answers)
	}
	switch {
	case r.Status == pki.RevocationUnknown:
		q.within(unknownFor)
		r.Text = strings.Join(append([]string{r.Text}, q.notes...), "; ")
	case !r.NextUpdate.IsZero():
		q.within(r.NextUpdate.Sub(q.pool.o.Now()))
	}
	return r
}

// judge lets package pki decide by what some lists hold now, and by OCSP answers.
func (q *inquiry) judge(lists []*list, answers [][]byte) pki.RevocationResult {
	o := pki.RevocationOptions{Mode: pki.RevocationHard, OCSP: answers, Extra: q.pool.o.Extra, ShortLived: q.checker.o.ShortLived}
	for _, l := range lists {
		o.CRLs = append(o.CRLs, l.use(q.path[1:])...)
	}
	return pki.JudgeRevocation(q.path, o, q.pool.o.Now())[0]
}

// configured are the lists that the operator named.
func (q *inquiry) configured() []*list { return q.checker.lists }

// isListed reports whether the operator named a list of the certificate's issuer.
func (q *inquiry) isListed() bool {
	for _, l := range q.configured() {
		if slices.ContainsFunc(l.use(nil), func(c *crl.List) bool { return bytes.Equal(c.RawIssuer, q.path[0].RawIssuer) }) {
			return true
		}
	}
	return false
}

// gather gives all lists that may speak of the certificate: those of the operator, those that it names, and the deltas that
// it and they name. They may still be empty.
func (q *inquiry) gather() []*list {
	all := slices.Clone(q.configured())
	add := func(place string, soon bool) {
		if q.pool.o.Fetcher == nil || !isURL(strings.ToLower(place)) || len(all) >= len(q.configured())+maxPoints ||
			slices.ContainsFunc(all, func(l *list) bool { return l.place == place }) {
			return
		}
		if l := q.pool.listAt(place, q.pool.o.Fetcher); l != nil {
			all = append(all, l)
			if soon {
				l.wantSoon()
			}
		}
	}
	for _, place := range q.path[0].CRLDistributionPoints {
		add(place, false)
	}
	for _, place := range freshest(q.path[0]) {
		add(place, false)
	}
	for _, l := range slices.Clone(all) {
		for _, base := range l.use(nil) {
			if !bytes.Equal(base.RawIssuer, q.path[0].RawIssuer) {
				continue
			}
			for _, place := range base.Freshest {
				add(place, true)
			}
		}
	}
	return all
}

// freshest are the addresses of deltas in a certificate (RFC 5280, Section 4.2.1.15).
func freshest(c *x509.Certificate) (places []string) {
	for _, e := range c.Extensions {
		if e.Id.String() != "2.5.29.46" {
			continue
		}
		points, err := crl.ParsePoints(e.Value)
		if err != nil {
			return nil // what cannot be read names no list
		}
		for _, p := range points {
			places = append(places, p.URIs...)
		}
	}
	return places
}

// bring fetches a list of which nothing is at hand that counts.
func (q *inquiry) bring(ctx context.Context, l *list) error {
	if !isURL(l.place) {
		if text := l.trouble(); text != "" {
			q.note(text)
		}
		return nil // it was read when it last changed
	}
	now := q.pool.o.Now()
	for _, have := range l.use(q.path[1:]) {
		if now.Before(have.NextUpdate) && signedByOneOf(have, q.path[1:], q.pool.o.Extra) == nil {
			return nil
		}
	}
	return l.fetch(ctx)
}

// turn is a lock that is not waited for longer than somebody has time.
type turn chan struct{}

func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	default:
	}
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turn) give() { <-t }

// sameIssuer reports whether a certificate may have signed a list.
func sameIssuer(c *x509.Certificate, l *crl.List) bool {
	return cert.SameName(c.RawSubject, l.RawIssuer)
}
