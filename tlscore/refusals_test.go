package tlscore_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// refusal is one thing a peer may not do, and what must become of it.
type refusal struct {
	name    string
	code    tlscore.Code
	alert   wire.AlertCode
	edit    func(kind wire.HandshakeType, raw []byte) []byte
	setup   func(*tlstest.Puppet, *tlscore.Config)
	options func(*tlscore.Options)
	then    func(*tlstest.Puppet, *tlscore.Machine) tlstest.Outcome // after the script
	apart   bool                                                    // the two share no keys, so the alert cannot be read
}

// refusalSet is a table of refusals for machines of one role.
type refusalSet struct {
	name   string
	client bool // the machine; the puppet plays the other
	puppet tlstest.Puppet
	config tlscore.Config
	list   []refusal
}

// run plays one refusal, watched.
func (s *refusalSet) run(t *testing.T, r refusal, watch tlscore.Observer) tlstest.Outcome {
	t.Helper()
	p, c, o := s.puppet, s.config, tlscore.Options{Observer: watch}
	c.Identities = slices.Clone(c.Identities)
	p.Edit = r.edit
	if r.setup != nil {
		r.setup(&p, &c)
	}
	if r.options != nil {
		r.options(&o)
	}
	play, m := p.Connect, (*tlscore.Machine)(nil)
	if s.client {
		m, play = tlscore.NewClient(compile(t, c), o), p.Serve
	} else {
		m = tlscore.NewServer(compile(t, c), o)
	}
	out := play(m)
	if r.then != nil {
		if !out.Done {
			t.Fatalf("before it could begin: %+v", out)
		}
		out = r.then(&p, m)
	}
	return out
}

func refusalSets(t *testing.T) []refusalSet {
	server, s13 := serverConfig(t), serverConfig(t)
	s13.MinVersion = wire.VersionTLS13
	c13 := tlscore.Config{MinVersion: wire.VersionTLS13, Groups: []wire.Group{wire.GroupX25519, wire.GroupSecp384r1}}
	c12 := tlscore.Config{Groups: []wire.Group{wire.GroupX25519, wire.GroupSecp384r1}}
	some := tlstest.Puppet{Identity: selfSigned(t, ed(t))}
	p12 := tlstest.Puppet{Version: wire.VersionTLS12, Identity: selfSigned(t, p256(t))}
	psk := tlstest.Puppet{Session: sessionOf(wire.VersionTLS13)}
	asking := s13
	asking.AskSession, asking.MaxEarlyData = true, 40_000
	late13, late := s13, c13
	late13.PostHandshakeAuth, late.PostHandshakeAuth, late.ALPN = true, true, []string{"h2", "http/1.1"}
	offering := some
	offering.Late = true
	return []refusalSet{
		{"server asking late", false, offering, late13, lateServerRefusals()},
		{"client asked late", true, some, late, lateClientRefusals()},
		{"server", false, some, s13, serverRefusals()},
		{"client", true, some, c13, clientRefusals(t)},
		{"server with a session", false, psk, asking, serverPSKRefusals()},
		{"client with a session", true, psk, c12, clientPSKRefusals(t)},
		{"established", true, some, c13, establishedRefusals()},
		{"TLS 1.2 server", false, p12, server, server12Refusals(t)},
		{"TLS 1.2 client", true, p12, c12, client12Refusals(t)},
	}
}

func TestRefusals(t *testing.T) {
	for _, s := range refusalSets(t) {
		for _, r := range s.list {
			t.Run(s.name+"/"+r.name, func(t *testing.T) {
				var sent alerts
				out := s.run(t, r, &sent)
				if len(sent) != 1 || sent[0] != r.alert {
					t.Errorf("sent alerts %v, want %v", sent, r.alert)
				}
				if r.apart {
					r.checkCode(t, out)
				} else {
					r.check(t, out)
				}
			})
		}
	}
}

// check compares the outcome with the refusal, the alert on the wire included.
func (r refusal) check(t *testing.T, o tlstest.Outcome) {
	t.Helper()
	r.checkCode(t, o)
	if o.Alert == nil || o.Alert.Code != r.alert || o.Alert.Level != wire.AlertLevelFatal {
		t.Errorf("alert %v on the wire, want fatal %v", o.Alert, r.alert)
	}
}

func (r refusal) checkCode(t *testing.T, o tlstest.Outcome) {
	t.Helper()
	code, ok := tlscore.CodeOf(o.Err)
	if !ok || code != r.code {
		t.Fatalf("ended with %v, want %v", o.Err, r.code)
	}
}

// inHello edits the ClientHello of the puppet.
func inHello(f func(*wire.ClientHello)) func(wire.HandshakeType, []byte) []byte {
	return func(kind wire.HandshakeType, raw []byte) []byte {
		if kind != wire.TypeClientHello {
			return raw
		}
		var h wire.ClientHello
		if err := h.Parse(bytes.Clone(raw)); err != nil {
			panic(err)
		}
		f(&h)
		return wire.AppendMessage(nil, &h)
	}
}

// inServerHello edits the ServerHello (or HelloRetryRequest) of the puppet.
func inServerHello(f func(*wire.ServerHello)) func(wire.HandshakeType, []byte) []byte {
	return func(kind wire.HandshakeType, raw []byte) []byte {
		if kind != wire.TypeServerHello {
			return raw
		}
		var h wire.ServerHello
		if err := h.Parse(bytes.Clone(raw)); err != nil {
			panic(err)
		}
		f(&h)
		return wire.AppendMessage(nil, &h)
	}
}

// instead replaces one message.
func instead(kind wire.HandshakeType, by ...wire.Message) func(wire.HandshakeType, []byte) []byte {
	return func(k wire.HandshakeType, raw []byte) []byte {
		if k != kind {
			return raw
		}
		var out []byte
		for _, m := range by {
			out = wire.AppendMessage(out, m)
		}
		return out
	}
}

// rawly edits the bytes of one message.
func rawly(kind wire.HandshakeType, f func([]byte) []byte) func(wire.HandshakeType, []byte) []byte {
	return func(k wire.HandshakeType, raw []byte) []byte {
		if k != kind {
			return raw
		}
		return f(bytes.Clone(raw))
	}
}

// behind lets a further message begin in the record of another.
func behind(kind, next wire.HandshakeType) func(*tlstest.Puppet, *tlscore.Config) {
	return func(p *tlstest.Puppet, _ *tlscore.Config) {
		p.Behind = func(k wire.HandshakeType) []byte {
			if k == kind {
				return []byte{byte(next)}
			}
			return nil
		}
	}
}

func drop(es wire.Extensions, kind wire.ExtensionType) wire.Extensions {
	return slices.DeleteFunc(es, func(e wire.Extension) bool { return e.Type == kind })
}

func replace(es *wire.Extensions, v wire.ExtensionView) {
	var one wire.Extensions
	one.Add(v)
	for i := range *es {
		if (*es)[i].Type == v.Extension() {
			(*es)[i] = one[0]
			return
		}
	}
	*es = append(*es, one...)
}

func addTrailing(b []byte) []byte {
	b = append(b, 0)
	b[3]++
	if b[3] == 0 {
		b[2]++
	}
	return b
}

func flipLast(b []byte) []byte { b[len(b)-1] ^= 1; return b }

func withExt(v wire.ExtensionView) wire.Extensions {
	es := wire.Extensions{}
	es.Add(v)
	return es
}

func helloRefusal(name string, code tlscore.Code, alert wire.AlertCode, f func(*wire.ClientHello)) refusal {
	return refusal{name: name, code: code, alert: alert, edit: inHello(f)}
}

func serverRefusals() []refusal {
	return slices.Concat(clientHelloRefusals(), keyShareRefusals(), serverPolicyRefusals(), clientFlightRefusals())
}

func clientHelloRefusals() []refusal {
	hello := helloRefusal
	return []refusal{
		hello("no supported_versions", tlscore.CodeUnsupportedVersion, wire.AlertProtocolVersion, func(h *wire.ClientHello) { h.Extensions = drop(h.Extensions, wire.ExtSupportedVersions) }),
		hello("only TLS 1.2", tlscore.CodeUnsupportedVersion, wire.AlertProtocolVersion, func(h *wire.ClientHello) {
			replace(&h.Extensions, &wire.SupportedVersions{Versions: []wire.Version{wire.VersionTLS12}})
		}),
		hello("compression", tlscore.CodeBadCompression, wire.AlertIllegalParameter, func(h *wire.ClientHello) { h.CompressionMethods = []byte{1, 0} }),
		hello("no common suite", tlscore.CodeNoSharedSuite, wire.AlertHandshakeFailure, func(h *wire.ClientHello) {
			h.CipherSuites = []wire.CipherSuite{wire.TLS_RSA_WITH_AES_128_CBC_SHA}
		}),
		hello("no common group", tlscore.CodeNoSharedGroup, wire.AlertHandshakeFailure, func(h *wire.ClientHello) {
			replace(&h.Extensions, &wire.SupportedGroups{Groups: []wire.Group{wire.GroupX448}})
			replace(&h.Extensions, &wire.KeyShares{})
		}),
		hello("no common scheme", tlscore.CodeNoSharedScheme, wire.AlertHandshakeFailure, func(h *wire.ClientHello) {
			replace(&h.Extensions, &wire.SignatureAlgorithms{Schemes: []wire.SignatureScheme{wire.SchemeEd448}})
		}),
		hello("no signature_algorithms", tlscore.CodeMissingExtension, wire.AlertMissingExtension, func(h *wire.ClientHello) { h.Extensions = drop(h.Extensions, wire.ExtSignatureAlgorithms) }),
		hello("no supported_groups", tlscore.CodeMissingExtension, wire.AlertMissingExtension, func(h *wire.ClientHello) { h.Extensions = drop(h.Extensions, wire.ExtSupportedGroups) }),
		hello("no key_share", tlscore.CodeMissingExtension, wire.AlertMissingExtension, func(h *wire.ClientHello) { h.Extensions = drop(h.Extensions, wire.ExtKeyShare) }),
		hello("extension twice", tlscore.CodeDuplicateExtension, wire.AlertDecodeError, func(h *wire.ClientHello) { h.Extensions = append(h.Extensions, h.Extensions[0]) }),
		hello("pre_shared_key not last", tlscore.CodePSKNotLast, wire.AlertIllegalParameter, func(h *wire.ClientHello) {
			h.Extensions = append(withExt(&wire.PreSharedKeys{Identities: []wire.PSKIdentity{{Identity: []byte{1}}}, Binders: [][]byte{make([]byte, 32)}}), h.Extensions...)
		}),
		hello("malformed status_request", tlscore.CodeMalformed, wire.AlertDecodeError, func(h *wire.ClientHello) {
			h.Extensions = append(h.Extensions, wire.Extension{Type: wire.ExtStatusRequest, Data: []byte{1, 0}})
		}),
		hello("SCTs in the hello", tlscore.CodeMalformed, wire.AlertDecodeError, func(h *wire.ClientHello) {
			h.Extensions = append(h.Extensions, wire.Extension{Type: wire.ExtSignedCertificateTimestamp, Data: []byte{1}})
		}),
		hello("malformed extension of TLS 1.2", tlscore.CodeMalformed, wire.AlertDecodeError, func(h *wire.ClientHello) {
			h.Extensions = append(h.Extensions, wire.Extension{Type: wire.ExtECPointFormats, Data: []byte{2, 0}})
		}),
		{name: "trailing byte", code: tlscore.CodeMalformed, alert: wire.AlertDecodeError, edit: rawly(wire.TypeClientHello, addTrailing)},
		{name: "message too long", code: tlscore.CodeMessageTooLong, alert: wire.AlertIllegalParameter,
			edit: rawly(wire.TypeClientHello, func(b []byte) []byte { b[1] = 0xff; return b })},
	}
}

func keyShareRefusals() []refusal {
	hello := helloRefusal
	x25519 := wire.KeyShareEntry{Group: wire.GroupX25519, KeyExchange: bytes.Repeat([]byte{9}, 32)}
	return []refusal{
		hello("share of a group that is not listed", tlscore.CodeBadKeyShare, wire.AlertIllegalParameter, func(h *wire.ClientHello) {
			replace(&h.Extensions, &wire.SupportedGroups{Groups: []wire.Group{wire.GroupSecp256r1}})
		}),
		hello("two shares of one group", tlscore.CodeBadKeyShare, wire.AlertIllegalParameter, func(h *wire.ClientHello) {
			replace(&h.Extensions, &wire.KeyShares{Entries: []wire.KeyShareEntry{x25519, x25519}})
		}),
		hello("short share", tlscore.CodeBadKeyShare, wire.AlertIllegalParameter, func(h *wire.ClientHello) {
			replace(&h.Extensions, &wire.KeyShares{Entries: []wire.KeyShareEntry{{Group: wire.GroupX25519, KeyExchange: []byte{1}}}})
		}),
		hello("zero share", tlscore.CodeBadKeyShare, wire.AlertIllegalParameter, func(h *wire.ClientHello) {
			replace(&h.Extensions, &wire.KeyShares{Entries: []wire.KeyShareEntry{{Group: wire.GroupX25519, KeyExchange: make([]byte, 32)}}})
		}),
		hello("malformed key_share", tlscore.CodeMalformed, wire.AlertDecodeError, func(h *wire.ClientHello) {
			i := slices.IndexFunc(h.Extensions, func(e wire.Extension) bool { return e.Type == wire.ExtKeyShare })
			h.Extensions[i].Data = h.Extensions[i].Data[:7]
		}),
	}
}

func serverPolicyRefusals() []refusal {
	twice := 0
	return []refusal{
		{name: "no common protocol", code: tlscore.CodeNoSharedProtocol, alert: wire.AlertNoApplicationProtocol,
			edit:  inHello(func(h *wire.ClientHello) { h.Extensions.Add(&wire.ALPN{Protocols: []string{"x"}}) }),
			setup: func(_ *tlstest.Puppet, c *tlscore.Config) { c.ALPN = []string{"h2"} }},
		{name: "no identity for the name", code: tlscore.CodeNoIdentity, alert: wire.AlertUnrecognizedName,
			edit: inHello(func(h *wire.ClientHello) {
				h.Extensions.Add(&wire.ServerNames{Names: []wire.ServerName{{Name: []byte("b.example")}}})
			}),
			setup: func(_ *tlstest.Puppet, c *tlscore.Config) { c.StrictServerName = true }},
		{name: "wrong cookie", code: tlscore.CodeBadCookie, alert: wire.AlertIllegalParameter,
			edit: inHello(func(h *wire.ClientHello) {
				if _, ok := h.Extensions.Find(wire.ExtCookie); ok {
					replace(&h.Extensions, &wire.Cookie{Cookie: make([]byte, 32)})
				}
			}),
			setup: func(_ *tlstest.Puppet, c *tlscore.Config) { c.RetryAlways = true }},
		{name: "second hello with the first", code: tlscore.CodeExcessHandshakeData, alert: wire.AlertUnexpectedMessage,
			setup: func(p *tlstest.Puppet, c *tlscore.Config) {
				c.RetryAlways = true
				behind(wire.TypeClientHello, wire.TypeClientHello)(p, c)
			}},
		{name: "hello changed after retry", code: tlscore.CodeHelloChanged, alert: wire.AlertIllegalParameter,
			edit: inHello(func(h *wire.ClientHello) {
				if twice++; twice == 2 {
					h.Random[0] ^= 1
				}
			}),
			setup: func(_ *tlstest.Puppet, c *tlscore.Config) { c.RetryAlways = true }},
	}
}

func clientFlightRefusals() []refusal {
	return []refusal{
		{name: "wrong Finished", code: tlscore.CodeBadFinished, alert: wire.AlertDecryptError, edit: rawly(wire.TypeFinished, flipLast)},
		{name: "short Finished", code: tlscore.CodeBadFinished, alert: wire.AlertDecryptError, edit: instead(wire.TypeFinished, &wire.Finished{VerifyData: []byte{1}})},
		{name: "no certificate", code: tlscore.CodeCertificateRequired, alert: wire.AlertCertificateRequired,
			setup: func(p *tlstest.Puppet, c *tlscore.Config) {
				c.ClientAuth = tlscore.RequireClientCert
				p.Identity = tlscore.Identity{}
			}},
		{name: "certificate_request_context", code: tlscore.CodeBadRequestContext, alert: wire.AlertIllegalParameter,
			edit:  instead(wire.TypeCertificate, &wire.Certificate{Context: []byte{1}}),
			setup: func(_ *tlstest.Puppet, c *tlscore.Config) { c.ClientAuth = tlscore.RequireClientCert }},
		{name: "client's signature", code: tlscore.CodeBadSignature, alert: wire.AlertDecryptError, edit: rawly(wire.TypeCertificateVerify, flipLast),
			setup: func(_ *tlstest.Puppet, c *tlscore.Config) { c.ClientAuth = tlscore.RequireClientCert }},
		{name: "Finished in the place of a certificate", code: tlscore.CodeUnexpectedMessage, alert: wire.AlertUnexpectedMessage,
			edit: rawly(wire.TypeCertificate, func([]byte) []byte { return nil }),
			setup: func(p *tlstest.Puppet, c *tlscore.Config) {
				c.ClientAuth = tlscore.RequireClientCert
				p.Identity.Tag = nil
			}},
		{name: "data across the key change", code: tlscore.CodeExcessHandshakeData, alert: wire.AlertUnexpectedMessage,
			setup: behind(wire.TypeClientHello, wire.TypeFinished)},
	}
}

func clientRefusals(t *testing.T) []refusal {
	return slices.Concat(serverHelloRefusals(), retryRefusals(), encryptedExtensionsRefusals(), serverCertificateRefusals(t), serverFinishedRefusals())
}

func serverHelloRefusals() []refusal {
	hello := func(name string, code tlscore.Code, alert wire.AlertCode, f func(*wire.ServerHello)) refusal {
		return refusal{name: name, code: code, alert: alert, edit: inServerHello(f)}
	}
	return []refusal{
		hello("TLS 1.2", tlscore.CodeUnsupportedVersion, wire.AlertProtocolVersion, func(h *wire.ServerHello) { h.Extensions = drop(h.Extensions, wire.ExtSupportedVersions) }),
		hello("other version selected", tlscore.CodeBadVersionSelected, wire.AlertIllegalParameter, func(h *wire.ServerHello) {
			replace(&h.Extensions, &wire.SelectedVersion{Version: wire.VersionTLS12})
		}),
		hello("legacy_version", tlscore.CodeBadLegacyVersion, wire.AlertIllegalParameter, func(h *wire.ServerHello) { h.LegacyVersion = wire.VersionTLS13 }),
		hello("session id", tlscore.CodeBadSessionID, wire.AlertIllegalParameter, func(h *wire.ServerHello) { h.SessionID = nil }),
		hello("compression", tlscore.CodeBadCompression, wire.AlertIllegalParameter, func(h *wire.ServerHello) { h.CompressionMethod = 1 }),
		hello("suite not offered", tlscore.CodeBadSuite, wire.AlertIllegalParameter, func(h *wire.ServerHello) { h.CipherSuite = wire.TLS_AES_128_CCM_SHA256 }),
		hello("extension not offered", tlscore.CodeUnsupportedExtension, wire.AlertUnsupportedExtension, func(h *wire.ServerHello) { h.Extensions.Add(&wire.PreSharedKeySelected{}) }),
		hello("extension that belongs elsewhere", tlscore.CodeMisplacedExtension, wire.AlertIllegalParameter, func(h *wire.ServerHello) {
			h.Extensions = append(h.Extensions, wire.Extension{Type: wire.ExtSupportedGroups, Data: []byte{0, 2, 0, 29}})
		}),
		hello("extension twice", tlscore.CodeDuplicateExtension, wire.AlertDecodeError, func(h *wire.ServerHello) { h.Extensions = append(h.Extensions, h.Extensions[1]) }),
		hello("no key_share", tlscore.CodeMissingExtension, wire.AlertMissingExtension, func(h *wire.ServerHello) { h.Extensions = drop(h.Extensions, wire.ExtKeyShare) }),
		hello("share of another group", tlscore.CodeBadGroup, wire.AlertIllegalParameter, func(h *wire.ServerHello) {
			replace(&h.Extensions, &wire.KeyShareHello{Entry: wire.KeyShareEntry{Group: wire.GroupSecp384r1, KeyExchange: []byte{1}}})
		}),
		hello("bad share", tlscore.CodeBadKeyShare, wire.AlertIllegalParameter, func(h *wire.ServerHello) {
			replace(&h.Extensions, &wire.KeyShareHello{Entry: wire.KeyShareEntry{Group: wire.GroupX25519, KeyExchange: make([]byte, 32)}})
		}),
	}
}

func retryRefusals() []refusal {
	retry := func(name string, code tlscore.Code, alert wire.AlertCode, g wire.Group, f func(*wire.ServerHello)) refusal {
		return refusal{name: "retry: " + name, code: code, alert: alert, edit: inServerHello(f), setup: func(p *tlstest.Puppet, _ *tlscore.Config) { p.Retry = g }}
	}
	return []refusal{
		retry("group not offered", tlscore.CodeBadGroup, wire.AlertIllegalParameter, wire.GroupX448, func(*wire.ServerHello) {}),
		retry("group already shared", tlscore.CodeBadGroup, wire.AlertIllegalParameter, wire.GroupX25519, func(*wire.ServerHello) {}),
		retry("nothing to change", tlscore.CodeBadRetry, wire.AlertIllegalParameter, wire.GroupSecp384r1, func(h *wire.ServerHello) {
			if h.IsHelloRetryRequest() {
				h.Extensions = drop(h.Extensions, wire.ExtKeyShare)
			}
		}),
		retry("cookie that does not fit", tlscore.CodeBadRetry, wire.AlertIllegalParameter, wire.GroupSecp384r1, func(h *wire.ServerHello) {
			if h.IsHelloRetryRequest() {
				h.Extensions.Add(&wire.Cookie{Cookie: make([]byte, 65300)})
			}
		}),
		retry("twice", tlscore.CodeUnexpectedMessage, wire.AlertUnexpectedMessage, wire.GroupSecp384r1, func(h *wire.ServerHello) {
			h.Random = wire.HelloRetryRequestRandom()
			h.Extensions = withExt(&wire.SelectedVersion{Version: wire.VersionTLS13})
			h.Extensions.Add(&wire.KeyShareRetry{Group: wire.GroupSecp384r1})
		}),
		retry("suite changed", tlscore.CodeBadSuite, wire.AlertIllegalParameter, wire.GroupSecp384r1, func(h *wire.ServerHello) {
			if !h.IsHelloRetryRequest() {
				h.CipherSuite = wire.TLS_CHACHA20_POLY1305_SHA256
			}
		}),
	}
}

func encryptedExtensionsRefusals() []refusal {
	return []refusal{
		{name: "data behind HelloRetryRequest", code: tlscore.CodeExcessHandshakeData, alert: wire.AlertUnexpectedMessage,
			setup: func(p *tlstest.Puppet, c *tlscore.Config) {
				p.Retry = wire.GroupSecp384r1
				behind(wire.TypeServerHello, wire.TypeServerHello)(p, c)
			}},
		{name: "unsolicited extension", code: tlscore.CodeUnsupportedExtension, alert: wire.AlertUnsupportedExtension,
			edit: instead(wire.TypeEncryptedExtensions, &wire.EncryptedExtensions{Extensions: withExt(&wire.ALPN{Protocols: []string{"h2"}})})},
		{name: "protocol not offered", code: tlscore.CodeBadProtocolSelected, alert: wire.AlertIllegalParameter,
			edit:  instead(wire.TypeEncryptedExtensions, &wire.EncryptedExtensions{Extensions: withExt(&wire.ALPN{Protocols: []string{"h3"}})}),
			setup: func(_ *tlstest.Puppet, c *tlscore.Config) { c.ALPN = []string{"h2"} }},
		{name: "two protocols", code: tlscore.CodeBadProtocolSelected, alert: wire.AlertIllegalParameter,
			edit:  instead(wire.TypeEncryptedExtensions, &wire.EncryptedExtensions{Extensions: withExt(&wire.ALPN{Protocols: []string{"h2", "h2"}})}),
			setup: func(_ *tlstest.Puppet, c *tlscore.Config) { c.ALPN = []string{"h2"} }},
		{name: "key_share in EncryptedExtensions", code: tlscore.CodeMisplacedExtension, alert: wire.AlertIllegalParameter,
			edit: instead(wire.TypeEncryptedExtensions, &wire.EncryptedExtensions{Extensions: withExt(&wire.KeyShareHello{Entry: wire.KeyShareEntry{Group: 29, KeyExchange: []byte{1}}})})},
		{name: "extension twice in EncryptedExtensions", code: tlscore.CodeDuplicateExtension, alert: wire.AlertDecodeError,
			edit: instead(wire.TypeEncryptedExtensions, &wire.EncryptedExtensions{Extensions: wire.Extensions{{Type: wire.ExtSupportedGroups}, {Type: wire.ExtSupportedGroups}}})},
		{name: "malformed groups in EncryptedExtensions", code: tlscore.CodeMalformed, alert: wire.AlertDecodeError,
			edit: instead(wire.TypeEncryptedExtensions, &wire.EncryptedExtensions{Extensions: wire.Extensions{{Type: wire.ExtSupportedGroups}}})},
		{name: "malformed ALPN in EncryptedExtensions", code: tlscore.CodeMalformed, alert: wire.AlertDecodeError,
			edit:  instead(wire.TypeEncryptedExtensions, &wire.EncryptedExtensions{Extensions: wire.Extensions{{Type: wire.ExtALPN, Data: []byte{0, 0}}}}),
			setup: func(_ *tlstest.Puppet, c *tlscore.Config) { c.ALPN = []string{"h2"} }},
		{name: "extension twice in the request", code: tlscore.CodeDuplicateExtension, alert: wire.AlertDecodeError,
			edit:  instead(wire.TypeCertificateRequest, &wire.CertificateRequest{Extensions: wire.Extensions{{Type: wire.ExtOIDFilters}, {Type: wire.ExtOIDFilters}}}),
			setup: func(p *tlstest.Puppet, _ *tlscore.Config) { p.Request = true }},
		{name: "malformed authorities in the request", code: tlscore.CodeMalformed, alert: wire.AlertDecodeError,
			edit: instead(wire.TypeCertificateRequest, &wire.CertificateRequest{Extensions: append(withExt(&wire.SignatureAlgorithms{Schemes: []wire.SignatureScheme{wire.SchemeEd25519}}),
				wire.Extension{Type: wire.ExtCertificateAuthorities})}),
			setup: func(p *tlstest.Puppet, _ *tlscore.Config) { p.Request = true }},
		{name: "request without signature_algorithms", code: tlscore.CodeMissingExtension, alert: wire.AlertMissingExtension,
			edit:  instead(wire.TypeCertificateRequest, &wire.CertificateRequest{Extensions: withExt(&wire.CertificateAuthorities{Names: [][]byte{{0x30, 0}}})}),
			setup: func(p *tlstest.Puppet, _ *tlscore.Config) { p.Request = true }},
		{name: "request with a context", code: tlscore.CodeBadRequestContext, alert: wire.AlertIllegalParameter,
			edit:  instead(wire.TypeCertificateRequest, &wire.CertificateRequest{Context: []byte{1}, Extensions: withExt(&wire.SignatureAlgorithms{Schemes: []wire.SignatureScheme{wire.SchemeEd25519}})}),
			setup: func(p *tlstest.Puppet, _ *tlscore.Config) { p.Request = true }},
	}
}

// entry is a Certificate message of one certificate with extensions.
func entry(id tlscore.Identity, es wire.Extensions) *wire.Certificate {
	return &wire.Certificate{Entries: []wire.CertificateEntry{{Data: id.Chain[0], Extensions: es}}}
}

func serverCertificateRefusals(t *testing.T) []refusal {
	other, sct := selfSigned(t, p256(t)), wire.Extension{Type: wire.ExtSignedCertificateTimestamp, Data: []byte{0}}
	return []refusal{
		{name: "empty Certificate", code: tlscore.CodeNoCertificate, alert: wire.AlertDecodeError, edit: instead(wire.TypeCertificate, &wire.Certificate{})},
		{name: "garbage certificate", code: tlscore.CodeBadCertificate, alert: wire.AlertBadCertificate,
			edit: instead(wire.TypeCertificate, &wire.Certificate{Entries: []wire.CertificateEntry{{Data: []byte{0x30, 0}, Extensions: wire.Extensions{}}}})},
		{name: "unsolicited staple", code: tlscore.CodeUnsupportedExtension, alert: wire.AlertUnsupportedExtension,
			edit: instead(wire.TypeCertificate, &wire.Certificate{Entries: []wire.CertificateEntry{{Data: other.Chain[0], Extensions: withExt(&wire.Cookie{Cookie: []byte{1}})}}})},
		{name: "extension twice beside a certificate", code: tlscore.CodeDuplicateExtension, alert: wire.AlertDecodeError,
			edit: instead(wire.TypeCertificate, entry(other, wire.Extensions{sct, sct}))},
		{name: "extension that does not belong beside a certificate", code: tlscore.CodeMisplacedExtension, alert: wire.AlertIllegalParameter,
			edit: instead(wire.TypeCertificate, entry(other, withExt(&wire.ExtendedMasterSecret{}))), setup: func(_ *tlstest.Puppet, c *tlscore.Config) { c.MinVersion = 0 }},
		{name: "malformed staple", code: tlscore.CodeMalformed, alert: wire.AlertDecodeError,
			edit: instead(wire.TypeCertificate, entry(other, wire.Extensions{{Type: wire.ExtStatusRequest, Data: []byte{1}}}))},
		{name: "malformed SCTs", code: tlscore.CodeMalformed, alert: wire.AlertDecodeError, edit: instead(wire.TypeCertificate, entry(other, wire.Extensions{sct}))},
		{name: "chain too long", code: tlscore.CodeBadCertificate, alert: wire.AlertBadCertificate,
			edit: instead(wire.TypeCertificate, &wire.Certificate{Entries: slices.Repeat([]wire.CertificateEntry{{Data: other.Chain[0], Extensions: wire.Extensions{}}}, 11)})},
		{name: "somebody else's certificate", code: tlscore.CodeBadSchemeUsed, alert: wire.AlertIllegalParameter,
			edit: instead(wire.TypeCertificate, &wire.Certificate{Entries: []wire.CertificateEntry{{Data: other.Chain[0], Extensions: wire.Extensions{}}}})},
		{name: "scheme not offered", code: tlscore.CodeBadSchemeUsed, alert: wire.AlertIllegalParameter,
			edit: instead(wire.TypeCertificateVerify, &wire.CertificateVerify{Scheme: wire.SchemeRSAPKCS1SHA256, Signature: []byte{1}})},
		{name: "wrong signature", code: tlscore.CodeBadSignature, alert: wire.AlertDecryptError, edit: rawly(wire.TypeCertificateVerify, flipLast)},
		{name: "no CertificateVerify", code: tlscore.CodeUnexpectedMessage, alert: wire.AlertUnexpectedMessage, edit: rawly(wire.TypeCertificateVerify, func([]byte) []byte { return nil })},
		{name: "no certificate at all", code: tlscore.CodeUnexpectedMessage, alert: wire.AlertUnexpectedMessage,
			edit: func(k wire.HandshakeType, raw []byte) []byte {
				if k == wire.TypeCertificate || k == wire.TypeCertificateVerify {
					return nil
				}
				return raw
			}},
	}
}

func serverFinishedRefusals() []refusal {
	return []refusal{
		{name: "wrong Finished", code: tlscore.CodeBadFinished, alert: wire.AlertDecryptError, edit: rawly(wire.TypeFinished, flipLast)},
		{name: "trailing byte in EncryptedExtensions", code: tlscore.CodeMalformed, alert: wire.AlertDecodeError, edit: rawly(wire.TypeEncryptedExtensions, addTrailing)},
		{name: "data behind ServerHello", code: tlscore.CodeExcessHandshakeData, alert: wire.AlertUnexpectedMessage,
			setup: behind(wire.TypeServerHello, wire.TypeEncryptedExtensions)},
		{name: "data behind Finished", code: tlscore.CodeExcessHandshakeData, alert: wire.AlertUnexpectedMessage,
			setup: behind(wire.TypeFinished, wire.TypeNewSessionTicket)},
	}
}
