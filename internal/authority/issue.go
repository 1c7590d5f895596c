package authority

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"filippo.io/mldsa"

	"github.com/tlswright/tlswright/internal/issue"
	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/pki/crl"
	"github.com/tlswright/tlswright/pki/lint"
)

// Order is a request with what belongs to it.
type Order struct {
	pki.Request
	CSR    []byte // what the request came in, DER, to be kept; may be nil
	Renews int64  // the record of the certificate that this one follows; 0: none
	For    string // the ACME order that it fulfils, which must have no certificate yet; "": none
	// Take, if set, changes that order in the transaction by which the serial number is reserved. If it returns an error,
	// neither happens. It may be called more than once, each time with the order as it is.
	Take func(*store.ACMEOrder) error
}

// Issued is a certificate that was issued and recorded.
type Issued struct {
	Certificate *x509.Certificate
	Chain       [][]byte // what is sent with it: itself first, DER
	Findings    []lint.Finding
	Record      int64 // its number in the store
}

// Issue makes a certificate. See [Authority.Order].
func (a *Authority) Issue(ctx context.Context, req pki.Request) (*x509.Certificate, error) {
	done, err := a.Order(ctx, Order{Request: req})
	if err != nil {
		return nil, err
	}
	return done.Certificate, nil
}

// Order makes a certificate: reserves a serial number (on disk), prepares and
// examines, signs, records (on disk), and only then returns it. What cannot be
// sound is refused with a [*pki.RefusedError] or an [*issue.LintError], and the
// refusal is recorded. If ctx ends after the signature, the certificate is recorded
// all the same.
func (a *Authority) Order(ctx context.Context, o Order) (*Issued, error) {
	r, err := a.Reserve(ctx, o)
	if err != nil {
		return nil, err
	}
	return r.Issue(ctx)
}

// fulfil makes the certificate of a request that was taken, and records it. If
// nothing was signed, the request is closed.
func (a *Authority) fulfil(ctx context.Context, o *Order, id int64) (*x509.Certificate, []lint.Finding, error) {
	now := a.Now()
	if a.isPublic(&o.Request) {
		c, findings, signed, err := a.makePublic(ctx, o, id, now)
		if err != nil && !signed {
			err = errors.Join(err, a.refuse(ctx, id, err))
		}
		return c, findings, err
	}
	c, findings, err := a.make(ctx, &o.Request, now)
	if err != nil {
		return nil, nil, errors.Join(err, a.refuse(ctx, id, err))
	}
	// From here on there is a signature: it is recorded whether somebody waits or not.
	record := a.recordOf(c, id, profileName(&o.Request), now)
	record.Order = o.For
	if err := a.Store.Record(context.WithoutCancel(ctx), record); err != nil {
		return nil, findings, fmt.Errorf("the certificate could not be recorded and is not given out: %w", err)
	}
	return c, findings, nil
}

// make prepares and signs, in the workshop; a key that lives elsewhere is waited for
// outside of it.
func (a *Authority) make(ctx context.Context, req *pki.Request, now time.Time) (c *x509.Certificate, findings []lint.Finding, err error) {
	a.addURLs(req)
	var token *issue.Token
	open := a.workshop.do(func() {
		token, findings, err = issue.Prepare(a.Issuer, *req, now, a.Linters...)
		if err == nil && a.ownKey() {
			c, err = token.Sign(a.Issuer.Key)
		}
	})
	if !open {
		return nil, nil, store.ErrClosed
	}
	if err == nil && c == nil {
		c, err = a.signElsewhere(ctx, token)
	}
	return c, findings, err
}

// ownKey tells whether the key is in this process, so that it answers at once.
func (a *Authority) ownKey() bool {
	switch a.Issuer.Key.(type) {
	case *ecdsa.PrivateKey, *rsa.PrivateKey, ed25519.PrivateKey, *mldsa.PrivateKey, *pki.PSSKey:
		return true
	}
	return false
}

// checkBeforehand refuses what would not even be worth a serial number.
func checkBeforehand(req *pki.Request) error {
	if req.Key == nil {
		return errors.New("no public key to certify")
	}
	if req.Spec == nil {
		if _, err := pki.BuiltinProfile(req.Profile); err != nil {
			return err
		}
	}
	return nil
}

// maxDraws bounds how often a serial number is drawn anew. A second time would be a
// wonder of one in 2^128; a third means that the random numbers are not random.
const maxDraws = 3

// reserve draws a serial number into the request and takes the request.
func (a *Authority) reserve(ctx context.Context, o *Order) (id int64, err error) {
	asked, err := askedFor(&o.Request)
	if err != nil {
		return 0, err
	}
	drawn := o.Serial == nil
	for range maxDraws {
		if drawn {
			if o.Serial, err = pki.NewSerial(); err != nil {
				return 0, err
			}
		}
		if err = ctx.Err(); err != nil {
			return 0, err
		}
		// Not cut short when the caller goes: a number that is on disk without our knowing would stay open.
		id, err = a.Store.Reserve(context.WithoutCancel(ctx), store.NewRequest{
			By: a.by(), Issuer: a.record.ID, Serial: o.Serial.Bytes(), Profile: profileName(&o.Request), Asked: asked, CSR: o.CSR, Renews: o.Renews,
			Order: o.For, Take: o.Take,
		})
		if !drawn || !errors.Is(err, store.ErrSerialTaken) {
			break
		}
	}
	if errors.Is(err, store.ErrSerialTaken) {
		return 0, &pki.RefusedError{Reason: fmt.Sprintf("the serial number %s was given out before", SerialText(o.Serial)), Hint: "let one be drawn"}
	}
	return id, err
}

// refuse closes a request for which nothing was signed.
func (a *Authority) refuse(ctx context.Context, id int64, why error) error {
	return a.Store.Refuse(context.WithoutCancel(ctx), id, pki.Printable(why.Error()), a.by())
}

// addURLs puts in where revocation information is found, unless request or profile
// say so themselves. What lives too short to be revoked has nothing to point to.
func (a *Authority) addURLs(req *pki.Request) {
	spec := req.Spec
	if spec == nil {
		builtin, err := pki.BuiltinProfile(req.Profile)
		if err != nil {
			return
		}
		spec = &builtin
	}
	if len(req.IssuingCertificateURLs)+len(spec.IssuingCertificateURLs) == 0 {
		req.IssuingCertificateURLs = a.Publication.Issuer
	}
	if spec.ShortLived || spec.OCSPNoCheck {
		return
	}
	if len(req.CRLDistributionPoints)+len(spec.CRLDistributionPoints) == 0 && len(a.Publication.CRL) > 0 {
		req.CRLDistributionPoints = urlsOf(a.Publication.CRL, crl.ShardOf(req.Serial.Bytes(), a.record.Shards))
	}
	if len(req.OCSPServers)+len(spec.OCSPServers) == 0 {
		req.OCSPServers = a.Publication.OCSP
	}
}

// signElsewhere has the token redeemed by a key that may take its time, and gives it
// no more than that.
func (a *Authority) signElsewhere(ctx context.Context, token *issue.Token) (*x509.Certificate, error) {
	type result struct {
		c   *x509.Certificate
		err error
	}
	done, key := make(chan result, 1), a.Issuer.Key
	go func() {
		c, err := token.Sign(key)
		done <- result{c, err}
	}()
	ctx, cancel := context.WithTimeout(ctx, a.SignTimeout)
	defer cancel()
	select {
	case r := <-done:
		return r.c, r.err
	case <-ctx.Done():
		// What may still be signed is never looked at, and its serial number is closed.
		return nil, fmt.Errorf("the key did not answer in time: %w", ctx.Err())
	}
}

func profileName(req *pki.Request) string {
	if req.Spec != nil {
		return string(req.Spec.Name)
	}
	return string(req.Profile)
}

// recordOf is what the store keeps of a certificate.
func (a *Authority) recordOf(c *x509.Certificate, id int64, profile string, at time.Time) store.NewCertificate {
	return store.NewCertificate{
		By: store.By{Actor: a.Actor, At: at}, ID: id, Issuer: a.record.ID, Profile: profile,
		Subject: pki.Name(c.Subject), Names: alternativeNames(c),
		NotBefore: c.NotBefore, NotAfter: c.NotAfter, DER: c.Raw, Digest: sha256.Sum256(c.Raw), Serial: c.SerialNumber.Bytes(),
	}
}

// alternativeNames are the names that certificates are searched by, as the
// certificate has them but safe to show.
func alternativeNames(c *x509.Certificate) []string {
	names := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	for _, u := range c.URIs {
		names = append(names, u.String())
	}
	names = append(names, c.EmailAddresses...)
	for i, n := range names {
		names[i] = pki.Printable(n)
	}
	return names
}

// asked is a request as the store keeps it.
type asked struct {
	Subject   string   `json:"subject,omitempty"`
	SANs      []string `json:"sans,omitempty"`
	Key       string   `json:"key,omitempty"`
	NotBefore string   `json:"notBefore,omitempty"`
	Lifetime  string   `json:"lifetime,omitempty"`
}

func askedFor(req *pki.Request) (string, error) {
	subject := req.Subject
	if req.CommonName != "" {
		subject.CommonName = req.CommonName
	}
	what := asked{Subject: pki.Name(subject), SANs: req.SANs, Key: pki.DescribeKey(req.Key)}
	if !req.NotBefore.IsZero() {
		what.NotBefore = req.NotBefore.UTC().Format(time.RFC3339)
	}
	if req.Lifetime != 0 {
		what.Lifetime = req.Lifetime.String()
	}
	text, err := json.Marshal(what)
	return string(text), err
}

// Import takes a certificate that this issuer signed elsewhere or before there was
// a database, so that it can be found, revoked and answered for. One that is on
// file already is left alone; added tells which.
func (a *Authority) Import(ctx context.Context, c *x509.Certificate) (added bool, err error) {
	issuer := a.Issuer.Certificate
	if string(c.RawIssuer) != string(issuer.RawSubject) {
		return false, &pki.RefusedError{Reason: fmt.Sprintf("%q was issued by %q, not by %q", pki.Name(c.Subject), pki.Name(c.Issuer), pki.Name(issuer.Subject))}
	}
	if err := cert.CheckSignatureFrom(c, issuer); err != nil {
		return false, &pki.RefusedError{Reason: fmt.Sprintf("%q was not signed by %q: %v", pki.Name(c.Subject), pki.Name(issuer.Subject), err)}
	}
	if c.SerialNumber.Sign() <= 0 {
		return false, &pki.RefusedError{Reason: fmt.Sprintf("the serial number of %q is not positive", pki.Name(c.Subject))}
	}
	known, err := a.Store.Get(ctx, a.record.ID, c.SerialNumber.Bytes())
	switch {
	case err == nil && string(known.DER) == string(c.Raw):
		return false, nil
	case err == nil:
		return false, &pki.RefusedError{Reason: fmt.Sprintf("the serial number %s of %q is on file for another certificate", serialText(c), pki.Name(c.Subject))}
	case !errors.Is(err, store.ErrNotFound):
		return false, err
	}
	profile := string(profileOf(c))
	id, err := a.Store.Reserve(context.WithoutCancel(ctx), store.NewRequest{By: a.by(), Issuer: a.record.ID, Serial: c.SerialNumber.Bytes(), Profile: profile, Asked: "{}"})
	if errors.Is(err, store.ErrSerialTaken) {
		return false, nil // another process was faster
	}
	if err != nil {
		return false, err
	}
	record := a.recordOf(c, id, profile, a.Now())
	record.Imported = true
	return true, a.Store.Record(context.WithoutCancel(ctx), record)
}

func serialText(c *x509.Certificate) string { return SerialText(new(big.Int).Abs(c.SerialNumber)) }

// profileOf guesses which profile a certificate was made by.
func profileOf(c *x509.Certificate) pki.Profile {
	uses := func(u x509.ExtKeyUsage) bool { return slices.Contains(c.ExtKeyUsage, u) }
	switch {
	case c.IsCA && string(c.RawSubject) == string(c.RawIssuer):
		return pki.ProfileRoot
	case c.IsCA:
		return pki.ProfileIntermediate
	case uses(x509.ExtKeyUsageServerAuth) && uses(x509.ExtKeyUsageClientAuth):
		return pki.ProfilePeer
	case uses(x509.ExtKeyUsageClientAuth):
		return pki.ProfileClient
	case uses(x509.ExtKeyUsageOCSPSigning):
		return pki.ProfileOCSP
	case uses(x509.ExtKeyUsageCodeSigning):
		return pki.ProfileCode
	case uses(x509.ExtKeyUsageEmailProtection):
		return pki.ProfileEmail
	}
	return pki.ProfileServer
}
