package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/tlswright/tlswright/acme"
)

// poll is how often a client asks again; servers' Retry-After is for people.
const poll = 2 * time.Millisecond

// account is one that clients share, or have for themselves.
type account struct {
	directory acme.Directory
	key       *ecdsa.PrivateKey
	jwk       []byte
	print     []byte
	kid       string
}

// client is one connection to a server. It is kept alive, and everything happens on the goroutine that uses it: a client
// of net/http would cost a good part of what a server does.
type client struct {
	*account
	proofs *proofs
	host   string
	tls    *tls.Config
	conn   *tls.Conn
	r      *bufio.Reader
	nonces []string
}

// newClient connects, and makes an account if it is given none.
func newClient(ctx context.Context, at *server, p *proofs, as *account) (*client, error) {
	u, err := url.Parse(at.directory)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	text, err := os.ReadFile(at.ca)
	if err != nil {
		return nil, err
	}
	pool.AppendCertsFromPEM(text)
	c := &client{account: as, proofs: p, host: u.Host, tls: &tls.Config{RootCAs: pool, ServerName: u.Hostname()}}
	if as != nil {
		return c, nil
	}
	c.account = &account{}
	if c.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	public := &jose.JSONWebKey{Key: c.key.Public()}
	if c.print, err = public.Thumbprint(crypto.SHA256); err != nil {
		return nil, err
	}
	if c.jwk, err = public.MarshalJSON(); err != nil {
		return nil, err
	}
	_, body, err := c.do(ctx, http.MethodGet, at.directory, nil)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(body, &c.directory); err != nil {
		return nil, err
	}
	header, err := c.post(ctx, c.directory.NewAccount, acme.NewAccount{TermsOfServiceAgreed: true}, nil)
	if err != nil {
		return nil, err
	}
	c.kid = header.Get("Location")
	return c, nil
}

func (c *client) close() {
	if c.conn != nil {
		_ = c.conn.Close()
	}
}

// do makes a request on the connection, which is made anew if the server has closed it.
func (c *client) do(ctx context.Context, method, at string, body []byte) (*http.Response, []byte, error) {
	u, err := url.Parse(at)
	if err != nil {
		return nil, nil, err
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: acmeload\r\n", method, u.RequestURI(), u.Host)
	if method == http.MethodPost {
		fmt.Fprintf(&text, "Content-Type: application/jose+json\r\nContent-Length: %d\r\n", len(body))
	}
	text.WriteString("\r\n")
	text.Write(body)
	for reused := c.conn != nil; ; reused = false {
		if c.conn == nil {
			plain, err := (&net.Dialer{}).DialContext(ctx, "tcp", c.host)
			if err != nil {
				return nil, nil, err
			}
			c.conn = tls.Client(plain, c.tls)
			c.r = bufio.NewReader(c.conn)
		}
		a, answer, err := c.exchange(method, text.Bytes())
		if err == nil && !a.Close {
			return a, answer, nil
		}
		_ = c.conn.Close()
		c.conn = nil
		if err == nil || !reused {
			return a, answer, err
		}
	}
}

func (c *client) exchange(method string, text []byte) (*http.Response, []byte, error) {
	if err := c.conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return nil, nil, err
	}
	if _, err := c.conn.Write(text); err != nil {
		return nil, nil, err
	}
	a, err := http.ReadResponse(c.r, &http.Request{Method: method})
	if err != nil {
		return nil, nil, err
	}
	answer, err := io.ReadAll(a.Body)
	if err != nil {
		return nil, nil, err
	}
	if n := a.Header.Get("Replay-Nonce"); n != "" {
		c.nonces = append(c.nonces, n)
	}
	return a, answer, nil
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// sign makes the JWS of a request; payload nil is POST-as-GET.
func (c *client) sign(ctx context.Context, at string, payload any) ([]byte, error) {
	if len(c.nonces) == 0 {
		if _, _, err := c.do(ctx, http.MethodHead, c.directory.NewNonce, nil); err != nil {
			return nil, err
		}
		if len(c.nonces) == 0 {
			return nil, errors.New("the server gives no nonces")
		}
	}
	nonce := c.nonces[len(c.nonces)-1]
	c.nonces = c.nonces[:len(c.nonces)-1]
	who := `"kid":"` + c.kid + `"`
	if c.kid == "" {
		who = `"jwk":` + string(c.jwk)
	}
	var body []byte
	if payload != nil {
		var err error
		if body, err = json.Marshal(payload); err != nil {
			return nil, err
		}
	}
	head, text := b64([]byte(`{"alg":"ES256","nonce":"`+nonce+`","url":"`+at+`",`+who+`}`)), b64(body)
	digest := sha256.Sum256([]byte(head + "." + text))
	r, s, err := ecdsa.Sign(rand.Reader, c.key, digest[:])
	if err != nil {
		return nil, err
	}
	var signature [64]byte
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return []byte(`{"protected":"` + head + `","payload":"` + text + `","signature":"` + b64(signature[:]) + `"}`), nil
}

// post makes a request, once more if the nonce was not taken, and decodes the answer into v.
func (c *client) post(ctx context.Context, at string, payload, v any) (http.Header, error) {
	for attempt := 0; ; attempt++ {
		body, err := c.sign(ctx, at, payload)
		if err != nil {
			return nil, err
		}
		a, text, err := c.do(ctx, http.MethodPost, at, body)
		if err != nil {
			return nil, err
		}
		if a.StatusCode >= 400 {
			if bytes.Contains(text, []byte("badNonce")) && attempt < 10 {
				continue
			}
			return nil, fmt.Errorf("%s: status %d: %s", at, a.StatusCode, text)
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

// wish is a name and the request for its certificate. They are made before the clock runs.
type wish struct {
	name string
	csr  string
}

func newWish(name string) (wish, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return wish{}, err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{name}}, key)
	return wish{name, b64(csr)}, err
}

func orderFor(name string) acme.NewOrder {
	return acme.NewOrder{Identifiers: []acme.Identifier{{Type: acme.TypeDNS, Value: name}}}
}

// flow gets a certificate for a name.
func (c *client) flow(ctx context.Context, w wish) error {
	var o acme.Order
	header, err := c.post(ctx, c.directory.NewOrder, orderFor(w.name), &o)
	if err != nil {
		return err
	}
	at := header.Get("Location")
	for _, u := range o.Authorizations {
		if err := c.prove(ctx, u); err != nil {
			return err
		}
	}
	if _, err := c.post(ctx, o.Finalize, acme.Finalize{CSR: w.csr}, &o); err != nil {
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
	return leaf.VerifyHostname(w.name)
}

func (c *client) prove(ctx context.Context, at string) error {
	var a acme.Authorization
	if _, err := c.post(ctx, at, nil, &a); err != nil {
		return err
	}
	for _, ch := range a.Challenges {
		if ch.Type != acme.HTTP01 {
			continue
		}
		c.proofs.show(ch.Token, c.print)
		defer c.proofs.remove(ch.Token)
		if _, err := c.post(ctx, ch.URL, struct{}{}, nil); err != nil {
			return err
		}
		for a.Status == acme.StatusPending {
			if _, err := c.post(ctx, at, nil, &a); err != nil {
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
