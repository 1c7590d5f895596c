package tlscore_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"slices"
	"testing"

	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/internal/verify"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

func client12Refusals(t *testing.T) []refusal {
	return slices.Concat(serverHello12Refusals(), serverCertificate12Refusals(t), keyExchange12Refusals(), serverFlight12Refusals(), ticket12Refusals(), clientResumption12Refusals(), changeRefusals(), established12Refusals(), []refusal{
		{name: "established: request to renegotiate", code: tlscore.CodeRenegotiation, alert: wire.AlertNoRenegotiation, then: saysMessage(&wire.HelloRequest{})},
		{name: "established: ServerHello", code: tlscore.CodeUnexpectedMessage, alert: wire.AlertUnexpectedMessage, then: saysMessage(&wire.ServerHello{})},
	})
}

func serverHello12Refusals() []refusal {
	hello := func(name string, code tlscore.Code, alert wire.AlertCode, f func(*wire.ServerHello)) refusal {
		return refusal{name: name, code: code, alert: alert, edit: inServerHello(f)}
	}
	add := func(kind wire.ExtensionType, data ...byte) func(*wire.ServerHello) {
		return func(h *wire.ServerHello) { h.Extensions = append(h.Extensions, wire.Extension{Type: kind, Data: data}) }
	}
	sentinel := func(last string) func(*wire.ServerHello) {
		return func(h *wire.ServerHello) { copy(h.Random[24:], "DOWNGRD"+last) }
	}
	illegal, unsolicited, version := wire.AlertIllegalParameter, wire.AlertUnsupportedExtension, wire.AlertProtocolVersion
	return []refusal{
		hello("TLS 1.1", tlscore.CodeUnsupportedVersion, version, func(h *wire.ServerHello) { h.LegacyVersion = wire.VersionTLS11 }),
		hello("TLS 1.3 without supported_versions", tlscore.CodeUnsupportedVersion, version, func(h *wire.ServerHello) { h.LegacyVersion = wire.VersionTLS13 }),
		hello("TLS 1.2 in supported_versions", tlscore.CodeBadVersionSelected, illegal, add(wire.ExtSupportedVersions, 3, 3)),
		hello("downgrade from TLS 1.3", tlscore.CodeDowngraded, illegal, sentinel("\x01")),
		hello("downgrade from TLS 1.2", tlscore.CodeDowngraded, illegal, sentinel("\x00")),
		hello("compression", tlscore.CodeBadCompression, illegal, func(h *wire.ServerHello) { h.CompressionMethod = 1 }),
		hello("suite not offered", tlscore.CodeBadSuite, illegal, func(h *wire.ServerHello) { h.CipherSuite = wire.TLS_ECDHE_ECDSA_WITH_AES_128_CCM }),
		hello("suite of TLS 1.3", tlscore.CodeBadSuite, illegal, func(h *wire.ServerHello) { h.CipherSuite = wire.TLS_AES_128_GCM_SHA256 }),
		hello("unknown suite", tlscore.CodeBadSuite, illegal, func(h *wire.ServerHello) { h.CipherSuite = 0x1301 ^ 0xffff }),
		hello("signalling suite", tlscore.CodeBadSuite, illegal, func(h *wire.ServerHello) { h.CipherSuite = wire.TLS_EMPTY_RENEGOTIATION_INFO_SCSV }),
		{name: "session id echoed that offers nothing", code: tlscore.CodeBadSessionID, alert: illegal,
			setup: func(p *tlstest.Puppet, _ *tlscore.Config) {
				p.Session = sessionOf(wire.VersionTLS12)
				p.Session.Ticket = nil // which is what the client offers
			}},
		hello("unsolicited ALPN", tlscore.CodeUnsupportedExtension, unsolicited, add(wire.ExtALPN, 0, 3, 2, 'h', '2')),
		hello("unsolicited server_name", tlscore.CodeUnsupportedExtension, unsolicited, add(wire.ExtServerName)),
		hello("unsolicited encrypt_then_mac", tlscore.CodeUnsupportedExtension, unsolicited, add(wire.ExtEncryptThenMAC)),
		hello("unknown extension", tlscore.CodeUnsupportedExtension, unsolicited, add(0xfafa)),
		hello("extension that a server never sends", tlscore.CodeMisplacedExtension, illegal, add(wire.ExtSignatureAlgorithms, 0, 2, 4, 3)),
		hello("key_share of TLS 1.3", tlscore.CodeMisplacedExtension, illegal, add(wire.ExtKeyShare, 0, 29, 0, 1, 1)),
		hello("extension twice", tlscore.CodeDuplicateExtension, wire.AlertDecodeError, func(h *wire.ServerHello) { h.Extensions = append(h.Extensions, h.Extensions[0]) }),
		hello("renegotiation_info that is not empty", tlscore.CodeBadRenegotiationInfo, wire.AlertHandshakeFailure, func(h *wire.ServerHello) {
			replace(&h.Extensions, &wire.RenegotiationInfo{Data: make([]byte, 24)})
		}),
		hello("no uncompressed points", tlscore.CodeBadPointFormats, illegal, add(wire.ExtECPointFormats, 1, 1)),
		hello("extended_master_secret with a body", tlscore.CodeMalformed, wire.AlertDecodeError, func(h *wire.ServerHello) {
			h.Extensions = append(drop(h.Extensions, wire.ExtExtendedMasterSecret), wire.Extension{Type: wire.ExtExtendedMasterSecret, Data: []byte{0}})
		}),
		hello("session_ticket with a body", tlscore.CodeMalformed, wire.AlertDecodeError, add(wire.ExtSessionTicket, 1)),
		hello("status_request with a body", tlscore.CodeMalformed, wire.AlertDecodeError, add(wire.ExtStatusRequest, 1)),
		hello("malformed SCTs", tlscore.CodeMalformed, wire.AlertDecodeError, add(wire.ExtSignedCertificateTimestamp, 0)),
		{name: "protocol not offered", code: tlscore.CodeBadProtocolSelected, alert: illegal, edit: inServerHello(add(wire.ExtALPN, 0, 3, 2, 'h', '3')),
			setup: func(_ *tlstest.Puppet, c *tlscore.Config) { c.ALPN = []string{"h2"} }},
		{name: "two protocols", code: tlscore.CodeBadProtocolSelected, alert: illegal, edit: inServerHello(add(wire.ExtALPN, 0, 6, 2, 'h', '2', 2, 'h', '2')),
			setup: func(_ *tlstest.Puppet, c *tlscore.Config) { c.ALPN = []string{"h2"} }},
		{name: "TLS 1.2 where only TLS 1.3 is spoken", code: tlscore.CodeUnsupportedVersion, alert: version,
			setup: func(_ *tlstest.Puppet, c *tlscore.Config) { c.MinVersion = wire.VersionTLS13 }},
	}
}

func serverCertificate12Refusals(t *testing.T) []refusal {
	cert, bad := wire.TypeCertificate, wire.AlertBadCertificate
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	other, unknown := selfSigned(t, key), weak(t)
	return []refusal{
		{name: "empty Certificate", code: tlscore.CodeNoCertificate, alert: wire.AlertDecodeError, edit: instead(cert, &wire.Certificate12{})},
		{name: "garbage certificate", code: tlscore.CodeBadCertificate, alert: bad, edit: instead(cert, &wire.Certificate12{Chain: [][]byte{{0x30, 0}}})},
		{name: "empty certificate in the chain", code: tlscore.CodeMalformed, alert: wire.AlertDecodeError, edit: instead(cert, &wire.Certificate12{Chain: [][]byte{{}}})},
		{name: "chain too long", code: tlscore.CodeBadCertificate, alert: bad, edit: instead(cert, &wire.Certificate12{Chain: slices.Repeat(other.Chain, 11)})},
		{name: "key that does not go with the suite", code: tlscore.CodeWrongKeyForSuite, alert: wire.AlertIllegalParameter, edit: instead(cert, &wire.Certificate12{Chain: other.Chain})},
		{name: "key of a kind that is not taken", code: tlscore.CodeUnsupportedKey, alert: wire.AlertUnsupportedCertificate, edit: instead(cert, &wire.Certificate12{Chain: unknown.Chain})},
		{name: "certificate that may not sign", code: tlscore.CodeKeyUsage, alert: wire.AlertIllegalParameter, edit: instead(cert, &wire.Certificate12{Chain: [][]byte{notForSigning(t)}})},
		{name: "chain rejected", code: tlscore.CodeCertificateRejected, alert: wire.AlertCertificateRevoked,
			setup: func(p *tlstest.Puppet, _ *tlscore.Config) { p.Answer = rejecting(wire.AlertCertificateRevoked) }},
		{name: "no Certificate", code: tlscore.CodeUnexpectedMessage, alert: wire.AlertUnexpectedMessage, edit: rawly(cert, func([]byte) []byte { return nil })},
	}
}

// inKeyExchange edits ServerKeyExchange; its signature stays.
func inKeyExchange(f func(*wire.ServerKeyExchange)) func(wire.HandshakeType, []byte) []byte {
	return rawly(wire.TypeServerKeyExchange, func(raw []byte) []byte {
		var m wire.ServerKeyExchange
		if err := m.Parse(raw); err != nil {
			panic(err)
		}
		f(&m)
		return wire.AppendMessage(nil, &m)
	})
}

// resigned edits ServerKeyExchange, and signs it again over given randoms.
func resigned(p *tlstest.Puppet, r func(*keys.Randoms), f func(*wire.ServerKeyExchange)) {
	var seen keys.Randoms
	p.Edit = func(k wire.HandshakeType, raw []byte) []byte {
		switch k {
		case wire.TypeServerHello:
			copy(seen.Server[:], raw[6:])
		case wire.TypeServerKeyExchange:
			var m wire.ServerKeyExchange
			if err := m.Parse(raw); err != nil {
				panic(err)
			}
			seen.Client = p.ClientRandom()
			r(&seen)
			f(&m)
			key, _ := p.Identity.Tag.(crypto.Signer)
			sig, err := suite.SignTLS12(key, suite.SchemeByID(m.Scheme), verify.ServerKeyExchangeInput(&seen, m.AppendParams(nil)))
			if err != nil {
				panic(err)
			}
			m.Signature = sig
			return wire.AppendMessage(nil, &m)
		}
		return raw
	}
}

func keyExchange12Refusals() []refusal {
	ske, illegal := wire.TypeServerKeyExchange, wire.AlertIllegalParameter
	resign := func(r func(*keys.Randoms), f func(*wire.ServerKeyExchange)) func(*tlstest.Puppet, *tlscore.Config) {
		return func(p *tlstest.Puppet, _ *tlscore.Config) { resigned(p, r, f) }
	}
	same, as := func(*keys.Randoms) {}, func(*wire.ServerKeyExchange) {}
	return []refusal{
		{name: "group not offered", code: tlscore.CodeBadGroup, alert: illegal, edit: inKeyExchange(func(m *wire.ServerKeyExchange) { m.Group = wire.GroupSecp521r1 })},
		{name: "hybrid group", code: tlscore.CodeBadGroup, alert: illegal, edit: inKeyExchange(func(m *wire.ServerKeyExchange) { m.Group = wire.GroupX25519MLKEM768 })},
		{name: "explicit curve", code: tlscore.CodeMalformed, alert: wire.AlertDecodeError, edit: rawly(ske, func(b []byte) []byte { b[4] = 1; return b })},
		{name: "scheme not offered", code: tlscore.CodeBadSchemeUsed, alert: illegal, edit: inKeyExchange(func(m *wire.ServerKeyExchange) { m.Scheme = wire.SchemeECDSASHA1 })},
		{name: "scheme for another key", code: tlscore.CodeBadSchemeUsed, alert: illegal, edit: inKeyExchange(func(m *wire.ServerKeyExchange) { m.Scheme = wire.SchemeEd25519 })},
		{name: "wrong signature", code: tlscore.CodeBadSignature, alert: wire.AlertDecryptError, edit: rawly(ske, flipLast)},
		{name: "empty signature", code: tlscore.CodeBadSignature, alert: wire.AlertDecryptError, edit: inKeyExchange(func(m *wire.ServerKeyExchange) { m.Signature = nil })},
		{name: "signature over another client random", code: tlscore.CodeBadSignature, alert: wire.AlertDecryptError, setup: resign(func(r *keys.Randoms) { r.Client[0] ^= 1 }, as)},
		{name: "signature over another server random", code: tlscore.CodeBadSignature, alert: wire.AlertDecryptError, setup: resign(func(r *keys.Randoms) { r.Server[0] ^= 1 }, as)},
		{name: "signed zero point", code: tlscore.CodeBadKeyShare, alert: illegal, setup: resign(same, func(m *wire.ServerKeyExchange) { m.Public = make([]byte, 32) })},
		{name: "signed short point", code: tlscore.CodeBadKeyShare, alert: illegal, setup: resign(same, func(m *wire.ServerKeyExchange) { m.Public = []byte{1} })},
		{name: "signed point off its curve", code: tlscore.CodeBadKeyShare, alert: illegal, setup: resign(same, func(m *wire.ServerKeyExchange) {
			m.Group, m.Public = wire.GroupSecp384r1, append([]byte{4}, make([]byte, 96)...)
		})},
		{name: "empty point", code: tlscore.CodeMalformed, alert: wire.AlertDecodeError, edit: inKeyExchange(func(m *wire.ServerKeyExchange) { m.Public = nil })},
	}
}

func serverFlight12Refusals() []refusal {
	ske, done, request, unexpected := wire.TypeServerKeyExchange, wire.TypeServerHelloDone, wire.TypeCertificateRequest, wire.AlertUnexpectedMessage
	status := wire.AppendMessage(nil, &wire.CertificateStatus12{Response: []byte{1}})
	asks := func(p *tlstest.Puppet, _ *tlscore.Config) { p.Request = true }
	staples := func(p *tlstest.Puppet, _ *tlscore.Config) { p.Staple = []byte("staple") }
	twice := func(b []byte) []byte { return append(b, b...) }
	return []refusal{
		{name: "no ServerKeyExchange", code: tlscore.CodeUnexpectedMessage, alert: unexpected, edit: rawly(ske, func([]byte) []byte { return nil })},
		{name: "ServerKeyExchange twice", code: tlscore.CodeUnexpectedMessage, alert: unexpected, edit: rawly(ske, twice)},
		{name: "CertificateStatus unannounced", code: tlscore.CodeUnexpectedMessage, alert: unexpected, setup: aside(ske, wire.ContentHandshake, status)},
		{name: "CertificateStatus twice", code: tlscore.CodeUnexpectedMessage, alert: unexpected, setup: both(staples, aside(ske, wire.ContentHandshake, status))},
		{name: "empty CertificateStatus", code: tlscore.CodeMalformed, alert: wire.AlertDecodeError, setup: staples, edit: instead(wire.TypeCertificateStatus, &wire.CertificateStatus12{})},
		{name: "CertificateRequest twice", code: tlscore.CodeUnexpectedMessage, alert: unexpected, setup: asks, edit: rawly(request, twice)},
		{name: "CertificateRequest without types", code: tlscore.CodeMalformed, alert: wire.AlertDecodeError, setup: asks,
			edit: instead(request, &wire.CertificateRequest12{Schemes: []wire.SignatureScheme{wire.SchemeEd25519}})},
		{name: "CertificateRequest without schemes", code: tlscore.CodeMalformed, alert: wire.AlertDecodeError, setup: asks,
			edit: instead(request, &wire.CertificateRequest12{Types: []wire.ClientCertificateType{wire.ClientCertificateRSASign}})},
		{name: "ServerHelloDone with a body", code: tlscore.CodeMalformed, alert: wire.AlertDecodeError, edit: rawly(done, addTrailing)},
		{name: "data behind ServerHelloDone", code: tlscore.CodeExcessHandshakeData, alert: unexpected, setup: behind(done, wire.TypeFinished)},
		{name: "request to renegotiate in the handshake", code: tlscore.CodeUnexpectedMessage, alert: unexpected,
			setup: aside(ske, wire.ContentHandshake, wire.AppendMessage(nil, &wire.HelloRequest{}))},
		{name: "change_cipher_spec early", code: tlscore.CodeUnexpectedRecord, alert: unexpected, setup: before(ske, ccs())},
		{name: "data before the keys", code: tlscore.CodeUnexpectedRecord, alert: unexpected, setup: aside(ske, wire.ContentApplicationData, []byte("data"))},
		{name: "Finished in the place of ServerHelloDone", code: tlscore.CodeUnexpectedMessage, alert: unexpected, edit: instead(done, &wire.Finished{VerifyData: make([]byte, 12)})},
	}
}

func ticket12Refusals() []refusal {
	nst, unexpected := wire.TypeNewSessionTicket, wire.AlertUnexpectedMessage
	msg := &wire.NewSessionTicket12{LifetimeHint: 1, Ticket: []byte("ticket")}
	announced := func(p *tlstest.Puppet, _ *tlscore.Config) { p.Ticket = []byte("ticket") }
	return []refusal{
		{name: "ticket unannounced", code: tlscore.CodeUnexpectedMessage, alert: unexpected,
			setup: change(func(b []byte) []byte {
				raw := wire.AppendMessage(nil, msg)
				return append(append(wire.AppendRecordHeader(nil, wire.RecordHeader{Type: wire.ContentHandshake, Version: wire.VersionTLS12, Length: len(raw)}), raw...), b...)
			})},
		{name: "ticket announced and missing", code: tlscore.CodeUnexpectedRecord, alert: unexpected, setup: announced, edit: rawly(nst, func([]byte) []byte { return nil })},
		{name: "ticket behind change_cipher_spec", code: tlscore.CodeUnexpectedRecord, alert: unexpected, setup: both(announced, before(nst, ccs()))},
		{name: "ticket twice", code: tlscore.CodeUnexpectedMessage, alert: unexpected, setup: announced, edit: instead(nst, msg, msg)},
		{name: "malformed ticket", code: tlscore.CodeMalformed, alert: wire.AlertDecodeError, setup: announced, edit: rawly(nst, addTrailing)},
	}
}

func clientResumption12Refusals() []refusal {
	options := func(o *tlscore.Options) { o.Session = sessionOf(wire.VersionTLS12) }
	known := func(p *tlstest.Puppet, _ *tlscore.Config) { p.Session = sessionOf(wire.VersionTLS12) }
	failure, unexpected := wire.AlertHandshakeFailure, wire.AlertUnexpectedMessage
	row := func(name string, code tlscore.Code, alert wire.AlertCode, edit func(wire.HandshakeType, []byte) []byte) refusal {
		return refusal{name: "resumption: " + name, code: code, alert: alert, options: options, setup: known, edit: edit}
	}
	return []refusal{
		row("another suite", tlscore.CodeBadResumption, failure, inServerHello(func(h *wire.ServerHello) { h.CipherSuite = wire.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 })),
		row("without extended_master_secret", tlscore.CodeBadResumption, failure, inServerHello(func(h *wire.ServerHello) { h.Extensions = drop(h.Extensions, wire.ExtExtendedMasterSecret) })),
		row("wrong Finished", tlscore.CodeBadFinished, wire.AlertDecryptError, rawly(wire.TypeFinished, flipLast)),
		{name: "resumption: a certificate after all", code: tlscore.CodeUnexpectedMessage, alert: unexpected, options: options,
			setup: both(known, change(func([]byte) []byte { return nil })), edit: instead(wire.TypeFinished, &wire.Certificate12{Chain: [][]byte{{1}}})},
		{name: "resumption: chain rejected", code: tlscore.CodeCertificateRejected, alert: wire.AlertCertificateExpired, options: options,
			setup: both(known, func(p *tlstest.Puppet, _ *tlscore.Config) { p.Answer = rejecting(wire.AlertCertificateExpired) })},
		{name: "resumption: wrong secret", apart: true, code: tlscore.CodeBadRecordMAC, alert: wire.AlertBadRecordMAC, options: options,
			setup: func(p *tlstest.Puppet, _ *tlscore.Config) {
				p.Session = sessionOf(wire.VersionTLS12)
				p.Session.Secret = make([]byte, 48)
			}},
	}
}
