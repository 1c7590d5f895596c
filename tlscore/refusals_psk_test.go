package tlscore_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// inOffer edits pre_shared_key in the puppet's ClientHello, which its binder does not survive.
func inOffer(f func(*wire.PreSharedKeys)) func(wire.HandshakeType, []byte) []byte {
	return inHello(func(h *wire.ClientHello) {
		var offer wire.PreSharedKeys
		if present, err := h.Ext(&offer); err != nil || !present {
			panic("no pre_shared_key")
		}
		f(&offer)
		replace(&h.Extensions, &offer)
	})
}

// aside sends content of its own before a message.
func aside(at wire.HandshakeType, kind wire.ContentType, content []byte) func(*tlstest.Puppet, *tlscore.Config) {
	return func(p *tlstest.Puppet, _ *tlscore.Config) {
		p.Aside = func(k wire.HandshakeType) (wire.ContentType, []byte) {
			if k == at {
				return kind, content
			}
			return 0, nil
		}
	}
}

func early(data ...[]byte) func(*tlstest.Puppet, *tlscore.Config) {
	return func(p *tlstest.Puppet, _ *tlscore.Config) { p.Early = data }
}

func both(all ...func(*tlstest.Puppet, *tlscore.Config)) func(*tlstest.Puppet, *tlscore.Config) {
	return func(p *tlstest.Puppet, c *tlscore.Config) {
		for _, f := range all {
			f(p, c)
		}
	}
}

func serverPSKRefusals() []refusal {
	return slices.Concat(pskOfferRefusals(), earlyDataRefusals(), endOfEarlyDataRefusals())
}

func pskOfferRefusals() []refusal {
	binder, second := make([]byte, 32), 0
	return []refusal{
		{name: "more binders than identities", code: tlscore.CodeBadPSKOffer, alert: wire.AlertIllegalParameter,
			edit: inOffer(func(o *wire.PreSharedKeys) { o.Binders = append(o.Binders, binder) })},
		{name: "more identities than binders", code: tlscore.CodeBadPSKOffer, alert: wire.AlertIllegalParameter,
			edit: inOffer(func(o *wire.PreSharedKeys) {
				o.Identities = append(o.Identities, wire.PSKIdentity{Identity: []byte("x")})
			})},
		{name: "short binder", code: tlscore.CodeMalformed, alert: wire.AlertDecodeError,
			edit: inOffer(func(o *wire.PreSharedKeys) { o.Binders[0] = o.Binders[0][:31] })},
		{name: "no identities", code: tlscore.CodeMalformed, alert: wire.AlertDecodeError,
			edit: inOffer(func(o *wire.PreSharedKeys) { o.Identities = nil })},
		{name: "wrong binder", code: tlscore.CodeBadBinder, alert: wire.AlertDecryptError, edit: rawly(wire.TypeClientHello, flipLast)},
		{name: "long binder", code: tlscore.CodeBadBinder, alert: wire.AlertDecryptError,
			edit: inOffer(func(o *wire.PreSharedKeys) { o.Binders[0] = make([]byte, 48) })},
		{name: "binder over another hello", code: tlscore.CodeBadBinder, alert: wire.AlertDecryptError,
			edit: inHello(func(h *wire.ClientHello) { h.Random[0] ^= 1 })},
		helloRefusal("not last", tlscore.CodePSKNotLast, wire.AlertIllegalParameter, func(h *wire.ClientHello) { h.Extensions.Add(&wire.Padding{Length: 1}) }),
		helloRefusal("no modes", tlscore.CodeMissingExtension, wire.AlertMissingExtension, func(h *wire.ClientHello) { h.Extensions = drop(h.Extensions, wire.ExtPSKKeyExchangeModes) }),
		helloRefusal("no supported_groups", tlscore.CodeNoSharedGroup, wire.AlertHandshakeFailure, func(h *wire.ClientHello) {
			h.Extensions = drop(drop(h.Extensions, wire.ExtSupportedGroups), wire.ExtKeyShare)
		}),
		{name: "early data in the second hello", code: tlscore.CodeHelloChanged, alert: wire.AlertIllegalParameter,
			setup: func(_ *tlstest.Puppet, c *tlscore.Config) { c.RetryAlways = true },
			edit: inHello(func(h *wire.ClientHello) {
				if second++; second == 2 {
					h.Extensions = slices.Insert(h.Extensions, len(h.Extensions)-1, wire.Extension{Type: wire.ExtEarlyData})
				}
			})},
		{name: "early_data with a body", code: tlscore.CodeMalformed, alert: wire.AlertDecodeError, setup: early(),
			edit: inHello(func(h *wire.ClientHello) {
				h.Extensions = slices.Insert(h.Extensions, len(h.Extensions)-1, wire.Extension{Type: wire.ExtEarlyData, Data: []byte{1}})
			})},
	}
}

func earlyDataRefusals() []refusal {
	full := bytes.Repeat([]byte("x"), wire.MaxPlaintext)
	return []refusal{
		{name: "early data over the limit", code: tlscore.CodeTooMuchEarlyData, alert: wire.AlertUnexpectedMessage, setup: early(full, full, full)},
		{name: "early data over the limit, by one byte", code: tlscore.CodeTooMuchEarlyData, alert: wire.AlertUnexpectedMessage, setup: early(full, full, make([]byte, 40_001-2*len(full)))},
		{name: "refused early data over the limit", code: tlscore.CodeTooMuchEarlyData, alert: wire.AlertUnexpectedMessage,
			setup: both(early(full, full, full), func(_ *tlstest.Puppet, c *tlscore.Config) { c.AskSession = false })},
		{name: "forgeries in the place of refused early data", code: tlscore.CodeKeysExhausted, alert: wire.AlertUnexpectedMessage,
			setup: both(early(slices.Repeat([][]byte{{1}}, 200)...), func(p *tlstest.Puppet, c *tlscore.Config) {
				short := *p.Session
				short.CipherSuite = wire.TLS_AES_128_CCM_8_SHA256
				p.Session, c.AskSession, c.CipherSuites = &short, false, []wire.CipherSuite{short.CipherSuite}
			})},
		{name: "an unprotected message in the place of early data", code: tlscore.CodeUnexpectedRecord, alert: wire.AlertUnexpectedMessage,
			setup: both(early([]byte("x")), func(p *tlstest.Puppet, _ *tlscore.Config) {
				p.Before = func(k wire.HandshakeType) []byte {
					if k == wire.TypeEndOfEarlyData {
						return []byte{byte(wire.ContentHandshake), 3, 3, 0, 4, byte(wire.TypeEndOfEarlyData), 0, 0, 0}
					}
					return nil
				}
			})},
		{name: "garbage in the place of early data", code: tlscore.CodeBadRecordMAC, alert: wire.AlertBadRecordMAC,
			setup: both(early(), func(p *tlstest.Puppet, _ *tlscore.Config) {
				p.Early = [][]byte{}
				p.Before = func(k wire.HandshakeType) []byte {
					if k == wire.TypeEndOfEarlyData {
						return append([]byte{byte(wire.ContentApplicationData), 3, 3, 0, 40}, make([]byte, 40)...)
					}
					return nil
				}
			})},
	}
}

func endOfEarlyDataRefusals() []refusal {
	end, some := wire.TypeEndOfEarlyData, early([]byte("x"))
	raw := wire.AppendMessage(nil, &wire.EndOfEarlyData{})
	unexpected := wire.AlertUnexpectedMessage
	return []refusal{
		{name: "EndOfEarlyData missing", code: tlscore.CodeBadRecordMAC, alert: wire.AlertBadRecordMAC, setup: some, edit: rawly(end, func([]byte) []byte { return nil })},
		{name: "EndOfEarlyData missing, without any early data", code: tlscore.CodeBadRecordMAC, alert: wire.AlertBadRecordMAC,
			setup: func(p *tlstest.Puppet, _ *tlscore.Config) { p.Early = [][]byte{} }, edit: rawly(end, func([]byte) []byte { return nil })},
		{name: "EndOfEarlyData twice in one record", code: tlscore.CodeExcessHandshakeData, alert: unexpected, setup: some,
			edit: rawly(end, func(b []byte) []byte { return append(b, b...) })},
		{name: "EndOfEarlyData twice", code: tlscore.CodeUnexpectedMessage, alert: unexpected,
			setup: both(some, aside(wire.TypeFinished, wire.ContentHandshake, raw))},
		{name: "EndOfEarlyData without early data", code: tlscore.CodeUnexpectedMessage, alert: unexpected,
			setup: aside(wire.TypeFinished, wire.ContentHandshake, raw)},
		{name: "EndOfEarlyData with a body", code: tlscore.CodeMalformed, alert: wire.AlertDecodeError, setup: some, edit: rawly(end, addTrailing)},
		{name: "Finished in the place of EndOfEarlyData", code: tlscore.CodeUnexpectedMessage, alert: unexpected, setup: some,
			edit: instead(end, &wire.Finished{VerifyData: make([]byte, 32)})},
		{name: "data behind EndOfEarlyData", code: tlscore.CodeUnexpectedRecord, alert: unexpected,
			setup: both(some, aside(wire.TypeFinished, wire.ContentApplicationData, []byte("late")))},
		{name: "Finished of a resumed handshake", code: tlscore.CodeBadFinished, alert: wire.AlertDecryptError, edit: rawly(wire.TypeFinished, flipLast)},
	}
}

// offering gives the machine under test the puppet's session.
func offering(change func(*tlscore.Session), earlyData bool) func(*tlscore.Options) {
	return func(o *tlscore.Options) {
		o.Session, o.EarlyData = sessionOf(wire.VersionTLS13), earlyData
		if change != nil {
			change(o.Session)
		}
	}
}

func clientPSKRefusals(t *testing.T) []refusal {
	return slices.Concat(selectionRefusals(), resumedFlightRefusals(t), earlyAnswerRefusals(t))
}

func selectionRefusals() []refusal {
	plain, illegal := offering(nil, false), wire.AlertIllegalParameter
	return []refusal{
		{name: "identity that was not offered", code: tlscore.CodeBadPSKSelected, alert: illegal, options: plain,
			edit: inServerHello(func(h *wire.ServerHello) { replace(&h.Extensions, &wire.PreSharedKeySelected{Index: 1}) })},
		{name: "suite of another hash", code: tlscore.CodeBadPSKSelected, alert: illegal, options: plain,
			edit: inServerHello(func(h *wire.ServerHello) { h.CipherSuite = wire.TLS_AES_256_GCM_SHA384 })},
		{name: "no key_share", code: tlscore.CodeMissingExtension, alert: wire.AlertMissingExtension, options: plain,
			edit: inServerHello(func(h *wire.ServerHello) { h.Extensions = drop(h.Extensions, wire.ExtKeyShare) })},
		{name: "malformed selection", code: tlscore.CodeMalformed, alert: wire.AlertDecodeError, options: plain,
			edit: inServerHello(func(h *wire.ServerHello) { h.Extensions[len(h.Extensions)-1].Data = []byte{0} })},
		{name: "selection after a retry with another hash", code: tlscore.CodeUnsupportedExtension, alert: wire.AlertUnsupportedExtension, options: plain,
			setup: func(p *tlstest.Puppet, _ *tlscore.Config) { p.Retry = wire.GroupSecp384r1 },
			edit: inServerHello(func(h *wire.ServerHello) {
				h.CipherSuite = wire.TLS_AES_256_GCM_SHA384
				if !h.IsHelloRetryRequest() {
					replace(&h.Extensions, &wire.PreSharedKeySelected{})
				}
			})},
	}
}

func resumedFlightRefusals(t *testing.T) []refusal {
	plain, unexpected := offering(nil, false), wire.AlertUnexpectedMessage
	cert := wire.AppendMessage(nil, &wire.Certificate{Entries: []wire.CertificateEntry{{Data: selfSigned(t, ed(t)).Chain[0], Extensions: wire.Extensions{}}}})
	return []refusal{
		{name: "certificate request", code: tlscore.CodeUnexpectedMessage, alert: unexpected, options: plain,
			setup: func(p *tlstest.Puppet, _ *tlscore.Config) { p.Request = true }},
		{name: "certificate", code: tlscore.CodeUnexpectedMessage, alert: unexpected, options: plain,
			setup: aside(wire.TypeFinished, wire.ContentHandshake, cert)},
		{name: "wrong Finished", code: tlscore.CodeBadFinished, alert: wire.AlertDecryptError, options: plain, edit: rawly(wire.TypeFinished, flipLast)},
		{name: "another secret", apart: true, code: tlscore.CodeBadRecordMAC, alert: wire.AlertBadRecordMAC,
			options: offering(func(s *tlscore.Session) { s.Secret = make([]byte, 32) }, false)},
		{name: "chain that is not trusted any more", code: tlscore.CodeCertificateRejected, alert: wire.AlertCertificateExpired,
			options: offering(func(s *tlscore.Session) { s.PeerChain = [][]byte{{1}} }, false),
			setup: func(p *tlstest.Puppet, _ *tlscore.Config) {
				p.Answer = func(q *tlscore.Question) tlscore.Answer {
					return tlscore.Verified{Err: bytes.ErrTooLarge, Alert: wire.AlertCertificateExpired}
				}
			}},
	}
}

func earlyAnswerRefusals(t *testing.T) []refusal {
	rush, illegal := offering(nil, true), wire.AlertIllegalParameter
	take := func(p *tlstest.Puppet, _ *tlscore.Config) { p.TakeEarly = true }
	fully := func(p *tlstest.Puppet, _ *tlscore.Config) { p.Session, p.Identity = nil, selfSigned(t, ed(t)) }
	return []refusal{
		{name: "early data accepted that was not offered", code: tlscore.CodeUnsupportedExtension, alert: wire.AlertUnsupportedExtension, options: offering(nil, false), setup: take},
		{name: "early data accepted without the session", code: tlscore.CodeMisplacedExtension, alert: illegal, options: rush, setup: both(take, fully)},
		{name: "early data accepted with another suite", code: tlscore.CodeMisplacedExtension, alert: illegal, options: rush,
			setup: both(take, func(p *tlstest.Puppet, _ *tlscore.Config) {
				other := *p.Session
				other.CipherSuite = wire.TLS_CHACHA20_POLY1305_SHA256
				p.Session = &other
			})},
		{name: "early data accepted for another protocol", code: tlscore.CodeBadProtocolSelected, alert: illegal,
			options: offering(func(s *tlscore.Session) { s.ALPN = "x" }, true),
			setup:   both(take, func(_ *tlstest.Puppet, c *tlscore.Config) { c.ALPN = []string{"x", "y"} }),
			edit: func(k wire.HandshakeType, raw []byte) []byte {
				if k != wire.TypeEncryptedExtensions {
					return raw
				}
				es := withExt(&wire.ALPN{Protocols: []string{"y"}})
				es.Add(&wire.EarlyData{})
				return wire.AppendMessage(nil, &wire.EncryptedExtensions{Extensions: es})
			}},
		{name: "early data accepted after a retry", code: tlscore.CodeUnsupportedExtension, alert: wire.AlertUnsupportedExtension, options: rush,
			setup: both(take, func(p *tlstest.Puppet, _ *tlscore.Config) { p.Retry = wire.GroupSecp384r1 })},
		{name: "early_data with a body", code: tlscore.CodeMalformed, alert: wire.AlertDecodeError, options: rush,
			edit: instead(wire.TypeEncryptedExtensions, &wire.EncryptedExtensions{Extensions: wire.Extensions{{Type: wire.ExtEarlyData, Data: []byte{0}}}})},
		{name: "TLS 1.2 after early data", apart: true, code: tlscore.CodeBadVersionSelected, alert: illegal, options: rush,
			setup: both(fully, func(p *tlstest.Puppet, _ *tlscore.Config) {
				p.Version = wire.VersionTLS12
				p.Identity = selfSigned(t, p256(t))
			})},
		{name: "TLS 1.2 after a retry", code: tlscore.CodeBadVersionSelected, alert: illegal,
			setup: both(fully, func(p *tlstest.Puppet, _ *tlscore.Config) { p.Retry = wire.GroupSecp384r1 }),
			edit: inServerHello(func(h *wire.ServerHello) {
				if !h.IsHelloRetryRequest() {
					h.Extensions, h.CipherSuite = nil, wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
				}
			})},
	}
}

// says lets the puppet say one thing more once all is done.
func says(kind wire.ContentType, content []byte) func(*tlstest.Puppet, *tlscore.Machine) tlstest.Outcome {
	return func(p *tlstest.Puppet, m *tlscore.Machine) tlstest.Outcome { return p.Say(m, kind, content) }
}

func saysMessage(msg wire.Message, more ...byte) func(*tlstest.Puppet, *tlscore.Machine) tlstest.Outcome {
	return says(wire.ContentHandshake, append(wire.AppendMessage(nil, msg), more...))
}

// establishedRefusals is what no server may send to a client after the handshake.
func establishedRefusals() []refusal {
	unexpected, sized := wire.AlertUnexpectedMessage, &wire.EarlyDataSize{Max: 1}
	twice := withExt(sized)
	twice.Add(sized)
	ticket := func(es wire.Extensions) *wire.NewSessionTicket {
		return &wire.NewSessionTicket{Lifetime: 1, Nonce: []byte{1}, Ticket: []byte{1}, Extensions: es}
	}
	after := func(name string, code tlscore.Code, alert wire.AlertCode, then func(*tlstest.Puppet, *tlscore.Machine) tlstest.Outcome) refusal {
		return refusal{name: name, code: code, alert: alert, then: then}
	}
	return []refusal{
		after("key update of kind 2", tlscore.CodeBadKeyUpdate, wire.AlertIllegalParameter, saysMessage(&wire.KeyUpdate{Request: 2})),
		after("data behind a key update", tlscore.CodeExcessHandshakeData, unexpected, saysMessage(&wire.KeyUpdate{}, byte(wire.TypeKeyUpdate))),
		after("key update without a body", tlscore.CodeMalformed, wire.AlertDecodeError, says(wire.ContentHandshake, []byte{byte(wire.TypeKeyUpdate), 0, 0, 0})),
		after("ticket with an extension twice", tlscore.CodeDuplicateExtension, wire.AlertDecodeError, saysMessage(ticket(twice))),
		after("ticket with a malformed extension", tlscore.CodeMalformed, wire.AlertDecodeError, saysMessage(ticket(wire.Extensions{{Type: wire.ExtEarlyData, Data: []byte{1}}}))),
		after("ticket without a name", tlscore.CodeMalformed, wire.AlertDecodeError, saysMessage(&wire.NewSessionTicket{Lifetime: 1, Extensions: wire.Extensions{}})),
		after("second Finished", tlscore.CodeUnexpectedMessage, unexpected, saysMessage(&wire.Finished{VerifyData: make([]byte, 32)})),
		after("certificate request", tlscore.CodeUnexpectedMessage, unexpected, saysMessage(&wire.CertificateRequest{Extensions: withExt(&wire.SignatureAlgorithms{Schemes: []wire.SignatureScheme{wire.SchemeEd25519}})})),
		after("request to renegotiate", tlscore.CodeUnexpectedMessage, unexpected, saysMessage(&wire.HelloRequest{})),
		after("data inside a message", tlscore.CodeInterleaved, unexpected, func(p *tlstest.Puppet, m *tlscore.Machine) tlstest.Outcome {
			p.Say(m, wire.ContentHandshake, []byte{byte(wire.TypeKeyUpdate)})
			return p.Say(m, wire.ContentApplicationData, []byte{1})
		}),
		after("protected change_cipher_spec", tlscore.CodeUnexpectedRecord, unexpected, says(wire.ContentChangeCipherSpec, []byte{1})),
		after("empty handshake record", tlscore.CodeEmptyFragment, unexpected, says(wire.ContentHandshake, nil)),
		after("alert of three bytes", tlscore.CodeBadAlert, wire.AlertDecodeError, says(wire.ContentAlert, []byte{2, 0, 0})),
		after("heartbeat", tlscore.CodeUnexpectedRecord, unexpected, says(wire.ContentHeartbeat, []byte{1})),
	}
}
