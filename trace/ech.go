package trace

import (
	"bytes"
	"slices"

	"github.com/tlswright/tlswright/internal/ech"
	"github.com/tlswright/tlswright/wire"
)

// nameInner is the step that holds an EncodedClientHelloInner, which is a secret like any other (RFC 9849, Section 5.1).
const nameInner = "ech_client_hello_inner"

// inner is what was encrypted in a ClientHello.
type inner struct {
	encoded []byte
	raw     []byte // the message that it stands for
	hello   *wire.ClientHello
}

// findInner takes the inner ClientHellos out of the secrets. Where the server shows that it goes on from them, they take the
// place of the outer ones in all that is computed.
func (d *decoder) findInner() {
	var encoded [][]byte
	for i := range d.c.Derivations {
		if k := &d.c.Derivations[i]; k.Name == nameInner && len(k.Output) > 0 {
			encoded = append(encoded, k.Output)
		}
	}
	for raw := range d.plainMessages(Client) {
		outer := new(wire.ClientHello)
		if len(d.inners) == len(encoded) || outer.Parse(raw) != nil {
			break
		}
		in := inner{encoded: encoded[len(d.inners)], hello: new(wire.ClientHello)}
		var err error
		if in.raw, err = ech.Decode(in.encoded, outer); err != nil || in.hello.Parse(in.raw) != nil {
			break
		}
		d.inners = append(d.inners, in)
	}
	if len(d.inners) == 0 || d.suite == nil || d.version != wire.VersionTLS13 {
		return
	}
	want, got := d.confirmation()
	if d.accepted = got != nil && bytes.Equal(want, got); d.accepted {
		d.hello = d.inners[0].hello
	}
}

// confirmation is what the server's first message has to hold if it answers the inner ClientHello, and what it holds
// (RFC 9849, Sections 7.2 and 7.2.1).
func (d *decoder) confirmation() (want, got []byte) {
	label := "ech accept confirmation"
	for raw := range d.plainMessages(Server) {
		var hello wire.ServerHello
		if hello.Parse(raw) != nil {
			break
		}
		before := d.inners[0].raw
		if hello.IsHelloRetryRequest() {
			label = "hrr ech accept confirmation"
			before = append([]byte{messageHashType, 0, 0, byte(d.suite.Hash.Size())}, sum(d.suite.Hash, before)...)
			held, _ := hello.Extensions.Find(wire.ExtEncryptedClientHello)
			got = bytes.Clone(held)
			clear(held) // which lies in raw
		} else {
			const end = handshakeHeader + 2 + 32 // of the random
			got = bytes.Clone(hello.Random[24:])
			clear(raw[end-8 : end])
		}
		secret := extract(d.suite.Hash, nil, d.inners[0].hello.Random[:])
		return expandLabel(d.suite.Hash, secret, label, sum(d.suite.Hash, before, raw), 8), got
	}
	return nil, nil
}

// isInner reports whether a secret is an inner ClientHello that fits its outer one.
func (d *decoder) isInner(value []byte) bool {
	return slices.ContainsFunc(d.inners, func(in inner) bool { return bytes.Equal(in.encoded, value) })
}

// innerOf is what was encrypted in a message; nil: nothing that is known.
func (d *decoder) innerOf(m *Message) *inner {
	if m.From != Client || !d.is(m, wire.TypeClientHello) {
		return nil
	}
	n := 0
	for i := range d.r.Messages {
		if o := &d.r.Messages[i]; o.ID < m.ID && o.From == Client && d.is(o, wire.TypeClientHello) {
			n++
		}
	}
	if n >= len(d.inners) {
		return nil
	}
	return &d.inners[n]
}

// said is a message as the two ends have it in their transcript.
func (d *decoder) said(m *Message) []byte {
	if d.accepted {
		if in := d.innerOf(m); in != nil {
			return in.raw
		}
	}
	return m.Raw
}

// checkECH checks that the server goes on from the inner ClientHello. Nothing is wrong where it does not.
func (d *decoder) checkECH() {
	m := d.in(Server, wire.TypeServerHello)
	if !d.accepted || m == nil {
		return
	}
	want, got := d.confirmation()
	d.compared(Check{
		Name: "ECH confirmation", Message: m.ID, Section: "RFC 9849, Section 7.2",
		Text: "eight bytes that only who has read the inner ClientHello can make: the handshake goes on from it, and not from the outer one",
	}, want, got)
}

// explainInner shows what was encrypted in a ClientHello.
func (d *decoder) explainInner(m *Message) {
	in := d.innerOf(m)
	if in == nil {
		return
	}
	m.Inner = in.encoded
	m.InnerFields = d.fields(in.encoded, wire.WalkEncodedClientHelloInner)
	for i := range m.InnerFields {
		f := &m.InnerFields[i]
		if fieldKey(f.Path) == "server_name.server_name_list.name" {
			f.Meaning, f.Section = "The host that the client really wants, which nobody on the way can read.", "RFC 9849, Section 6.1"
		}
		explainField(f, m.Type, m.Section)
	}
}

// meaningECH says what the fields of Encrypted ClientHello mean, by their path without indexes; "": it is none of them.
func meaningECH(path string) (meaning, section string) {
	const s5 = "RFC 9849, Section 5"
	switch path {
	case "encrypted_client_hello", "encrypted_client_hello.type":
		return "Encrypted ClientHello: the outer one holds another, encrypted; the inner one says that it is one.", s5
	case "encrypted_client_hello.cipher_suite.kdf_id", "encrypted_client_hello.cipher_suite.aead_id":
		return "What the inner ClientHello is encrypted with.", s5
	case "encrypted_client_hello.config_id":
		return "Which of the server's keys it is encrypted to.", s5
	case "encrypted_client_hello.enc":
		return "The client's half of the key exchange of HPKE; empty behind a HelloRetryRequest.", s5
	case "encrypted_client_hello.payload":
		return "The inner ClientHello, with the name that the client really asks for; or random bytes that only look like one.", s5
	case "encrypted_client_hello.confirmation":
		return "Shows who has read the inner ClientHello that the handshake goes on from it.", "RFC 9849, Section 7.2.1"
	case "ech_outer_extensions", "ech_outer_extensions.types":
		return "Extensions that the inner ClientHello has from the outer one.", "RFC 9849, Section 5.1"
	case "zeros":
		return "Padding, so that the length does not tell the name.", "RFC 9849, Section 6.1.3"
	}
	if len(path) > 36 && path[:36] == "encrypted_client_hello.retry_configs" {
		return "A configuration that the server wants used from now on.", "RFC 9849, Section 6.1.6"
	}
	return "", ""
}
