package admin

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/crl"
)

// Certificate is what is on file about one serial number.
type Certificate struct {
	Serial    string    `json:"serial"`
	Issuer    string    `json:"issuer"`
	State     string    `json:"state"` // valid, expired, revoked, on hold, reserved, refused, lost
	Profile   string    `json:"profile"`
	Subject   string    `json:"subject,omitempty"`
	Names     []string  `json:"names"`
	NotBefore time.Time `json:"not_before,omitzero"`
	NotAfter  time.Time `json:"not_after,omitzero"`
	DaysLeft  *int      `json:"days_left,omitempty"`
	AskedAt   time.Time `json:"asked_at"`
	Reason    string    `json:"reason,omitempty"` // of a revocation, a refusal or a loss
	RevokedAt time.Time `json:"revoked_at,omitzero"`
	InvalidAt time.Time `json:"invalid_at,omitzero"` // since when the key is thought to be lost
	Account   string    `json:"account,omitempty"`   // the ACME account that ordered it
	// The rest only where one certificate is asked for.
	Fingerprint string   `json:"sha256,omitempty"`
	PEM         string   `json:"pem,omitempty"`
	Chain       []string `json:"chain,omitempty"` // PEM, what is sent after it
	ACME        *Origin  `json:"acme,omitempty"`
	Warnings    []string `json:"warnings,omitempty"` // of the linters, where it was just issued
}

func (s *Server) newCertificate(c *store.Certificate, names map[int64]string) Certificate {
	now := s.o.Now()
	v := Certificate{Serial: serialText(c.Serial), Issuer: names[c.Issuer], State: stateWord(c, now), Profile: c.Profile, Subject: c.Subject, Names: append([]string{}, c.Names...),
		NotBefore: c.NotBefore, NotAfter: c.NotAfter, AskedAt: c.AskedAt, Reason: reasonWord(c)}
	if !c.NotAfter.IsZero() {
		days := int(c.NotAfter.Sub(now) / day)
		v.DaysLeft = &days
	}
	if r := c.Revocation; r != nil {
		v.RevokedAt, v.InvalidAt = r.At, r.InvalidAt
	}
	return v
}

// whole shows one certificate with all that is known.
func (c *call) whole(record *store.Certificate) (Certificate, error) {
	all, err := c.s.o.Store.Issuers(c.Context())
	if err != nil {
		return Certificate{}, err
	}
	v := c.s.newCertificate(record, namesOf(c.s.names, all))
	if len(record.DER) > 0 {
		v.Fingerprint = pki.Fingerprint(record.DER)
		v.PEM = string(pki.AppendCertificatePEM(nil, record.DER))
	}
	if au := c.s.authorityOf(record.Issuer); au != nil {
		for _, up := range au.Chain {
			v.Chain = append(v.Chain, string(pki.AppendCertificatePEM(nil, up.Raw)))
		}
	}
	if v.ACME, err = OriginOf(c.Context(), c.s.o.Store, record, c.s.o.Now()); err == nil && v.ACME != nil {
		v.Account = v.ACME.Account
	}
	return v, err
}

// stateWords are the states that can be asked for.
func stateWords() []string {
	return []string{"valid", "expired", "revoked", "hold", "refused", "lost", "reserved"}
}

func certificateQuery() []parameter {
	return pageQuery(
		parameter{name: "issuer", kind: "string", about: "the name of an issuer that is served here"},
		parameter{name: "state", kind: "string", about: "what has become of it", words: stateWords()},
		parameter{name: "name", kind: "string", about: "an alternative name, whole"},
		parameter{name: "contains", kind: "string", about: "part of an alternative name or of the subject"},
		parameter{name: "serial", kind: "string", about: "the first hexadecimal digits of the serial number"},
		parameter{name: "profile", kind: "string", about: "the profile that it was issued by"},
		parameter{name: "account", kind: "string", about: "the ACME account that ordered it"},
		parameter{name: "ends_after", kind: "string", about: "a time: it ends then or later"},
		parameter{name: "ends_before", kind: "string", about: "a time: it ends earlier"},
		parameter{name: "order", kind: "string", about: "which come first (newest unless given)", words: []string{"newest", "oldest"}},
	)
}

// certificateFilter turns parameters into a question to the records.
func (c *call) certificateFilter() (q store.Query, err error) {
	q = store.Query{Light: true, Name: c.query["name"], Contains: c.query["contains"], Profile: c.query["profile"], Account: c.query["account"]}
	if name, ok := c.query["issuer"]; ok {
		i, err := c.s.issuerNamed(name)
		if err != nil {
			return q, err
		}
		q.Issuer = i.Authority.IssuerID()
	}
	if text := c.query["serial"]; text != "" {
		q.Serial = strings.ReplaceAll(text, ":", "")
		if strings.Trim(q.Serial, "0123456789abcdefABCDEF") != "" {
			return q, problem("malformed", "serial is hexadecimal")
		}
	}
	if q.EndsFrom, err = c.moment("ends_after"); err != nil {
		return q, err
	}
	if q.EndsTo, err = c.moment("ends_before"); err != nil {
		return q, err
	}
	state, err := c.word("state", stateWords())
	if err != nil {
		return q, err
	}
	now := c.s.o.Now()
	switch state {
	case "valid":
		q.States = []store.State{store.StateIssued}
		if q.EndsFrom.Before(now) {
			q.EndsFrom = now
		}
	case "expired":
		q.States = []store.State{store.StateIssued}
		if q.EndsTo.IsZero() || q.EndsTo.After(now) {
			q.EndsTo = now
		}
	case "revoked":
		q.States = []store.State{store.StateRevoked}
	case "hold":
		q.States = []store.State{store.StateOnHold}
	case "refused":
		q.States = []store.State{store.StateRefused}
	case "lost":
		q.States = []store.State{store.StateLost}
	case "reserved":
		q.States = []store.State{store.StateReserved}
	}
	direction, err := c.word("order", []string{"newest", "oldest"})
	q.Newest = direction != "oldest"
	return q, err
}

func (c *call) certificates() (any, error) {
	q, err := c.certificateFilter()
	if err != nil {
		return nil, err
	}
	if q.After, q.Limit, err = c.numbered(); err != nil {
		return nil, err
	}
	records, err := c.s.o.Store.List(c.Context(), q)
	if err != nil {
		return nil, err
	}
	all, err := c.s.o.Store.Issuers(c.Context())
	if err != nil {
		return nil, err
	}
	serials := make([]string, len(records))
	for i := range records {
		serials[i] = serialText(records[i].Serial)
	}
	orders, err := c.s.o.Store.ACMEOrdersBySerial(c.Context(), serials)
	if err != nil {
		return nil, err
	}
	answer, names := page[Certificate]{Items: []Certificate{}}, namesOf(c.s.names, all)
	for i := range records {
		v := c.s.newCertificate(&records[i], names)
		v.Account = orders[v.Serial].Account
		answer.Items = append(answer.Items, v)
	}
	if len(records) == q.Limit {
		answer.Next = strconv.FormatInt(records[len(records)-1].ID, 10)
	}
	return answer, nil
}

// record finds the certificate that the path names.
func (c *call) record() (*store.Certificate, error) {
	serial, err := authority.ParseSerial(c.PathValue("serial"))
	if err != nil {
		return nil, problem("malformed", "the path does not name a serial number in hexadecimal")
	}
	if name, ok := c.query["issuer"]; ok {
		i, err := c.s.issuerNamed(name)
		if err != nil {
			return nil, err
		}
		record, err := c.s.o.Store.Get(c.Context(), i.Authority.IssuerID(), serial.Bytes())
		return record, neverGiven(err)
	}
	all, err := c.s.o.Store.Issuers(c.Context())
	if err != nil {
		return nil, err
	}
	var found *store.Certificate
	for i := range all {
		record, err := c.s.o.Store.Get(c.Context(), all[i].ID, serial.Bytes())
		switch {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return nil, err
		case found != nil:
			return nil, problem("ambiguous", "several issuers have given out that serial number: say which is meant by issuer=NAME")
		default:
			found = record
		}
	}
	if found == nil {
		return nil, neverGiven(store.ErrNotFound)
	}
	return found, nil
}

// neverGiven says of a serial number what [store.ErrNotFound] means for it.
func neverGiven(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return problem("not-found", "that serial number was never given out")
	}
	return err
}

func (c *call) certificate() (any, error) {
	record, err := c.record()
	if err != nil {
		return nil, err
	}
	return c.whole(record)
}

// IssueOrder asks for a certificate.
type IssueOrder struct {
	CSR     string   `json:"csr"`               // PEM, or DER in base64
	Profile string   `json:"profile,omitempty"` // server unless given
	Issuer  string   `json:"issuer,omitempty"`  // the first unless given
	Names   []string `json:"names,omitempty"`   // in the place of those in the request
	Days    int      `json:"days,omitempty"`    // of validity; the profile's unless given
}

// maxNames bounds what one certificate is asked for.
const maxNames = 1000

// issuable are the built-in profiles that can be had: no CA, and nothing that acts for one.
func issuable() []pki.Profile {
	return []pki.Profile{pki.ProfileServer, pki.ProfileClient, pki.ProfilePeer, pki.ProfileEmail, pki.ProfileCode}
}

// request makes the request to the authority.
func (c *call) request(want *IssueOrder, csr *pki.CSR) (pki.Request, error) {
	name := pki.Profile(want.Profile)
	if name == "" {
		name = pki.ProfileServer
	}
	var req pki.Request
	if spec, ok := c.s.o.Profiles[string(name)]; ok && !spec.CA && !spec.OCSPNoCheck {
		req = csr.Request(&spec)
	} else if slices.Contains(issuable(), name) {
		var err error
		if req, err = pki.RequestFromCSR(csr, name); err != nil {
			return req, err
		}
	} else {
		return req, problem("refused", fmt.Sprintf("the profile %q is not to be had over this API", pki.Printable(want.Profile)))
	}
	if len(want.Names) > maxNames {
		return req, problem("malformed", fmt.Sprintf("more than %d names", maxNames))
	}
	if len(want.Names) > 0 {
		req.SANs = want.Names
	}
	if want.Days < 0 || want.Days > 100*366 {
		return req, problem("malformed", "days is no number of days")
	}
	req.Lifetime = time.Duration(want.Days) * day
	return req, nil
}

func (c *call) issue() (any, error) {
	var want IssueOrder
	if err := c.decode(&want); err != nil {
		return nil, err
	}
	i := &c.s.o.Issuers[0]
	if want.Issuer != "" {
		var err error
		if i, err = c.s.issuerNamed(want.Issuer); err != nil {
			return nil, err
		}
	}
	der, err := decodeCSR(want.CSR)
	if err != nil {
		return nil, err
	}
	csr, err := pki.ParseCSR(der)
	if err != nil {
		return nil, problem("refused", "the request cannot be read: "+pki.Printable(err.Error()))
	}
	req, err := c.request(&want, csr)
	if err != nil {
		return nil, err
	}
	issued, err := i.Authority.As(c.by().Actor).Order(c.Context(), authority.Order{Request: req, CSR: csr.Raw})
	if err != nil {
		return nil, err
	}
	record, err := c.s.o.Store.GetID(c.Context(), issued.Record)
	if err != nil {
		return nil, err
	}
	v, err := c.whole(record)
	for _, f := range issued.Findings {
		v.Warnings = append(v.Warnings, pki.Printable(f.String()))
	}
	for _, text := range csr.Ignored {
		v.Warnings = append(v.Warnings, "the request also asks for this, which the profile decides: "+text)
	}
	c.w.Header().Set("Location", "/v1/certificates/"+v.Serial)
	return v, err
}

// RevokeOrder says how a certificate is revoked.
type RevokeOrder struct {
	Reason    string    `json:"reason,omitempty"`    // of RFC 5280; unspecified unless given
	At        time.Time `json:"at,omitzero"`         // now unless given
	InvalidAt time.Time `json:"invalid_at,omitzero"` // since when the key is thought to be lost
}

func (c *call) revoke() (any, error) {
	var want RevokeOrder
	if err := c.decode(&want); err != nil {
		return nil, err
	}
	reason := crl.Unspecified
	if want.Reason != "" {
		var err error
		if reason, err = crl.ParseReason(want.Reason); err != nil || !slices.Contains(knownReasons(), reason.String()) {
			return nil, problem("malformed", "reason is one of "+strings.Join(knownReasons(), ", "))
		}
	}
	return c.change(func(au *authority.Authority, serial *big.Int) error {
		return au.RevokeWith(c.Context(), serial, authority.Revocation{Reason: reason, At: want.At, InvalidAt: want.InvalidAt})
	})
}

func (c *call) hold() (any, error) {
	return c.change(func(au *authority.Authority, serial *big.Int) error {
		return au.Revoke(c.Context(), serial, crl.CertificateHold, time.Time{})
	})
}

func (c *call) release() (any, error) {
	return c.change(func(au *authority.Authority, serial *big.Int) error { return au.Release(c.Context(), serial) })
}

// change changes the standing of the certificate that the path names.
func (c *call) change(do func(*authority.Authority, *big.Int) error) (any, error) {
	record, err := c.record()
	if err != nil {
		return nil, err
	}
	au := c.s.authorityOf(record.Issuer)
	if au == nil {
		return nil, problem("refused", "its issuer is not served here: certificates of CAs are revoked where the root is kept")
	}
	if err := do(au.As(c.by().Actor), new(big.Int).SetBytes(record.Serial)); err != nil {
		return nil, err
	}
	if record, err = c.s.o.Store.GetID(c.Context(), record.ID); err != nil {
		return nil, err
	}
	return c.whole(record)
}
