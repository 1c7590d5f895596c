package trace

import (
	"bytes"
	"crypto"
	"slices"

	"github.com/tlswright/tlswright/wire"
)

// follow derives from a shared secret and a pre-shared key, where a capture has these and not what comes after them,
// the steps of the key schedule for which the messages are known by now. It gives none when there is nothing to add.
func (d *decoder) follow() []Derivation {
	if d.suite == nil || len(d.known.byName[nameShared])+len(d.known.byName[namePSK]) == 0 {
		return nil
	}
	f := &follower{d: d, hash: d.suite.Hash}
	if d.old() {
		f.steps12()
	} else {
		f.steps13()
	}
	return f.steps
}

// roots is 1 if the steps are those alone that come from outside the key schedule, and 0 if there are others or none.
func roots(steps []Derivation) int {
	if len(steps) == 0 || slices.ContainsFunc(steps, func(k Derivation) bool { return k.Name != namePSK && k.Name != nameShared }) {
		return 0
	}
	return 1
}

// follower collects steps.
type follower struct {
	d     *decoder
	hash  crypto.Hash
	steps []Derivation
}

func first(secrets [][]byte) []byte {
	if len(secrets) == 0 {
		return nil
	}
	return secrets[0]
}

// add notes a step, unless its secret is known already.
func (f *follower) add(name, label string, context, input, output []byte) []byte {
	if !slices.ContainsFunc(f.d.known.byName[name], func(s []byte) bool { return string(s) == string(output) }) {
		f.steps = append(f.steps, Derivation{Name: name, Label: label, Context: context, Input: input, Output: output, UpTo: -1})
	}
	return output
}

func (f *follower) extract(name string, salt, input []byte) []byte {
	return f.add(name, "", salt, input, extract(f.hash, salt, input))
}

func (f *follower) derive(name, label string, context, secret []byte) []byte {
	return f.add(name, label, context, secret, expandLabel(f.hash, secret, label, context, f.hash.Size()))
}

// sumAt is the transcript hash up to a message; nil: there is no such message.
func (f *follower) sumAt(m *Message) []byte {
	if m == nil {
		return nil
	}
	return f.d.thread.sums[m.ID]
}

// steps13 is the key schedule of RFC 8446, Section 7.1.
func (f *follower) steps13() {
	d := f.d
	psk, empty := f.accepted(d.known.byName[namePSK]), sum(f.hash)
	for _, known := range d.known.byName[namePSK] {
		f.early(known)
	}
	var selected wire.PreSharedKeySelected
	hello := f.sumAt(d.lastIn(Server, wire.TypeServerHello))
	if hello == nil || d.answer == nil {
		return
	}
	if ok, _ := d.answer.Ext(&selected); !ok {
		psk = nil
	}
	early := f.extract("early_secret", nil, psk)
	derived := f.derive("early_secret derived", "derived", empty, early)
	handshake := f.extract("handshake_secret", derived, first(d.known.byName[nameShared]))
	f.derive(nameClientHS, "c hs traffic", hello, handshake)
	f.derive(nameServerHS, "s hs traffic", hello, handshake)
	derived = f.derive("handshake_secret derived", "derived", empty, handshake)
	main := f.extract(nameMaster, derived, nil)
	if sum := f.sumAt(d.in(Server, wire.TypeFinished)); sum != nil {
		f.derive(nameClientApp+"0", "c ap traffic", sum, main)
		f.derive(nameServerApp+"0", "s ap traffic", sum, main)
		f.derive("exporter_master_secret", "exp master", sum, main)
	}
	sum := f.sumAt(d.in(Client, wire.TypeFinished))
	if sum == nil {
		return
	}
	resumption := f.derive("resumption_master_secret", "res master", sum, main)
	for i := range d.r.Messages {
		if ticket, ok := d.parse(&d.r.Messages[i]).(*wire.NewSessionTicket); ok {
			f.derive("resumption_master_secret resumption", "resumption", ticket.Nonce, resumption)
		}
	}
}

// accepted is the pre-shared key that the server took, as far as its binder shows it: else the first that is known.
func (f *follower) accepted(known [][]byte) []byte {
	var selected wire.PreSharedKeySelected
	if m := f.d.lastIn(Client, wire.TypeClientHello); m != nil && f.d.answer != nil {
		if ok, err := f.d.answer.Ext(&selected); ok && err == nil {
			for _, psk := range known {
				if f.d.bound(m, psk) == int(selected.Index) {
					return psk
				}
			}
		}
	}
	return first(known)
}

// binderLabels are those of tickets, of external keys, and of those that are imported (RFC 9258, Section 5.2).
func binderLabels() []string { return []string{"res binder", "ext binder", "imp binder"} }

// bound is which of the offered binders was made with a key, counted from 0; -1: none.
func (d *decoder) bound(m *Message, psk []byte) int {
	hello, _ := d.parse(m).(*wire.ClientHello)
	var offer wire.PreSharedKeys
	if hello == nil {
		return -1
	}
	if ok, err := hello.Ext(&offer); !ok || err != nil || offer.BindersLen() > len(d.said(m)) {
		return -1
	}
	for i, binder := range offer.Binders[:min(len(offer.Binders), maxBinders)] {
		hash := hashOfSize(len(binder))
		before := d.cutShort(hash, m.ID, len(d.said(m))-offer.BindersLen())
		secret := extract(hash, nil, psk)
		for _, label := range binderLabels() {
			key := expandLabel(hash, secret, label, sum(hash), hash.Size())
			if bytes.Equal(mac(hash, expandLabel(hash, key, "finished", nil, hash.Size()), before), binder) {
				return i
			}
		}
	}
	return -1
}

// maxBinders is how many binders are looked at.
const maxBinders = 8

// early is the part of the key schedule that the ClientHello is enough for. Its hash is that of the pre-shared key.
func (f *follower) early(psk []byte) {
	d := f.d
	hello := d.in(Client, wire.TypeClientHello)
	own := &follower{d: d, hash: d.offeredHash(0)}
	if hello == nil || own.hash == 0 {
		return
	}
	index := d.bound(hello, psk)
	if index > 0 {
		own.hash = d.offeredHash(index)
	}
	secret := own.extract("early_secret", nil, psk)
	for _, label := range binderLabels() {
		binder := own.derive("binder_key", label, sum(own.hash), secret)
		own.derive("binder_key finished", "finished", nil, binder)
	}
	th := sum(own.hash, d.said(hello))
	if index <= 0 { // early data goes with the first key alone, and the exporter with any
		own.derive(nameClientEarly, "c e traffic", th, secret)
	}
	own.derive("early_exporter_master_secret", "e exp master", th, secret)
	f.steps = append(f.steps, own.steps...)
}

// steps12 is the master secret of RFC 5246, Section 8.1, or of RFC 7627, Section 4.
func (f *follower) steps12() {
	d := f.d
	shared := first(d.known.byName[nameShared])
	if shared == nil || d.hello == nil || d.answer == nil {
		return
	}
	label, seed := "master secret", append(d.hello.Random[:len(d.hello.Random):len(d.hello.Random)], d.answer.Random[:]...)
	if ok, _ := d.answer.Ext(&wire.ExtendedMasterSecret{}); ok {
		label, seed = "extended master secret", f.sumAt(d.in(Client, wire.TypeClientKeyExchange))
	}
	if seed != nil {
		f.add(nameMaster, label, seed, shared, prf(f.hash, shared, label, seed, 48))
	}
}
