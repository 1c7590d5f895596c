package tlscore_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

func echKey(t testing.TB, id uint8) tlscore.ECHKey {
	t.Helper()
	k, err := tlscore.GenerateECHKey(wire.ECHConfig{ConfigID: id, PublicName: "public.example", MaximumNameLength: 20})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func echList(t testing.TB, keys ...tlscore.ECHKey) []byte {
	t.Helper()
	list, err := tlscore.ECHConfigList(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// echPair is a shop with a key, and a list for its clients that either is of that key or not.
type echPair struct {
	*shop
	key  tlscore.ECHKey
	list []byte
	// asked are the names that the client asked to verify.
	asked []string
}

func newECHPair(t *testing.T, known bool) *echPair {
	p := &echPair{shop: newShop(t), key: echKey(t, 7)}
	p.server.ECHKeys = []tlscore.ECHKey{p.key}
	p.server.Identities = append(p.server.Identities, selfSigned(t, p256(t), "public.example"))
	if p.list = echList(t, p.key); !known {
		p.list = echList(t, echKey(t, 7)) // same id, another key
	}
	return p
}

func (p *echPair) link(session *tlscore.Session, early bool) *tlstest.Link {
	p.t.Helper()
	l := tlstest.New(compile(p.t, p.client), compile(p.t, p.server), tlscore.Options{ServerName: "a.example", Session: session, EarlyData: early, ECHConfigList: p.list}, tlscore.Options{})
	l.Later = time.Minute
	l.Server.Answer = p.answer
	l.Client.Answer = func(q *tlscore.Question) tlscore.Answer {
		if q.Kind == tlscore.NeedVerify {
			p.asked = append(p.asked, q.ServerName)
		}
		return nil
	}
	return l
}

// shapes are configurations under which the hellos look different.
func echShapes() map[string]func(c, s *tlscore.Config) {
	return map[string]func(c, s *tlscore.Config){
		"plain":             func(_, _ *tlscore.Config) {},
		"TLS 1.3 only":      func(c, _ *tlscore.Config) { c.MinVersion = wire.VersionTLS13 },
		"HelloRetryRequest": func(c, s *tlscore.Config) { s.Groups = []wire.Group{wire.GroupSecp384r1} },
		"cookie":            func(_, s *tlscore.Config) { s.RetryAlways = true },
		"no compatibility":  func(c, _ *tlscore.Config) { c.NoCompatibilityMode = true },
		"ALPN":              func(c, s *tlscore.Config) { c.ALPN, s.ALPN = []string{"x", "y"}, []string{"y"} },
	}
}

func TestAnEncryptedHelloIsAccepted(t *testing.T) {
	for name, shape := range echShapes() {
		t.Run(name, func(t *testing.T) {
			p := newECHPair(t, true)
			shape(&p.client, &p.server)
			for _, session := range []*tlscore.Session{nil, p.sessionBy()} {
				l := p.link(session, false)
				if err := l.Handshake(); err != nil {
					t.Fatal(err)
				}
				for _, e := range []*tlstest.End{l.Client, l.Server} {
					f := e.Machine.Facts()
					if f.ECH.Status != tlscore.ECHAccepted || f.ServerName != "a.example" || f.ECH.PublicName != "public.example" || f.ECH.ConfigID != 7 || f.Resumed != (session != nil) {
						t.Errorf("%v: %+v", f.Role, f)
					}
				}
				if c, s := l.Client.Machine.Facts(), l.Server.Machine.Facts(); c.ClientRandom != s.ClientRandom {
					t.Error("the ends name the connection by different randoms")
				}
				if bytes.Contains(l.Client.Sent, []byte("a.example")) || !bytes.Contains(l.Client.Sent, []byte("public.example")) {
					t.Error("the name is to be read on the wire, or the public one is not")
				}
				exchange(t, l)
			}
			if slices.ContainsFunc(p.asked, func(name string) bool { return name != "a.example" }) {
				t.Errorf("verified %q", p.asked)
			}
		})
	}
}

// sessionBy makes a session over an encrypted hello.
func (p *echPair) sessionBy() *tlscore.Session {
	p.t.Helper()
	l := p.link(nil, false)
	if err := l.Handshake(); err != nil {
		p.t.Fatal(err)
	}
	return p.ticket(l)
}

func TestARejectedHelloEndsWithWhatTheServerWants(t *testing.T) {
	for name, shape := range echShapes() {
		for _, v := range []wire.Version{wire.VersionTLS12, wire.VersionTLS13} {
			if v == wire.VersionTLS12 && name != "plain" && name != "ALPN" {
				continue
			}
			t.Run(name+"/"+v.String(), func(t *testing.T) {
				p := newECHPair(t, false)
				shape(&p.client, &p.server)
				p.client.Identities = []tlscore.Identity{selfSigned(t, p256(t))}
				p.client.AskIdentity = true
				p.server.MaxVersion, p.server.ClientAuth = v, tlscore.RequestClientCert
				l := p.link(nil, false)
				l.Client.Answer = func(q *tlscore.Question) tlscore.Answer {
					if q.Kind == tlscore.NeedIdentity {
						t.Error("the client would show a certificate")
					}
					if q.Kind == tlscore.NeedVerify {
						p.asked = append(p.asked, q.ServerName)
					}
					return nil
				}
				err := l.Handshake()
				if !codeIs(l.Client.Err, tlscore.CodeECHRejected) || l.Client.Done {
					t.Fatalf("%v, client %v", err, l.Client.Err)
				}
				f := l.Client.Machine.Facts()
				want := echList(t, p.key)
				if v == wire.VersionTLS12 {
					want = nil
				}
				if f.ECH.Status != tlscore.ECHRejected || !bytes.Equal(f.ECH.RetryConfigs, want) || f.ECH.Disabled != (want == nil) || f.ServerName != "public.example" || f.HandshakeComplete {
					t.Errorf("client: %+v", f.ECH)
				}
				if len(p.asked) != 1 || p.asked[0] != "public.example" {
					t.Errorf("verified %q", p.asked)
				}
				var e *tlscore.Error
				if s := l.Server.Machine.Facts(); s.ServerName != "public.example" || len(s.PeerChain) != 0 {
					t.Errorf("server: %+v", s)
				}
				if !errors.As(l.Server.Err, &e) || !e.Received() {
					t.Fatalf("the server ended with %v", l.Server.Err)
				} else if a, _ := e.Alert(); a != wire.AlertECHRequired {
					t.Errorf("the server was told %v", a)
				}
				if bytes.Contains(l.Client.Sent, []byte("a.example")) {
					t.Error("the name is to be read on the wire")
				}
			})
		}
	}
}

func TestAServerThatIsNotThePublicNameTellsNothing(t *testing.T) {
	p := newECHPair(t, false)
	l := p.link(nil, false)
	l.Client.Answer = func(q *tlscore.Question) tlscore.Answer {
		return tlscore.Verified{Err: errors.New("not " + q.ServerName), Alert: wire.AlertUnknownCA}
	}
	l.Handshake()
	if f := l.Client.Machine.Facts(); !codeIs(l.Client.Err, tlscore.CodeCertificateRejected) || f.ECH.RetryConfigs != nil || f.ECH.Disabled {
		t.Errorf("%v: %+v", l.Client.Err, f.ECH)
	}
}

func TestEarlyDataGoesWithAnEncryptedHello(t *testing.T) {
	for _, known := range []bool{true, false} {
		p := newECHPair(t, true)
		p.server.MaxEarlyData = 1000
		session := p.sessionBy()
		if !known {
			p.list = echList(t, echKey(t, 7))
		}
		l := p.link(session, true)
		if err := l.Start(); err != nil {
			t.Fatal(err)
		}
		_, out, err := l.Client.Machine.SealEarly([]byte("early"), nil)
		if err != nil {
			t.Fatal(err)
		}
		l.Carry(l.Client, out)
		err = l.Run()
		f := l.Client.Machine.Facts()
		if known && (err != nil || f.EarlyData != tlscore.EarlyDataAccepted || string(l.Server.Early) != "early") {
			t.Errorf("accepted: %v, %v, %q", err, f.EarlyData, l.Server.Early)
		}
		if !known && (!codeIs(l.Client.Err, tlscore.CodeECHRejected) || f.EarlyData != tlscore.EarlyDataRejected || len(l.Server.Early) > 0 || f.Resumed) {
			t.Errorf("rejected: %v, %v, %q", l.Client.Err, f.EarlyData, l.Server.Early)
		}
	}
}

func TestSessionsOfTLS12StayOutOfAnEncryptedHello(t *testing.T) {
	p := newECHPair(t, true)
	s := sessionOf(wire.VersionTLS12)
	s.ServerName = "a.example"
	l := p.link(s, false)
	if err := l.Handshake(); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(l.Client.Sent, s.Ticket) || l.Client.Machine.Facts().Version != wire.VersionTLS13 {
		t.Error("the ticket is on the wire")
	}
}

func TestGreaseLooksLikeAnEncryptedHelloAndIsNone(t *testing.T) {
	for name, shape := range echShapes() {
		t.Run(name, func(t *testing.T) {
			p := newECHPair(t, true)
			shape(&p.client, &p.server)
			p.list, p.client.ECHGrease = nil, true
			l := p.link(nil, false)
			if err := l.Handshake(); err != nil {
				t.Fatal(err)
			}
			c, s := l.Client.Machine.Facts(), l.Server.Machine.Facts()
			if c.ECH.Status != tlscore.ECHGrease || c.ECH.RetryConfigs != nil || s.ECH.Status != tlscore.ECHRejected || s.ServerName != "a.example" {
				t.Errorf("client %+v, server %+v", c.ECH, s.ECH)
			}
			exchange(t, l)
		})
	}
}

// TestLengthsTellNoNames: names of any length up to the one that the configuration tells make hellos of one length.
func TestLengthsTellNoNames(t *testing.T) {
	key := echKey(t, 1)
	size := 0
	for _, name := range []string{"a.b", "a.example", "quite.long.example", "20.byteslong.example", "192.0.2.1"} {
		m := tlscore.NewClient(compile(t, tlscore.Config{}), tlscore.Options{ServerName: name, ECHConfigList: echList(t, key)})
		out, err := m.Start(tlstest.Now, nil)
		if err != nil {
			t.Fatal(err)
		}
		if size == 0 {
			size = len(out)
		}
		if len(out) != size {
			t.Errorf("%s: %d bytes, not %d", name, len(out), size)
		}
	}
}

func TestWhatARejectingServerMaySay(t *testing.T) {
	list := echList(t, echKey(t, 1))
	confirmation := func(n int) func(wire.HandshakeType, []byte) []byte {
		return inServerHello(func(h *wire.ServerHello) {
			if h.IsHelloRetryRequest() {
				h.Extensions = append(h.Extensions, wire.Extension{Type: wire.ExtEncryptedClientHello, Data: make([]byte, n)})
			}
		})
	}
	configs := func(data []byte) func(wire.HandshakeType, []byte) []byte {
		return func(kind wire.HandshakeType, raw []byte) []byte {
			if kind != wire.TypeEncryptedExtensions {
				return raw
			}
			var ee wire.EncryptedExtensions
			if err := ee.Parse(raw); err != nil {
				t.Fatal(err)
			}
			ee.Extensions = append(ee.Extensions, wire.Extension{Type: wire.ExtEncryptedClientHello, Data: data})
			return wire.AppendMessage(nil, &ee)
		}
	}
	identity := selfSigned(t, ed(t))
	for name, c := range map[string]struct {
		puppet tlstest.Puppet
		grease bool
		code   tlscore.Code
		alert  wire.AlertCode
	}{
		"nothing":                   {tlstest.Puppet{}, false, tlscore.CodeECHRejected, wire.AlertECHRequired},
		"configurations":            {tlstest.Puppet{Edit: configs(list)}, false, tlscore.CodeECHRejected, wire.AlertECHRequired},
		"configurations, cut off":   {tlstest.Puppet{Edit: configs(list[:len(list)-1])}, false, tlscore.CodeMalformed, wire.AlertDecodeError},
		"the same to GREASE":        {tlstest.Puppet{Edit: configs(list[:len(list)-1])}, true, tlscore.CodeMalformed, wire.AlertDecodeError},
		"a confirmation of 8 bytes": {tlstest.Puppet{Retry: wire.GroupSecp384r1, Edit: confirmation(8)}, false, tlscore.CodeECHRejected, wire.AlertECHRequired},
		"one of 7 bytes":            {tlstest.Puppet{Retry: wire.GroupSecp384r1, Edit: confirmation(7)}, false, tlscore.CodeMalformed, wire.AlertDecodeError},
		"the same, to GREASE":       {tlstest.Puppet{Retry: wire.GroupSecp384r1, Edit: confirmation(7)}, true, tlscore.CodeMalformed, wire.AlertDecodeError},
		"TLS 1.2":                   {tlstest.Puppet{Version: wire.VersionTLS12}, false, tlscore.CodeECHRejected, wire.AlertECHRequired},
		"TLS 1.2 with configurations": {tlstest.Puppet{Version: wire.VersionTLS12, Edit: inServerHello(func(h *wire.ServerHello) {
			h.Extensions = append(h.Extensions, wire.Extension{Type: wire.ExtEncryptedClientHello, Data: list})
		})}, false, tlscore.CodeUnsupportedExtension, wire.AlertUnsupportedExtension},
	} {
		t.Run(name, func(t *testing.T) {
			config := tlscore.Config{Groups: []wire.Group{wire.GroupX25519, wire.GroupSecp384r1}, ECHGrease: c.grease}
			o := tlscore.Options{ServerName: "a.example", ECHConfigList: list}
			if c.grease {
				o.ECHConfigList = nil
			}
			c.puppet.Identity = identity
			m := tlscore.NewClient(compile(t, config), o)
			out := c.puppet.Serve(m)
			if !codeIs(out.Err, c.code) || out.Done || out.Alert == nil || out.Alert.Code != c.alert {
				t.Errorf("%+v, alert %v", out, out.Alert)
			}
			if f := m.Facts().ECH; c.code == tlscore.CodeECHRejected && (f.Disabled != (name != "configurations") || !bytes.Equal(f.RetryConfigs, list) == (name == "configurations")) {
				t.Errorf("%+v", f)
			}
		})
	}
}

func TestABackendTakesInnerHellos(t *testing.T) {
	for _, retry := range []bool{false, true} {
		s := serverConfig(t)
		s.ECHBackend, s.RetryAlways = true, retry
		inner := inHello(func(h *wire.ClientHello) { h.Extensions.Add(&wire.ECHClientHello{Type: wire.ECHInner}) })
		p := &tlstest.Puppet{Edit: func(kind wire.HandshakeType, raw []byte) []byte {
			if kind == wire.TypeClientHello {
				raw = inHello(func(h *wire.ClientHello) {
					h.Extensions = drop(h.Extensions, wire.ExtSupportedVersions)
					h.Extensions.Add(&wire.SupportedVersions{Versions: []wire.Version{wire.VersionTLS13}})
				})(kind, raw)
			}
			return inner(kind, raw)
		}}
		m := tlscore.NewServer(compile(t, s), tlscore.Options{})
		if o := p.Connect(m); !o.Done || m.Facts().ECH.Status != tlscore.ECHAccepted {
			t.Errorf("retry %v: %+v", retry, o)
		}
	}
}

func TestWhatAConfigurationOfECHMustHave(t *testing.T) {
	good, old := echKey(t, 1), echKey(t, 2)
	old.Retry = false
	other := good
	other.PrivateKey = old.PrivateKey
	bad := good
	bad.Config = bad.Config[:5]
	for name, c := range map[string]struct {
		keys []tlscore.ECHKey
		ok   bool
	}{
		"one":                {[]tlscore.ECHKey{good}, true},
		"none to retry with": {[]tlscore.ECHKey{old}, false},
		"one of them":        {[]tlscore.ECHKey{old, good}, true},
		"another's key":      {[]tlscore.ECHKey{other}, false},
		"cut off":            {[]tlscore.ECHKey{good, bad}, false},
	} {
		s := serverConfig(t)
		s.ECHKeys = c.keys
		if _, err := tlscore.Compile(s); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, o := range map[string]tlscore.Options{
		"empty list": {ECHConfigList: []byte{0, 0}},
		"nonsense":   {ECHConfigList: []byte("nonsense")},
		"unknown":    {ECHConfigList: []byte{0, 5, 0xfe, 0x0c, 0, 1, 7}},
	} {
		if _, err := tlscore.NewClient(compile(t, tlscore.Config{}), o).Start(tlstest.Now, nil); !codeIs(err, tlscore.CodeNoECHConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	m := tlscore.NewClient(compile(t, tlscore.Config{MaxVersion: wire.VersionTLS12}), tlscore.Options{})
	if err := m.OfferECH(echList(t, good)); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Start(tlstest.Now, nil); !codeIs(err, tlscore.CodeNoECHConfig) {
		t.Errorf("TLS 1.2: %v", err)
	}
	if err := m.OfferECH(nil); err == nil {
		t.Error("OfferECH after Start")
	}
	if _, err := tlscore.GenerateECHKey(wire.ECHConfig{PublicName: "192.0.2.1"}); err == nil {
		t.Error("an address is taken for a public name")
	}
}

func TestListsOfConfigurations(t *testing.T) {
	key := echKey(t, 1)
	list := echList(t, key, echKey(t, 2))
	var l wire.ECHConfigList
	if err := l.Parse(list); err != nil || len(l.Configs) != 2 || !bytes.Equal(l.Configs[0].Append(nil), key.Config) {
		t.Errorf("%v: %d configurations", err, len(l.Configs))
	}
	for name, keys := range map[string][]tlscore.ECHKey{
		"none":            nil,
		"ech keys[1]":     {key, {Config: key.Config[:10]}},
		"want 1 to 65535": slices.Repeat([]tlscore.ECHKey{key}, 65536/len(key.Config)+1),
	} {
		if _, err := tlscore.ECHConfigList(keys...); err == nil || name != "none" && !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
