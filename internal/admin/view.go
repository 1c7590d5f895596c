package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/order"
	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/pki/crl"
)

const day = 24 * time.Hour

// Origin says how a certificate came to be over ACME.
type Origin struct {
	Account   string       `json:"account"`
	Order     string       `json:"order"`
	Directory string       `json:"directory"` // "": the first
	Contact   []string     `json:"contact"`
	Client    order.Client `json:"client,omitzero"`
	Profile   string       `json:"profile,omitempty"`  // that was ordered
	Replaces  string       `json:"replaces,omitempty"` // the certificate before, as RFC 9773 calls it
	Proofs    []Proof      `json:"proofs"`
	Renewal   *Renewal     `json:"renewal,omitempty"`
}

// Proof is how control of one name was proven.
type Proof struct {
	Identifier string    `json:"identifier"` // "dns:*.corp.example"
	Challenge  string    `json:"challenge"`  // "http-01"
	At         time.Time `json:"at,omitzero"`
}

// Renewal is when clients are told to renew (RFC 9773).
type Renewal struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// OriginOf tells how a certificate came to be; nil: not over ACME.
func OriginOf(ctx context.Context, s *store.Store, c *store.Certificate, now time.Time) (*Origin, error) {
	row, err := s.ACMEOrderOf(ctx, fmt.Sprintf("%x", c.Serial))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	o, err := readOrder(&row)
	if err != nil {
		return nil, err
	}
	origin := &Origin{Account: o.Account, Order: o.ID, Client: o.Client, Profile: o.Profile, Replaces: o.Replaces, Contact: []string{}, Proofs: []Proof{}}
	account, err := s.ACMEAccount(ctx, o.Account)
	if err != nil {
		return nil, err
	}
	origin.Directory = account.Directory
	var body order.Account
	if err := json.Unmarshal(account.Body, &body); err != nil {
		return nil, fmt.Errorf("read account %s: %w", account.ID, err)
	}
	origin.Contact = append(origin.Contact, body.Contact...)
	rows, err := s.ACMEAuthorizations(ctx, o.Authorizations...)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		a, err := readAuthorization(&rows[i])
		if err != nil {
			return nil, err
		}
		for _, ch := range a.Challenges {
			if ch.Status == acme.StatusValid {
				origin.Proofs = append(origin.Proofs, Proof{Identifier: a.Requested().String(), Challenge: ch.Type, At: ch.Validated})
			}
		}
	}
	if !c.NotAfter.IsZero() {
		from, to := order.RenewalWindow(c.NotBefore, c.NotAfter, now, c.Revocation != nil)
		origin.Renewal = &Renewal{from.UTC().Truncate(time.Second), to.UTC().Truncate(time.Second)}
	}
	return origin, nil
}

func readOrder(row *store.ACMEOrder) (o order.Order, err error) {
	if err := json.Unmarshal(row.Body, &o); err != nil {
		return o, fmt.Errorf("read order %s: %w", row.ID, err)
	}
	o.ID, o.Account, o.Status, o.Serial, o.Expires, o.Created = row.ID, row.Account, row.Status, row.Serial, row.ExpiresAt, row.CreatedAt
	return o, nil
}

func readAuthorization(row *store.ACMEAuthorization) (a order.Authorization, err error) {
	if err := json.Unmarshal(row.Body, &a); err != nil {
		return a, fmt.Errorf("read authorization %s: %w", row.ID, err)
	}
	return a, nil
}

// Order is an ACME order.
type Order struct {
	ID             string          `json:"id"`
	Account        string          `json:"account"`
	Status         string          `json:"status"`
	Identifiers    []string        `json:"identifiers"`
	Profile        string          `json:"profile,omitempty"`
	Created        time.Time       `json:"created_at"`
	Expires        time.Time       `json:"expires_at"`
	NotBefore      time.Time       `json:"not_before,omitzero"` // that was asked for
	NotAfter       time.Time       `json:"not_after,omitzero"`
	Serial         string          `json:"serial,omitempty"` // of its certificate
	Replaces       string          `json:"replaces,omitempty"`
	Renews         bool            `json:"renews_itself,omitempty"` // RFC 8739
	Client         order.Client    `json:"client,omitzero"`
	Error          *acme.Problem   `json:"error,omitempty"`
	Authorizations []Authorization `json:"authorizations,omitempty"` // only where one order is asked for
}

// Authorization is an ACME authorization.
type Authorization struct {
	ID         string      `json:"id"`
	Identifier string      `json:"identifier"`
	Status     string      `json:"status"`
	Expires    time.Time   `json:"expires_at"`
	Challenges []Challenge `json:"challenges"`
}

// Challenge is a way to prove control, without its token.
type Challenge struct {
	Type      string        `json:"type"`
	Status    string        `json:"status"`
	Attempted time.Time     `json:"attempted_at,omitzero"`
	Validated time.Time     `json:"validated_at,omitzero"`
	Error     *acme.Problem `json:"error,omitempty"`
}

// NewOrder shows an order as it is at a moment. authorizations are its own; nil: they are not looked at, and an order that
// they have decided meanwhile is shown as it is on file.
func NewOrder(row *store.ACMEOrder, authorizations []store.ACMEAuthorization, now time.Time) (Order, error) {
	o, err := readOrder(row)
	if err != nil {
		return Order{}, err
	}
	var all []order.Authorization
	for i := range authorizations {
		a, err := readAuthorization(&authorizations[i])
		if err != nil {
			return Order{}, err
		}
		all = append(all, a)
	}
	o.Observe(all, now)
	v := Order{ID: o.ID, Account: o.Account, Status: o.Status, Identifiers: []string{}, Profile: o.Profile, Created: o.Created, Expires: o.Expires, NotBefore: o.NotBefore,
		NotAfter: o.NotAfter, Serial: o.Serial, Replaces: o.Replaces, Renews: o.Star != nil, Client: o.Client, Error: o.Error}
	for _, id := range o.Identifiers {
		v.Identifiers = append(v.Identifiers, id.String())
	}
	for i := range all {
		a := &all[i]
		av := Authorization{ID: a.ID, Identifier: a.Requested().String(), Status: a.StatusAt(now), Expires: a.Expires, Challenges: []Challenge{}}
		for _, c := range a.Challenges {
			av.Challenges = append(av.Challenges, Challenge{c.Type, c.Status, c.Attempted, c.Validated, c.Error})
		}
		v.Authorizations = append(v.Authorizations, av)
	}
	return v, nil
}

// LoadOrder finds an order with its authorizations; [store.ErrNotFound].
func LoadOrder(ctx context.Context, s *store.Store, id string, now time.Time) (Order, error) {
	row, err := s.ACMEOrder(ctx, id)
	if err != nil {
		return Order{}, err
	}
	o, err := readOrder(&row)
	if err != nil {
		return Order{}, err
	}
	rows, err := s.ACMEAuthorizations(ctx, o.Authorizations...)
	if err != nil {
		return Order{}, err
	}
	return NewOrder(&row, rows, now)
}

// Account is an ACME account.
type Account struct {
	ID         string    `json:"id"`
	Directory  string    `json:"directory"` // "": the first
	Status     string    `json:"status"`
	Contact    []string  `json:"contact"`
	Agreed     bool      `json:"terms_agreed"`
	Binding    string    `json:"binding,omitempty"` // the key by which it is bound, only where one account is asked for
	Bound      bool      `json:"bound"`
	Names      []string  `json:"names"`    // that it may have, and those below; none: all
	Networks   []string  `json:"networks"` // that it may have addresses of; none: all
	Thumbprint string    `json:"thumbprint"`
	Created    time.Time `json:"created_at"`
}

// NewAccount shows an account.
func NewAccount(a *store.ACMEAccount) (Account, error) {
	var body order.Account
	if err := json.Unmarshal(a.Body, &body); err != nil {
		return Account{}, fmt.Errorf("read account %s: %w", a.ID, err)
	}
	v := Account{ID: a.ID, Directory: a.Directory, Status: a.Status, Contact: append([]string{}, body.Contact...), Agreed: body.Agreed, Bound: len(body.Binding) > 0,
		Names: append([]string{}, body.Rights.DNS...), Networks: prefixTexts(body.Rights.IP), Thumbprint: base64Text(a.Thumbprint), Created: a.CreatedAt}
	return v, nil
}

// LoadAccount finds an account, with the key by which it is bound; [store.ErrNotFound].
func LoadAccount(ctx context.Context, s *store.Store, id string) (Account, error) {
	row, err := s.ACMEAccount(ctx, id)
	if err != nil {
		return Account{}, err
	}
	v, err := NewAccount(&row)
	if err != nil || !v.Bound {
		return v, err
	}
	bindings, err := s.ACMEBindings(ctx)
	for _, b := range bindings {
		if b.Account == id {
			v.Binding = b.KID
		}
	}
	return v, err
}

// Deactivate takes an account out of use for good; [store.ErrNotFound], and [store.ErrTaken] for one that is not in use.
func Deactivate(ctx context.Context, s *store.Store, id string, by store.By) (Account, error) {
	row, err := s.ChangeACMEAccount(ctx, id, func(a *store.ACMEAccount) error {
		if a.Status != acme.StatusValid {
			return fmt.Errorf("the account is %s: %w", a.Status, store.ErrTaken)
		}
		a.Status = acme.StatusRevoked // by the server, and not by the client (RFC 8555, Section 7.1.6)
		return nil
	}, "deactivated by the CA", by)
	if err != nil {
		return Account{}, err
	}
	return NewAccount(&row)
}

func prefixTexts(all []netip.Prefix) []string {
	texts := []string{}
	for _, p := range all {
		texts = append(texts, p.String())
	}
	return texts
}

// stateWord is a certificate's state in a word; what has run out is "expired", which no record says by itself.
func stateWord(c *store.Certificate, now time.Time) string {
	switch {
	case c.State == store.StateIssued && now.After(c.NotAfter):
		return "expired"
	case c.State == store.StateIssued:
		return "valid"
	}
	return c.State.String()
}

// reasonWord is why a certificate is not valid; "": nothing to say.
func reasonWord(c *store.Certificate) string {
	if c.Revocation != nil {
		return crl.Reason(c.Revocation.Reason).String()
	}
	return c.Reason
}

// namesOf lists the issuers of a store by their numbers: those that are known by name here, the root as that, all others
// by their subjects.
func namesOf(known map[int64]string, all []store.Issuer) map[int64]string {
	names := make(map[int64]string, len(all))
	for _, i := range all {
		names[i.ID] = i.Name
		if c, err := cert.ParseX509(i.Certificate); err == nil && bytes.Equal(c.RawSubject, c.RawIssuer) {
			names[i.ID] = authority.RootIssuer
		}
	}
	for id, name := range known {
		names[id] = name
	}
	return names
}

// serialText is how serial numbers are shown.
func serialText(serial []byte) string { return fmt.Sprintf("%x", serial) }

// knownReasons are the reasons to revoke for.
func knownReasons() []string {
	var words []string
	for _, r := range crl.Reasons() {
		if r != crl.RemoveFromCRL && r != crl.CertificateHold {
			words = append(words, r.String())
		}
	}
	slices.Sort(words)
	return words
}

// issuerNamed finds one of the served issuers; that there is none of that name is a problem "not-found".
func (s *Server) issuerNamed(name string) (*Issuer, error) {
	for i := range s.o.Issuers {
		if s.o.Issuers[i].Name == name {
			return &s.o.Issuers[i], nil
		}
	}
	return nil, problem("not-found", fmt.Sprintf("no issuer called %q is served here", pki.Printable(name)))
}

// authorityOf finds the authority of a record's issuer; nil: it is not served here.
func (s *Server) authorityOf(issuer int64) *authority.Authority {
	for i := range s.o.Issuers {
		if s.o.Issuers[i].Authority.IssuerID() == issuer {
			return s.o.Issuers[i].Authority
		}
	}
	return nil
}
