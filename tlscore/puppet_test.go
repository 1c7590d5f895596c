package tlscore_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// script is one handshake that a puppet plays faithfully: the ground that refusals and fuzzing stand on.
type script struct {
	name    string
	client  bool // the machine
	config  tlscore.Config
	options tlscore.Options
	puppet  tlstest.Puppet
}

// play runs the script, with what change adds to the puppet.
func (s *script) play(t testing.TB, p *tlscore.Params, watch tlscore.Observer, change func(*tlstest.Puppet)) (*tlstest.Puppet, *tlscore.Machine, tlstest.Outcome) {
	t.Helper()
	puppet, o := s.puppet, s.options
	o.Observer = watch
	if change != nil {
		change(&puppet)
	}
	if s.client {
		m := tlscore.NewClient(p, o)
		return &puppet, m, puppet.Serve(m)
	}
	m := tlscore.NewServer(p, o)
	return &puppet, m, puppet.Connect(m)
}

// scripts are all the shapes of a handshake: both versions and roles, with retry, client certificate, resumption, early
// data, tickets and staples.
func scripts(t testing.TB) []script {
	t.Helper()
	const v12 = wire.VersionTLS12
	client := tlscore.Config{Groups: []wire.Group{wire.GroupX25519, wire.GroupSecp384r1}, Identities: []tlscore.Identity{selfSigned(t, p256(t))}}
	server := serverConfig(t)
	asking, looking, retrying := server, server, server
	asking.ClientAuth = tlscore.RequireClientCert
	looking.AskSession, looking.MaxEarlyData = true, 40_000
	retrying.RetryAlways = true
	id := selfSigned(t, p256(t))
	s13, s12 := sessionOf(wire.VersionTLS13), sessionOf(v12)
	offer := tlscore.Options{Session: s13}
	data := [][]byte{[]byte("early"), []byte("data")}
	return []script{
		{"1.3 client", true, client, tlscore.Options{}, tlstest.Puppet{Identity: id}},
		{"1.3 client, asked", true, client, tlscore.Options{}, tlstest.Puppet{Identity: id, Request: true}},
		{"1.3 client, retried", true, client, tlscore.Options{}, tlstest.Puppet{Identity: id, Retry: wire.GroupSecp384r1}},
		{"1.3 client, resuming", true, client, offer, tlstest.Puppet{Session: s13}},
		{"1.3 client, resuming after a retry", true, client, offer, tlstest.Puppet{Session: s13, Retry: wire.GroupSecp384r1}},
		{"1.3 client, early data taken", true, client, tlscore.Options{Session: s13, EarlyData: true}, tlstest.Puppet{Session: s13, TakeEarly: true}},
		{"1.3 client, early data refused", true, client, tlscore.Options{Session: s13, EarlyData: true}, tlstest.Puppet{Session: s13}},
		{"1.3 server", false, server, tlscore.Options{}, tlstest.Puppet{}},
		{"1.3 server, asking", false, asking, tlscore.Options{}, tlstest.Puppet{Identity: id}},
		{"1.3 server, retrying", false, retrying, tlscore.Options{}, tlstest.Puppet{}},
		{"1.3 server, resuming", false, looking, tlscore.Options{}, tlstest.Puppet{Session: s13}},
		{"1.3 server, taking early data", false, looking, tlscore.Options{}, tlstest.Puppet{Session: s13, Early: data}},
		{"1.3 server, refusing early data", false, server, tlscore.Options{}, tlstest.Puppet{Session: s13, Early: data}},
		{"1.3 server, refusing early data by a retry", false, retrying, tlscore.Options{}, tlstest.Puppet{Session: s13, Early: data}},
		{"1.2 client", true, client, tlscore.Options{}, tlstest.Puppet{Version: v12, Identity: id}},
		{"1.2 client, asked", true, client, tlscore.Options{}, tlstest.Puppet{Version: v12, Identity: id, Request: true}},
		{"1.2 client, with ticket and staple", true, client, tlscore.Options{}, tlstest.Puppet{Version: v12, Identity: id, Ticket: []byte("x"), Staple: []byte("y")}},
		{"1.2 client, resuming", true, client, tlscore.Options{Session: s12}, tlstest.Puppet{Version: v12, Session: s12}},
		{"1.2 client, resuming with a new ticket", true, client, tlscore.Options{Session: s12}, tlstest.Puppet{Version: v12, Session: s12, Ticket: []byte("x")}},
		{"1.2 server", false, server, tlscore.Options{}, tlstest.Puppet{Version: v12}},
		{"1.2 server, asking", false, asking, tlscore.Options{}, tlstest.Puppet{Version: v12, Identity: id}},
		{"1.2 server, with a ticket", false, looking, tlscore.Options{}, tlstest.Puppet{Version: v12}},
		{"1.2 server, resuming", false, looking, tlscore.Options{}, tlstest.Puppet{Version: v12, Session: s12}},
	}
}

func TestPuppetsSucceedWhenTheyBehave(t *testing.T) {
	for _, s := range scripts(t) {
		t.Run(s.name, func(t *testing.T) {
			_, _, o := s.play(t, compile(t, s.config), nil, nil)
			if o.Err != nil || o.Stuck != nil || !o.Done {
				t.Errorf("%+v", o)
			}
			want := ""
			if s.name == "1.3 server, taking early data" {
				want = "earlydata"
			}
			if string(o.Early) != want {
				t.Errorf("early data %q", o.Early)
			}
		})
	}
}

func Test12FallbackIsAllowedWhereItIsNone(t *testing.T) {
	for _, c := range []struct {
		max  wire.Version
		want bool
	}{{wire.VersionTLS12, true}, {wire.VersionTLS13, false}} {
		s := serverConfig(t)
		s.MaxVersion = c.max
		p := &tlstest.Puppet{Version: wire.VersionTLS12, Edit: inHello(func(h *wire.ClientHello) { h.CipherSuites = append(h.CipherSuites, wire.TLS_FALLBACK_SCSV) })}
		if o := p.Connect(tlscore.NewServer(compile(t, s), tlscore.Options{})); o.Done != c.want {
			t.Errorf("at most %v: %+v", c.max, o)
		}
	}
}

func Test12CertificateTypesThatDoNotMatchLeaveTheClientWithoutACertificate(t *testing.T) {
	for _, c := range []struct {
		types []wire.ClientCertificateType
		want  int // certificates
	}{
		{[]wire.ClientCertificateType{wire.ClientCertificateRSASign}, 0},
		{[]wire.ClientCertificateType{wire.ClientCertificateRSASign, wire.ClientCertificateECDSASign}, 1},
		{[]wire.ClientCertificateType{99}, 0},
	} {
		t.Run(fmt.Sprint(c.types), func(t *testing.T) {
			p := &tlstest.Puppet{Version: wire.VersionTLS12, Identity: selfSigned(t, p256(t)), Request: true}
			p.Edit = instead(wire.TypeCertificateRequest, &wire.CertificateRequest12{Types: c.types, Schemes: []wire.SignatureScheme{wire.SchemeECDSASecp256r1SHA256}})
			m := tlscore.NewClient(compile(t, tlscore.Config{Identities: []tlscore.Identity{selfSigned(t, p256(t))}}), tlscore.Options{})
			if o := p.Serve(m); !o.Done {
				t.Fatalf("%+v", o)
			}
			if f := m.Facts(); (f.OwnIdentity != nil) != (c.want == 1) || !f.CertificateRequested {
				t.Errorf("%+v", f)
			}
		})
	}
}

func Test12PlainMasterSecretIsTakenAndTold(t *testing.T) {
	without := func(es wire.Extensions) wire.Extensions { return drop(es, wire.ExtExtendedMasterSecret) }
	p := &tlstest.Puppet{Version: wire.VersionTLS12, Identity: selfSigned(t, p256(t)), Edit: inServerHello(func(h *wire.ServerHello) { h.Extensions = without(h.Extensions) })}
	client := tlscore.NewClient(compile(t, tlscore.Config{}), tlscore.Options{})
	if o := p.Serve(client); !o.Done || client.Facts().ExtendedMasterSecret {
		t.Errorf("client: %+v", o)
	}
	p = &tlstest.Puppet{Version: wire.VersionTLS12, Edit: inHello(func(h *wire.ClientHello) { h.Extensions = without(h.Extensions) })}
	server := tlscore.NewServer(compile(t, serverConfig(t)), tlscore.Options{})
	if o := p.Connect(server); !o.Done || server.Facts().ExtendedMasterSecret {
		t.Errorf("server: %+v", o)
	}
	for _, m := range []*tlscore.Machine{client, server} {
		if _, err := m.Export("label", nil, 16); !errors.Is(err, tlscore.ErrNoExporter) {
			t.Errorf("exported: %v", err)
		}
	}
}

// TestTrailingBytesAreRefusedEverywhere adds a byte to each message of each script, within its length.
func TestTrailingBytesAreRefusedEverywhere(t *testing.T) {
	all := scripts(t)
	params := compileAll(t, all)
	_, lengths := samples(t, all, params)
	for i := range all {
		for at := range lengths[i] {
			n, what := 0, wire.HandshakeType(0)
			_, _, o := all[i].play(t, params[i], nil, func(p *tlstest.Puppet) {
				p.Edit = func(kind wire.HandshakeType, raw []byte) []byte {
					if n++; n-1 == at {
						what = kind
						return addTrailing(bytes.Clone(raw))
					}
					return raw
				}
			})
			want := refusal{code: tlscore.CodeMalformed, alert: wire.AlertDecodeError}
			if what == wire.TypeFinished { // it has no syntax to break: a MAC of another length does not match
				want = refusal{code: tlscore.CodeBadFinished, alert: wire.AlertDecryptError}
			}
			if code, _ := tlscore.CodeOf(o.Err); code != want.code || o.Alert == nil || o.Alert.Code != want.alert {
				t.Errorf("%s, %v: %v, alert %v", all[i].name, what, o.Err, o.Alert)
			}
		}
	}
}
