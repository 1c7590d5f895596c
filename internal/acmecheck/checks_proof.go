package acmecheck

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/pki"
)

func request(key crypto.Signer, names ...string) ([]byte, error) {
	return pki.CreateCSR(pki.CSRRequest{SANs: names}, key)
}

func challengeChecks() []check {
	const group = "challenges"
	return []check{
		{group, "RFC 8555, Section 8.3", "a proof that is not there fails: challenge, authorization and order are invalid", proofMissing},
		{group, "RFC 8555, Section 7.1", "the answer to a response links up to the authorization", func(_ context.Context, s *session) error {
			if s.responded == nil {
				return inapplicable("there was no response")
			}
			if len(s.responded.links("up")) == 0 {
				return errors.New("there is no link up")
			}
			return nil
		}},
		{group, "RFC 8555, Section 8.3", "a proof by http-01 is found, and makes the order ready", proofFound},
		{group, "RFC 8555, Section 8.3", "it is asked for by GET of the token's path, under the name", proofAsked},
		{group, "RFC 8555, Section 7.5.1", "a valid authorization has expires, its challenge validated", proofDated},
	}
}

// challengeRead reads a challenge by POST-as-GET, which begins nothing.
func challengeRead(ctx context.Context, s *session) error {
	a, err := s.authorization(ctx)
	if err != nil {
		return err
	}
	if len(a.Challenges) == 0 {
		return inapplicable("there are no challenges")
	}
	var c acme.Challenge
	if _, err := s.read(ctx, a.Challenges[0].URL, &c); err != nil {
		return err
	}
	if c.Type != a.Challenges[0].Type || c.URL != a.Challenges[0].URL {
		return errors.New("it is another one then")
	}
	return nil
}

// proofMissing answers a challenge of which nothing was put anywhere. One such failure is all that a run makes.
func proofMissing(ctx context.Context, s *session) error {
	if err := s.needOrder(); err != nil {
		return err
	}
	o, _, err := s.place(ctx, acme.NewOrder{})
	if err != nil {
		return err
	}
	var a acme.Authorization
	if _, err := s.read(ctx, o.Authorizations[0], &a); err != nil {
		return err
	}
	ch := httpChallenge(&a)
	if a.Status != acme.StatusPending || ch == nil {
		return inapplicable("there is no http-01 that is pending")
	}
	got, err := s.post(ctx, ch.URL, map[string]any{"x-selftest": true})
	if err != nil {
		return err
	}
	s.responded = got
	if got.status != http.StatusOK {
		return fmt.Errorf("the response was answered with %s", got)
	}
	if err := s.wait(ctx, o.Authorizations[0], &a, func() bool { return a.Status != acme.StatusPending }); err != nil {
		return err
	}
	ch = httpChallenge(&a)
	switch {
	case a.Status != acme.StatusInvalid:
		return fmt.Errorf("the authorization is %s", a.Status)
	case ch == nil || ch.Status != acme.StatusInvalid || ch.Error == nil:
		return errors.New("the challenge that failed is not shown as invalid, with an error")
	}
	if err := s.wait(ctx, o.url, &o.Order, func() bool { return o.Status != acme.StatusPending }); err != nil {
		return err
	}
	if o.Status != acme.StatusInvalid {
		return fmt.Errorf("the order is %s", o.Status)
	}
	return nil
}

func proofFound(ctx context.Context, s *session) error {
	if err := s.needOrder(); err != nil {
		return err
	}
	o, err := s.ready(ctx)
	if err != nil {
		return err
	}
	s.proven = o
	if o.Status != acme.StatusReady {
		return fmt.Errorf("the order is %s", o.Status)
	}
	return nil
}

// provenChallenge is the challenge by which the name was proven.
func (s *session) provenChallenge(ctx context.Context) (*acme.Authorization, *acme.Challenge, error) {
	if s.proven == nil {
		return nil, nil, inapplicable("nothing was proven")
	}
	var a acme.Authorization
	if _, err := s.read(ctx, s.proven.Authorizations[0], &a); err != nil {
		return nil, nil, err
	}
	c := httpChallenge(&a)
	if c == nil || c.Status != acme.StatusValid {
		return nil, nil, errors.New("the challenge that was met is not shown as valid")
	}
	return &a, c, nil
}

func proofAsked(ctx context.Context, s *session) error {
	_, c, err := s.provenChallenge(ctx)
	if err != nil {
		return err
	}
	visits := s.proofs.visits(c.Token)
	if len(visits) == 0 {
		return errors.New("nobody has asked for it here")
	}
	for _, v := range visits {
		host, _, err := net.SplitHostPort(v.host)
		if err != nil {
			host = v.host
		}
		if v.method != http.MethodGet || host != s.o.Name {
			return fmt.Errorf("the request was %s with Host %q", v.method, v.host)
		}
	}
	return nil
}

func proofDated(ctx context.Context, s *session) error {
	a, c, err := s.provenChallenge(ctx)
	if err != nil {
		return err
	}
	if err := date("expires", a.Expires); err != nil {
		return err
	}
	return date("validated", c.Validated)
}

func finalizeChecks() []check {
	const group = "finalizing"
	// bad finalizes with a CSR that cannot become a certificate.
	bad := func(make func(s *session, key crypto.Signer) (any, crypto.Signer, error)) func(context.Context, *session) error {
		return func(ctx context.Context, s *session) error { return s.badRequest(ctx, make) }
	}
	names := func(n func(s *session) []string) func(*session, crypto.Signer) (any, crypto.Signer, error) {
		return func(s *session, key crypto.Signer) (any, crypto.Signer, error) {
			der, err := request(key, n(s)...)
			return b64(der), key, err
		}
	}
	ofKey := func(key func(*session) *person) func(*session, crypto.Signer) (any, crypto.Signer, error) {
		return func(s *session, _ crypto.Signer) (any, crypto.Signer, error) {
			p := key(s)
			if p == nil {
				return nil, nil, inapplicable("there is no second account")
			}
			der, err := request(p.key, s.o.Name)
			return b64(der), p.key, err
		}
	}
	return []check{
		{group, "RFC 8555, Section 7.4", "a CSR that is no base64url is refused", bad(func(_ *session, key crypto.Signer) (any, crypto.Signer, error) { return "***", key, nil })},
		{group, "RFC 8555, Section 7.4", "a CSR that is none is refused", bad(func(_ *session, key crypto.Signer) (any, crypto.Signer, error) {
			return b64([]byte("no request")), key, nil
		})},
		{group, "RFC 8555, Section 7.4", "a CSR with a signature that does not hold is refused", bad(func(s *session, key crypto.Signer) (any, crypto.Signer, error) {
			der, err := request(key, s.o.Name)
			if err == nil {
				der[len(der)-3] ^= 1
			}
			return b64(der), key, err
		})},
		{group, "RFC 8555, Section 7.4", "a CSR for another name is refused", bad(names(func(s *session) []string { return []string{"other." + s.o.Name} }))},
		{group, "RFC 8555, Section 7.4", "a CSR for a name more is refused", bad(names(func(s *session) []string { return []string{s.o.Name, "other." + s.o.Name} }))},
		{group, "RFC 8555, Section 11.1", "a CSR with the account's key is refused", bad(ofKey(func(s *session) *person { return s.who }))},
		{group, "RFC 8555, Section 11.1", "a CSR with the key of another account is refused", bad(ofKey(func(s *session) *person { return s.other }))},
		{group, "RFC 8555, Section 7.4", "a sound CSR makes the order valid, with a certificate", func(ctx context.Context, s *session) error {
			if s.proven == nil {
				return inapplicable("nothing was proven")
			}
			if err := s.stillReady(ctx); err != nil {
				return err
			}
			_, err := s.obtain(ctx, s.proven)
			return err
		}},
	}
}

// stillReady sees to it that there is an order to finalize: a server may give one up after a CSR that it refused.
func (s *session) stillReady(ctx context.Context) error {
	if _, err := s.read(ctx, s.proven.url, &s.proven.Order); err != nil {
		return err
	}
	if s.proven.Status == acme.StatusReady {
		return nil
	}
	o, err := s.ready(ctx)
	if err == nil {
		s.proven = o
	}
	return err
}

func (s *session) badRequest(ctx context.Context, make func(*session, crypto.Signer) (any, crypto.Signer, error)) error {
	if s.proven == nil {
		return inapplicable("nothing was proven")
	}
	if err := s.stillReady(ctx); err != nil {
		return err
	}
	p, err := newPerson()
	if err != nil {
		return err
	}
	csr, key, err := make(s, p.key)
	if err != nil {
		return err
	}
	a, err := s.post(ctx, s.proven.Finalize, map[string]any{"csr": csr})
	if err != nil || a.status >= 300 {
		return refused(a, err)
	}
	// A server may take it, and refuse later.
	o := s.proven
	if err := s.wait(ctx, o.url, &o.Order, func() bool { return o.Status != acme.StatusProcessing }); err != nil {
		return err
	}
	switch o.Status {
	case acme.StatusInvalid:
		return nil
	case acme.StatusReady:
		return fmt.Errorf("it was taken (%s), and nothing came of it", a)
	}
	s.keep(ctx, o, key)
	return errors.New("a certificate came of it")
}

// keep notes a certificate that should not be, so that it is revoked at the end.
func (s *session) keep(ctx context.Context, o *placed, key crypto.Signer) {
	a, err := s.post(ctx, o.Certificate, nil)
	if err != nil {
		return
	}
	if chain, err := pki.ParseCertificatesPEM(a.body); err == nil && len(chain) > 0 {
		s.obtained = append(s.obtained, &certificate{chain: chain, key: key, order: o, got: a})
	}
}
