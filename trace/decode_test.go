package trace_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/trace"
)

// watched is a link whose two ends are recorded.
type watched struct {
	*tlstest.Link
	client, server *trace.Recorder
}

// clock gives a time that goes on by a millisecond with each look.
func clock() func() time.Time {
	now := tlstest.Now
	return func() time.Time {
		now = now.Add(time.Millisecond)
		return now
	}
}

func watch(t testing.TB, client, server tlscore.Config, c tlscore.Options) *watched {
	t.Helper()
	c.ServerName = "a.example"
	w := &watched{
		client: trace.NewRecorder(trace.Client, trace.Endpoint{Address: "192.0.2.1:50000"}, trace.Endpoint{Name: "a.example", Address: "192.0.2.2:443"}, clock()),
		server: trace.NewRecorder(trace.Server, trace.Endpoint{Address: "192.0.2.1:50000"}, trace.Endpoint{Address: "192.0.2.2:443"}, clock()),
	}
	c.Observer, c.Secrets = w.client, w.client
	w.Link = tlstest.New(compile(t, client), compile(t, server), c, tlscore.Options{Observer: w.server, Secrets: w.server})
	return w
}

func compile(t testing.TB, c tlscore.Config) *tlscore.Params {
	t.Helper()
	p, err := tlscore.Compile(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newKey(t testing.TB, kind string) crypto.Signer {
	t.Helper()
	var k crypto.Signer
	var err error
	switch kind {
	case "ed25519":
		_, k, err = ed25519.GenerateKey(rand.Reader)
	case "rsa":
		k, err = rsa.GenerateKey(rand.Reader, 2048)
	default:
		k, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// selfSigned is an identity that is its own root.
func selfSigned(t testing.TB, kind string, names ...string) tlscore.Identity {
	t.Helper()
	key := newKey(t, kind)
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, DNSNames: names,
		NotBefore: tlstest.Now.AddDate(0, -1, 0), NotAfter: tlstest.Now.AddDate(0, 1, 0), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tlscore.Identity{Chain: [][]byte{der}, Tag: key}
}

func serverConfig(t testing.TB) tlscore.Config {
	return tlscore.Config{Identities: []tlscore.Identity{selfSigned(t, "ecdsa", "a.example")}}
}

func decode(t testing.TB, c *trace.Capture) *trace.Recording {
	t.Helper()
	r, err := trace.Decode(c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// whole checks what must hold for every recording of a connection that both sides are known of.
func whole(t *testing.T, r *trace.Recording) {
	t.Helper()
	s := r.Summary
	if s.AnnotatedBytes != s.ClientBytes+s.ServerBytes || s.AnnotatedBytes == 0 {
		t.Errorf("%d of %d + %d bytes are annotated", s.AnnotatedBytes, s.ClientBytes, s.ServerBytes)
	}
	for _, k := range r.Keys {
		if !k.Agrees && !(r.Observed == "" && k.How == "given") {
			t.Errorf("%s (%s, %q) does not agree", k.Name, k.How, k.Label)
		}
		if k.Name == "salt" || k.Name == "secret" {
			t.Errorf("step %d, %s, comes from nowhere", k.ID, k.Name)
		}
	}
}

// allRight checks that each check holds.
func allRight(t *testing.T, r *trace.Recording) {
	t.Helper()
	for _, c := range r.Checks {
		if c.Result == "wrong" {
			t.Errorf("%s: %s: %s (expected %v, got %v)", c.Name, c.Result, c.Text, c.Expected, c.Got)
		}
	}
	for _, rec := range r.Records {
		if rec.Problem != "" {
			t.Errorf("record %d of the %s: %s", rec.ID, rec.From, rec.Problem)
		}
	}
}
