package acme

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/mholt/acmez/v3"
	acmezacme "github.com/mholt/acmez/v3/acme"
	"github.com/miekg/dns"
)

// zPeer is acmez by itself, the library that certmagic and Caddy are built on (certmagic is no module of ours). Our own
// client uses it, too; this row is without anything of ours around it.
type zPeer struct {
	client  acmez.Client
	account acmezacme.Account
	leaf    *x509.Certificate
	key     crypto.Signer
}

func acmezClient() peer {
	z := &zPeer{}
	obtain := func(kind string, names ...string) func(*office) error {
		return func(o *office) error {
			if err := z.obtain(o, kind, nil, names...); err != nil {
				return err
			}
			return o.want(names[0], "valid")
		}
	}
	return peer{name: "acmez (certmagic's)", acts: []act{
		{name: "http-01", run: func(o *office) error {
			if err := z.register(o, nil); err != nil {
				return err
			}
			return obtain(acmezacme.ChallengeTypeHTTP01, "http.z.test")(o)
		}},
		{name: "dns-01, wildcard", run: obtain(acmezacme.ChallengeTypeDNS01, "*.wild.z.test", "wild.z.test")},
		{name: "tls-alpn-01", run: obtain(acmezacme.ChallengeTypeTLSALPN01, "tls.z.test")},
		{name: "renew", run: z.renew},
		{name: "revoke", run: func(o *office) error {
			if err := z.client.RevokeCertificate(o.t.Context(), z.account, z.leaf, z.account.PrivateKey, acmezacme.ReasonSuperseded); err != nil {
				return err
			}
			return o.want("tls.z.test", "revoked")
		}},
		{name: "revoke by key", run: func(o *office) error {
			if err := obtain(acmezacme.ChallengeTypeHTTP01, "key.z.test")(o); err != nil {
				return err
			}
			if err := z.client.RevokeCertificate(o.t.Context(), acmezacme.Account{}, z.leaf, z.key, acmezacme.ReasonKeyCompromise); err != nil {
				return err
			}
			return o.want("key.z.test", "revoked")
		}},
		{name: "new account key", run: func(o *office) error {
			key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				return err
			}
			if z.account, err = z.client.AccountKeyRollover(o.t.Context(), z.account, key); err != nil {
				return err
			}
			z.account.PrivateKey = key
			return obtain(acmezacme.ChallengeTypeHTTP01, "rolled.z.test")(o)
		}},
		{name: "bound account (EAB)", run: func(o *office) error {
			second, kid, key := bound(o, "z")
			other := &zPeer{}
			if err := other.register(second, &acmezacme.EAB{KeyID: kid, MACKey: key}); err != nil {
				return err
			}
			return other.obtain(second, acmezacme.ChallengeTypeHTTP01, nil, "eab.z.test")
		}},
	}}
}

func (z *zPeer) register(o *office, eab *acmezacme.EAB) error {
	text, err := os.ReadFile(o.root)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	z.client = acmez.Client{Client: &acmezacme.Client{Directory: o.directory, HTTPClient: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}}}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	z.account = acmezacme.Account{PrivateKey: key, TermsOfServiceAgreed: true}
	if eab != nil {
		if err := z.account.SetExternalAccountBinding(o.t.Context(), z.client.Client, *eab); err != nil {
			return err
		}
	}
	z.account, err = z.client.NewAccount(o.t.Context(), z.account)
	return err
}

func (z *zPeer) obtain(o *office, kind string, replaces *x509.Certificate, names ...string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: names}, key)
	if err != nil {
		return err
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return err
	}
	params, err := acmez.OrderParametersFromCSR(z.account, csr)
	if err != nil {
		return err
	}
	params.Replaces = replaces
	z.client.ChallengeSolvers = map[string]acmez.Solver{kind: &zSolver{o: o}}
	certs, err := z.client.ObtainCertificate(o.t.Context(), params)
	if err != nil {
		return err
	}
	if len(certs) == 0 {
		return errors.New("no certificate")
	}
	z.key = key
	block, _ := pem.Decode(certs[0].ChainPEM)
	if block == nil {
		return errors.New("no PEM")
	}
	z.leaf, err = x509.ParseCertificate(block.Bytes)
	return err
}

// renew asks when to, and orders in the place of the old one (RFC 9773).
func (z *zPeer) renew(o *office) error {
	old := z.leaf
	info, err := z.client.GetRenewalInfo(o.t.Context(), old)
	if err != nil || !info.HasWindow() {
		return fmt.Errorf("no window: %w", err)
	}
	if err := z.obtain(o, acmezacme.ChallengeTypeTLSALPN01, old, "tls.z.test"); err != nil {
		return err
	}
	if z.leaf.Equal(old) {
		return errors.New("it is the same certificate")
	}
	return o.want("tls.z.test", "valid")
}

// zSolver answers by the office's DNS or by a server on its ports.
type zSolver struct {
	o    *office
	stop map[string]func()
}

// Present answers.
func (s *zSolver) Present(_ context.Context, ch acmezacme.Challenge) error {
	if s.stop == nil {
		s.stop = make(map[string]func())
	}
	switch ch.Type {
	case acmezacme.ChallengeTypeDNS01:
		s.o.mu.Lock()
		defer s.o.mu.Unlock()
		name := dns.Fqdn(ch.DNS01TXTRecordName())
		s.o.txt[name] = append(s.o.txt[name], ch.DNS01KeyAuthorization())
		return nil
	case acmezacme.ChallengeTypeTLSALPN01:
		cert, err := acmez.TLSALPN01ChallengeCert(ch)
		if err != nil {
			return err
		}
		stop, err := s.o.shakeHands(cert)
		s.stop[ch.Token] = stop
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:"+s.o.webPort)
	if err != nil {
		return err
	}
	web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != ch.HTTP01ResourcePath() {
			http.NotFound(w, r)
			return
		}
		_, _ = fmt.Fprint(w, ch.KeyAuthorization)
	})}
	go func() { _ = web.Serve(l) }()
	s.stop[ch.Token] = func() { _ = web.Close() }
	return nil
}

// CleanUp answers no more.
func (s *zSolver) CleanUp(_ context.Context, ch acmezacme.Challenge) error {
	if stop := s.stop[ch.Token]; stop != nil {
		stop()
	}
	return nil
}
