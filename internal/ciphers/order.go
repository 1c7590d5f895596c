package ciphers

import (
	"slices"

	"github.com/tlswright/tlswright/wire"
)

// entry is a suite in the list that an expression works on.
type entry struct {
	Parts
	isChosen bool
}

// list is the state of an expression: the suites that are chosen, and those that still can be, in order of preference.
// The suites of TLS 1.3 are a list of their own, for their order says nothing about that of the others.
type list struct {
	entries []entry
}

// The ways a rule changes a list. Each keeps the order among the suites that it moves.
func (l *list) add(match func(*Parts) bool)   { l.move(match, false, true, true) }
func (l *list) toEnd(match func(*Parts) bool) { l.move(match, true, true, true) }
func (l *list) bump(match func(*Parts) bool)  { l.move(match, true, true, false) }

// remove takes suites off, so that a later rule may add them again, before all others that are not chosen.
func (l *list) remove(match func(*Parts) bool) { l.move(match, true, false, false) }

// kill takes suites off for good.
func (l *list) kill(match func(*Parts) bool) {
	l.entries = slices.DeleteFunc(l.entries, func(e entry) bool { return match(&e.Parts) })
}

// move takes the suites that match, and are chosen or not as `from` says, to the end or to the front, and makes them
// chosen or not.
func (l *list) move(match func(*Parts) bool, from, to, atEnd bool) {
	var moved, others []entry
	for _, e := range l.entries {
		if e.isChosen == from && match(&e.Parts) {
			e.isChosen = to
			moved = append(moved, e)
		} else {
			others = append(others, e)
		}
	}
	if atEnd {
		l.entries = append(others, moved...)
	} else {
		l.entries = append(moved, others...)
	}
}

// sortByStrength orders the chosen suites by the strength of their encryption, and keeps the order of equals.
func (l *list) sortByStrength() {
	l.toEnd(always)
	first := slices.IndexFunc(l.entries, func(e entry) bool { return e.isChosen })
	if first < 0 {
		return
	}
	slices.SortStableFunc(l.entries[first:], func(a, b entry) int { return b.Bits - a.Bits })
}

func (l *list) chosen() []wire.CipherSuite {
	var ids []wire.CipherSuite
	for _, e := range l.entries {
		if e.isChosen {
			ids = append(ids, e.Suite)
		}
	}
	return ids
}

// newLists makes the two lists that every expression begins with: nothing is chosen, and what can be is in the order in
// which OpenSSL prefers it.
func newLists() (modern, classic list) {
	all := All()
	slices.Reverse(all) // OpenSSL begins with the highest number
	for _, p := range all {
		if p.Since == wire.VersionTLS13 {
			modern.entries = append(modern.entries, entry{Parts: p})
		} else {
			classic.entries = append(classic.entries, entry{Parts: p})
		}
	}
	for _, id := range []wire.CipherSuite{
		wire.TLS_AES_256_GCM_SHA384, wire.TLS_CHACHA20_POLY1305_SHA256, wire.TLS_AES_128_GCM_SHA256,
		wire.TLS_AES_128_CCM_SHA256, wire.TLS_AES_128_CCM_8_SHA256,
	} {
		modern.add(func(p *Parts) bool { return p.Suite == id })
	}
	modern.remove(always)
	classic.arrange()
	return modern, classic
}

// arrange brings the suites before TLS 1.3 into the order that OpenSSL has used since 1.1.0: ephemeral keys with AEAD,
// ephemeral keys, AEAD, the rest; in each of them by strength, and among equals ECDHE before DHE, ECDSA before RSA, GCM
// before ChaCha20, AES before others.
func (l *list) arrange() {
	ecdhe := func(p *Parts) bool { return p.KeyExchange == "ECDHE" }
	l.add(func(p *Parts) bool { return ecdhe(p) && p.Authentication == "ECDSA" })
	l.add(ecdhe)
	l.remove(ecdhe)
	l.add(func(p *Parts) bool { return p.Encryption == "AES" && p.Mode == "GCM" })
	l.add(func(p *Parts) bool { return p.Encryption == "CHACHA20" })
	l.add(func(p *Parts) bool { return p.Encryption == "AES" })
	l.add(always)
	l.toEnd(func(p *Parts) bool { return p.MAC == "MD5" })
	l.toEnd(func(p *Parts) bool { return p.Authentication == "none" })
	l.toEnd(func(p *Parts) bool { return p.KeyExchange == "RSA" })
	l.toEnd(func(p *Parts) bool { return p.KeyExchange == "PSK" })
	l.toEnd(func(p *Parts) bool { return p.Encryption == "RC4" })
	l.sortByStrength()
	l.bump(func(p *Parts) bool { return p.Since == wire.VersionTLS12 })
	l.bump(func(p *Parts) bool { return p.MAC == "AEAD" })
	ephemeral := func(p *Parts) bool { return ecdhe(p) || p.KeyExchange == "DHE" }
	l.bump(ephemeral)
	l.bump(func(p *Parts) bool { return ephemeral(p) && p.MAC == "AEAD" })
	l.remove(always)
}

func always(*Parts) bool { return true }
