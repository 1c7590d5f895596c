package trace

import (
	"bytes"
	"fmt"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/internal/verify"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/wire"
)

// check13 is what TLS 1.3 rests on: binders, signatures and Finished.
func (d *decoder) check13() {
	for _, id := range d.thread.order {
		if m := &d.r.Messages[id]; d.is(m, wire.TypeClientHello) {
			d.checkBinders(m)
		}
	}
	for _, side := range []Side{Server, Client} {
		d.checkDelegated(side)
		if m := d.in(side, wire.TypeCertificateVerify); m != nil {
			d.checkSignature13(m)
		}
		if m := d.in(side, wire.TypeFinished); m != nil {
			d.checkFinished13(m)
		}
	}
	d.checkLate()
}

// finished13 is the verify_data of a Finished under a traffic secret (RFC 8446, Section 4.4.4).
func (d *decoder) finished13(secret []byte, m *Message) []byte {
	before := d.thread.before(m.ID)
	if before == nil || len(secret) != d.thread.hash.Size() {
		return nil
	}
	return mac(d.thread.hash, expandLabel(d.thread.hash, secret, "finished", nil, len(secret)), before)
}

func (d *decoder) checkFinished13(m *Message) {
	name := nameServerHS
	if m.From == Client {
		name = nameClientHS
	}
	got := m.Raw[handshakeHeader:]
	var want []byte
	for _, secret := range d.known.byName[name] {
		if v := d.finished13(secret, m); want == nil || bytes.Equal(v, got) {
			want = v
		}
	}
	d.compared(Check{
		Name: string(m.From) + " Finished", Message: m.ID, Keys: d.named(name + " finished"), Section: "RFC 8446, Section 4.4.4",
		Text: "the MAC over the transcript before this message, under a key that only the two can have",
	}, want, got)
}

// checkSignature13 verifies a CertificateVerify. Expected is what had to be signed, Got the signature.
func (d *decoder) checkSignature13(m *Message) {
	signer := signerOf(m.From)
	c := Check{
		Name: string(m.From) + " CertificateVerify", Message: m.ID, Section: "RFC 8446, Section 4.4.3", Result: resultImpossible,
		Text: "the certificate that the signature is for is not here",
	}
	msg, _ := d.parse(m).(*wire.CertificateVerify)
	before := d.thread.before(m.ID)
	chain := d.chain(m.From)
	if msg == nil || before == nil || len(chain) == 0 {
		d.checked(c)
		return
	}
	c.Expected, c.Got = Hex(verify.CertificateVerifyInput(signer, before)), Hex(msg.Signature)
	key, err := d.signingKey(m.From, chain[0])
	if err == nil {
		_, err = verify.CertificateVerify(signer, suite.SchemeByID(msg.Scheme), key, before, msg.Signature)
	}
	d.signature(c, msg.Scheme, err)
}

// signature adds the check of a signature.
func (d *decoder) signature(c Check, scheme wire.SignatureScheme, err error) {
	c.Text = fmt.Sprintf("the signature with %v fits the key of the certificate and what had to be signed", scheme)
	if err != nil {
		c.Text = fmt.Sprintf("the signature with %v does not hold: %v", scheme, err)
	}
	d.holds(c, err == nil)
}

// leafKey is the key of a side's certificate, or the key itself where the two agreed on raw public keys (RFC 7250).
func (d *decoder) leafKey(side Side, der []byte) (verify.LeafKey, error) {
	if !d.rawKeys(side) {
		return verify.Leaf(der)
	}
	pub, err := cert.ParsePublicKey(der)
	if err != nil {
		return verify.LeafKey{}, err
	}
	return verify.LeafKey{Public: pub, Kind: suite.KindOf(pub, false)}, nil
}

// rawKeys reports whether a side shows a raw public key in place of a certificate.
func (d *decoder) rawKeys(side Side) bool {
	var msg interface {
		Ext(wire.ExtensionView) (bool, error)
	}
	if d.old() {
		if d.answer == nil {
			return false
		}
		msg = d.answer
	} else {
		ee, _ := d.parseIn(Server, wire.TypeEncryptedExtensions).(*wire.EncryptedExtensions)
		if ee == nil {
			return false
		}
		msg = ee
	}
	var server wire.SelectedServerCertificateType
	var client wire.SelectedClientCertificateType
	if side == Server {
		ok, err := msg.Ext(&server)
		return ok && err == nil && server.Type == wire.CertificateTypeRawPublicKey
	}
	ok, err := msg.Ext(&client)
	return ok && err == nil && client.Type == wire.CertificateTypeRawPublicKey
}

// parseIn parses the first message of a type, nil if there is none that can be read.
func (d *decoder) parseIn(side Side, kind wire.HandshakeType) wire.Message {
	m := d.in(side, kind)
	if m == nil {
		return nil
	}
	return d.parse(m)
}

// isRawKey12 reports whether a message of TLS 1.2 is a Certificate in the form that it has for a raw public key.
func (d *decoder) isRawKey12(side Side, raw []byte) bool {
	return len(raw) > 0 && wire.HandshakeType(raw[0]) == wire.TypeCertificate && d.old() && d.rawKeys(side)
}

// chain gives the certificates of a side, leaf first.
func (d *decoder) chain(side Side) (chain [][]byte) {
	m := d.certificate(side)
	if m == nil {
		return nil
	}
	switch msg := d.parse(m).(type) {
	case *wire.CompressedCertificate:
		chain = unpackedChain(m.Raw)
	case *wire.Certificate:
		for i := range msg.Entries {
			chain = append(chain, msg.Entries[i].Data)
		}
	case *wire.Certificate12:
		chain = msg.Chain
	case *wire.RawPublicKey12:
		if len(msg.Key) > 0 {
			chain = [][]byte{msg.Key}
		}
	}
	return chain
}

// checkBinders computes the binders of the pre-shared keys that a ClientHello offers (RFC 8446, Section 4.2.11.2).
func (d *decoder) checkBinders(m *Message) {
	hello, _ := d.parse(m).(*wire.ClientHello)
	if hello == nil {
		return
	}
	var offer wire.PreSharedKeys
	if ok, err := hello.Ext(&offer); !ok || err != nil || offer.BindersLen() > len(d.said(m)) {
		return
	}
	keys := d.named("binder_key finished")
	for i, binder := range offer.Binders {
		if i == maxBinders {
			return
		}
		hash := hashOfSize(len(binder))
		before := d.cutShort(hash, m.ID, len(d.said(m))-offer.BindersLen())
		c := Check{
			Name: "PSK binder", Message: m.ID, Section: "RFC 8446, Section 4.2.11.2", Got: Hex(binder), Result: resultImpossible,
			Text: fmt.Sprintf("the pre-shared key number %d is not at hand: a key log does not have it, and a server derives only the one it takes", i),
		}
		for _, id := range keys {
			key := d.r.Keys[id].Output
			if len(key) != hash.Size() {
				continue
			}
			want := mac(hash, key, before)
			if bytes.Equal(want, binder) || len(keys) == 1 && len(offer.Binders) == 1 {
				c.Expected, c.Keys = Hex(want), []int{id}
				break
			}
		}
		if c.Expected == nil {
			d.checked(c)
			continue
		}
		c.Text = "the MAC over the ClientHello without its binders: whoever made it has the pre-shared key, and offers it here and nowhere else"
		d.compared(c, c.Expected, binder)
	}
}
