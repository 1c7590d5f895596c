package trace_test

import (
	"bytes"
	"crypto/x509"
	"slices"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/trace"
	"github.com/tlswright/tlswright/wire"
)

// forged plays a handshake with a puppet that edits its messages, and records the machine.
func forged(t *testing.T, client bool, config tlscore.Config, p tlstest.Puppet) (*trace.Recording, tlstest.Outcome) {
	t.Helper()
	side := trace.Server
	if client {
		side = trace.Client
	}
	rec := trace.NewRecorder(side, trace.Endpoint{}, trace.Endpoint{}, clock())
	o := tlscore.Options{Observer: rec, Secrets: rec}
	var out tlstest.Outcome
	if client {
		o.ServerName = "a.example"
		out = p.Serve(tlscore.NewClient(compile(t, config), o))
	} else {
		out = p.Connect(tlscore.NewServer(compile(t, config), o))
	}
	rec.Fail(out.Err)
	r := decode(t, rec.Capture())
	if s := r.Summary; s.AnnotatedBytes != s.ClientBytes+s.ServerBytes {
		t.Errorf("%d of %d bytes are annotated", s.AnnotatedBytes, s.ClientBytes+s.ServerBytes)
	}
	if ok := out.Err == nil && r.Summary.Complete; ok != (r.Failure == nil) {
		t.Errorf("the machine says %v, the recording %+v", out.Err, r.Failure)
	}
	sameTwice(t, r)
	return r, out
}

func TestForgeriesAreFoundByTheCheckAnew(t *testing.T) {
	id := selfSigned(t, "ecdsa", "a.example")
	server := tlscore.Config{Identities: []tlscore.Identity{id}, ClientAuth: tlscore.RequestClientCert}
	for _, c := range []struct {
		name    string
		client  bool
		version wire.Version
		kind    wire.HandshakeType
		want    string
	}{
		{"server Finished", true, 0, wire.TypeFinished, "server Finished"},
		{"client Finished", false, 0, wire.TypeFinished, "client Finished"},
		{"server CertificateVerify", true, 0, wire.TypeCertificateVerify, "server CertificateVerify"},
		{"client CertificateVerify", false, 0, wire.TypeCertificateVerify, "client CertificateVerify"},
		{"1.2 server Finished", true, wire.VersionTLS12, wire.TypeFinished, "server Finished"},
		{"1.2 client Finished", false, wire.VersionTLS12, wire.TypeFinished, "client Finished"},
		{"1.2 ServerKeyExchange", true, wire.VersionTLS12, wire.TypeServerKeyExchange, "ServerKeyExchange signature"},
		{"1.2 client CertificateVerify", false, wire.VersionTLS12, wire.TypeCertificateVerify, "client CertificateVerify"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := tlscore.Config{}
			if !c.client {
				config = server
			}
			p := tlstest.Puppet{Version: c.version, Identity: id, Edit: func(kind wire.HandshakeType, raw []byte) []byte {
				if kind == c.kind {
					raw[len(raw)-1] ^= 1
				}
				return raw
			}}
			r, out := forged(t, c.client, config, p)
			if out.Err == nil {
				t.Fatal("the machine takes it")
			}
			i := slices.IndexFunc(r.Checks, func(k trace.Check) bool { return k.Result == "wrong" })
			if i < 0 || r.Checks[i].Name != c.want {
				t.Fatalf("no check of %s is wrong: %+v", c.want, r.Failure)
			}
			if m := r.Checks[i].Message; m < 0 || r.Messages[m].Raw[0] != byte(c.kind) || r.Failure.After != m {
				t.Errorf("it is about message %d, and the end came after message %d", m, r.Failure.After)
			}
		})
	}
}

func TestWhateverAPeerSaysIsAnnotated(t *testing.T) {
	id := selfSigned(t, "ecdsa", "a.example")
	edits := map[string]func([]byte) []byte{
		"last byte":  func(raw []byte) []byte { raw[len(raw)-1] ^= 0x80; return raw },
		"first byte": func(raw []byte) []byte { raw[min(4, len(raw)-1)] ^= 1; return raw },
		"length":     func(raw []byte) []byte { raw[3] ^= 1; return raw },
		"type":       func(raw []byte) []byte { raw[0] ^= 7; return raw },
		"dropped":    func([]byte) []byte { return nil },
		"doubled":    func(raw []byte) []byte { return append(raw, raw...) },
		"empty":      func(raw []byte) []byte { return []byte{raw[0], 0, 0, 0} },
		"half":       func(raw []byte) []byte { return raw[:len(raw)/2] },
	}
	for _, version := range []wire.Version{wire.VersionTLS13, wire.VersionTLS12} {
		for _, client := range []bool{true, false} {
			config := tlscore.Config{Groups: []wire.Group{wire.GroupX25519, wire.GroupSecp384r1}}
			if !client {
				config = tlscore.Config{Identities: []tlscore.Identity{id}, ClientAuth: tlscore.RequestClientCert}
			}
			puppet := tlstest.Puppet{Version: version, Identity: id, Request: true}
			if version == wire.VersionTLS13 && client {
				puppet.Retry = wire.GroupSecp384r1
			}
			var kinds []wire.HandshakeType
			puppet.Edit = func(kind wire.HandshakeType, raw []byte) []byte {
				kinds = append(kinds, kind)
				return raw
			}
			if r, out := forged(t, client, config, puppet); out.Err != nil || !r.Summary.Complete {
				t.Fatalf("without a forgery: %v, %+v", out.Err, r.Summary)
			}
			for place := range len(kinds) {
				for _, edit := range edits {
					n := 0
					puppet.Edit = func(_ wire.HandshakeType, raw []byte) []byte {
						if n++; n == place+1 {
							return edit(bytes.Clone(raw))
						}
						return raw
					}
					forged(t, client, config, puppet)
				}
			}
		}
	}
}

func TestCertificatesAreJudgedWhereRootsAreKnown(t *testing.T) {
	w := plain(tlscore.Config{}, tlscore.Config{})(t)
	c := w.client.Capture()
	leaf, err := x509.ParseCertificate(w.Client.Machine.Facts().PeerChain[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []struct {
		name  string
		trust *pki.VerifyOptions
		wrong bool
	}{
		{"trusted", &pki.VerifyOptions{Roots: []*x509.Certificate{leaf}}, false},
		{"no roots", &pki.VerifyOptions{}, true},
		{"another name", &pki.VerifyOptions{Roots: []*x509.Certificate{leaf}, ServerName: "b.example"}, true},
		{"too late", &pki.VerifyOptions{Roots: []*x509.Certificate{leaf}, Time: tlstest.Now.Add(90 * 24 * time.Hour)}, true},
	} {
		c.Trust = k.trust
		r := decode(t, c)
		wrong, right := 0, 0
		for _, check := range r.Checks {
			switch {
			case check.Name != "certificate path":
			case check.Result == "wrong":
				wrong++
			case check.Result == "right":
				right++
			}
		}
		if (wrong > 0) != k.wrong || right == 0 {
			t.Errorf("%s: %d wrong, %d right", k.name, wrong, right)
		}
	}
}
