package tlscore_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// echPayload is how long the payload of encrypted_client_hello is in the ClientHello that a client begins with, and whether
// pre_shared_key comes with it.
func echPayload(t *testing.T, c tlscore.Config, o tlscore.Options) (length int, psk bool) {
	t.Helper()
	m := tlscore.NewClient(compile(t, c), o)
	out, err := m.Start(tlstest.Now.Add(2*time.Minute), nil)
	if err != nil {
		t.Fatal(err)
	}
	var j wire.Joiner
	j.Max = 1 << 20
	for len(out) > 0 {
		rec, _, err := wire.Deframe(out, wire.MaxPlaintext)
		if err != nil || rec == nil {
			t.Fatal(err)
		}
		if rec[0] == byte(wire.ContentHandshake) {
			j.Add(rec[wire.RecordHeaderLen:])
		}
		out = out[len(rec):]
	}
	raw, ok, err := j.Next()
	if !ok || err != nil {
		t.Fatal(err)
	}
	var h wire.ClientHello
	var v wire.ECHClientHello
	if err := h.Parse(bytes.Clone(raw)); err != nil {
		t.Fatal(err)
	}
	if ok, err := h.Ext(&v); !ok || err != nil {
		t.Fatal(err)
	}
	_, psk = h.Extensions.Find(wire.ExtPreSharedKey)
	return len(v.Payload), psk
}

// TestGreaseIsAsLongAsTheRealThing, with the configurations that make a difference, and with a session.
//
// RFC 9849, Section 6.2.1: the length is that of the EncodedClientHelloInner that the client would compute.
func TestGreaseIsAsLongAsTheRealThing(t *testing.T) {
	key, err := tlscore.GenerateECHKey(wire.ECHConfig{PublicName: "public.example", MaximumNameLength: 32})
	if err != nil {
		t.Fatal(err)
	}
	p := newECHPair(t, true)
	p.server.MaxEarlyData = 1000
	session := p.sessionBy()
	if session.ServerName != "a.example" {
		t.Fatal(session.ServerName)
	}
	for name, c := range map[string]struct {
		change func(*tlscore.Config)
		o      tlscore.Options
	}{
		"a first connection": {func(*tlscore.Config) {}, tlscore.Options{}},
		"TLS 1.3 alone":      {func(c *tlscore.Config) { c.MinVersion = wire.VersionTLS13 }, tlscore.Options{}},
		"reserved values":    {func(c *tlscore.Config) { c.Grease, c.ALPN = true, []string{"h2"} }, tlscore.Options{}},
		"a session":          {func(*tlscore.Config) {}, tlscore.Options{Session: session}},
		"early data":         {func(*tlscore.Config) {}, tlscore.Options{Session: session, EarlyData: true}},
	} {
		t.Run(name, func(t *testing.T) {
			config := p.client
			c.change(&config)
			c.o.ServerName = "a.example"
			grease := config
			grease.ECHGrease = true
			decoy, psk := echPayload(t, grease, c.o)
			c.o.ECHConfigList = echList(t, key)
			real, realPSK := echPayload(t, config, c.o)
			if decoy != real || psk != realPSK || psk != (c.o.Session != nil) {
				t.Errorf("%d bytes (pre_shared_key %v), the real thing has %d (%v)", decoy, psk, real, realPSK)
			}
		})
	}
}

// TestATicketHasRoomTwice: with ECH it stands in the inner hello, and something as long in the outer one.
func TestATicketHasRoomTwice(t *testing.T) {
	p := newECHPair(t, true)
	session := *p.sessionBy()
	for _, n := range []int{15 << 10, 16 << 10, 31 << 10, 32 << 10} {
		session.Ticket = make([]byte, n)
		l := p.link(&session, false)
		if err := l.Handshake(); err != nil {
			t.Errorf("a ticket of %d bytes: %v", n, err)
		}
	}
}
