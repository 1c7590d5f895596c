package tlstest

import (
	"bytes"

	"github.com/tlswright/tlswright/internal/verify"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// AskLate has a puppet that serves ask the machine for a certificate after the handshake. Edit and its like apply.
func (p *Puppet) AskLate(m *tlscore.Machine, context []byte) Outcome {
	handshake := p.transcript.Clone()
	request := &wire.CertificateRequest{Context: context, Extensions: wire.Extensions{}}
	request.Extensions.Add(&wire.SignatureAlgorithms{Schemes: []wire.SignatureScheme{wire.SchemeEd25519, wire.SchemeECDSASecp256r1SHA256}})
	p.say(m, request)
	p.transcript = *handshake
	p.read()
	return p.outcome
}

// AnswerLate has a puppet that connects answer the machine's CertificateRequest, which is on its way: with its Identity, or
// with an empty Certificate. Edit and its like apply. context stands in the place of the request's; nil: that.
func (p *Puppet) AnswerLate(m *tlscore.Machine, request, context []byte) Outcome {
	handshake := p.transcript.Clone()
	defer func() { p.transcript = *handshake }()
	p.plain = append(p.plain, request...)
	var asked wire.CertificateRequest
	if err := p.hearAs(&asked); err != nil {
		return p.ended(err)
	}
	if context == nil {
		context = bytes.Clone(asked.Context)
	}
	cert := &wire.Certificate{Context: context}
	for _, der := range p.Identity.Chain {
		cert.Entries = append(cert.Entries, wire.CertificateEntry{Data: der, Extensions: wire.Extensions{}})
	}
	p.say(m, cert)
	if len(cert.Entries) > 0 {
		scheme, sig, err := p.sign(verify.CertificateVerifyInput(verify.ClientSigner, p.transcript.Sum()))
		if err != nil {
			return p.ended(err)
		}
		p.say(m, &wire.CertificateVerify{Scheme: scheme, Signature: sig})
	}
	p.say(m, &wire.Finished{VerifyData: p.traffic.Finished(p.transcript.Sum())})
	return p.ended(nil)
}
