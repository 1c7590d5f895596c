package trace

import (
	"bytes"

	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/internal/verify"
	"github.com/tlswright/tlswright/wire"
)

// check12 is what TLS 1.2 rests on: the signed key exchange, and Finished.
func (d *decoder) check12() {
	if m := d.in(Server, wire.TypeServerKeyExchange); m != nil {
		d.checkKeyExchange(m)
	}
	if m := d.in(Client, wire.TypeCertificateVerify); m != nil {
		d.checkSignature12(m)
	}
	for _, side := range []Side{Client, Server} {
		if m := d.in(side, wire.TypeFinished); m != nil && d.suite != nil {
			d.checkFinished12(m)
		}
	}
}

// checkFinished12 computes the verify_data of a Finished (RFC 5246, Section 7.4.9).
func (d *decoder) checkFinished12(m *Message) {
	label := string(m.From) + " finished"
	got := m.Raw[handshakeHeader:]
	var want []byte
	if before := d.thread.before(m.ID); before != nil {
		for _, master := range d.known.byName[nameMaster] {
			if v := prf(d.thread.hash, master, label, before, 12); want == nil || bytes.Equal(v, got) {
				want = v
			}
		}
	}
	d.compared(Check{
		Name: string(m.From) + " Finished", Message: m.ID, Keys: d.named(nameMaster), Section: "RFC 5246, Section 7.4.9",
		Text: "the PRF over the transcript before this message, under the master secret that only the two can have",
	}, want, got)
}

// checkKeyExchange verifies the signature of the server's ephemeral key. Expected is what had to be signed.
func (d *decoder) checkKeyExchange(m *Message) {
	msg, _ := d.parse(m).(*wire.ServerKeyExchange)
	chain := d.chain(Server)
	c := Check{
		Name: "ServerKeyExchange signature", Message: m.ID, Section: "RFC 8422, Section 5.4", Result: resultImpossible,
		Text: "the certificate that the signature is for is not here, or the key exchange is another than ECDHE",
	}
	if msg == nil || len(chain) == 0 || d.hello == nil || d.answer == nil {
		d.checked(c)
		return
	}
	r := &keys.Randoms{Client: d.hello.Random, Server: d.answer.Random}
	params := msg.AppendParams(nil)
	c.Expected, c.Got = Hex(verify.ServerKeyExchangeInput(r, params)), Hex(msg.Signature)
	key, err := d.leafKey(Server, chain[0])
	if err == nil {
		_, err = verify.ServerKeyExchange(suite.SchemeByID(msg.Scheme), key, r, params, msg.Signature)
	}
	d.signature(c, msg.Scheme, err)
}

// checkSignature12 verifies a client's CertificateVerify, which is over the messages themselves.
func (d *decoder) checkSignature12(m *Message) {
	msg, _ := d.parse(m).(*wire.CertificateVerify)
	chain := d.chain(Client)
	c := Check{
		Name: "client CertificateVerify", Message: m.ID, Section: "RFC 5246, Section 7.4.8", Result: resultImpossible,
		Text: "the certificate that the signature is for is not here",
	}
	if msg == nil || len(chain) == 0 {
		d.checked(c)
		return
	}
	var messages []byte
	for _, id := range d.thread.order {
		if id == m.ID {
			break
		}
		messages = append(messages, d.r.Messages[id].Raw...)
	}
	c.Got = Hex(msg.Signature)
	key, err := d.leafKey(Client, chain[0])
	if err == nil {
		_, err = verify.CertificateVerify12(suite.SchemeByID(msg.Scheme), key, messages, msg.Signature)
	}
	d.signature(c, msg.Scheme, err)
}
