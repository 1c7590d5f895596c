package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

// anyState stands for no preference: of several certificates the newest is meant, whatever became of it.
const anyState = ""

// findRecord finds the certificate that a person means: by serial number or alternative name, or by the common name where
// there is no such name. Of several the newest in the state that is preferred is meant: valid, or on hold.
func (a *app) findRecord(ctx context.Context, au *authority.Authority, what, prefer string) (*authority.Record, error) {
	found, err := au.Find(ctx, what)
	if err == nil && (recordState(*found, a.now()) == prefer && prefer != anyState || isSerial(found, what)) {
		return found, nil
	}
	named, searchErr := recordsNamed(ctx, au, what)
	if searchErr != nil {
		return nil, caFailure(searchErr, "reading the records")
	}
	for i := range named {
		if prefer == anyState || recordState(named[i], a.now()) == prefer {
			return &named[i], nil
		}
	}
	switch {
	case found != nil:
		return found, nil
	case len(named) > 0:
		return &named[0], nil
	}
	err = caFailure(err, "finding the certificate")
	var refused *failure
	if errors.As(err, &refused) && strings.TrimSpace(what) != "" {
		if others := a.issuersThatKnow(ctx, au, what); len(others) > 0 {
			refused.hint = "--issuer " + strings.Join(others, " or --issuer ") + " has it"
		}
	}
	return nil, err
}

// recordsNamed are all certificates that carry exactly this name, newest first.
func recordsNamed(ctx context.Context, au *authority.Authority, name string) ([]authority.Record, error) {
	q := authority.Query{Contains: name, Newest: true, States: []store.State{store.StateIssued, store.StateOnHold, store.StateRevoked}}
	var named []authority.Record
	for r, err := range au.Search(ctx, q) {
		if err != nil {
			return nil, err
		}
		if carries(r, name) {
			named = append(named, r)
		}
	}
	return named, nil
}

// noteNamesakes tells of the other certificates that carry the name by which one was meant, and are still valid.
func (a *app) noteNamesakes(ctx context.Context, au *authority.Authority, of *authority.Record, name, what string) error {
	if isSerial(of, name) {
		return nil
	}
	named, err := recordsNamed(ctx, au, name)
	if err != nil {
		return caFailure(err, "reading the records")
	}
	var serials []string
	for _, r := range named {
		if r.ID != of.ID && recordState(r, a.now()) == "valid" {
			serials = append(serials, serialShort(r.Serial))
		}
	}
	if len(serials) > 0 {
		a.ui.notef("%s; also valid: %s", what, listShort(serials, 60))
	}
	return nil
}

// issuersThatKnow are the other issuers of the CA that have something on file under a serial number or part of a name. It
// is for a hint: what cannot be read knows nothing.
func (a *app) issuersThatKnow(ctx context.Context, au *authority.Authority, what string) []string {
	ca, err := a.readCA()
	if err != nil {
		return nil
	}
	all, err := ca.Intermediates()
	if err != nil {
		return nil
	}
	var know []string
	for _, i := range append(all, keystore.Intermediate{Name: authority.RootIssuer, Certificate: ca.Root}) {
		if i.Certificate.Equal(au.Issuer.Certificate) {
			continue
		}
		other, err := authority.Open(ctx, authority.Options{Store: au.Store, Issuer: pki.Issuer{Certificate: i.Certificate}, Now: a.now, Actor: actor()})
		if err != nil {
			continue
		}
		if _, err := other.Find(ctx, what); err == nil {
			know = append(know, i.Name)
			continue
		}
		if n, err := other.Count(ctx, authority.Query{Contains: what}); err == nil && n > 0 {
			know = append(know, i.Name)
		}
	}
	return know
}

// isSerial reports whether what is the beginning of the record's serial number.
func isSerial(r *authority.Record, what string) bool {
	serial, err := authority.ParseSerial(what)
	return err == nil && strings.HasPrefix(authority.SerialText(serialOf(r.Serial)), authority.SerialText(serial))
}

// carries reports whether a record's certificate has exactly this name: an alternative one, or the common name.
func carries(r authority.Record, name string) bool {
	for _, n := range r.Names {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	c, err := cert.ParseX509(r.DER)
	return err == nil && strings.EqualFold(c.Subject.CommonName, name)
}
