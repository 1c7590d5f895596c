package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/tlswright/tlswright/acme"
)

// poll is how often a client asks again; servers' Retry-After is for people.
const poll = 2 * time.Millisecond

// client is one account.
type client struct {
	web       *http.Client
	directory acme.Directory
	proofs    *proofs
	key       *ecdsa.PrivateKey
	print     []byte
	kid       string
	nonces    chan string
}

func newClient(ctx context.Context, web *http.Client, directory string, p *proofs) (*client, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	c := &client{web: web, proofs: p, key: key, nonces: make(chan string, 256)}
	if c.print, err = (&jose.JSONWebKey{Key: key.Public()}).Thumbprint(crypto.SHA256); err != nil {
		return nil, err
	}
	r, err := web.Get(directory)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Body.Close() }()
	if err := json.NewDecoder(r.Body).Decode(&c.directory); err != nil {
		return nil, err
	}
	header, err := c.post(ctx, c.directory.NewAccount, acme.NewAccount{TermsOfServiceAgreed: true}, nil)
	if err != nil {
		return nil, err
	}
	c.kid = header.Get("Location")
	return c, nil
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (c *client) nonce(ctx context.Context) (string, error) {
	select {
	case n := <-c.nonces:
		return n, nil
	default:
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodHead, c.directory.NewNonce, nil)
	if err != nil {
		return "", err
	}
	a, err := c.web.Do(r)
	if err != nil {
		return "", err
	}
	_ = a.Body.Close()
	return a.Header.Get("Replay-Nonce"), nil
}

// sign makes the JWS of a request; payload nil is POST-as-GET.
func (c *client) sign(ctx context.Context, url string, payload any) ([]byte, error) {
	nonce, err := c.nonce(ctx)
	if err != nil {
		return nil, err
	}
	h := map[string]any{"alg": "ES256", "nonce": nonce, "url": url}
	if c.kid != "" {
		h["kid"] = c.kid
	} else {
		h["jwk"] = jose.JSONWebKey{Key: c.key.Public()}
	}
	head, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	var body []byte
	if payload != nil {
		if body, err = json.Marshal(payload); err != nil {
			return nil, err
		}
	}
	digest := sha256.Sum256([]byte(b64(head) + "." + b64(body)))
	r, s, err := ecdsa.Sign(rand.Reader, c.key, digest[:])
	if err != nil {
		return nil, err
	}
	signature := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	return json.Marshal(map[string]string{"protected": b64(head), "payload": b64(body), "signature": b64(signature)})
}

// post makes a request, once more if the nonce was not taken, and decodes the answer into v.
func (c *client) post(ctx context.Context, url string, payload, v any) (http.Header, error) {
	for attempt := 0; ; attempt++ {
		body, err := c.sign(ctx, url, payload)
		if err != nil {
			return nil, err
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		r.Header.Set("Content-Type", "application/jose+json")
		a, err := c.web.Do(r)
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(a.Body)
		_ = a.Body.Close()
		if err != nil {
			return nil, err
		}
		if n := a.Header.Get("Replay-Nonce"); n != "" {
			select {
			case c.nonces <- n:
			default:
			}
		}
		if a.StatusCode >= 400 {
			if bytes.Contains(text, []byte("badNonce")) && attempt < 10 {
				continue
			}
			return nil, fmt.Errorf("%s: status %d: %s", url, a.StatusCode, text)
		}
		switch into := v.(type) {
		case nil:
			return a.Header, nil
		case *[]byte:
			*into = text
			return a.Header, nil
		default:
			return a.Header, json.Unmarshal(text, v)
		}
	}
}

// flow gets a certificate for a name.
func (c *client) flow(ctx context.Context, name string) error {
	var o acme.Order
	header, err := c.post(ctx, c.directory.NewOrder, acme.NewOrder{Identifiers: []acme.Identifier{{Type: acme.TypeDNS, Value: name}}}, &o)
	if err != nil {
		return err
	}
	at := header.Get("Location")
	for _, url := range o.Authorizations {
		if err := c.prove(ctx, url); err != nil {
			return err
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{name}}, key)
	if err != nil {
		return err
	}
	if _, err := c.post(ctx, o.Finalize, acme.Finalize{CSR: b64(csr)}, &o); err != nil {
		return err
	}
	for o.Status != acme.StatusValid {
		if o.Status == acme.StatusInvalid {
			return fmt.Errorf("the order is invalid: %v", o.Error)
		}
		time.Sleep(poll)
		if _, err := c.post(ctx, at, nil, &o); err != nil {
			return err
		}
	}
	var chain []byte
	if _, err := c.post(ctx, o.Certificate, nil, &chain); err != nil {
		return err
	}
	block, _ := pem.Decode(chain)
	if block == nil {
		return errors.New("the certificate is no PEM")
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return err
	}
	return leaf.VerifyHostname(name)
}

func (c *client) prove(ctx context.Context, url string) error {
	var a acme.Authorization
	if _, err := c.post(ctx, url, nil, &a); err != nil {
		return err
	}
	for _, ch := range a.Challenges {
		if ch.Type != acme.HTTP01 {
			continue
		}
		c.proofs.byToken.Store(acme.HTTP01Path+ch.Token, acme.KeyAuthorization(ch.Token, c.print))
		if _, err := c.post(ctx, ch.URL, struct{}{}, nil); err != nil {
			return err
		}
		for a.Status == acme.StatusPending {
			if _, err := c.post(ctx, url, nil, &a); err != nil {
				return err
			}
			if a.Status == acme.StatusPending {
				time.Sleep(poll)
			}
		}
		if a.Status != acme.StatusValid {
			return fmt.Errorf("the authorization is %s: %+v", a.Status, a.Challenges)
		}
		return nil
	}
	return errors.New("there is no http-01")
}

// place only places orders, and tells how long the first and the last hundred took.
func (c *client) place(ctx context.Context, n int) error {
	var first, last time.Duration
	for i := range n {
		begin := time.Now()
		order := acme.NewOrder{Identifiers: []acme.Identifier{{Type: acme.TypeDNS, Value: fmt.Sprintf("p%d-%d.load.test", i, begin.UnixNano()%1e9)}}}
		if _, err := c.post(ctx, c.directory.NewOrder, order, nil); err != nil {
			return err
		}
		switch took := time.Since(begin); {
		case i < 100:
			first += took
		case i >= n-100:
			last += took
		}
	}
	fmt.Printf("%d orders: the first hundred took %v each, the last hundred %v\n", n, (first / 100).Round(10*time.Microsecond), (last / 100).Round(10*time.Microsecond))
	return nil
}
