package acmecheck

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

func certificateChecks() []check {
	const group = "certificate"
	about := func(look func(*session, *certificate) error) func(context.Context, *session) error {
		return func(_ context.Context, s *session) error {
			c, err := s.certified()
			if err != nil {
				return err
			}
			return look(s, c)
		}
	}
	return []check{
		{group, "RFC 8555, Section 7.4.2", "it comes as application/pem-certificate-chain", about(func(_ *session, c *certificate) error {
			if kind := c.got.header.Get("Content-Type"); !strings.HasPrefix(kind, "application/pem-certificate-chain") {
				return fmt.Errorf("it comes as %q", kind)
			}
			return nil
		})},
		{group, "RFC 8555, Section 9.1", "the PEM holds certificates, and no other text", about(func(_ *session, c *certificate) error { return strictPEM(c.got.body) })},
		{group, "RFC 8555, Section 9.1", "each certificate is certified by the one behind it", about(func(_ *session, c *certificate) error {
			for i := 1; i < len(c.chain); i++ {
				if err := cert.CheckSignatureFrom(c.chain[i-1], c.chain[i]); err != nil {
					return fmt.Errorf("number %d: %w", i, err)
				}
			}
			if c.chain[0].IsCA {
				return errors.New("the first is of a CA")
			}
			return nil
		})},
		{group, "RFC 8555, Section 7.4", "it is of the key and the names that were asked for", about(func(s *session, c *certificate) error {
			leaf := c.chain[0]
			if !pki.SameKey(leaf.PublicKey, c.key.Public()) {
				return errors.New("it is of another key")
			}
			if !slices.Equal(leaf.DNSNames, []string{s.o.Name}) || len(leaf.IPAddresses)+len(leaf.EmailAddresses)+len(leaf.URIs) > 0 {
				return fmt.Errorf("it is for %q", append(leaf.DNSNames, leaf.EmailAddresses...))
			}
			return nil
		})},
		{group, "RFC 8555, Section 7.4.2", "alternates are other chains of the same certificate", alternates},
	}
}

// strictPEM checks RFC 7468's strict form: blocks of certificates and nothing else (RFC 8555, Section 9.1).
func strictPEM(text []byte) error {
	for rest := text; len(bytes.TrimSpace(rest)) > 0; {
		if !bytes.HasPrefix(bytes.TrimLeft(rest, "\r\n"), []byte("-----BEGIN CERTIFICATE-----")) {
			return fmt.Errorf("there is %.40q", rest)
		}
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil || len(block.Headers) > 0 {
			return errors.New("a block cannot be read, or has headers")
		}
	}
	return nil
}

func alternates(ctx context.Context, s *session) error {
	c, err := s.certified()
	if err != nil {
		return err
	}
	links := c.got.links("alternate")
	if len(links) == 0 {
		return inapplicable("there are none")
	}
	for _, url := range links {
		a, err := s.post(ctx, url, nil)
		if err != nil {
			return err
		}
		chain, err := pki.ParseCertificatesPEM(a.body)
		if err != nil || len(chain) == 0 || !chain[0].Equal(c.chain[0]) {
			return fmt.Errorf("%s gives no chain of the certificate: %.80q", url, a.body)
		}
	}
	return nil
}

func renewalChecks() []check {
	const group = "renewal information"
	return []check{
		{group, "RFC 9773, Section 4.2", "a certificate has a window, which ends after it begins", renewalWindow},
		{group, "RFC 9773, Section 4.1", "a certificate that is not known has none (status 404 or 400)", renewalUnknown},
		{group, "RFC 9773, Section 5", "an order shows what it replaces", renewalReplaces},
		{group, "RFC 9773, Section 5", "a second order in its place is taken, or refused as alreadyReplaced with status 409", func(ctx context.Context, s *session) error {
			if !s.replaced {
				return inapplicable("nothing was replaced")
			}
			a, err := s.replace(ctx)
			if err != nil || a.status < 300 {
				return err
			}
			return refusedAs(a, nil, http.StatusConflict, acme.AlreadyReplaced)
		}},
		{group, "RFC 9773, Section 5", "replaces that names no certificate of the CA is refused", func(ctx context.Context, s *session) error {
			if s.dir.RenewalInfo == "" {
				return inapplicable("the directory has no renewalInfo")
			}
			if err := s.needAccount(ctx); err != nil {
				return err
			}
			a, err := s.post(ctx, s.dir.NewOrder, acme.NewOrder{Identifiers: s.names(), Replaces: "no identifier"})
			return refused(a, err)
		}},
	}
}

// certID names a certificate (RFC 9773, Section 4.1).
func certID(c *x509.Certificate) (string, error) {
	der, err := asn1.Marshal(c.SerialNumber)
	if err != nil || len(c.AuthorityKeyId) == 0 || len(der) > 129 {
		return "", errors.Join(errors.New("the certificate has no authority key identifier, or no sound serial number"), err)
	}
	return acme.CertID(c.AuthorityKeyId, der[2:]), nil
}

func renewalWindow(ctx context.Context, s *session) error {
	if s.dir.RenewalInfo == "" {
		return inapplicable("the directory has no renewalInfo")
	}
	c, err := s.certified()
	if err != nil {
		return err
	}
	id, err := certID(c.chain[0])
	if err != nil {
		return err
	}
	a, err := s.get(ctx, strings.TrimSuffix(s.dir.RenewalInfo, "/")+"/"+id)
	if err != nil {
		return err
	}
	var info acme.RenewalInfo
	if a.status != http.StatusOK || a.into(&info) != nil {
		return fmt.Errorf("it was answered with %s", a)
	}
	from, err1 := time.Parse(time.RFC3339, info.SuggestedWindow.Start)
	to, err2 := time.Parse(time.RFC3339, info.SuggestedWindow.End)
	if err1 != nil || err2 != nil || !to.After(from) {
		return fmt.Errorf("it is from %q to %q", info.SuggestedWindow.Start, info.SuggestedWindow.End)
	}
	return nil
}

func renewalUnknown(ctx context.Context, s *session) error {
	if s.dir.RenewalInfo == "" {
		return inapplicable("the directory has no renewalInfo")
	}
	for _, id := range []string{acme.CertID(make([]byte, 20), []byte{1, 2, 3}), "nothing"} {
		a, err := s.get(ctx, strings.TrimSuffix(s.dir.RenewalInfo, "/")+"/"+id)
		if err := refused(a, err); err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
	}
	return nil
}

// replace orders a certificate in the place of the first.
func (s *session) replace(ctx context.Context) (*answer, error) {
	c, err := s.certified()
	if err != nil {
		return nil, err
	}
	id, err := certID(c.chain[0])
	if err != nil {
		return nil, err
	}
	a, err := s.post(ctx, s.dir.NewOrder, acme.NewOrder{Identifiers: s.names(), Replaces: id})
	if err != nil {
		return nil, err
	}
	var o acme.Order
	if a.status < 300 && a.into(&o) == nil && o.Replaces != id {
		return a, fmt.Errorf("replaces is %q then", o.Replaces)
	}
	return a, nil
}

func renewalReplaces(ctx context.Context, s *session) error {
	if s.dir.RenewalInfo == "" {
		return inapplicable("the directory has no renewalInfo")
	}
	a, err := s.replace(ctx)
	if err != nil {
		return err
	}
	if a.status != http.StatusCreated {
		return fmt.Errorf("it was answered with %s", a)
	}
	s.replaced = true
	return nil
}

func profileChecks() []check {
	const group = "profiles and renewal by itself"
	return []check{
		{group, "draft-ietf-acme-profiles, Section 4", "an order of each profile shows it", profilesShown},
		{group, "draft-ietf-acme-profiles, Section 4", "a profile that the directory does not name is refused as invalidProfile", func(ctx context.Context, s *session) error {
			if s.dir.Meta == nil || len(s.dir.Meta.Profiles) == 0 {
				return inapplicable("the directory names no profiles")
			}
			if err := s.needAccount(ctx); err != nil {
				return err
			}
			a, err := s.post(ctx, s.dir.NewOrder, acme.NewOrder{Identifiers: s.names(), Profile: "x-selftest-nobody"})
			return refused(a, err, acme.InvalidProfile)
		}},
		{group, "RFC 8739, Section 3.1.1", "an order that is to renew itself says so", starOrder},
	}
}

func profilesShown(ctx context.Context, s *session) error {
	if s.dir.Meta == nil || len(s.dir.Meta.Profiles) == 0 {
		return inapplicable("the directory names no profiles")
	}
	if err := s.needAccount(ctx); err != nil {
		return err
	}
	tried := 0
	for name := range s.dir.Meta.Profiles {
		if tried++; tried > 5 {
			break
		}
		o, a, err := s.place(ctx, acme.NewOrder{Profile: name})
		if a != nil && a.status >= 400 && a.status < 500 && a.problem().Kind() != acme.InvalidProfile {
			continue // not for this account or this name
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if o.Profile != name {
			return fmt.Errorf("%s: the order says %q", name, o.Profile)
		}
	}
	return nil
}

func starOrder(ctx context.Context, s *session) error {
	if s.dir.Meta == nil || s.dir.Meta.AutoRenewal == nil {
		return inapplicable("the directory does not offer it")
	}
	if err := s.needAccount(ctx); err != nil {
		return err
	}
	offer := s.dir.Meta.AutoRenewal
	life := max(offer.MinLifetime, 3600)
	end := time.Now().Add(time.Duration(min(offer.MaxDuration, 4*life)) * time.Second).UTC().Format(time.RFC3339)
	o, _, err := s.place(ctx, acme.NewOrder{AutoRenewal: &acme.AutoRenewal{EndDate: end, Lifetime: life}})
	if err != nil {
		return err
	}
	if o.AutoRenewal == nil || o.AutoRenewal.Lifetime != life {
		return errors.New("the order does not say so")
	}
	return nil
}

func revocationChecks() []check {
	const group = "revocation"
	return []check{
		{group, "RFC 8555, Section 7.6", "what is no certificate is refused", func(ctx context.Context, s *session) error {
			if err := s.needAccount(ctx); err != nil {
				return err
			}
			a, err := s.post(ctx, s.dir.RevokeCert, acme.Revocation{Certificate: b64([]byte("no certificate"))})
			return refused(a, err)
		}},
		{group, "RFC 8555, Section 7.6", "a reason that does not exist is refused as badRevocationReason", func(ctx context.Context, s *session) error {
			c, err := s.certified()
			if err != nil {
				return err
			}
			reason := 99
			a, err := s.post(ctx, s.dir.RevokeCert, acme.Revocation{Certificate: b64(c.chain[0].Raw), Reason: &reason})
			return s.notRevoked(c, a, refused(a, err, acme.BadRevocationReason))
		}},
		{group, "RFC 8555, Section 7.6", "another account may not revoke it", func(ctx context.Context, s *session) error {
			c, err := s.certified()
			if err != nil {
				return err
			}
			if err := s.needOther(ctx); err != nil {
				return err
			}
			a, err := s.postAs(ctx, s.other, s.dir.RevokeCert, acme.Revocation{Certificate: b64(c.chain[0].Raw)})
			return s.notRevoked(c, a, refused(a, err, acme.Unauthorized))
		}},
		{group, "RFC 8555, Section 7.6", "another key may not revoke it", func(ctx context.Context, s *session) error {
			c, err := s.certified()
			if err != nil {
				return err
			}
			p, err := newPerson()
			if err != nil {
				return err
			}
			a, err := s.postAs(ctx, p, s.dir.RevokeCert, acme.Revocation{Certificate: b64(c.chain[0].Raw)})
			return s.notRevoked(c, a, refused(a, err, acme.Unauthorized))
		}},
		{group, "RFC 8555, Section 7.6", "its account may revoke it", func(ctx context.Context, s *session) error {
			c, err := s.certified()
			if err != nil {
				return err
			}
			if s.revoked[string(c.chain[0].Raw)] {
				return inapplicable("it was revoked before")
			}
			superseded := 4
			a, err := s.post(ctx, s.dir.RevokeCert, acme.Revocation{Certificate: b64(c.chain[0].Raw), Reason: &superseded})
			return s.isRevoked(c, a, err)
		}},
		{group, "RFC 8555, Section 7.6", "what is revoked cannot be revoked again (alreadyRevoked)", func(ctx context.Context, s *session) error {
			c, err := s.certified()
			if err != nil {
				return err
			}
			if !s.revoked[string(c.chain[0].Raw)] {
				return inapplicable("it is not revoked")
			}
			a, err := s.post(ctx, s.dir.RevokeCert, acme.Revocation{Certificate: b64(c.chain[0].Raw)})
			return refused(a, err, acme.AlreadyRevoked)
		}},
		{group, "RFC 8555, Section 7.6", "its key may revoke it, without an account", revokeByKey},
	}
}

// notRevoked notes a revocation that should not have been.
func (s *session) notRevoked(c *certificate, a *answer, err error) error {
	if a != nil && a.status == http.StatusOK {
		s.revoked[string(c.chain[0].Raw)] = true
	}
	return err
}

func (s *session) isRevoked(c *certificate, a *answer, err error) error {
	if err != nil {
		return err
	}
	if a.status != http.StatusOK {
		return fmt.Errorf("it was answered with %s", a)
	}
	s.revoked[string(c.chain[0].Raw)] = true
	return nil
}

func revokeByKey(ctx context.Context, s *session) error {
	if len(s.obtained) == 0 {
		return inapplicable("there is no certificate")
	}
	o, err := s.ready(ctx)
	if err != nil {
		return err
	}
	c, err := s.obtain(ctx, o)
	if err != nil {
		return err
	}
	a, err := s.postAs(ctx, &person{key: c.key}, s.dir.RevokeCert, acme.Revocation{Certificate: b64(c.chain[0].Raw)})
	return s.isRevoked(c, a, err)
}
