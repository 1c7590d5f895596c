package authority

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

// Record is what is on file about a serial number.
type Record = store.Certificate

// Query says which records are meant. Issuer is filled in.
type Query = store.Query

// notOnFile is the refusal for a serial number that was never given out.
func (a *Authority) notOnFile(serial *big.Int) error {
	return &pki.RefusedError{
		Reason: fmt.Sprintf("%q has issued nothing with the serial number %s", pki.Name(a.Issuer.Certificate.Subject), SerialText(serial)),
		Hint:   "tlswright ca list shows what was issued",
	}
}

// Get gives what is on file about a serial number; a [*pki.RefusedError] if it was
// never given out.
func (a *Authority) Get(ctx context.Context, serial *big.Int) (*Record, error) {
	r, err := a.Store.Get(ctx, a.record.ID, serial.Bytes())
	if errors.Is(err, store.ErrNotFound) {
		return nil, a.notOnFile(serial)
	}
	return r, err
}

// Find gives the one record that a person means: by a serial number, the start of
// one (at least four digits), or an alternative name. A name that several
// certificates carry means the newest that is valid. Nothing or more than one is
// refused with a [*pki.RefusedError].
func (a *Authority) Find(ctx context.Context, what string) (*Record, error) {
	if strings.TrimSpace(what) == "" { // as an unset variable in a script gives; a query without a name would mean every record
		return nil, &pki.RefusedError{Reason: "nothing was named", Hint: "give a serial number or a name; tlswright ca list shows them"}
	}
	if serial, err := ParseSerial(what); err == nil {
		if r, err := a.Store.Get(ctx, a.record.ID, serial.Bytes()); !errors.Is(err, store.ErrNotFound) {
			return r, err
		}
		if digits := strings.NewReplacer(":", "", " ", "").Replace(what); len(digits) >= 4 {
			found, err := a.List(ctx, Query{Serial: digits, Limit: 2})
			switch {
			case err != nil:
				return nil, err
			case len(found) == 1:
				return &found[0], nil
			case len(found) > 1:
				return nil, &pki.RefusedError{Reason: fmt.Sprintf("more than one serial number begins with %s", pki.Printable(what)), Hint: "write more of it"}
			}
		}
	}
	for _, q := range []Query{{Name: what, States: []store.State{store.StateIssued}, EndsFrom: a.Now(), Newest: true, Limit: 1}, {Name: what, Newest: true, Limit: 1}} {
		found, err := a.List(ctx, q)
		if err != nil {
			return nil, err
		}
		if len(found) > 0 {
			return &found[0], nil
		}
	}
	return nil, &pki.RefusedError{Reason: fmt.Sprintf("nothing on file has the serial number or the name %s", pki.Printable(what)), Hint: "tlswright ca search finds parts of names"}
}

// List gives one page, of 100 unless Query.Limit says otherwise; the ID of its last
// record as Query.After gives the next one.
func (a *Authority) List(ctx context.Context, q Query) ([]Record, error) {
	q.Issuer = a.record.ID
	return a.Store.List(ctx, q)
}

// Search gives everything that a query means, read page by page.
func (a *Authority) Search(ctx context.Context, q Query) iter.Seq2[Record, error] {
	q.Issuer = a.record.ID
	return a.Store.All(ctx, q)
}

// Count tells how many records a query means.
func (a *Authority) Count(ctx context.Context, q Query) (int64, error) {
	q.Issuer = a.record.ID
	return a.Store.Count(ctx, q)
}

// Lost lists the serial numbers that a crash had left without a certificate, found
// when the store was opened.
func (a *Authority) Lost() []store.Lost { return a.Store.Lost() }

// Audit gives the entries of the audit log from a number on, 0: all, oldest first.
func (a *Authority) Audit(ctx context.Context, from int64) iter.Seq2[store.Entry, error] {
	return a.Store.Audit(ctx, from)
}

// VerifyAudit checks the whole audit log and gives its end; what does not hold is a
// [*store.AuditError].
func (a *Authority) VerifyAudit(ctx context.Context) (store.AuditHead, error) {
	return a.Store.VerifyAudit(ctx)
}

// RenewOptions say how the new certificate differs from the old one.
type RenewOptions struct {
	Key      any           // a new public key; nil: the old one
	Lifetime time.Duration // 0: as long as the old one's, or what the issuer has left
}

// Renew issues a certificate with the names and the profile of an earlier one,
// which stays valid until it ends or is revoked. A revoked one is not renewed.
func (a *Authority) Renew(ctx context.Context, serial *big.Int, o RenewOptions) (*Issued, error) {
	old, err := a.Get(ctx, serial)
	if err != nil {
		return nil, err
	}
	if old.State != store.StateIssued {
		return nil, &pki.RefusedError{Reason: fmt.Sprintf("the certificate %s is %v and is not renewed", SerialText(serial), old.State), Hint: "issue a new one"}
	}
	c, err := cert.ParseX509(old.DER)
	if err != nil {
		return nil, fmt.Errorf("read the certificate on file: %w", err)
	}
	req := pki.Request{
		Profile: pki.Profile(old.Profile), Subject: c.Subject, SANs: requestedNames(c), Key: o.Key, Lifetime: o.Lifetime,
		Policies: c.Policies, MustStaple: hasMustStaple(c),
	}
	if req.Key == nil {
		req.Key = c.PublicKey
	}
	if spec, ok := a.Profiles[old.Profile]; ok {
		req.Spec, req.Policies = &spec, nil
	} else if _, err := pki.BuiltinProfile(req.Profile); err != nil {
		return nil, &pki.RefusedError{Reason: fmt.Sprintf("the profile %q of the certificate is not at hand", pki.Printable(old.Profile)), Hint: "give the file of profiles that it is in"}
	}
	if req.Lifetime == 0 {
		req.Lifetime = c.NotAfter.Sub(c.NotBefore) + time.Second
		req.AllowLong = true // it was, or it would not have been issued
		if a.Now().Add(req.Lifetime).After(a.Issuer.Certificate.NotAfter) {
			req.Lifetime = 0
		}
	}
	return a.Order(ctx, Order{Request: req, Renews: old.ID})
}

// requestedNames are the alternative names with the prefixes that a request needs
// to take them as what they are.
func requestedNames(c *x509.Certificate) []string {
	var names []string
	for _, n := range c.DNSNames {
		names = append(names, "dns:"+n)
	}
	for _, ip := range c.IPAddresses {
		names = append(names, "ip:"+ip.String())
	}
	for _, u := range c.URIs {
		names = append(names, "uri:"+u.String())
	}
	for _, e := range c.EmailAddresses {
		names = append(names, "email:"+e)
	}
	return names
}

// hasMustStaple looks for the TLS feature extension (RFC 7633).
func hasMustStaple(c *x509.Certificate) bool {
	return slices.ContainsFunc(c.Extensions, func(e pkix.Extension) bool { return e.Id.String() == "1.3.6.1.5.5.7.1.24" })
}

// AskedFor is what a record says was asked for, as JSON; nil if it is not.
func AskedFor(r *Record) json.RawMessage {
	if !json.Valid([]byte(r.Asked)) {
		return nil
	}
	return json.RawMessage(r.Asked)
}
