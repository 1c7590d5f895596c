package trace

import (
	"bytes"
	"strings"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/internal/verify"
	"github.com/tlswright/tlswright/wire"
)

// Client authentication after the handshake: each request and its answer have a transcript of their own, which goes on
// where that of the handshake ended (RFC 8446, Sections 4.4.1 and 4.6.2).

const sectionLate = "RFC 8446, Section 4.6.2"

// late reports whether a message belongs to an authentication after the handshake.
func (d *decoder) late(m *Message) bool {
	if d.old() || len(m.Raw) == 0 || !strings.HasPrefix(m.Epoch, epochApplication) {
		return false
	}
	switch wire.HandshakeType(m.Raw[0]) {
	case wire.TypeCertificateRequest, wire.TypeCertificate, wire.TypeCompressedCertificate, wire.TypeCertificateVerify, wire.TypeFinished:
		return true
	}
	return false
}

// lateMeaning is what a message says after the handshake; "": the same as within.
func lateMeaning(t wire.HandshakeType) string {
	switch t {
	case wire.TypeCertificateRequest:
		return "The server wants to know, after the handshake, who the client is. The context comes back with the answer."
	case wire.TypeCertificate, wire.TypeCompressedCertificate:
		return "The client's answer, after the handshake, to the request with the same context: its certificate, or none."
	case wire.TypeCertificateVerify:
		return "The client signs the handshake, the request and its certificate, after the handshake: it has the private key, and answers this very request."
	case wire.TypeFinished:
		return "The end of the client's answer after the handshake: a MAC over it, with a key that comes from the client's traffic secret of this moment."
	}
	return ""
}

// lateAnswer is what came of a client's answer so far.
type lateAnswer struct {
	request *Message
	chain   [][]byte
	said    [][]byte // the messages of the answer
}

// checkLate computes signatures and MACs of the authentications after the handshake.
func (d *decoder) checkLate() {
	requests := map[string]*Message{}
	for i := range d.r.Messages {
		m := &d.r.Messages[i]
		if req, ok := d.parse(m).(*wire.CertificateRequest); ok && m.From == Server && d.late(m) {
			requests[string(req.Context)] = m
		}
	}
	var a lateAnswer
	for i := range d.r.Messages {
		m := &d.r.Messages[i]
		if m.From != Client || !d.late(m) {
			continue
		}
		switch msg := d.parse(m).(type) {
		case *wire.Certificate, *wire.CompressedCertificate:
			a = lateAnswerOf(m, requests)
		case *wire.CertificateVerify:
			d.checkLateSignature(m, msg, &a)
		case *wire.Finished:
			d.checkLateFinished(m, &a)
		}
		a.said = append(a.said, m.Raw)
	}
}

// lateAnswerOf begins with a client's certificate.
func lateAnswerOf(m *Message, requests map[string]*Message) (a lateAnswer) {
	raw := []byte(m.Raw)
	if wire.HandshakeType(raw[0]) == wire.TypeCompressedCertificate {
		raw = unpacked(raw)
	}
	var cert wire.Certificate
	if raw == nil || cert.Parse(raw) != nil {
		return a
	}
	for i := range cert.Entries {
		a.chain = append(a.chain, cert.Entries[i].Data)
	}
	a.request = requests[string(cert.Context)]
	return a
}

// hash is the transcript hash of an answer so far; nil: that cannot be known.
func (a *lateAnswer) hash(d *decoder) []byte {
	t := d.thread
	if t.hash == 0 || a.request == nil || len(t.order) == 0 || !d.is(&d.r.Messages[t.order[len(t.order)-1]], wire.TypeFinished) {
		return nil
	}
	var parts [][]byte
	for _, id := range t.order {
		m := &d.r.Messages[id]
		if d.isRetry(m) {
			parts = [][]byte{t.synthetic}
		}
		parts = append(parts, m.Raw)
	}
	return sum(t.hash, append(append(parts, a.request.Raw), a.said...)...)
}

func (d *decoder) checkLateSignature(m *Message, msg *wire.CertificateVerify, a *lateAnswer) {
	c := Check{
		Name: "client CertificateVerify", Message: m.ID, Section: sectionLate, Result: resultImpossible,
		Text: "the certificate that the signature is for, the request or the handshake is not here",
	}
	before := a.hash(d)
	if before == nil || len(a.chain) == 0 {
		d.checked(c)
		return
	}
	c.Expected, c.Got = Hex(verify.CertificateVerifyInput(verify.ClientSigner, before)), Hex(msg.Signature)
	key, err := d.leafKey(Client, a.chain[0])
	if err == nil {
		_, err = verify.CertificateVerify(verify.ClientSigner, suite.SchemeByID(msg.Scheme), key, before, msg.Signature)
	}
	d.signature(c, msg.Scheme, err)
}

func (d *decoder) checkLateFinished(m *Message, a *lateAnswer) {
	c := Check{
		Name: "client Finished", Message: m.ID, Section: sectionLate,
		Text: "the MAC over the handshake, the request and the answer, under a key of the client's traffic secret of that moment",
	}
	var want []byte
	if p, before := d.lateKeys(m), a.hash(d); p != nil && before != nil {
		c.Keys = d.named(p.name + " finished")
		want = mac(d.thread.hash, expandLabel(d.thread.hash, p.secret, "finished", nil, len(p.secret)), before)
	}
	d.compared(c, want, m.Raw[handshakeHeader:])
}

// lateKeys are those that a message came under; nil: they are not known.
func (d *decoder) lateKeys(m *Message) *protection {
	for _, p := range d.stream(m.From).keys {
		if p.epoch == m.Epoch {
			return p
		}
	}
	return nil
}

// lateFinishedKeys adds the keys of the MACs of answers after the handshake.
func (g *graph) lateFinishedKeys() {
	for i := range g.d.r.Messages {
		m := &g.d.r.Messages[i]
		if !g.d.is(m, wire.TypeFinished) || !g.d.late(m) {
			continue
		}
		p := g.d.lateKeys(m)
		if p == nil || len(p.secret) != g.hash.Size() {
			continue
		}
		if from, ok := g.of[string(p.secret)]; ok {
			g.addOnce(Derivation{
				Name: p.name + " finished", How: howExpand, Label: "finished", From: []int{from}, Input: Hex(p.secret),
				Output: Hex(expandLabel(g.hash, p.secret, "finished", nil, g.hash.Size())), Agrees: g.keys[from].Agrees,
			})
		}
	}
}

// addOnce is add for a step that may be known.
func (g *graph) addOnce(k Derivation) {
	for i := range g.keys {
		if g.keys[i].Name == k.Name && bytes.Equal(g.keys[i].Output, k.Output) {
			return
		}
	}
	g.add(k)
}
