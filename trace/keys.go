package trace

import (
	"bytes"
	"crypto"
	"slices"

	"github.com/tlswright/tlswright/wire"
)

// graph is the key schedule while it is put together. Each step comes after those it is made of.
type graph struct {
	d    *decoder
	hash crypto.Hash
	keys []Derivation
	// of gives the ID of the latest step with this output.
	of map[string]int
}

// maxKeys bounds the key schedule: three steps for each KeyUpdate.
const maxKeys = 1 << 14

// schedule puts the key schedule together: the steps that were reported, computed anew, and those that follow from what
// was given.
func (d *decoder) schedule() {
	g := &graph{d: d, hash: d.thread.hash, of: map[string]int{}}
	d.graph = g
	for i := range d.c.Derivations {
		if len(g.keys) >= maxKeys {
			break
		}
		switch k := d.c.Derivations[i]; k.How {
		case howPart: // comes with its key block
		case howGiven, howECDH:
			g.given(k.Name, k.How, k.Output)
		default:
			g.reported(k)
		}
	}
	for _, line := range d.c.KeyLog {
		name := nameOfLog(line.Label)
		if d.known.logged[name] && slices.ContainsFunc(d.known.byName[name], func(s []byte) bool { return bytes.Equal(s, line.Secret) }) {
			g.given(name, howGiven, line.Secret)
		}
	}
	for _, s := range []*stream{d.client, d.server} {
		for _, p := range s.keys {
			g.protects(p)
		}
	}
	g.finishedKeys()
	g.lateFinishedKeys()
	g.finished12()
	g.prove()
	d.r.Keys = g.keys
}

// prove says of what was given that it agrees where something that follows from it does.
func (g *graph) prove() {
	for i := len(g.keys) - 1; i >= 0; i-- {
		if !g.keys[i].Agrees {
			continue
		}
		for _, from := range g.keys[i].From {
			if from := &g.keys[from]; from.How == howGiven || from.How == howECDH {
				from.Agrees = true
			}
		}
	}
}

// add appends a step, unless the same is there, and returns its ID.
func (g *graph) add(k Derivation) int {
	if id, ok := g.of[string(k.Output)]; ok && g.keys[id].Name == k.Name && bytes.Equal(g.keys[id].Context, k.Context) {
		return id
	}
	if len(g.keys) >= maxKeys {
		return len(g.keys) - 1
	}
	k.ID, k.Length = len(g.keys), len(k.Output)
	k.Side, k.Epoch = sideOf(k.Name), epochOf(k.Name)
	k.Section = sectionOf(&k)
	k.UpTo = -1
	if id, ok := g.d.thread.ends[string(k.Context)]; ok && k.How != howExtract {
		k.UpTo = id
	}
	if k.From == nil {
		k.From = []int{}
	}
	g.keys = append(g.keys, k)
	g.of[string(k.Output)] = k.ID
	return k.ID
}

// given adds a secret that comes from outside the key schedule.
func (g *graph) given(name, how string, value []byte) int {
	if id, ok := g.of[string(value)]; ok {
		return id
	}
	k := Derivation{Name: name, How: how, Output: Hex(value), Fed: g.d.fedInto(name)}
	k.Agrees = name == nameZeros || g.d.proved(value) || name == nameInner && g.d.isInner(value)
	return g.add(k)
}

// reported adds a step that a machine of ours reported.
func (g *graph) reported(k Derivation) {
	switch {
	case len(k.Output) == 0:
		return
	case k.Label == "" && k.Input == nil && (k.Name == nameShared || k.Name == namePremaster):
		g.given(k.Name, howECDH, k.Output)
		return
	}
	if k.Name == nameInner {
		g.given(k.Name, howGiven, k.Output)
		return
	}
	// A pre-shared key may be for another hash than the cipher suite has.
	hash := hashOfSize(len(k.Input))
	switch k.How = howOf(k.Label); {
	case k.How == howExtract:
		hash = hashOfSize(len(k.Output))
	case k.How == howPRF && g.hash != 0:
		hash = g.hash
	}
	k.From = nil
	var again []byte
	switch k.How {
	case howExtract:
		if k.Context != nil {
			k.From = append(k.From, g.given("salt", howGiven, k.Context))
		}
		k.From = append(k.From, g.input(&k, hash))
		again = extract(hash, k.Context, k.Input)
	case howPRF:
		k.From = []int{g.input(&k, hash)}
		again = prf(hash, k.Input, k.Label, k.Context, len(k.Output))
	default:
		k.From = []int{g.input(&k, hash)}
		again = expandLabel(hash, k.Input, k.Label, k.Context, len(k.Output))
	}
	k.Agrees = bytes.Equal(again, k.Output)
	k.Fed = g.d.fedInto(k.Name)
	id := g.add(k)
	if k.Name == nameKeyBlock && k.How == howPRF {
		g.parts(id)
	}
}

// input returns the step that gave the input of another, adding one for what came from outside.
func (g *graph) input(k *Derivation, hash crypto.Hash) int {
	switch {
	case k.Input == nil:
		return g.given(nameZeros, howGiven, make([]byte, hash.Size()))
	case k.How == howExtract && k.Name == "early_secret":
		return g.given(namePSK, howGiven, k.Input)
	case k.How == howExtract:
		return g.given(nameShared, howECDH, k.Input)
	case k.How == howPRF && k.Name == nameMaster:
		return g.given(namePremaster, howECDH, k.Input)
	case k.How == howPRF:
		return g.given(nameMaster, howGiven, k.Input)
	}
	return g.given("secret", howGiven, k.Input)
}

// hashOfSize is the hash of TLS with outputs of this size.
func hashOfSize(n int) crypto.Hash {
	if n == crypto.SHA384.Size() {
		return crypto.SHA384
	}
	return crypto.SHA256
}

// protects adds the keys that records were opened with, if they are not there yet.
func (g *graph) protects(p *protection) {
	if len(p.used) == 0 && p.after == nil {
		return
	}
	if p.suite.Version == wire.VersionTLS12 {
		g.protects12(p)
		return
	}
	from := 0
	proved := len(p.used) > 0
	if p.after != nil {
		from = g.of[string(p.after.secret)]
		from = g.add(Derivation{
			Name: p.name, How: howExpand, Label: "traffic upd", From: []int{from}, Input: Hex(p.after.secret), Output: Hex(p.secret), Agrees: proved,
		})
	} else {
		from = g.given(p.name, howGiven, p.secret)
	}
	g.add(Derivation{Name: p.name + " key", How: howExpand, Label: "key", From: []int{from}, Input: Hex(p.secret), Output: Hex(p.key), Agrees: proved})
	g.add(Derivation{Name: p.name + " iv", How: howExpand, Label: "iv", From: []int{from}, Input: Hex(p.secret), Output: Hex(p.iv), Agrees: proved})
}

// protects12 is protects for TLS 1.2.
func (g *graph) protects12(p *protection) {
	d := g.d
	master := g.given(nameMaster, howGiven, p.secret)
	seed := append(d.answer.Random[:len(d.answer.Random):len(d.answer.Random)], d.hello.Random[:]...)
	block := prf(p.suite.Hash, p.secret, "key expansion", seed, 2*p.suite.KeyLen+2*p.suite.IVLen)
	g.parts(g.add(Derivation{
		Name: nameKeyBlock, How: howPRF, Label: "key expansion", From: []int{master}, Context: Hex(seed), Input: Hex(p.secret),
		Output: Hex(block), Agrees: true, Fed: d.fedInto(nameKeyBlock),
	}))
}

// parts adds the keys that a key block is cut into (RFC 5246, Section 6.3).
func (g *graph) parts(block int) {
	of := g.d.suite
	if of == nil || of.Version != wire.VersionTLS12 || len(g.keys[block].Output) != 2*of.KeyLen+2*of.IVLen {
		return
	}
	left := g.keys[block].Output
	for _, part := range []struct {
		name string
		n    int
	}{{"client_write_key", of.KeyLen}, {"server_write_key", of.KeyLen}, {"client_write_IV", of.IVLen}, {"server_write_IV", of.IVLen}} {
		out := left[:part.n:part.n]
		left = left[part.n:]
		if part.n == 0 || slices.ContainsFunc(g.keys, func(k Derivation) bool { return k.Name == part.name && bytes.Equal(k.Output, out) }) {
			continue
		}
		g.add(Derivation{Name: part.name, How: howPart, From: []int{block}, Input: g.keys[block].Output, Output: out, Agrees: true})
	}
}

// finishedKeys adds the keys of the MACs in Finished, where a traffic secret is known and nobody reported them.
func (g *graph) finishedKeys() {
	for _, name := range []string{nameServerHS, nameClientHS} {
		for _, secret := range g.d.known.byName[name] {
			from, ok := g.of[string(secret)]
			if !ok || g.hash == 0 || len(secret) != g.hash.Size() {
				continue
			}
			g.add(Derivation{
				Name: name + " finished", How: howExpand, Label: "finished", From: []int{from}, Input: Hex(secret),
				Output: Hex(expandLabel(g.hash, secret, "finished", nil, g.hash.Size())), Agrees: g.keys[from].Agrees,
			})
		}
	}
}

// finished12 adds what is in the Finished messages of TLS 1.2, where a master secret is known.
func (g *graph) finished12() {
	d := g.d
	if !d.old() || g.hash == 0 {
		return
	}
	for _, side := range []Side{Client, Server} {
		m := d.in(side, wire.TypeFinished)
		if m == nil {
			continue
		}
		before, label := d.thread.before(m.ID), string(side)+" finished"
		for _, master := range d.known.byName[nameMaster] {
			from, ok := g.of[string(master)]
			if !ok {
				continue
			}
			g.add(Derivation{
				Name: "verify_data", How: howPRF, Label: label, From: []int{from}, Context: before, Input: Hex(master),
				Output: Hex(prf(g.hash, master, label, before, 12)), Agrees: g.keys[from].Agrees,
			})
		}
	}
}

// named returns the IDs of the steps with this name.
func (d *decoder) named(name string) []int {
	var ids []int
	for i := range d.r.Keys {
		if d.r.Keys[i].Name == name {
			ids = append(ids, i)
		}
	}
	return ids
}

// proved reports whether records opened under keys that come from this secret.
func (d *decoder) proved(secret []byte) bool {
	for _, s := range []*stream{d.client, d.server} {
		for _, p := range s.keys {
			if len(p.used) > 0 && bytes.Equal(p.secret, secret) {
				return true
			}
		}
	}
	return false
}
