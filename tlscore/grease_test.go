package tlscore_test

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// said keeps the messages of some types that an end sends.
type said struct{ all [][]byte }

func (s *said) Observe(o tlscore.Observation) {
	if m, ok := o.(tlscore.MessageObserved); ok && m.Direction == tlscore.Sent {
		s.all = append(s.all, bytes.Clone(m.Raw))
	}
}

// hellos parses the ClientHellos among them.
func (s *said) hellos(t testing.TB) (all []*wire.ClientHello) {
	t.Helper()
	for _, raw := range s.all {
		if wire.HandshakeType(raw[0]) == wire.TypeClientHello {
			h := new(wire.ClientHello)
			if err := h.Parse(raw); err != nil {
				t.Fatal(err)
			}
			all = append(all, h)
		}
	}
	return all
}

// reserved finds the reserved values of a ClientHello, by place; a share's and an extension's with its length.
func reserved(h *wire.ClientHello) map[string][]uint16 {
	found := map[string][]uint16{}
	note := func(place string, v uint16) {
		if wire.IsGREASE(v) {
			found[place] = append(found[place], v)
		}
	}
	for _, v := range h.CipherSuites {
		note("suite", uint16(v))
	}
	for _, e := range h.Extensions {
		note("extension", uint16(e.Type))
		at, step := 0, 2
		switch e.Type {
		case wire.ExtSupportedGroups, wire.ExtSignatureAlgorithms:
			at = 2
		case wire.ExtSupportedVersions:
			at = 1
		case wire.ExtALPN:
			at, step = 3, 3
		case wire.ExtKeyShare:
			at = 2
			if len(e.Data) >= 7 && e.Data[5] == 1 {
				note(e.Type.String(), binary.BigEndian.Uint16(e.Data[2:]))
			}
			continue
		case wire.ExtPSKKeyExchangeModes:
			for _, b := range e.Data[1:] {
				if b%0x1f == 0x0b {
					found[e.Type.String()] = append(found[e.Type.String()], uint16(b))
				}
			}
			continue
		default:
			continue
		}
		for ; at+2 <= len(e.Data); at += step {
			note(e.Type.String(), binary.BigEndian.Uint16(e.Data[at:]))
		}
	}
	return found
}

func typesOf(h *wire.ClientHello) (types []wire.ExtensionType) {
	for _, e := range h.Extensions {
		types = append(types, e.Type)
	}
	return types
}

func TestReservedValuesAreEverywhereAndMeanNothing(t *testing.T) {
	places := []string{"suite", "extension", "supported_groups", "signature_algorithms", "application_layer_protocol_negotiation"}
	for name, c := range map[string]struct {
		client, server tlscore.Config
		first, second  []string // beside places
	}{
		"TLS 1.3":           {first: []string{"key_share", "supported_versions", "psk_key_exchange_modes"}},
		"TLS 1.2":           {client: tlscore.Config{MaxVersion: wire.VersionTLS12}},
		"retry":             {server: tlscore.Config{Groups: []wire.Group{wire.GroupSecp384r1}}, first: []string{"key_share", "supported_versions", "psk_key_exchange_modes"}, second: []string{"supported_versions", "psk_key_exchange_modes"}},
		"cookie":            {server: tlscore.Config{RetryAlways: true}, first: []string{"key_share", "supported_versions", "psk_key_exchange_modes"}, second: []string{"key_share", "supported_versions", "psk_key_exchange_modes"}},
		"both, in disorder": {client: tlscore.Config{PermuteExtensions: true, Identities: selfSignedClient(t)}, server: tlscore.Config{Grease: true, ClientAuth: tlscore.RequireClientCert, RetryAlways: true}, first: []string{"key_share"}, second: []string{"key_share"}},
	} {
		t.Run(name, func(t *testing.T) {
			client, server := c.client, c.server
			client.Grease, client.ALPN = true, []string{"h2"}
			server.Identities, server.ALPN = serverConfig(t).Identities, []string{"h2"}
			var first, again said
			for _, s := range []*said{&first, &again} {
				l := tlstest.New(compile(t, client), compile(t, server), tlscore.Options{ServerName: "a.example", Observer: s}, tlscore.Options{})
				if err := l.Handshake(); err != nil {
					t.Fatal(err)
				}
				exchange(t, l)
			}
			hellos := first.hellos(t)
			for i, want := range [][]string{c.first, c.second}[:len(hellos)] {
				got := reserved(hellos[i])
				for _, place := range append(want, places...) {
					if len(got[place]) == 0 {
						t.Errorf("hello %d: no reserved value in %s: %v", i, place, got)
					}
				}
				if slices.Contains(c.first, "key_share") && !slices.Contains(want, "key_share") && len(got["key_share"]) != 0 {
					t.Errorf("hello %d: a reserved share beside the one that was asked for", i)
				}
				if es := got["extension"]; len(es) != 2 || es[0] == es[1] {
					t.Errorf("hello %d: extensions %x", i, es)
				}
			}
			if len(hellos) == 2 {
				a, b := typesOf(hellos[0]), typesOf(hellos[1])
				both := func(in []wire.ExtensionType) []wire.ExtensionType {
					return slices.DeleteFunc(in, func(e wire.ExtensionType) bool { return !slices.Contains(a, e) || e == wire.ExtCookie })
				}
				if b = both(b); !slices.Equal(a, b) {
					t.Errorf("the second hello has another order, or other values: %v and %v", a, b)
				}
			}
			if reflect.DeepEqual(reserved(hellos[0]), reserved(again.hellos(t)[0])) {
				t.Error("two connections have the same values: one in 16 million may")
			}
		})
	}
}

// selfSignedClient is an identity for a client.
func selfSignedClient(t *testing.T) []tlscore.Identity {
	return []tlscore.Identity{selfSigned(t, ed(t))}
}

// TestReservedValuesOfServersAreIgnored: a ticket and a request with them work.
func TestReservedValuesOfServersAreIgnored(t *testing.T) {
	server := serverConfig(t)
	server.Grease, server.ClientAuth, server.AskSession = true, tlscore.RequireClientCert, true
	var heard said
	l := tlstest.New(compile(t, tlscore.Config{Identities: selfSignedClient(t)}), compile(t, server), tlscore.Options{}, tlscore.Options{Observer: &heard})
	if err := l.Handshake(); err != nil {
		t.Fatal(err)
	}
	s, err := l.Server.Machine.NewSession(tlstest.Now, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	out, err := l.Server.Machine.SendTicket(s, []byte("a ticket"), nil)
	if err != nil {
		t.Fatal(err)
	}
	l.Carry(l.Server, out)
	if err := l.Run(); err != nil || len(l.Client.Sessions) != 1 {
		t.Fatal(err, len(l.Client.Sessions))
	}
	requests, tickets := 0, 0
	for _, raw := range heard.all {
		var request wire.CertificateRequest
		var ticket wire.NewSessionTicket
		isReserved := func(e wire.Extension) bool { return wire.IsGREASE(uint16(e.Type)) }
		if request.Parse(raw) == nil && slices.ContainsFunc(request.Extensions, isReserved) {
			requests++
		}
		if ticket.Parse(raw) == nil && slices.ContainsFunc(ticket.Extensions, isReserved) {
			tickets++
		}
	}
	if requests != 1 || tickets != 1 {
		t.Errorf("%d requests and %d tickets with reserved values", requests, tickets)
	}
}

// reservedExtension is an extension of a reserved type.
type reservedExtension struct{ kind wire.ExtensionType }

func (e reservedExtension) in(es *wire.Extensions) {
	*es = append(*es, wire.Extension{Type: e.kind})
}

// TestReservedValuesCannotBeSelected lets a server select each reserved value that a client has offered.
func TestReservedValuesCannotBeSelected(t *testing.T) {
	first := func(h *wire.ClientHello, place string) uint16 { return reserved(h)[place][0] }
	edits := map[string]struct {
		v12  bool
		code tlscore.Code
		edit func(h *wire.ClientHello) func(wire.HandshakeType, []byte) []byte
	}{
		"suite": {code: tlscore.CodeBadSuite, edit: func(h *wire.ClientHello) func(wire.HandshakeType, []byte) []byte {
			return inServerHello(func(sh *wire.ServerHello) { sh.CipherSuite = wire.CipherSuite(first(h, "suite")) })
		}},
		"suite of 1.2": {v12: true, code: tlscore.CodeBadSuite, edit: func(h *wire.ClientHello) func(wire.HandshakeType, []byte) []byte {
			return inServerHello(func(sh *wire.ServerHello) { sh.CipherSuite = wire.CipherSuite(first(h, "suite")) })
		}},
		"version": {code: tlscore.CodeBadVersionSelected, edit: func(h *wire.ClientHello) func(wire.HandshakeType, []byte) []byte {
			return inServerHello(func(sh *wire.ServerHello) {
				replace(&sh.Extensions, &wire.SelectedVersion{Version: wire.Version(first(h, "supported_versions"))})
			})
		}},
		"share": {code: tlscore.CodeBadGroup, edit: func(h *wire.ClientHello) func(wire.HandshakeType, []byte) []byte {
			return inServerHello(func(sh *wire.ServerHello) {
				replace(&sh.Extensions, &wire.KeyShareHello{Entry: wire.KeyShareEntry{Group: wire.Group(first(h, "key_share")), KeyExchange: []byte{0}}})
			})
		}},
		"group after retry": {code: tlscore.CodeBadGroup, edit: func(h *wire.ClientHello) func(wire.HandshakeType, []byte) []byte {
			return inServerHello(func(sh *wire.ServerHello) {
				sh.Random = wire.HelloRetryRequestRandom()
				replace(&sh.Extensions, &wire.KeyShareRetry{Group: wire.Group(first(h, "supported_groups"))})
			})
		}},
		"extension of ServerHello": {code: tlscore.CodeUnsupportedExtension, edit: func(h *wire.ClientHello) func(wire.HandshakeType, []byte) []byte {
			return inServerHello(func(sh *wire.ServerHello) {
				reservedExtension{wire.ExtensionType(first(h, "extension"))}.in(&sh.Extensions)
			})
		}},
		"extension of a ServerHello of 1.2": {v12: true, code: tlscore.CodeUnsupportedExtension, edit: func(h *wire.ClientHello) func(wire.HandshakeType, []byte) []byte {
			return inServerHello(func(sh *wire.ServerHello) {
				reservedExtension{wire.ExtensionType(first(h, "extension"))}.in(&sh.Extensions)
			})
		}},
		"extension of EncryptedExtensions": {code: tlscore.CodeUnsupportedExtension, edit: func(h *wire.ClientHello) func(wire.HandshakeType, []byte) []byte {
			return rawly(wire.TypeEncryptedExtensions, func(raw []byte) []byte {
				var ee wire.EncryptedExtensions
				if err := ee.Parse(raw); err != nil {
					panic(err)
				}
				reservedExtension{wire.ExtensionType(first(h, "extension"))}.in(&ee.Extensions)
				return wire.AppendMessage(nil, &ee)
			})
		}},
		"extension of a certificate": {code: tlscore.CodeUnsupportedExtension, edit: func(h *wire.ClientHello) func(wire.HandshakeType, []byte) []byte {
			return rawly(wire.TypeCertificate, func(raw []byte) []byte {
				var c wire.Certificate
				if err := c.Parse(raw); err != nil {
					panic(err)
				}
				reservedExtension{wire.ExtensionType(first(h, "extension"))}.in(&c.Entries[0].Extensions)
				return wire.AppendMessage(nil, &c)
			})
		}},
		"protocol": {code: tlscore.CodeBadProtocolSelected, edit: func(h *wire.ClientHello) func(wire.HandshakeType, []byte) []byte {
			v := first(h, "application_layer_protocol_negotiation")
			return inEE(&wire.ALPN{Protocols: []string{string([]byte{byte(v >> 8), byte(v)})}})
		}},
		"scheme": {code: tlscore.CodeBadSchemeUsed, edit: func(h *wire.ClientHello) func(wire.HandshakeType, []byte) []byte {
			return rawly(wire.TypeCertificateVerify, func(raw []byte) []byte {
				var cv wire.CertificateVerify
				if err := cv.Parse(raw); err != nil {
					panic(err)
				}
				cv.Scheme = wire.SignatureScheme(first(h, "signature_algorithms"))
				return wire.AppendMessage(nil, &cv)
			})
		}},
	}
	for name, c := range edits {
		t.Run(name, func(t *testing.T) {
			var s said
			p := &tlstest.Puppet{Identity: selfSigned(t, ed(t)), Edit: func(kind wire.HandshakeType, raw []byte) []byte {
				return c.edit(s.hellos(t)[0])(kind, raw)
			}}
			if c.v12 {
				p.Version = wire.VersionTLS12
			}
			o := p.Serve(tlscore.NewClient(compile(t, tlscore.Config{Grease: true, ALPN: []string{"h2"}}), tlscore.Options{Observer: &s}))
			if !codeIs(o.Err, c.code) {
				t.Errorf("ended with %v, want %v", o.Err, c.code)
			}
		})
	}
}
