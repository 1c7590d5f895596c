package tlscore_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"slices"
	"testing"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// change sends something else in the place of the puppet's change_cipher_spec.
func change(f func(rec []byte) []byte) func(*tlstest.Puppet, *tlscore.Config) {
	return func(p *tlstest.Puppet, _ *tlscore.Config) { p.Change = f }
}

// before sends records in the clear before a message.
func before(at wire.HandshakeType, rec []byte) func(*tlstest.Puppet, *tlscore.Config) {
	return func(p *tlstest.Puppet, _ *tlscore.Config) {
		p.Before = func(k wire.HandshakeType) []byte {
			if k == at {
				return rec
			}
			return nil
		}
	}
}

func ccs() []byte { return []byte{byte(wire.ContentChangeCipherSpec), 3, 3, 0, 1, 1} }

// changeRefusals are those of change_cipher_spec and Finished, the same at both ends.
func changeRefusals() []refusal {
	unexpected, fin := wire.AlertUnexpectedMessage, wire.TypeFinished
	return []refusal{
		{name: "change_cipher_spec missing", code: tlscore.CodeUnexpectedMessage, alert: unexpected, setup: change(func([]byte) []byte { return nil })},
		{name: "change_cipher_spec twice", code: tlscore.CodeUnexpectedRecord, alert: unexpected, setup: change(func(b []byte) []byte { return append(b, b...) })},
		{name: "change_cipher_spec of two bytes", code: tlscore.CodeBadChangeCipherSpec, alert: unexpected,
			setup: change(func([]byte) []byte { return []byte{byte(wire.ContentChangeCipherSpec), 3, 3, 0, 2, 1, 1} })},
		{name: "change_cipher_spec of another value", code: tlscore.CodeBadChangeCipherSpec, alert: unexpected,
			setup: change(func([]byte) []byte { return []byte{byte(wire.ContentChangeCipherSpec), 3, 3, 0, 1, 2} })},
		{name: "change_cipher_spec inside a message", code: tlscore.CodeInterleaved, alert: unexpected,
			setup: change(func(b []byte) []byte { return append([]byte{byte(wire.ContentHandshake), 3, 3, 0, 1, byte(fin)}, b...) })},
		{name: "data in the place of change_cipher_spec", code: tlscore.CodeUnexpectedRecord, alert: unexpected,
			setup: change(func([]byte) []byte { return []byte{byte(wire.ContentApplicationData), 3, 3, 0, 1, 0} })},
		{name: "Finished missing", code: tlscore.CodeUnexpectedRecord, alert: unexpected,
			setup: aside(fin, wire.ContentApplicationData, []byte("data")), edit: rawly(fin, func([]byte) []byte { return nil })},
		{name: "data before Finished", code: tlscore.CodeUnexpectedRecord, alert: unexpected, setup: aside(fin, wire.ContentApplicationData, []byte("data"))},
		{name: "empty data before Finished", code: tlscore.CodeUnexpectedRecord, alert: unexpected, setup: aside(fin, wire.ContentApplicationData, []byte{})},
		{name: "another message before Finished", code: tlscore.CodeUnexpectedMessage, alert: unexpected,
			setup: aside(fin, wire.ContentHandshake, wire.AppendMessage(nil, &wire.HelloRequest{}))},
		{name: "Finished in the clear", code: tlscore.CodeBadRecordMAC, alert: wire.AlertBadRecordMAC,
			setup: before(fin, append([]byte{byte(wire.ContentHandshake), 3, 3, 0, 16, byte(fin), 0, 0, 12}, make([]byte, 12)...))},
		{name: "wrong Finished", code: tlscore.CodeBadFinished, alert: wire.AlertDecryptError, edit: rawly(fin, flipLast)},
		{name: "short Finished", code: tlscore.CodeBadFinished, alert: wire.AlertDecryptError, edit: instead(fin, &wire.Finished{VerifyData: make([]byte, 11)})},
		{name: "empty Finished", code: tlscore.CodeBadFinished, alert: wire.AlertDecryptError, edit: instead(fin, &wire.Finished{})},
		{name: "data behind Finished in its record", code: tlscore.CodeUnexpectedMessage, alert: unexpected, setup: behindWhole(fin, &wire.Finished{VerifyData: make([]byte, 12)})},
	}
}

// behindWhole lets a whole further message follow in the record of another.
func behindWhole(kind wire.HandshakeType, msg wire.Message) func(*tlstest.Puppet, *tlscore.Config) {
	return func(p *tlstest.Puppet, _ *tlscore.Config) {
		p.Behind = func(k wire.HandshakeType) []byte {
			if k == kind {
				return wire.AppendMessage(nil, msg)
			}
			return nil
		}
	}
}

// established12Refusals are those of an established connection, the same at both ends.
func established12Refusals() []refusal {
	unexpected := wire.AlertUnexpectedMessage
	after := func(name string, code tlscore.Code, then func(*tlstest.Puppet, *tlscore.Machine) tlstest.Outcome) refusal {
		return refusal{name: "established: " + name, code: code, alert: unexpected, then: then}
	}
	return []refusal{
		after("change_cipher_spec", tlscore.CodeUnexpectedRecord, says(wire.ContentChangeCipherSpec, []byte{1})),
		after("second Finished", tlscore.CodeUnexpectedMessage, saysMessage(&wire.Finished{VerifyData: make([]byte, 12)})),
		after("key update", tlscore.CodeUnexpectedMessage, saysMessage(&wire.KeyUpdate{})),
		after("heartbeat", tlscore.CodeUnexpectedRecord, says(wire.ContentHeartbeat, []byte{1})),
		after("empty handshake record", tlscore.CodeEmptyFragment, says(wire.ContentHandshake, nil)),
		after("empty alert", tlscore.CodeEmptyFragment, says(wire.ContentAlert, nil)),
		after("data inside a message", tlscore.CodeInterleaved, func(p *tlstest.Puppet, m *tlscore.Machine) tlstest.Outcome {
			p.Say(m, wire.ContentHandshake, []byte{0})
			return p.Say(m, wire.ContentApplicationData, []byte{1})
		}),
		{name: "established: record in the clear", code: tlscore.CodeBadRecordMAC, alert: wire.AlertBadRecordMAC, then: func(p *tlstest.Puppet, m *tlscore.Machine) tlstest.Outcome {
			return p.Feed(m, []byte{byte(wire.ContentApplicationData), 3, 3, 0, 1, 'x'})
		}},
		{name: "established: unknown content type", code: tlscore.CodeUnexpectedRecord, alert: unexpected, then: func(p *tlstest.Puppet, m *tlscore.Machine) tlstest.Outcome {
			return p.Feed(m, []byte{99, 3, 3, 0, 1, 'x'})
		}},
		{name: "established: record too long", code: tlscore.CodeRecordTooLong, alert: wire.AlertRecordOverflow, then: func(p *tlstest.Puppet, m *tlscore.Machine) tlstest.Outcome {
			return p.Feed(m, []byte{byte(wire.ContentApplicationData), 3, 3, 0x48, 1})
		}},
	}
}

func server12Refusals(t *testing.T) []refusal {
	return slices.Concat(hello12Refusals(), clientFlight12Refusals(), clientCertificate12Refusals(t), serverResumption12Refusals(), changeRefusals(), established12Refusals(), []refusal{
		{name: "established: renegotiation", code: tlscore.CodeRenegotiation, alert: wire.AlertNoRenegotiation,
			then: saysMessage(&wire.ClientHello{LegacyVersion: wire.VersionTLS12, CipherSuites: []wire.CipherSuite{wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}, CompressionMethods: []byte{0}})},
		{name: "established: request to renegotiate", code: tlscore.CodeUnexpectedMessage, alert: wire.AlertUnexpectedMessage, then: saysMessage(&wire.HelloRequest{})},
	})
}

func hello12Refusals() []refusal {
	hello := helloRefusal
	failure, illegal := wire.AlertHandshakeFailure, wire.AlertIllegalParameter
	return []refusal{
		hello("TLS 1.1", tlscore.CodeUnsupportedVersion, wire.AlertProtocolVersion, func(h *wire.ClientHello) { h.LegacyVersion = wire.VersionTLS11 }),
		hello("TLS 1.1 in supported_versions", tlscore.CodeUnsupportedVersion, wire.AlertProtocolVersion, func(h *wire.ClientHello) {
			h.Extensions.Add(&wire.SupportedVersions{Versions: []wire.Version{wire.VersionTLS11, wire.VersionTLS10}})
		}),
		hello("only compression", tlscore.CodeBadCompression, illegal, func(h *wire.ClientHello) { h.CompressionMethods = []byte{1} }),
		hello("no compression methods", tlscore.CodeMalformed, wire.AlertDecodeError, func(h *wire.ClientHello) { h.CompressionMethods = nil }),
		hello("fallback", tlscore.CodeInappropriateFallback, wire.AlertInappropriateFallback, func(h *wire.ClientHello) { h.CipherSuites = append(h.CipherSuites, wire.TLS_FALLBACK_SCSV) }),
		hello("renegotiation_info that is not empty", tlscore.CodeBadRenegotiationInfo, failure, func(h *wire.ClientHello) {
			replace(&h.Extensions, &wire.RenegotiationInfo{Data: make([]byte, 12)})
		}),
		hello("malformed renegotiation_info", tlscore.CodeMalformed, wire.AlertDecodeError, func(h *wire.ClientHello) {
			h.Extensions = append(drop(h.Extensions, wire.ExtRenegotiationInfo), wire.Extension{Type: wire.ExtRenegotiationInfo})
		}),
		hello("no uncompressed points", tlscore.CodeBadPointFormats, illegal, func(h *wire.ClientHello) { replace(&h.Extensions, &wire.ECPointFormats{Formats: []byte{1}}) }),
		hello("extended_master_secret with a body", tlscore.CodeMalformed, wire.AlertDecodeError, func(h *wire.ClientHello) {
			h.Extensions = append(drop(h.Extensions, wire.ExtExtendedMasterSecret), wire.Extension{Type: wire.ExtExtendedMasterSecret, Data: []byte{0}})
		}),
		hello("extension twice", tlscore.CodeDuplicateExtension, wire.AlertDecodeError, func(h *wire.ClientHello) { h.Extensions = append(h.Extensions, h.Extensions[0]) }),
		hello("no common suite", tlscore.CodeNoSharedSuite, failure, func(h *wire.ClientHello) { h.CipherSuites = []wire.CipherSuite{wire.TLS_RSA_WITH_RC4_128_SHA} }),
		hello("suite for another key", tlscore.CodeNoSharedSuite, failure, func(h *wire.ClientHello) {
			h.CipherSuites = []wire.CipherSuite{wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
		}),
		hello("suite of TLS 1.3", tlscore.CodeNoSharedSuite, failure, func(h *wire.ClientHello) { h.CipherSuites = []wire.CipherSuite{wire.TLS_AES_128_GCM_SHA256} }),
		hello("no common group", tlscore.CodeNoSharedGroup, failure, func(h *wire.ClientHello) {
			replace(&h.Extensions, &wire.SupportedGroups{Groups: []wire.Group{wire.GroupX448}})
		}),
		hello("only a hybrid group", tlscore.CodeNoSharedGroup, failure, func(h *wire.ClientHello) {
			replace(&h.Extensions, &wire.SupportedGroups{Groups: []wire.Group{wire.GroupX25519MLKEM768}})
		}),
		hello("no common scheme", tlscore.CodeNoSharedScheme, failure, func(h *wire.ClientHello) {
			replace(&h.Extensions, &wire.SignatureAlgorithms{Schemes: []wire.SignatureScheme{wire.SchemeEd448}})
		}),
		{name: "no common protocol", code: tlscore.CodeNoSharedProtocol, alert: wire.AlertNoApplicationProtocol,
			edit:  inHello(func(h *wire.ClientHello) { h.Extensions.Add(&wire.ALPN{Protocols: []string{"x"}}) }),
			setup: func(_ *tlstest.Puppet, c *tlscore.Config) { c.ALPN = []string{"h2"} }},
		{name: "no identity for the name", code: tlscore.CodeNoIdentity, alert: wire.AlertUnrecognizedName,
			edit: inHello(func(h *wire.ClientHello) {
				h.Extensions.Add(&wire.ServerNames{Names: []wire.ServerName{{Name: []byte("b.example")}}})
			}),
			setup: func(_ *tlstest.Puppet, c *tlscore.Config) { c.StrictServerName = true }},
		{name: "data behind the hello", code: tlscore.CodeExcessHandshakeData, alert: wire.AlertUnexpectedMessage, setup: behind(wire.TypeClientHello, wire.TypeClientKeyExchange)},
	}
}

func clientFlight12Refusals() []refusal {
	cke, unexpected := wire.TypeClientKeyExchange, wire.AlertUnexpectedMessage
	point := func(b ...byte) func(wire.HandshakeType, []byte) []byte {
		return instead(cke, &wire.ClientKeyExchange{Public: b})
	}
	return []refusal{
		{name: "zero point", code: tlscore.CodeBadKeyShare, alert: wire.AlertIllegalParameter, edit: point(make([]byte, 32)...)},
		{name: "short point", code: tlscore.CodeBadKeyShare, alert: wire.AlertIllegalParameter, edit: point(1)},
		{name: "empty point", code: tlscore.CodeMalformed, alert: wire.AlertDecodeError, edit: point()},
		{name: "trailing byte in ClientKeyExchange", code: tlscore.CodeMalformed, alert: wire.AlertDecodeError, edit: rawly(cke, addTrailing)},
		{name: "ClientKeyExchange twice", code: tlscore.CodeUnexpectedMessage, alert: unexpected, edit: rawly(cke, func(b []byte) []byte { return append(b, b...) })},
		{name: "ClientKeyExchange missing", code: tlscore.CodeUnexpectedRecord, alert: unexpected, setup: before(cke, ccs())},
		{name: "certificate that was not asked for", code: tlscore.CodeUnexpectedMessage, alert: unexpected,
			setup: aside(cke, wire.ContentHandshake, wire.AppendMessage(nil, &wire.Certificate12{}))},
		{name: "second hello in the handshake", code: tlscore.CodeUnexpectedMessage, alert: unexpected, edit: instead(cke, &wire.ClientHello{CipherSuites: []wire.CipherSuite{1}, CompressionMethods: []byte{0}})},
		{name: "data before the keys", code: tlscore.CodeUnexpectedRecord, alert: unexpected, setup: aside(cke, wire.ContentApplicationData, []byte("data"))},
	}
}

func clientCertificate12Refusals(t *testing.T) []refusal {
	cert, cv, other := wire.TypeCertificate, wire.TypeCertificateVerify, selfSigned(t, ed(t))
	failure, unexpected := wire.AlertHandshakeFailure, wire.AlertUnexpectedMessage
	required := func(_ *tlstest.Puppet, c *tlscore.Config) { c.ClientAuth = tlscore.RequireClientCert }
	none := func([]byte) []byte { return nil }
	return []refusal{
		{name: "no client certificate", code: tlscore.CodeCertificateRequired, alert: failure,
			setup: both(required, func(p *tlstest.Puppet, _ *tlscore.Config) { p.Identity = tlscore.Identity{} })},
		{name: "no Certificate message", code: tlscore.CodeUnexpectedMessage, alert: unexpected, setup: required, edit: rawly(cert, none)},
		{name: "garbage client certificate", code: tlscore.CodeBadCertificate, alert: wire.AlertBadCertificate, setup: required,
			edit: instead(cert, &wire.Certificate12{Chain: [][]byte{{0x30, 0}}})},
		{name: "empty entry in the client's chain", code: tlscore.CodeMalformed, alert: wire.AlertDecodeError, setup: required,
			edit: instead(cert, &wire.Certificate12{Chain: [][]byte{{}}})},
		{name: "client chain too long", code: tlscore.CodeBadCertificate, alert: wire.AlertBadCertificate, setup: required,
			edit: instead(cert, &wire.Certificate12{Chain: slices.Repeat(other.Chain, 11)})},
		{name: "somebody else's client certificate", code: tlscore.CodeBadSchemeUsed, alert: wire.AlertIllegalParameter, setup: required,
			edit: instead(cert, &wire.Certificate12{Chain: other.Chain})},
		{name: "no CertificateVerify", code: tlscore.CodeUnexpectedRecord, alert: unexpected, setup: required, edit: rawly(cv, none)},
		{name: "wrong signature of the client", code: tlscore.CodeBadSignature, alert: wire.AlertDecryptError, setup: required, edit: rawly(cv, flipLast)},
		{name: "client's scheme not offered", code: tlscore.CodeBadSchemeUsed, alert: wire.AlertIllegalParameter, setup: required,
			edit: instead(cv, &wire.CertificateVerify{Scheme: wire.SchemeECDSASHA1, Signature: []byte{1}})},
		{name: "CertificateVerify without a certificate", code: tlscore.CodeUnexpectedMessage, alert: unexpected,
			setup: func(p *tlstest.Puppet, c *tlscore.Config) {
				c.ClientAuth = tlscore.RequestClientCert
				p.Identity.Chain = slices.Clone(p.Identity.Chain)
			},
			edit: instead(cert, &wire.Certificate12{})},
		{name: "client chain rejected", code: tlscore.CodeCertificateRejected, alert: wire.AlertUnknownCA,
			setup: both(required, func(p *tlstest.Puppet, _ *tlscore.Config) { p.Answer = rejecting(wire.AlertUnknownCA) })},
	}
}

// rejecting answers NeedVerify with an error.
func rejecting(alert wire.AlertCode) func(*tlscore.Question) tlscore.Answer {
	return func(q *tlscore.Question) tlscore.Answer {
		if q.Kind != tlscore.NeedVerify {
			return nil
		}
		return tlscore.Verified{Err: errors.New("not acceptable"), Alert: alert}
	}
}

func serverResumption12Refusals() []refusal {
	fin := wire.TypeFinished
	known := func(p *tlstest.Puppet, c *tlscore.Config) {
		p.Session, c.AskSession = sessionOf(wire.VersionTLS12), true
	}
	return []refusal{
		{name: "resumption without extended_master_secret", code: tlscore.CodeBadResumption, alert: wire.AlertHandshakeFailure, setup: known,
			edit: inHello(func(h *wire.ClientHello) { h.Extensions = drop(h.Extensions, wire.ExtExtendedMasterSecret) })},
		{name: "resumption with another secret", apart: true, code: tlscore.CodeBadRecordMAC, alert: wire.AlertBadRecordMAC,
			setup: both(known, func(p *tlstest.Puppet, _ *tlscore.Config) {
				theirs := *p.Session
				theirs.Secret = make([]byte, 48)
				p.Answer = func(q *tlscore.Question) tlscore.Answer {
					if q.Kind == tlscore.NeedSession {
						return tlscore.Found{Session: &theirs}
					}
					return nil
				}
			})},
		{name: "resumption with a wrong Finished", code: tlscore.CodeBadFinished, alert: wire.AlertDecryptError, setup: known, edit: rawly(fin, flipLast)},
		{name: "resumption without change_cipher_spec", code: tlscore.CodeUnexpectedMessage, alert: wire.AlertUnexpectedMessage,
			setup: both(known, change(func([]byte) []byte { return nil }))},
		{name: "resumption with a key exchange", code: tlscore.CodeUnexpectedMessage, alert: wire.AlertUnexpectedMessage,
			setup: both(known, change(func([]byte) []byte { return nil })), edit: instead(fin, &wire.ClientKeyExchange{Public: []byte{1}})},
	}
}

// weak is an identity with a key that nobody should use.
func weak(t *testing.T) tlscore.Identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return selfSigned(t, key)
}

// notForSigning is a certificate whose key usage allows no signatures.
func notForSigning(t *testing.T) []byte {
	t.Helper()
	key := p256(t)
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, KeyUsage: x509.KeyUsageKeyAgreement,
		NotBefore: tlstest.Now.AddDate(0, -1, 0), NotAfter: tlstest.Now.AddDate(0, 1, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}
