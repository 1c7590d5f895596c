package tlscore_test

import (
	"testing"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// late is what a puppet does when the machine has asked it for a certificate after the handshake.
func late(f func(*tlstest.Puppet)) func(*tlstest.Puppet, *tlscore.Machine) tlstest.Outcome {
	return func(p *tlstest.Puppet, m *tlscore.Machine) tlstest.Outcome {
		_, out, err := m.RequestCertificate(nil)
		if err != nil {
			return tlstest.Outcome{Err: err}
		}
		f(p)
		return p.AnswerLate(m, out, nil)
	}
}

// lateEdit edits one message of the answer.
func lateEdit(edit func(wire.HandshakeType, []byte) []byte) func(*tlstest.Puppet, *tlscore.Machine) tlstest.Outcome {
	return late(func(p *tlstest.Puppet) { p.Edit = edit })
}

// lateAside sends content of its own in the midst of the answer.
func lateAside(at wire.HandshakeType, kind wire.ContentType, content []byte) func(*tlstest.Puppet, *tlscore.Machine) tlstest.Outcome {
	return late(func(p *tlstest.Puppet) { aside(at, kind, content)(p, nil) })
}

func lateServerRefusals() []refusal {
	say := func(msgs ...wire.Message) func(*tlstest.Puppet, *tlscore.Machine) tlstest.Outcome {
		return func(p *tlstest.Puppet, m *tlscore.Machine) (o tlstest.Outcome) {
			for _, msg := range msgs {
				o = p.Say(m, wire.ContentHandshake, wire.AppendMessage(nil, msg))
			}
			return o
		}
	}
	update := wire.AppendMessage(nil, &wire.KeyUpdate{})
	return []refusal{
		{name: "a certificate that was not asked for", code: tlscore.CodeUnexpectedMessage, alert: wire.AlertUnexpectedMessage, then: say(&wire.Certificate{})},
		{name: "Finished alone", code: tlscore.CodeUnexpectedMessage, alert: wire.AlertUnexpectedMessage, then: lateEdit(instead(wire.TypeCertificate))},
		{name: "another context", code: tlscore.CodeBadRequestContext, alert: wire.AlertIllegalParameter,
			then: func(p *tlstest.Puppet, m *tlscore.Machine) tlstest.Outcome {
				_, out, _ := m.RequestCertificate(nil)
				return p.AnswerLate(m, out, []byte("of mine"))
			}},
		{name: "no context", code: tlscore.CodeBadRequestContext, alert: wire.AlertIllegalParameter,
			then: func(p *tlstest.Puppet, m *tlscore.Machine) tlstest.Outcome {
				_, out, _ := m.RequestCertificate(nil)
				return p.AnswerLate(m, out, []byte{})
			}},
		{name: "the same answer twice", code: tlscore.CodeUnexpectedMessage, alert: wire.AlertUnexpectedMessage,
			then: func(p *tlstest.Puppet, m *tlscore.Machine) tlstest.Outcome {
				var answer []byte
				p.Edit = func(_ wire.HandshakeType, raw []byte) []byte { answer = append(answer, raw...); return raw }
				_, out, _ := m.RequestCertificate(nil)
				if o := p.AnswerLate(m, out, nil); o.Err != nil {
					return tlstest.Outcome{Err: o.Err}
				}
				return p.Say(m, wire.ContentHandshake, answer)
			}},
		{name: "the same answer to another request", code: tlscore.CodeBadRequestContext, alert: wire.AlertIllegalParameter, apart: true,
			then: func(p *tlstest.Puppet, m *tlscore.Machine) tlstest.Outcome {
				var answer []byte
				p.Edit = func(_ wire.HandshakeType, raw []byte) []byte { answer = append(answer, raw...); return raw }
				_, out, _ := m.RequestCertificate(nil)
				p.AnswerLate(m, out, nil)
				m.RequestCertificate(nil)
				return p.Say(m, wire.ContentHandshake, answer)
			}},
		{name: "a certificate without its signature", code: tlscore.CodeUnexpectedMessage, alert: wire.AlertUnexpectedMessage, then: lateEdit(instead(wire.TypeCertificateVerify))},
		{name: "another signature", code: tlscore.CodeBadSignature, alert: wire.AlertDecryptError, then: lateEdit(rawly(wire.TypeCertificateVerify, flipLast))},
		{name: "another MAC", code: tlscore.CodeBadFinished, alert: wire.AlertDecryptError, then: lateEdit(rawly(wire.TypeFinished, flipLast))},
		{name: "a MAC of the keys before", code: tlscore.CodeBadFinished, alert: wire.AlertDecryptError,
			then: late(func(p *tlstest.Puppet) {
				p.Edit = func(kind wire.HandshakeType, raw []byte) []byte {
					if kind == wire.TypeFinished {
						return wire.AppendMessage(nil, &wire.Finished{VerifyData: make([]byte, 32)})
					}
					return raw
				}
			})},
		{name: "trailing bytes in the certificate", code: tlscore.CodeMalformed, alert: wire.AlertDecodeError, then: lateEdit(rawly(wire.TypeCertificate, addTrailing))},
		{name: "trailing bytes in the signature", code: tlscore.CodeMalformed, alert: wire.AlertDecodeError, then: lateEdit(rawly(wire.TypeCertificateVerify, addTrailing))},
		{name: "trailing bytes in the MAC", code: tlscore.CodeBadFinished, alert: wire.AlertDecryptError, then: lateEdit(rawly(wire.TypeFinished, addTrailing))},
		{name: "data before the signature", code: tlscore.CodeInterleaved, alert: wire.AlertUnexpectedMessage, then: lateAside(wire.TypeCertificateVerify, wire.ContentApplicationData, []byte("x"))},
		{name: "data before the MAC", code: tlscore.CodeInterleaved, alert: wire.AlertUnexpectedMessage, then: lateAside(wire.TypeFinished, wire.ContentApplicationData, []byte("x"))},
		{name: "a key update in the midst", code: tlscore.CodeUnexpectedMessage, alert: wire.AlertUnexpectedMessage, then: lateAside(wire.TypeFinished, wire.ContentHandshake, update)},
		{name: "a second certificate in the midst", code: tlscore.CodeUnexpectedMessage, alert: wire.AlertUnexpectedMessage,
			then: lateAside(wire.TypeFinished, wire.ContentHandshake, wire.AppendMessage(nil, &wire.Certificate{}))},
		{name: "no certificate to be read", code: tlscore.CodeBadCertificate, alert: wire.AlertBadCertificate,
			then: late(func(p *tlstest.Puppet) { p.Identity.Chain = [][]byte{{1, 2, 3}} })},
		{name: "compressed, which nobody asked for", code: tlscore.CodeUnexpectedMessage, alert: wire.AlertUnexpectedMessage,
			then: lateEdit(instead(wire.TypeCertificate, &wire.CompressedCertificate{Algorithm: wire.CompressionZlib, UncompressedLength: 4, Compressed: []byte{1}}))},
	}
}

func lateClientRefusals() []refusal {
	ask := func(contexts ...string) func(*tlstest.Puppet, *tlscore.Machine) tlstest.Outcome {
		return func(p *tlstest.Puppet, m *tlscore.Machine) (o tlstest.Outcome) {
			for _, c := range contexts {
				o = p.AskLate(m, []byte(c))
			}
			return o
		}
	}
	edit := func(f func(*wire.CertificateRequest)) func(*tlstest.Puppet, *tlscore.Machine) tlstest.Outcome {
		return func(p *tlstest.Puppet, m *tlscore.Machine) tlstest.Outcome {
			p.Edit = func(_ wire.HandshakeType, raw []byte) []byte {
				var r wire.CertificateRequest
				if err := r.Parse(raw); err != nil {
					panic(err)
				}
				f(&r)
				return wire.AppendMessage(nil, &r)
			}
			return p.AskLate(m, []byte("context"))
		}
	}
	flood := make([]string, tlscore.DefaultMaxUselessRecords+1)
	for i := range flood {
		flood[i] = string(rune('a' + i))
	}
	return []refusal{
		{name: "it did not offer that", code: tlscore.CodeUnexpectedMessage, alert: wire.AlertUnexpectedMessage,
			setup: func(_ *tlstest.Puppet, c *tlscore.Config) { c.PostHandshakeAuth = false }, then: ask("a")},
		{name: "one context twice", code: tlscore.CodeBadRequestContext, alert: wire.AlertIllegalParameter, then: ask("a", "b", "a")},
		{name: "a flood", code: tlscore.CodeTooManyRequests, alert: wire.AlertUnexpectedMessage, then: ask(flood...)},
		{name: "over HTTP/2", code: tlscore.CodeLateOverHTTP2, alert: wire.AlertUnexpectedMessage, then: ask("a"),
			edit: inExtensions(func(es *wire.Extensions) { es.Add(&wire.ALPN{Protocols: []string{"h2"}}) })},
		{name: "no signature_algorithms", code: tlscore.CodeMissingExtension, alert: wire.AlertMissingExtension,
			then: edit(func(r *wire.CertificateRequest) {
				r.Extensions = drop(r.Extensions, wire.ExtSignatureAlgorithms)
				r.Extensions.Add(&wire.SignatureAlgorithmsCert{Schemes: []wire.SignatureScheme{wire.SchemeEd25519}})
			})},
		{name: "an extension twice", code: tlscore.CodeDuplicateExtension, alert: wire.AlertDecodeError,
			then: edit(func(r *wire.CertificateRequest) { r.Extensions = append(r.Extensions, r.Extensions[0]) })},
		{name: "trailing bytes", code: tlscore.CodeMalformed, alert: wire.AlertDecodeError,
			then: func(p *tlstest.Puppet, m *tlscore.Machine) tlstest.Outcome {
				p.Edit = rawly(wire.TypeCertificateRequest, addTrailing)
				return p.AskLate(m, []byte("a"))
			}},
		{name: "post_handshake_auth in EncryptedExtensions", code: tlscore.CodeMisplacedExtension, alert: wire.AlertIllegalParameter,
			edit: inExtensions(func(es *wire.Extensions) { es.Add(&wire.PostHandshakeAuth{}) })},
	}
}

// inExtensions edits EncryptedExtensions.
func inExtensions(f func(*wire.Extensions)) func(wire.HandshakeType, []byte) []byte {
	return func(kind wire.HandshakeType, raw []byte) []byte {
		var ee wire.EncryptedExtensions
		if kind != wire.TypeEncryptedExtensions || ee.Parse(raw) != nil {
			return raw
		}
		f(&ee.Extensions)
		return wire.AppendMessage(nil, &ee)
	}
}

// TestAnswersThatNobodySendsAreBounded: a client whose write half stands still does not pile up answers.
func TestAnswersThatNobodySendsAreBounded(t *testing.T) {
	l := lateLink(t, nil)
	for i := range tlscore.MaxOpenRequests {
		_, out, err := l.Server.Machine.RequestCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		if step := settle(t, l.Client, out); step.Event.Kind != tlscore.RequestAnswered {
			t.Fatalf("request %d: %v", i, step.Event.Kind)
		}
	}
	answers, err := l.Client.Machine.Flush(nil)
	if err != nil {
		t.Fatal(err)
	}
	l.Carry(l.Client, answers)
	if err := l.Run(); err != nil {
		t.Fatal(err)
	}
	if f := l.Server.Machine.Facts(); f.LateRequests != tlscore.MaxOpenRequests {
		t.Errorf("%d answers", f.LateRequests)
	}
	p := &tlstest.Puppet{Identity: selfSigned(t, ed(t))}
	m := tlscore.NewClient(compile(t, tlscore.Config{PostHandshakeAuth: true}), tlscore.Options{})
	if o := p.Serve(m); !o.Done {
		t.Fatal(o.Err)
	}
	var requests []byte
	for i := range tlscore.MaxOpenRequests + 1 {
		r := &wire.CertificateRequest{Context: []byte{byte(i)}, Extensions: withExt(&wire.SignatureAlgorithms{Schemes: []wire.SignatureScheme{wire.SchemeEd25519}})}
		requests = append(requests, wire.AppendMessage(nil, r)...)
	}
	in := p.Protect(wire.ContentHandshake, requests)
	err = nil
	for i := 0; err == nil && i <= tlscore.MaxOpenRequests; i++ { // without Flush
		var step tlscore.Step
		step, err = m.Feed(tlstest.Now, in, nil)
		in = in[step.N:]
	}
	if code, _ := tlscore.CodeOf(err); code != tlscore.CodeTooManyRequests {
		t.Errorf("ended with %v", err)
	}
}
