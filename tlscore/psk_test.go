package tlscore_test

import (
	"bytes"
	"crypto"
	"slices"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// pskOf is an external PSK for one end.
func pskOf(role tlscore.Role, change ...func(*tlscore.PSK)) tlscore.PSK {
	k := tlscore.PSK{Identity: []byte("device 7"), Key: bytes.Repeat([]byte("key "), 8), Role: role, Tag: role.String() + "'s"}
	for _, f := range change {
		f(&k)
	}
	return k
}

// keyedPair configures two ends that have a PSK, and nothing else, in common.
func keyedPair(change ...func(*tlscore.PSK)) (client, server tlscore.Config) {
	return tlscore.Config{PSKs: []tlscore.PSK{pskOf(tlscore.RoleClient, change...)}},
		tlscore.Config{PSKs: []tlscore.PSK{pskOf(tlscore.RoleServer, change...)}}
}

func unimported(k *tlscore.PSK)  { k.Unimported = true }
func withSHA384(k *tlscore.PSK)  { k.Hash = crypto.SHA384 }
func withContext(k *tlscore.PSK) { k.Context = []byte("client a, server b") }

// keyedLink expects a handshake with the PSK and no certificate.
func keyedLink(t *testing.T, client, server tlscore.Config) *tlstest.Link {
	t.Helper()
	l := link(t, client, server)
	if err := l.Handshake(); err != nil {
		t.Fatal(err)
	}
	for _, e := range []*tlstest.End{l.Client, l.Server} {
		f := e.Machine.Facts()
		if string(f.PSKIdentity) != "device 7" || f.PSKTag != f.Role.String()+"'s" || f.PeerChain != nil || f.OwnIdentity != nil {
			t.Errorf("%v: PSK %q, tag %v, %d certificates", f.Role, f.PSKIdentity, f.PSKTag, len(f.PeerChain))
		}
	}
	exchange(t, l)
	return l
}

func TestExternalPSKStandsForCertificates(t *testing.T) {
	for name, c := range map[string]struct {
		key    []func(*tlscore.PSK)
		config func(c, s *tlscore.Config)
	}{
		"imported":            {},
		"imported, SHA-384":   {key: []func(*tlscore.PSK){withSHA384}},
		"imported, context":   {key: []func(*tlscore.PSK){withContext}},
		"as it is":            {key: []func(*tlscore.PSK){unimported}},
		"as it is, SHA-384":   {key: []func(*tlscore.PSK){unimported, withSHA384}},
		"after retry":         {config: func(c, _ *tlscore.Config) { c.KeyShares = []wire.Group{} }},
		"as it is, retried":   {key: []func(*tlscore.PSK){unimported, withSHA384}, config: func(c, _ *tlscore.Config) { c.KeyShares = []wire.Group{} }},
		"with cookie":         {config: func(_, s *tlscore.Config) { s.RetryAlways = true }},
		"with another suite":  {config: func(c, _ *tlscore.Config) { c.CipherSuites = []wire.CipherSuite{wire.TLS_AES_256_GCM_SHA384} }},
		"with no tickets":     {config: func(c, s *tlscore.Config) { c.NoTickets, s.NoTickets = true, true }},
		"with a certificate":  {config: func(_, s *tlscore.Config) { s.Identities = serverConfig(t).Identities }},
		"asked for":           {config: func(_, s *tlscore.Config) { s.ClientAuth = tlscore.RequireClientCert }},
		"and sessions looked": {config: func(_, s *tlscore.Config) { s.AskSession = true }},
	} {
		t.Run(name, func(t *testing.T) {
			client, server := keyedPair(c.key...)
			if c.config != nil {
				c.config(&client, &server)
			}
			keyedLink(t, client, server)
		})
	}
}

// TestPSKAloneMakesNoKeyExchange is psk_ke, on opt-in of both ends.
func TestPSKAloneMakesNoKeyExchange(t *testing.T) {
	for _, both := range []bool{true, false} {
		client, server := keyedPair()
		server.RetryAlways = both // a cookie alone: there is no share to ask for
		client.Groups, server.Groups = []wire.Group{wire.GroupX25519}, []wire.Group{wire.GroupSecp256r1}
		client.InsecurePSKWithoutDHE, server.InsecurePSKWithoutDHE = true, both
		l := link(t, client, server)
		err := l.Handshake()
		if code, _ := tlscore.CodeOf(l.Server.Err); both == (err != nil) || !both && code != tlscore.CodeNoSharedGroup {
			t.Fatalf("both allow it: %v: %v", both, err)
		}
		if f := l.Client.Machine.Facts(); both && (f.Group != 0 || f.PSKIdentity == nil) {
			t.Errorf("group %v, PSK %q", f.Group, f.PSKIdentity)
		}
	}
}

func TestServerChoosesAmongPSKsAndCertificates(t *testing.T) {
	second := func(k *tlscore.PSK) { k.Identity, k.Key = []byte("second"), bytes.Repeat([]byte{9}, 32) }
	stranger := func(k *tlscore.PSK) { k.Identity = []byte("stranger") }
	c := func(role tlscore.Role, keys ...func(*tlscore.PSK)) (out []tlscore.PSK) {
		for _, k := range keys {
			out = append(out, pskOf(role, k))
		}
		return out
	}
	plain := func(*tlscore.PSK) {}
	for name, row := range map[string]struct {
		client, server []tlscore.PSK
		config         func(c, s *tlscore.Config)
		want           string // identity; empty: a certificate
	}{
		"the server's order":      {client: c(tlscore.RoleClient, plain, second), server: c(tlscore.RoleServer, second, plain), want: "second"},
		"what both have":          {client: c(tlscore.RoleClient, stranger, second), server: c(tlscore.RoleServer, plain, second), want: "second"},
		"a certificate instead":   {client: c(tlscore.RoleClient, stranger), server: c(tlscore.RoleServer, plain)},
		"a certificate preferred": {client: c(tlscore.RoleClient, plain), server: c(tlscore.RoleServer, plain), config: func(_, s *tlscore.Config) { s.PreferCertificate = true }},
		"a certificate preferred, after retry": {client: c(tlscore.RoleClient, plain), server: c(tlscore.RoleServer, plain), config: func(c, s *tlscore.Config) {
			s.PreferCertificate, c.KeyShares = true, []wire.Group{}
		}},
		"a certificate preferred, and no look-up": {client: c(tlscore.RoleClient, plain), config: func(_, s *tlscore.Config) { s.PreferCertificate, s.AskPSK = true, true }},
		"no certificate that fits": {
			client: c(tlscore.RoleClient, second), server: c(tlscore.RoleServer, second), want: "second",
			config: func(c, s *tlscore.Config) {
				s.PreferCertificate, c.Schemes = true, []wire.SignatureScheme{wire.SchemeEd25519}
			},
		},
		"a TLS 1.2 server": {client: c(tlscore.RoleClient, plain), config: func(_, s *tlscore.Config) { s.MaxVersion = wire.VersionTLS12 }},
	} {
		t.Run(name, func(t *testing.T) {
			client, server := tlscore.Config{PSKs: row.client, PSKOptional: true}, serverConfig(t)
			server.PSKs = row.server
			if row.config != nil {
				row.config(&client, &server)
			}
			l := link(t, client, server)
			if err := l.Handshake(); err != nil {
				t.Fatal(err)
			}
			for _, e := range []*tlstest.End{l.Client, l.Server} {
				if f := e.Machine.Facts(); string(f.PSKIdentity) != row.want || (row.want == "") != (f.OwnIdentity != nil || f.PeerChain != nil) {
					t.Errorf("%v: PSK %q, want %q", f.Role, f.PSKIdentity, row.want)
				}
			}
		})
	}
}

func TestClientInsistsOnItsPSK(t *testing.T) {
	client, _ := keyedPair()
	p := &tlstest.Puppet{Identity: selfSigned(t, ed(t))}
	if o := p.Serve(tlscore.NewClient(compile(t, client), tlscore.Options{})); !codeIs(o.Err, tlscore.CodeMissingExtension) {
		t.Errorf("a server with a certificate: %v, %v", o.Err, o.Stuck)
	}
	l := link(t, client, serverConfig(t))
	if l.Handshake() == nil || l.Client.Machine.Facts().HandshakeComplete {
		t.Error("a server with a certificate is taken")
	}
	var hello wire.ClientHello
	if err := hello.Parse(l.Client.Sent[wire.RecordHeaderLen : wire.RecordHeaderLen+4+int(l.Client.Sent[7])<<8+int(l.Client.Sent[8])]); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []wire.ExtensionType{wire.ExtSignatureAlgorithms, wire.ExtStatusRequest} {
		if _, there := hello.Extensions.Find(kind); there {
			t.Errorf("%v is offered, though no certificate would be taken", kind)
		}
	}
}

func TestPSKIsLookedUpOnDemand(t *testing.T) {
	client, server := keyedPair(withContext)
	known := server.PSKs[0]
	server.PSKs, server.AskPSK = nil, true
	for name, answer := range map[string]*tlscore.PSK{"known": &known, "unknown": nil} {
		for _, identities := range [][]tlscore.Identity{nil, serverConfig(t).Identities} {
			client.PSKOptional, server.Identities = identities != nil, identities
			l := link(t, client, server)
			asked := 0
			l.Server.Answer = func(q *tlscore.Question) tlscore.Answer {
				if q.Kind != tlscore.NeedPSK {
					return nil
				}
				asked++
				var id wire.ImportedIdentity
				if err := id.Parse(q.Tickets[0]); err != nil || string(id.External) != "device 7" || len(q.Tickets) != 2 {
					t.Errorf("asked for %q: %v", q.Tickets, err)
				}
				return tlscore.Keyed{PSK: answer}
			}
			err := l.Handshake()
			f := l.Server.Machine.Facts()
			if asked != 1 || (err == nil) != (answer != nil || identities != nil) || (f.PSKIdentity != nil) != (answer != nil) {
				t.Errorf("%s, %d certificates: asked %d times, %v, PSK %q", name, len(identities), asked, err, f.PSKIdentity)
			}
		}
	}
}

// TestASessionRestsOnTheKeyThatWasLookedUp: the key comes with the session, and goes into Facts; another of its name leads
// to a full handshake.
func TestASessionRestsOnTheKeyThatWasLookedUp(t *testing.T) {
	client, server := keyedPair(withContext)
	known := server.PSKs[0]
	known.Tag = "a row"
	other := known
	other.Key = bytes.Repeat([]byte{7}, 32)
	server.PSKs, server.AskPSK, server.AskSession = nil, true, true
	for name, c := range map[string]struct {
		with    *tlscore.PSK
		resumed bool
		tag     any
	}{
		"the key": {&known, true, "a row"},
		"nothing": {nil, true, nil},
		"another": {&other, false, "a row"},
	} {
		shop := newShop(t)
		shop.client, shop.server = client, server
		answer := func(q *tlscore.Question) tlscore.Answer {
			if q.Kind == tlscore.NeedPSK {
				return tlscore.Keyed{PSK: &known}
			}
			a := shop.answer(q)
			if found, ok := a.(tlscore.Found); ok && found.Session != nil {
				found.PSK = c.with
				return found
			}
			return a
		}
		first := shop.visit(nil, false, 0)
		first.Server.Answer = answer
		if err := first.Handshake(); err != nil {
			t.Fatal(err)
		}
		l := shop.visit(shop.ticket(first), false, 0)
		l.Server.Answer = answer
		if err := l.Handshake(); err != nil {
			t.Fatal(err)
		}
		if f := l.Server.Machine.Facts(); f.Resumed != c.resumed || f.PSKTag != c.tag || f.PSKIdentity == nil {
			t.Errorf("%s: resumed %v, tag %v, PSK %q", name, f.Resumed, f.PSKTag, f.PSKIdentity)
		}
	}
}

// TestReflectedPSKIsRefused is the role separation of RFC 9257, Section 4.1: what a node says as client must not be
// answered by itself as server.
func TestReflectedPSKIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		client, server []func(*tlscore.PSK)
		allowed        bool
	}{
		"the same":            {},
		"as it is":            {client: []func(*tlscore.PSK){unimported}, server: []func(*tlscore.PSK){unimported}},
		"another name":        {server: []func(*tlscore.PSK){func(k *tlscore.PSK) { k.Identity = []byte("me") }}},
		"other contexts":      {client: []func(*tlscore.PSK){withContext}, allowed: true},
		"other keys":          {client: []func(*tlscore.PSK){func(k *tlscore.PSK) { k.Key = bytes.Repeat([]byte{1}, 32) }}, allowed: true},
		"imported and as is":  {client: []func(*tlscore.PSK){withContext}, server: []func(*tlscore.PSK){unimported}},
		"both for one client": {server: []func(*tlscore.PSK){unimported, func(k *tlscore.PSK) { k.Role = tlscore.RoleClient }}},
	} {
		_, err := tlscore.Compile(tlscore.Config{PSKOptional: true, PSKs: []tlscore.PSK{pskOf(tlscore.RoleClient, c.client...), pskOf(tlscore.RoleServer, c.server...)}})
		if (err == nil) != c.allowed || err != nil && !strings.Contains(err.Error(), "RFC 925") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Two machines of one node: what the client says comes back to the node's own server, which has the key for clients only.
	client, _ := keyedPair()
	l := link(t, client, client)
	if l.Handshake() == nil {
		t.Error("the node talks to itself")
	}
}

func TestUnfitPSKsDoNotCompile(t *testing.T) {
	for name, change := range map[string]func(*tlscore.PSK){
		"identity": func(k *tlscore.PSK) { k.Identity = nil },
		"key has":  func(k *tlscore.PSK) { k.Key = []byte("password") },
		"hash":     func(k *tlscore.PSK) { k.Hash = crypto.SHA1 },
		"context":  func(k *tlscore.PSK) { k.Unimported, k.Context = true, []byte("x") },
		"bytes":    func(k *tlscore.PSK) { k.Context = make([]byte, 256) },
	} {
		if _, err := tlscore.Compile(tlscore.Config{PSKs: []tlscore.PSK{pskOf(tlscore.RoleClient, change)}}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	twice := slices.Repeat([]tlscore.PSK{pskOf(tlscore.RoleServer)}, 2)
	for name, c := range map[string]tlscore.Config{
		"same identity": {PSKs: twice},
		"TLS 1.3 only":  {PSKs: []tlscore.PSK{pskOf(tlscore.RoleClient)}, MinVersion: wire.VersionTLS12},
		"only the":      {PreferCertificate: true, AskIdentity: true},
		"they take":     {PSKs: slices.Repeat([]tlscore.PSK{pskOf(tlscore.RoleClient, func(k *tlscore.PSK) { k.Identity, k.Unimported = []byte{1}, true })}, 500)},
		"ClientHello":   {PSKs: slices.Repeat([]tlscore.PSK{pskOf(tlscore.RoleClient, func(k *tlscore.PSK) { k.Identity = make([]byte, 4096) })}, 5)},
	} {
		if _, err := tlscore.Compile(c); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSessionsOfAPSKNeedThatPSK: resuming grants nothing that a full handshake would not.
func TestSessionsOfAPSKNeedThatPSK(t *testing.T) {
	s := newShop(t)
	s.client, s.server = keyedPair()
	s.server.AskSession = true
	session := s.first()
	encoded, err := session.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	if session, err = tlscore.ParseSession(encoded); err != nil || string(session.PSKIdentity) != "device 7" {
		t.Fatalf("PSK %q, %v", session.PSKIdentity, err)
	}
	l := s.visit(session, false, 0)
	resumed(t, l, true)
	for _, e := range []*tlstest.End{l.Client, l.Server} {
		if f := e.Machine.Facts(); string(f.PSKIdentity) != "device 7" || f.PSKTag != f.Role.String()+"'s" {
			t.Errorf("%v: PSK %q, tag %v", f.Role, f.PSKIdentity, f.PSKTag)
		}
	}
	other := func(k *tlscore.PSK) { k.Key = bytes.Repeat([]byte("new!"), 8) }
	own, theirs := s.client, s.server
	s.client, s.server = keyedPair(other)
	s.server.AskSession = true
	resumed(t, s.visit(session, false, 0), false) // the key has changed at both ends, its name has not
	s.client, s.server = tlscore.Config{}, serverConfig(t)
	resumed(t, s.visit(session, false, 0), false)
	s.client = own // the server has the session, and the key no more
	s.server = theirs
	s.server.PSKs = []tlscore.PSK{pskOf(tlscore.RoleServer, other)}
	if l := s.visit(session, false, 0); l.Handshake() == nil || l.Client.Machine.Facts().Resumed {
		t.Error("the session outlives its key")
	}
	// A session that rests on nothing of the client's is nothing to a server that takes PSKs only.
	for _, v := range []wire.Version{wire.VersionTLS12, wire.VersionTLS13} {
		s.client, s.server = tlscore.Config{MaxVersion: v}, serverConfig(t)
		s.server.AskSession = true
		l := s.visit(nil, false, 0)
		l.Server.Answer = s.answer12
		if err := l.Handshake(); err != nil {
			t.Fatal(err)
		}
		if v == wire.VersionTLS12 {
			session = l.Client.Sessions[0]
		} else {
			session = s.ticket(l)
		}
		s.server.Identities, s.server.PSKs = nil, theirs.PSKs
		if l := s.visit(session, false, 0); l.Handshake() == nil || l.Server.Machine.Facts().Resumed {
			t.Errorf("%v: a client without a PSK resumes at a server that demands one", v)
		}
	}
	// A session that rests on a certificate is nothing to a client that insists on its PSK.
	s.client, s.server = tlscore.Config{}, serverConfig(t)
	s.server.AskSession = true
	session = s.first()
	s.client = own
	s.server.PSKs = theirs.PSKs
	l = s.visit(session, false, 0)
	resumed(t, l, false)
	if f := l.Client.Machine.Facts(); f.PSKIdentity == nil {
		t.Error("no PSK")
	}
}

// TestSessionsKeepToTheContextOfTheirPSK: by it one key tells several peers apart, and their Tags what each may do.
func TestSessionsKeepToTheContextOfTheirPSK(t *testing.T) {
	s := newShop(t)
	s.client, s.server = keyedPair(withContext)
	s.server.AskSession = true
	for _, other := range []string{"b", "c", "d", "e", "f", "g", "h"} {
		s.server.PSKs = append(s.server.PSKs, pskOf(tlscore.RoleServer, func(k *tlscore.PSK) { k.Context, k.Tag = []byte(other), other }))
	}
	session := s.first()
	l := s.visit(session, false, 0)
	resumed(t, l, true)
	if f := l.Server.Machine.Facts(); f.PSKTag != "server's" {
		t.Errorf("the resumed connection is taken for that of %v", f.PSKTag)
	}
	s.server.PSKs = s.server.PSKs[1:]
	if l = s.visit(session, false, 0); l.Handshake() == nil || l.Server.Machine.Facts().Resumed {
		t.Error("the session outlives the context of its key")
	}
}

func TestOffersOfPSKsAreHeldToTheRules(t *testing.T) {
	second := 0
	for name, c := range map[string]struct {
		code   tlscore.Code
		config func(c, s *tlscore.Config)
		edit   func(h *wire.ClientHello, o *wire.PreSharedKeys)
	}{
		"wrong binder": {code: tlscore.CodeBadBinder, edit: func(_ *wire.ClientHello, o *wire.PreSharedKeys) { o.Binders[0][5] ^= 1 }},
		"other hello":  {code: tlscore.CodeBadBinder, edit: func(h *wire.ClientHello, _ *wire.PreSharedKeys) { h.Random[3] ^= 1 }},
		"no such key": {code: tlscore.CodeNoSharedPSK, edit: func(_ *wire.ClientHello, o *wire.PreSharedKeys) {
			o.Identities = o.Identities[:1]
			o.Binders = o.Binders[:1]
			o.Identities[0].Identity[3] ^= 1
		}},
		"no mode": {code: tlscore.CodeNoSharedPSK, edit: func(h *wire.ClientHello, _ *wire.PreSharedKeys) {
			replace(&h.Extensions, &wire.PSKKeyExchangeModes{Modes: []wire.PSKKeyExchangeMode{9}})
		}},
		"gone in the second": {
			code: tlscore.CodeHelloChanged, config: func(_, s *tlscore.Config) { s.RetryAlways = true },
			edit: func(_ *wire.ClientHello, o *wire.PreSharedKeys) {
				if second++; second == 2 {
					o.Identities[0].Identity[3] ^= 1
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			client, server := keyedPair(unimported)
			if c.config != nil {
				c.config(&client, &server)
			}
			second = 0
			l := link(t, client, server)
			l.Mutate = func(from *tlstest.End, rec []byte) []byte {
				if from != l.Client || wire.ContentType(rec[0]) != wire.ContentHandshake {
					return rec
				}
				var h wire.ClientHello
				if err := h.Parse(rec[wire.RecordHeaderLen:]); err != nil {
					t.Fatal(err)
				}
				var o wire.PreSharedKeys
				if _, err := h.Ext(&o); err != nil {
					t.Fatal(err)
				}
				c.edit(&h, &o)
				replace(&h.Extensions, &o)
				raw := wire.AppendMessage(nil, &h)
				return append([]byte{rec[0], rec[1], rec[2], byte(len(raw) >> 8), byte(len(raw))}, raw...)
			}
			l.Handshake()
			if code, _ := tlscore.CodeOf(l.Server.Err); code != c.code {
				t.Errorf("the server ended with %v, want %v", l.Server.Err, c.code)
			}
		})
	}
}

// FuzzPSKOffer puts any bytes in the place of pre_shared_key, in the hello of a client that both resumes and has PSKs.
func FuzzPSKOffer(f *testing.F) {
	client, server := keyedPair()
	server.AskSession = true
	pc, ps := compile(f, client), compile(f, server)
	m := tlscore.NewClient(pc, tlscore.Options{})
	rec, err := m.Start(tlstest.Now, nil)
	if err != nil {
		f.Fatal(err)
	}
	var hello wire.ClientHello
	if err := hello.Parse(rec[wire.RecordHeaderLen:]); err != nil {
		f.Fatal(err)
	}
	body, _ := hello.Extensions.Find(wire.ExtPreSharedKey)
	f.Add(bytes.Clone(body))
	f.Fuzz(func(t *testing.T, body []byte) {
		h := hello
		h.Extensions = slices.Clone(hello.Extensions)
		h.Extensions[len(h.Extensions)-1].Data = body
		raw, err := wire.TryAppendMessage(nil, &h)
		if err != nil || len(raw) > wire.MaxPlaintext {
			return
		}
		m := tlscore.NewServer(ps, tlscore.Options{})
		if _, err := m.Start(tlstest.Now, nil); err != nil {
			t.Fatal(err)
		}
		err = drive(m, append([]byte{22, 3, 1, byte(len(raw) >> 8), byte(len(raw))}, raw...))
		if _, ok := tlscore.CodeOf(err); err != nil && !ok {
			t.Fatalf("%T %v", err, err)
		}
		if err == nil && !bytes.Equal(raw, rec[wire.RecordHeaderLen:]) {
			t.Fatal("another offer was accepted")
		}
	})
}
