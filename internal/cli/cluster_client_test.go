package cli

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
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/miekg/dns"

	"github.com/tlswright/tlswright/acme"
)

// A steadfast client asks again when a server dies under it, as good clients do. It holds on to an order until that is valid
// or invalid, or until its patience is at its end; then it can come back to it later.
type steadfast struct {
	web       http.RoundTripper
	directory acme.Directory
	proofs    *sync.Map // by path
	answers   *atomic.Int64
	key       *ecdsa.PrivateKey
	print     []byte
	kid       string
}

// errStalled is the end of a client's patience.
var errStalled = errors.New("nothing has happened to the order for a while")

// acmeAnswer is one with an error status that is the client's to understand.
type acmeAnswer struct {
	status int
	text   []byte
}

func (e *acmeAnswer) Error() string { return fmt.Sprintf("status %d: %s", e.status, e.text) }

func newSteadfast(ctx context.Context, web http.RoundTripper, base string, proofs *sync.Map, answers *atomic.Int64) (*steadfast, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	c := &steadfast{web: web, proofs: proofs, answers: answers, key: key}
	if c.print, err = (&jose.JSONWebKey{Key: key.Public()}).Thumbprint(crypto.SHA256); err != nil {
		return nil, err
	}
	if err := c.look(ctx, base); err != nil {
		return nil, err
	}
	header, err := c.post(ctx, c.directory.NewAccount, acme.NewAccount{TermsOfServiceAgreed: true}, nil)
	if err != nil {
		return nil, err
	}
	c.kid = header.Get("Location")
	return c, nil
}

// look fetches the directory, of whichever node gives it: another client may have come so far that one is killed already.
func (c *steadfast) look(ctx context.Context, base string) error {
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/acme/directory", nil)
		if err != nil {
			return err
		}
		_, text, err := c.exchange(r)
		if err == nil {
			return json.Unmarshal(text, &c.directory)
		}
		if err := c.pause(ctx, err); err != nil {
			return err
		}
	}
}

// pause waits a moment before something that failed is tried again, unless the client's patience is at its end.
func (c *steadfast) pause(ctx context.Context, failed error) error {
	select {
	case <-ctx.Done():
		return errors.Join(errStalled, failed)
	case <-time.After(20 * time.Millisecond):
		return nil
	}
}

func (c *steadfast) exchange(r *http.Request) (http.Header, []byte, error) {
	a, err := c.web.RoundTrip(r)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = a.Body.Close() }()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		return nil, nil, err
	}
	c.answers.Add(1)
	if a.StatusCode >= 400 {
		return nil, nil, &acmeAnswer{a.StatusCode, text}
	}
	return a.Header, text, nil
}

func jsonB64(v any) string {
	text, _ := json.Marshal(v) // what is put in here can be written
	return base64.RawURLEncoding.EncodeToString(text)
}

// try makes one signed request.
func (c *steadfast) try(ctx context.Context, url string, payload any) (http.Header, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodHead, c.directory.NewNonce, nil)
	if err != nil {
		return nil, nil, err
	}
	header, _, err := c.exchange(r)
	if err != nil {
		return nil, nil, err
	}
	h := map[string]any{"alg": "ES256", "nonce": header.Get("Replay-Nonce"), "url": url}
	if c.kid != "" {
		h["kid"] = c.kid
	} else {
		h["jwk"] = jose.JSONWebKey{Key: c.key.Public()}
	}
	head, body := jsonB64(h), ""
	if payload != nil {
		body = jsonB64(payload)
	}
	digest := sha256.Sum256([]byte(head + "." + body))
	x, y, err := ecdsa.Sign(rand.Reader, c.key, digest[:])
	if err != nil {
		return nil, nil, err
	}
	signature := append(x.FillBytes(make([]byte, 32)), y.FillBytes(make([]byte, 32))...)
	text, err := json.Marshal(map[string]string{"protected": head, "payload": body, "signature": base64.RawURLEncoding.EncodeToString(signature)})
	if err != nil {
		return nil, nil, err
	}
	if r, err = http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(text)); err != nil {
		return nil, nil, err
	}
	r.Header.Set("Content-Type", "application/jose+json")
	return c.exchange(r)
}

// post makes a request until somebody answers it; v gets the answer.
func (c *steadfast) post(ctx context.Context, url string, payload, v any) (http.Header, error) {
	for {
		header, text, err := c.try(ctx, url, payload)
		var refused *acmeAnswer
		if errors.As(err, &refused) && refused.status < 500 && !bytes.Contains(refused.text, []byte("badNonce")) {
			return nil, err
		}
		if err != nil {
			if err := c.pause(ctx, err); err != nil {
				return nil, err
			}
			continue
		}
		switch into := v.(type) {
		case nil:
			return header, nil
		case *[]byte:
			*into = text
			return header, nil
		}
		return header, json.Unmarshal(text, v)
	}
}

// placed is an order that a client has placed.
type placed struct {
	client *steadfast
	name   string
	url    string
}

func (c *steadfast) place(ctx context.Context, name string) (placed, error) {
	header, err := c.post(ctx, c.directory.NewOrder, acme.NewOrder{Identifiers: []acme.Identifier{{Type: acme.TypeDNS, Value: name}}}, nil)
	if err != nil {
		return placed{}, err
	}
	return placed{c, name, header.Get("Location")}, nil
}

// pursue does whatever brings the order nearer to its certificate. The end of ctx is [errStalled].
func (p placed) pursue(ctx context.Context) (leaf *x509.Certificate, err error) {
	for {
		var o acme.Order
		if _, err := p.client.post(ctx, p.url, nil, &o); err != nil {
			return nil, err
		}
		switch o.Status {
		case acme.StatusValid:
			return p.fetch(ctx, o.Certificate)
		case acme.StatusInvalid:
			return nil, fmt.Errorf("the order is invalid: %v", o.Error)
		case acme.StatusPending:
			for _, url := range o.Authorizations {
				if err := p.prove(ctx, url); err != nil {
					return nil, err
				}
			}
		case acme.StatusReady:
			key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				return nil, err
			}
			csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{p.name}}, key)
			if err != nil {
				return nil, err
			}
			_, err = p.client.post(ctx, o.Finalize, acme.Finalize{CSR: base64.RawURLEncoding.EncodeToString(csr)}, nil)
			if err != nil && !bytes.Contains([]byte(err.Error()), []byte("orderNotReady")) {
				return nil, err // an answer that was lost on its way was one all the same
			}
			continue
		}
		select {
		case <-ctx.Done():
			return nil, errStalled
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (p placed) prove(ctx context.Context, url string) error {
	var a acme.Authorization
	if _, err := p.client.post(ctx, url, nil, &a); err != nil || a.Status != acme.StatusPending {
		return err
	}
	for _, ch := range a.Challenges {
		if ch.Type == acme.HTTP01 && ch.Status == acme.StatusPending {
			p.client.proofs.Store(acme.HTTP01Path+ch.Token, acme.KeyAuthorization(ch.Token, p.client.print))
			_, err := p.client.post(ctx, ch.URL, struct{}{}, nil)
			return err
		}
	}
	return nil
}

func (p placed) fetch(ctx context.Context, url string) (*x509.Certificate, error) {
	var chain []byte
	if _, err := p.client.post(ctx, url, nil, &chain); err != nil {
		return nil, err
	}
	block, _ := pem.Decode(chain)
	if block == nil {
		return nil, errors.New("the certificate is no PEM")
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	return leaf, leaf.VerifyHostname(p.name)
}

// roundRobin gives each request to the next node, as a simple balancer does.
type roundRobin struct {
	nodes []http.RoundTripper
	next  atomic.Uint64
}

func (r *roundRobin) RoundTrip(q *http.Request) (*http.Response, error) {
	return r.nodes[r.next.Add(1)%uint64(len(r.nodes))].RoundTrip(q)
}

// proofServer answers http-01 with what clients have left.
func proofServer(proofs *sync.Map) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, ok := proofs.Load(r.URL.Path)
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = fmt.Fprint(w, v)
	})
}

// everythingIsHere is a DNS server by which every name is on loopback.
func everythingIsHere(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg)
	m.SetReply(q)
	if q.Question[0].Qtype == dns.TypeA {
		m.Answer = append(m.Answer, &dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: net.IPv4(127, 0, 0, 1)})
	}
	_ = w.WriteMsg(m)
}
