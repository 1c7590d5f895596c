package acmecheck

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/pki"
)

// session is what the checks of one run know and made.
type session struct {
	o        Options
	web      *http.Client
	proofs   *proofs // nil: nothing can be proven
	tally    tally
	nonces   []string
	requests int

	dir    acme.Directory
	raw    map[string]json.RawMessage // the directory, as it came
	dirGot *answer

	who   *person // the account of the run; nil: none could be made
	other *person // a second one; nil: none
	// registered is how newAccount was answered for who; keyIsNew, that its key was changed.
	registered *answer
	keyIsNew   bool

	people []*person

	pending   *placed // an order of which nothing was proven
	proven    *placed // one of which all was
	responded *answer // to the response to a challenge
	open      []string
	obtained  []*certificate
	replaced  bool
	revoked   map[string]bool
}

// placed is an order with its URL.
type placed struct {
	acme.Order
	url string
}

// certificate is one that was obtained.
type certificate struct {
	chain []*x509.Certificate
	key   crypto.Signer
	order *placed
	got   *answer
}

func newSession(o Options) *session {
	web := &http.Client{Transport: o.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &session{o: o, web: web, revoked: make(map[string]bool), tally: tally{directory: o.Directory}}
}

// readDirectory finds out whether there is an ACME server at all.
func (s *session) readDirectory(ctx context.Context) error {
	u, err := url.Parse(s.o.Directory)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("%q is no URL of an ACME directory", pki.Printable(s.o.Directory))
	}
	a, err := s.get(ctx, s.o.Directory)
	if err != nil {
		return err
	}
	s.dirGot = a
	if err := a.into(&s.raw); err != nil || a.status != http.StatusOK {
		return fmt.Errorf("there is no ACME directory at %s: %s", pki.Printable(s.o.Directory), pki.Printable(a.String()))
	}
	if err := a.into(&s.dir); err != nil {
		return fmt.Errorf("%s: %w", pki.Printable(s.o.Directory), err)
	}
	if s.dir.NewNonce == "" || s.dir.NewAccount == "" || s.dir.NewOrder == "" {
		return fmt.Errorf("%s names no newNonce, newAccount or newOrder: it is no ACME directory", pki.Printable(s.o.Directory))
	}
	return nil
}

// post sends a sound request of the run's account.
func (s *session) post(ctx context.Context, url string, payload any) (*answer, error) {
	return s.postAs(ctx, s.who, url, payload)
}

func (s *session) postAs(ctx context.Context, by *person, url string, payload any) (*answer, error) {
	if by == nil {
		return nil, inapplicable("there is no account")
	}
	return s.send(ctx, message{by: by, url: url, payload: payload})
}

// read fetches an object by POST-as-GET.
func (s *session) read(ctx context.Context, url string, into any) (*answer, error) {
	a, err := s.post(ctx, url, nil)
	if err != nil {
		return nil, err
	}
	if a.status != http.StatusOK {
		return a, fmt.Errorf("POST-as-GET was answered with %s", a)
	}
	return a, a.into(into)
}

// refused checks that an answer is an error of one of the kinds; none: of any.
func refused(a *answer, err error, kinds ...acme.ProblemType) error {
	switch {
	case err != nil:
		return err
	case a.status < 400:
		return fmt.Errorf("it was taken: %s", a)
	case a.status >= 500:
		return fmt.Errorf("the server broke down: %s", a)
	case len(kinds) > 0 && !slices.Contains(kinds, a.problem().Kind()):
		return fmt.Errorf("the error is %s, and should be of type %s", a, joined(kinds))
	}
	return nil
}

// refusedAs checks the status of HTTP, too.
func refusedAs(a *answer, err error, status int, kinds ...acme.ProblemType) error {
	if err := refused(a, err, kinds...); err != nil {
		return err
	}
	if a.status != status {
		return fmt.Errorf("status %d instead of %d (%s)", a.status, status, a)
	}
	return nil
}

func joined(kinds []acme.ProblemType) string {
	words := make([]string, len(kinds))
	for i, k := range kinds {
		words[i] = string(k)
	}
	return strings.Join(words, " or ")
}

// register makes an account; the payload is completed by what the server wants.
func (s *session) register(ctx context.Context, p *person, more map[string]any) (*answer, error) {
	payload := map[string]any{"termsOfServiceAgreed": true}
	if len(s.o.Contact) > 0 {
		payload["contact"] = s.o.Contact
	}
	if s.o.Binding != nil && p == s.who {
		bound, err := s.bind(p, s.o.Binding)
		if err != nil {
			return nil, err
		}
		payload["externalAccountBinding"] = bound
	}
	for k, v := range more {
		payload[k] = v
	}
	a, err := s.send(ctx, message{by: p, url: s.dir.NewAccount, payload: payload, asKey: true})
	if err == nil && (a.status == http.StatusCreated || a.status == http.StatusOK) && p.url == "" {
		if p.url = a.header.Get("Location"); p.url != "" {
			s.people = append(s.people, p)
		}
	}
	return a, err
}

// bind makes the JWS of an external account binding.
func (s *session) bind(p *person, b *Binding) (any, error) {
	return sealMAC(b.Key, map[string]any{"alg": "HS256", "kid": b.KID, "url": s.dir.NewAccount}, p.jwk())
}

// place orders certificates for names of the run.
func (s *session) place(ctx context.Context, n acme.NewOrder) (*placed, *answer, error) {
	if n.Identifiers == nil {
		n.Identifiers = s.names()
	}
	a, err := s.post(ctx, s.dir.NewOrder, n)
	if err != nil {
		return nil, nil, err
	}
	if a.status != http.StatusCreated {
		return nil, a, fmt.Errorf("newOrder was answered with %s", a)
	}
	p := &placed{url: a.header.Get("Location")}
	if err := a.into(&p.Order); err != nil {
		return nil, a, err
	}
	s.open = append(s.open, p.Authorizations...)
	return p, a, nil
}

func (s *session) names() []acme.Identifier {
	return []acme.Identifier{{Type: acme.TypeDNS, Value: s.o.Name}}
}

// wait asks for an object until done says so.
func (s *session) wait(ctx context.Context, url string, into any, done func() bool) error {
	end := time.Now().Add(s.o.Patience)
	for {
		a, err := s.read(ctx, url, into)
		if err != nil || done() {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("nothing was decided within %v", s.o.Patience)
		}
		if err := pause(ctx, a); err != nil {
			return err
		}
	}
}

// httpChallenge finds the challenge that can be answered here.
func httpChallenge(a *acme.Authorization) *acme.Challenge {
	for i := range a.Challenges {
		if a.Challenges[i].Type == acme.HTTP01 {
			return &a.Challenges[i]
		}
	}
	return nil
}

// prove answers the challenges of an order with proofs that hold.
func (s *session) prove(ctx context.Context, o *placed) error {
	if s.proofs == nil {
		return inapplicable("nothing can be proven without a listener")
	}
	print, err := s.who.thumbprint()
	if err != nil {
		return err
	}
	for _, url := range o.Authorizations {
		var a acme.Authorization
		if _, err := s.read(ctx, url, &a); err != nil {
			return err
		}
		if a.Status == acme.StatusValid {
			continue
		}
		ch := httpChallenge(&a)
		if ch == nil {
			return inapplicable("the server offers no http-01")
		}
		s.proofs.put(ch.Token, acme.KeyAuthorization(ch.Token, print))
		got, err := s.post(ctx, ch.URL, struct{}{})
		if err != nil {
			return err
		}
		s.responded = got
		if got.status != http.StatusOK {
			return fmt.Errorf("the response to the challenge was answered with %s", got)
		}
		if err := s.wait(ctx, url, &a, func() bool { return a.Status != acme.StatusPending }); err != nil {
			return err
		}
		if a.Status != acme.StatusValid {
			return fmt.Errorf("a proof that was there was not found: %s", whyInvalid(&a))
		}
	}
	return nil
}

func whyInvalid(a *acme.Authorization) string {
	for _, c := range a.Challenges {
		if c.Error != nil {
			return c.Error.Error()
		}
	}
	return "the authorization is " + a.Status
}

// ready makes an order of which all is proven.
func (s *session) ready(ctx context.Context) (*placed, error) {
	if s.proofs == nil {
		return nil, inapplicable("nothing can be proven without a listener")
	}
	o, _, err := s.place(ctx, acme.NewOrder{})
	if err != nil {
		return nil, err
	}
	if err := s.prove(ctx, o); err != nil {
		return nil, err
	}
	return o, s.wait(ctx, o.url, &o.Order, func() bool { return o.Status != acme.StatusPending })
}

// obtain finalizes an order that is ready, and fetches the certificate.
func (s *session) obtain(ctx context.Context, o *placed) (*certificate, error) {
	owner, err := newPerson()
	if err != nil {
		return nil, err
	}
	der, err := pki.CreateCSR(pki.CSRRequest{SANs: []string{s.o.Name}}, owner.key)
	if err != nil {
		return nil, err
	}
	a, err := s.post(ctx, o.Finalize, acme.Finalize{CSR: b64(der)})
	if err != nil {
		return nil, err
	}
	if a.status != http.StatusOK {
		return nil, fmt.Errorf("finalize was answered with %s", a)
	}
	if err := s.wait(ctx, o.url, &o.Order, func() bool { return o.Status != acme.StatusProcessing && o.Status != acme.StatusReady }); err != nil {
		return nil, err
	}
	if o.Status != acme.StatusValid || o.Certificate == "" {
		return nil, fmt.Errorf("the order is %s, and certificate is %q", o.Status, o.Certificate)
	}
	if a, err = s.post(ctx, o.Certificate, nil); err != nil {
		return nil, err
	}
	c := &certificate{key: owner.key, order: o, got: a}
	if c.chain, err = pki.ParseCertificatesPEM(a.body); err != nil || len(c.chain) == 0 {
		return nil, errors.Join(fmt.Errorf("no certificate comes from %s: %s", o.Certificate, a), err)
	}
	s.obtained = append(s.obtained, c)
	return c, nil
}

// certified is the first certificate that was obtained.
func (s *session) certified() (*certificate, error) {
	if len(s.obtained) == 0 {
		return nil, inapplicable("there is no certificate")
	}
	return s.obtained[0], nil
}
