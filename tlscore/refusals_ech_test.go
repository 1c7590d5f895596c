package tlscore_test

import (
	"slices"
	"testing"

	"github.com/tlswright/tlswright/internal/ech"
	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// echHello is a hello of ours, with what is changed before it is sealed and behind that. It returns a record.
type echHello struct {
	list    []byte
	inner   func(*wire.ClientHello)
	encoded func(*wire.EncodedClientHelloInner)
	outer   func(*wire.ClientHello)
	sealed  func(*wire.ECHClientHello)
	sealer  *ech.Sealer // of the first hello
	base    *wire.ClientHello
}

func (h *echHello) record(t testing.TB) []byte {
	t.Helper()
	if h.base == nil {
		m := tlscore.NewClient(compile(t, tlscore.Config{MinVersion: wire.VersionTLS13, Groups: []wire.Group{wire.GroupX25519}}), tlscore.Options{ServerName: "a.example"})
		out, err := m.Start(tlstest.Now, nil)
		if err != nil {
			t.Fatal(err)
		}
		h.base = new(wire.ClientHello)
		if err := h.base.Parse(out[wire.RecordHeaderLen:]); err != nil {
			t.Fatal(err)
		}
		choice, err := ech.Choose(h.list)
		if err != nil {
			t.Fatal(err)
		}
		if h.sealer, err = ech.NewSealer(choice); err != nil {
			t.Fatal(err)
		}
	}
	inner, outer := *h.base, *h.base
	inner.Extensions, outer.Extensions = slices.Clone(inner.Extensions), slices.Clone(outer.Extensions)
	inner.Extensions.Add(&wire.ECHClientHello{Type: wire.ECHInner})
	if h.inner != nil {
		h.inner(&inner)
	}
	if h.outer != nil {
		h.outer(&outer)
	}
	encoded := wire.EncodedClientHelloInner{Hello: inner, Zeros: make([]byte, 16)}
	encoded.Hello.SessionID = nil
	if h.encoded != nil {
		h.encoded(&encoded)
	}
	raw, err := h.sealer.Seal(&outer, encoded.Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	if h.sealed != nil {
		var v wire.ECHClientHello
		if _, err := outer.Ext(&v); err != nil {
			t.Fatal(err)
		}
		h.sealed(&v)
		outer.Extensions = drop(outer.Extensions, wire.ExtEncryptedClientHello)
		outer.Extensions.Add(&v)
		raw = wire.AppendMessage(nil, &outer)
	}
	return append([]byte{byte(wire.ContentHandshake), 3, 3, byte(len(raw) >> 8), byte(len(raw))}, raw...)
}

// outerExtensions replaces extensions of an encoded inner hello.
func outerExtensions(types ...wire.ExtensionType) func(*wire.EncodedClientHelloInner) {
	return func(e *wire.EncodedClientHelloInner) {
		for _, typ := range types {
			if typ != wire.ExtEncryptedClientHello {
				e.Hello.Extensions = drop(e.Hello.Extensions, typ)
			}
		}
		e.Hello.Extensions.Add(&wire.ECHOuterExtensions{Types: types})
	}
}

// echRefusals are the hellos that a server with keys refuses.
func echRefusals() map[string]struct {
	hello echHello
	again *echHello // behind HelloRetryRequest
	code  tlscore.Code
	alert wire.AlertCode
} {
	type row = struct {
		hello echHello
		again *echHello
		code  tlscore.Code
		alert wire.AlertCode
	}
	const illegal = wire.AlertIllegalParameter
	versions := func(list ...wire.Version) func(*wire.ClientHello) {
		return func(h *wire.ClientHello) {
			h.Extensions = drop(h.Extensions, wire.ExtSupportedVersions)
			if list != nil {
				h.Extensions.Add(&wire.SupportedVersions{Versions: list})
			}
		}
	}
	kind := func(v wire.ECHClientHello) func(*wire.ClientHello) {
		return func(h *wire.ClientHello) {
			h.Extensions = drop(h.Extensions, wire.ExtEncryptedClientHello)
			h.Extensions.Add(&v)
		}
	}
	return map[string]row{
		"an inner hello in the open": {hello: echHello{sealed: func(v *wire.ECHClientHello) { *v = wire.ECHClientHello{Type: wire.ECHInner} }}, code: tlscore.CodeBadECH, alert: illegal},
		"of no type":                 {hello: echHello{sealed: func(v *wire.ECHClientHello) { *v = wire.ECHClientHello{Type: 2} }}, code: tlscore.CodeBadECH, alert: illegal},
		"inner: no extension":        {hello: echHello{inner: func(h *wire.ClientHello) { h.Extensions = drop(h.Extensions, wire.ExtEncryptedClientHello) }}, code: tlscore.CodeBadInnerHello, alert: illegal},
		"inner: an outer one":        {hello: echHello{inner: kind(wire.ECHClientHello{Payload: []byte("x")})}, code: tlscore.CodeBadInnerHello, alert: illegal},
		"inner: TLS 1.2 too":         {hello: echHello{inner: versions(wire.VersionTLS13, wire.VersionTLS12)}, code: tlscore.CodeBadInnerHello, alert: illegal},
		"inner: TLS 1.2 by silence":  {hello: echHello{inner: versions()}, code: tlscore.CodeBadInnerHello, alert: illegal},
		"inner: with a session id":   {hello: echHello{encoded: func(e *wire.EncodedClientHelloInner) { e.Hello.SessionID = []byte("x") }}, code: tlscore.CodeBadInnerHello, alert: illegal},
		"inner: padded with ones":    {hello: echHello{encoded: func(e *wire.EncodedClientHelloInner) { e.Zeros[15] = 1 }}, code: tlscore.CodeBadInnerHello, alert: illegal},
		"outer: named twice":         {hello: echHello{encoded: outerExtensions(wire.ExtKeyShare, wire.ExtKeyShare)}, code: tlscore.CodeBadOuterExtensions, alert: illegal},
		"outer: out of order":        {hello: echHello{encoded: outerExtensions(wire.ExtKeyShare, wire.ExtSupportedGroups)}, code: tlscore.CodeBadOuterExtensions, alert: illegal},
		"outer: missing":             {hello: echHello{encoded: outerExtensions(wire.ExtALPN)}, code: tlscore.CodeBadOuterExtensions, alert: illegal},
		"outer: itself":              {hello: echHello{encoded: outerExtensions(wire.ExtEncryptedClientHello)}, code: tlscore.CodeBadOuterExtensions, alert: illegal},
		"outer: the list of lists": {hello: echHello{encoded: outerExtensions(wire.ExtECHOuterExtensions), outer: func(h *wire.ClientHello) {
			h.Extensions.Add(&wire.ECHOuterExtensions{Types: []wire.ExtensionType{1}})
		}}, code: tlscore.CodeBadOuterExtensions, alert: illegal},
		"outer: two lists": {hello: echHello{encoded: func(e *wire.EncodedClientHelloInner) {
			outerExtensions(wire.ExtKeyShare)(e)
			outerExtensions(wire.ExtSupportedGroups)(e)
		}}, code: tlscore.CodeBadOuterExtensions, alert: illegal},
		"second: not there":     {again: &echHello{sealed: func(v *wire.ECHClientHello) { v.Type = 255 }}, code: tlscore.CodeBadECH, alert: illegal},
		"second: another id":    {again: &echHello{sealed: func(v *wire.ECHClientHello) { v.ConfigID++ }}, code: tlscore.CodeBadECH, alert: illegal},
		"second: another suite": {again: &echHello{sealed: func(v *wire.ECHClientHello) { v.CipherSuite.AEAD = wire.HPKEChaCha20Poly1305 }}, code: tlscore.CodeBadECH, alert: illegal},
		"second: with a key":    {again: &echHello{sealed: func(v *wire.ECHClientHello) { v.Enc = make([]byte, 32) }}, code: tlscore.CodeBadECH, alert: illegal},
		"second: damaged":       {again: &echHello{sealed: func(v *wire.ECHClientHello) { v.Payload[0] ^= 1 }}, code: tlscore.CodeECHDecrypt, alert: wire.AlertDecryptError},
		"second: another name": {again: &echHello{inner: func(h *wire.ClientHello) {
			h.Extensions = drop(h.Extensions, wire.ExtServerName)
		}}, code: tlscore.CodeHelloChanged, alert: illegal},
	}
}

// refuseECH returns what the server ended with.
func refuseECH(t testing.TB, name string) error {
	_, err := playECH(t, name)
	return err
}

// playECH plays one of them, and returns what the server sent.
func playECH(t testing.TB, name string) ([]byte, error) {
	t.Helper()
	c := echRefusals()[name]
	key := echKey(t, 7)
	s := serverConfig(t)
	s.ECHKeys = []tlscore.ECHKey{key}
	if c.again != nil {
		s.RetryAlways = true
	}
	m := tlscore.NewServer(compile(t, s), tlscore.Options{})
	if _, err := m.Start(tlstest.Now, nil); err != nil {
		t.Fatal(err)
	}
	c.hello.list = echList(t, key)
	step, err := m.Feed(tlstest.Now, c.hello.record(t), nil)
	if c.again == nil {
		return step.Out, err
	}
	if err != nil {
		t.Fatal(err)
	}
	if f := m.Facts(); f.ECH.Status != tlscore.ECHAccepted || !f.HelloRetried {
		t.Fatalf("%+v", f)
	}
	var request wire.ServerHello
	var cookie wire.Cookie
	n := int(step.Out[3])<<8 | int(step.Out[4])
	if err := request.Parse(step.Out[wire.RecordHeaderLen : wire.RecordHeaderLen+n]); err != nil {
		t.Fatal(err)
	}
	if _, err := request.Ext(&cookie); err != nil {
		t.Fatal(err)
	}
	c.again.base, c.again.sealer = c.hello.base, c.hello.sealer
	c.again.base.Extensions.Add(&cookie)
	step, err = m.Feed(tlstest.Now, c.again.record(t), nil)
	return step.Out, err
}

func TestEncryptedHellosThatAreRefused(t *testing.T) {
	for name, c := range echRefusals() {
		t.Run(name, func(t *testing.T) {
			out, err := playECH(t, name)
			if !codeIs(err, c.code) {
				t.Errorf("ended with %v, want %v", err, c.code)
			}
			if len(out) < 2 || out[len(out)-1] != byte(c.alert) {
				t.Errorf("sent % x, want %v", out, c.alert)
			}
		})
	}
	// The ground they stand on holds.
	for _, retry := range []bool{false, true} {
		key := echKey(t, 7)
		s := serverConfig(t)
		s.ECHKeys, s.RetryAlways = []tlscore.ECHKey{key}, retry
		m := tlscore.NewServer(compile(t, s), tlscore.Options{})
		m.Start(tlstest.Now, nil)
		h := echHello{list: echList(t, key), encoded: outerExtensions(wire.ExtSupportedGroups, wire.ExtKeyShare)}
		if _, err := m.Feed(tlstest.Now, h.record(t), nil); err != nil || m.Facts().ECH.Status != tlscore.ECHAccepted {
			t.Errorf("%v, %v", err, m.Facts().ECH.Status)
		}
	}
}

func TestTheSecondHelloMustBeEncryptedToo(t *testing.T) {
	key := echKey(t, 7)
	s := serverConfig(t)
	s.ECHKeys, s.RetryAlways = []tlscore.ECHKey{key}, true
	m := tlscore.NewServer(compile(t, s), tlscore.Options{})
	m.Start(tlstest.Now, nil)
	h := echHello{list: echList(t, key)}
	if _, err := m.Feed(tlstest.Now, h.record(t), nil); err != nil {
		t.Fatal(err)
	}
	raw := wire.AppendMessage(nil, h.base)
	_, err := m.Feed(tlstest.Now, append([]byte{byte(wire.ContentHandshake), 3, 3, byte(len(raw) >> 8), byte(len(raw))}, raw...), nil)
	if !codeIs(err, tlscore.CodeMissingExtension) {
		t.Errorf("ended with %v", err)
	}
}

// inconsistent takes the confirmation out of the ServerHello behind a HelloRetryRequest that had one.
func inconsistent(t *testing.T) error {
	p := newECHPair(t, true)
	p.server.RetryAlways = true
	l := p.link(nil, false)
	hellos := 0
	l.Mutate = func(from *tlstest.End, rec []byte) []byte {
		if from == l.Server && rec[0] == byte(wire.ContentHandshake) && rec[wire.RecordHeaderLen] == byte(wire.TypeServerHello) {
			if hellos++; hellos == 2 {
				rec[wire.RecordHeaderLen+4+2+31] ^= 1
			}
		}
		return rec
	}
	l.Handshake()
	return l.Client.Err
}

func TestAServerKeepsToItsAcceptance(t *testing.T) {
	if err := inconsistent(t); !codeIs(err, tlscore.CodeECHInconsistent) {
		t.Errorf("ended with %v", err)
	}
}
