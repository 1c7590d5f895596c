package acmeserver

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/order"
	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/pki/crl"
)

func certificateReply(chain [][]byte) *reply {
	var text []byte
	for _, der := range chain {
		text = pki.AppendCertificatePEM(text, der)
	}
	return &reply{raw: text, kind: "application/pem-certificate-chain"}
}

// certificate hands a certificate out, with the chain that is asked for (RFC 8555, Section 7.4.2).
func (s *Server) certificate(q *request) (*reply, *acme.Problem) {
	if !q.isGet() {
		return nil, malformed("a certificate is fetched by POST-as-GET (RFC 8555, Section 6.3)")
	}
	text := q.PathValue("serial")
	der, problem := s.ownCertificate(q, text)
	if problem != nil {
		return nil, problem
	}
	chains := q.dir.chainOf(der)
	which := 0
	if alt := q.PathValue("alt"); alt != "" {
		var err error
		if which, err = strconv.Atoi(alt); err != nil || which < 1 || which >= len(chains) {
			return nil, notFound("there is no such chain")
		}
	}
	r := certificateReply(chains[which])
	for i := range chains {
		if i == which {
			continue
		}
		parts := []string{"cert", text}
		if i > 0 {
			parts = append(parts, strconv.Itoa(i))
		}
		r.links = append(r.links, `<`+s.url(q.Request, q.dir, parts...)+`>;rel="alternate"`)
	}
	return r, nil
}

// ownCertificate finds a certificate, by its serial number, that the account of a request has ordered.
func (s *Server) ownCertificate(q *request, text string) (der []byte, problem *acme.Problem) {
	if one, ok := s.fresh.find(q.dir.Name, text); ok {
		return one.der, q.own(one.account)
	}
	row, err := s.o.Store.ACMEOrderOf(q.Context(), text)
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound("there is no such certificate")
	}
	if err != nil {
		return nil, s.trouble("read the order", err)
	}
	if problem := q.own(row.Account); problem != nil {
		return nil, problem
	}
	serial, err := authority.ParseSerial(text)
	if err != nil {
		return nil, notFound("there is no such certificate")
	}
	record, err := q.dir.Authority.Get(q.Context(), serial)
	if err != nil {
		return nil, s.trouble("read the certificate", err)
	}
	return record.DER, nil
}

// starCertificate hands out the certificate that a STAR order offers now (RFC 8739, Section 3.3).
func (s *Server) starCertificate(q *request) (*reply, *acme.Problem) {
	l, problem := s.load(q, q.PathValue("id"))
	if problem != nil {
		return nil, problem
	}
	if l.Star == nil {
		return nil, notFound("the order has no automatic renewal")
	}
	return s.current(q, &l.Order)
}

// cancel ends the automatic renewal of an order (RFC 8739, Section 3.1.2).
func (s *Server) cancel(q *request, id string) (*reply, *acme.Problem) {
	var o order.Order
	var refused *acme.Problem
	_, err := s.o.Store.ChangeACMEOrder(q.Context(), id, func(row *store.ACMEOrder) error {
		var err error
		if o, err = readOrder(row); err != nil {
			return err
		}
		if refused = o.Cancel(s.o.Now()); refused != nil {
			return refused
		}
		return writeOrder(row, &o)
	})
	if refused != nil {
		return nil, refused
	}
	if err != nil {
		return nil, s.trouble("keep the order", err)
	}
	return s.orderReply(q, &o, 0), nil
}

// revokeCert revokes a certificate for who ordered it, who may have certificates for all its names, or who has its key
// (RFC 8555, Section 7.6).
func (s *Server) revokeCert(q *request) (*reply, *acme.Problem) {
	var wish acme.Revocation
	if problem := q.decode(&wish); problem != nil {
		return nil, problem
	}
	der, err := decodeBase64(wish.Certificate)
	if err != nil {
		return nil, malformed("certificate is no base64url of DER")
	}
	c, err := cert.ParseX509(der)
	if err != nil {
		return nil, malformed("certificate cannot be read")
	}
	record, err := q.dir.Authority.Get(q.Context(), c.SerialNumber)
	if err != nil || string(record.DER) != string(c.Raw) {
		return nil, notFound("the certificate is not one of this CA")
	}
	if problem := s.mayRevoke(q, c); problem != nil {
		return nil, problem
	}
	reason, problem := reasonOf(wish.Reason)
	if problem != nil {
		return nil, problem
	}
	if o, err := s.o.Store.ACMEOrderOf(q.Context(), authority.SerialText(c.SerialNumber)); err == nil {
		if parsed, err := readOrder(&o); err == nil && parsed.Star != nil {
			return nil, acme.NewProblem(acme.AutoRenewalRevocationNever, "certificates that renew themselves are not revoked: cancel the order (RFC 8739, Section 3.1.3)")
		}
	}
	alreadyRevoked := acme.NewProblem(acme.AlreadyRevoked, "the certificate is revoked already")
	if record.State == store.StateRevoked {
		return nil, alreadyRevoked
	}
	err = q.dir.Authority.As(s.actorOf(q)).Revoke(q.Context(), c.SerialNumber, reason, s.o.Now())
	if errors.Is(err, store.ErrRevoked) {
		return nil, alreadyRevoked
	}
	if err != nil {
		return nil, s.trouble("revoke the certificate", err)
	}
	s.o.Log.Info("revoked", "serial", authority.SerialText(c.SerialNumber), "reason", reason.String())
	return &reply{}, nil
}

func (s *Server) mayRevoke(q *request, c *x509.Certificate) *acme.Problem {
	if q.account == nil {
		if pki.SameKey(q.key.Key, c.PublicKey) {
			return nil
		}
		return acme.NewProblem(acme.Unauthorized, "the request is signed neither by an account nor by the certificate's key")
	}
	o, err := s.o.Store.ACMEOrderOf(q.Context(), authority.SerialText(c.SerialNumber))
	if err == nil && o.Account == q.account.ID {
		return nil
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return s.trouble("read the order", err)
	}
	ids := make([]acme.Identifier, 0, len(c.DNSNames)+len(c.IPAddresses))
	for _, n := range c.DNSNames {
		ids = append(ids, acme.Identifier{Type: acme.TypeDNS, Value: n})
	}
	for _, a := range c.IPAddresses {
		ids = append(ids, acme.Identifier{Type: acme.TypeIP, Value: a.String()})
	}
	for _, id := range ids {
		if proven, problem := s.proven(q, id); problem != nil || !proven {
			return orElse(problem, acme.NewProblem(acme.Unauthorized, fmt.Sprintf("the account has neither ordered the certificate nor proven %s", pki.Printable(id.Value))))
		}
	}
	if len(ids) == 0 {
		return acme.NewProblem(acme.Unauthorized, "the account has not ordered the certificate")
	}
	return nil
}

func orElse(a, b *acme.Problem) *acme.Problem {
	if a != nil {
		return a
	}
	return b
}

// proven reports whether the account of a request has a valid authorization for a name.
func (s *Server) proven(q *request, id acme.Identifier) (bool, *acme.Problem) {
	rows, err := s.o.Store.UsableACMEAuthorizations(q.Context(), q.account.ID, id.String(), s.o.Now())
	if err != nil {
		return false, s.trouble("look for authorizations", err)
	}
	for _, r := range rows {
		if r.Status == acme.StatusValid {
			return true, nil
		}
	}
	return false, nil
}

// reasonOf takes the reasons that a subscriber can have; the others are the CA's own (RFC 8555, Section 7.6).
func reasonOf(asked *int) (crl.Reason, *acme.Problem) {
	if asked == nil {
		return crl.Unspecified, nil
	}
	switch *asked {
	case 0, 1, 3, 4, 5:
		return crl.Reason(*asked), nil
	}
	return 0, acme.NewProblem(acme.BadRevocationReason, "reasons that can be given are unspecified (0), keyCompromise (1), affiliationChanged (3), superseded (4) and cessationOfOperation (5)")
}

// findByID finds the certificate of an identifier of RFC 9773; nil: it is none of this CA.
func (s *Server) findByID(r *http.Request, d *directory, id string) (*store.Certificate, *x509.Certificate) {
	keyID, der, ok := acme.ParseCertID(id)
	if !ok || string(keyID) != string(d.Authority.Issuer.Certificate.SubjectKeyId) || len(der) > 20 {
		return nil, nil
	}
	number, ok := parseInteger(append([]byte{asn1.TagInteger, byte(len(der))}, der...))
	if !ok {
		return nil, nil
	}
	record, err := d.Authority.Get(r.Context(), number)
	if err != nil || len(record.DER) == 0 {
		return nil, nil
	}
	c, err := cert.ParseX509(record.DER)
	if err != nil {
		return nil, nil
	}
	return record, c
}

// serveRenewalInfo says when a certificate is to be renewed (RFC 9773, Section 4.1). It is public.
func (s *Server) serveRenewalInfo(w http.ResponseWriter, r *http.Request, d *directory) {
	record, c := s.findByID(r, d, r.PathValue("id"))
	if record == nil {
		s.problem(w, r, d, notFound("no certificate of this CA has that identifier"))
		return
	}
	now := s.o.Now()
	from, to := order.RenewalWindow(c.NotBefore, c.NotAfter, now, record.State == store.StateRevoked || record.State == store.StateOnHold)
	s.answer(w, r, d, &reply{retry: order.PollAfter(from, now), body: acme.RenewalInfo{SuggestedWindow: acme.Window{Start: date(from), End: date(to)}}})
}

// checkReplaces checks what an order says it replaces (RFC 9773, Section 5): a certificate of this CA, ordered by this
// account, that shares a name with the new one.
func (s *Server) checkReplaces(q *request, n acme.NewOrder) *acme.Problem {
	if n.Replaces == "" {
		return nil
	}
	record, c := s.findByID(q.Request, q.dir, n.Replaces)
	if record == nil {
		return malformed("replaces names no certificate of this CA")
	}
	o, err := s.o.Store.ACMEOrderOf(q.Context(), authority.SerialText(c.SerialNumber))
	if err != nil || o.Account != q.account.ID {
		return acme.NewProblem(acme.Unauthorized, "the certificate to be replaced was not ordered by this account")
	}
	for _, id := range n.Identifiers {
		normal, problem := id.Normalize()
		if problem != nil {
			continue
		}
		for _, name := range record.Names {
			if normal.Value == name {
				return nil
			}
		}
	}
	return malformed("the order shares no name with the certificate it replaces")
}
