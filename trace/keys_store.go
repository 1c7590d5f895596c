package trace

import (
	"bytes"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// maxSameName is how many secrets of one name are tried. Two can be right: a client begins the key schedule anew when
// the server refuses its pre-shared key.
const maxSameName = 2

// secretStore holds what is known of the key schedule before anything is opened.
type secretStore struct {
	byName map[string][][]byte
	logged map[string]bool // by name: only a key log told
}

// findSecrets collects the secrets that open records, and makes keys of them.
func (d *decoder) findSecrets() {
	d.known = &secretStore{byName: map[string][][]byte{}, logged: map[string]bool{}}
	for i := range d.c.Derivations {
		k := &d.c.Derivations[i]
		if k.Name == nameKeyBlock {
			d.known.add(nameMaster, k.Input)
		}
		if k.Name != nameMaster || k.Label != "" { // the name stands for another secret in TLS 1.3
			d.known.add(k.Name, k.Output)
		}
	}
	if d.hello != nil {
		for _, line := range d.c.KeyLog {
			name := nameOfLog(line.Label)
			if name == "" || !bytes.Equal(line.ClientRandom, d.hello.Random[:]) {
				continue
			}
			if d.known.add(name, line.Secret) {
				d.known.logged[name] = true
			}
		}
	}
	if d.old() {
		d.borrow()
		d.keys12()
		return
	}
	d.keys13()
}

// borrow tries, for a session of TLS 1.2 that seems resumed, the master secrets of other connections: it is that of the
// connection that began the session, and some programs log it there alone.
func (d *decoder) borrow() {
	const most = 32
	if len(d.known.byName[nameMaster]) > 0 || d.hello == nil || d.answer == nil || len(d.answer.SessionID) == 0 || !bytes.Equal(d.hello.SessionID, d.answer.SessionID) {
		return
	}
	for _, line := range d.c.KeyLog {
		if nameOfLog(line.Label) == nameMaster && len(line.Secret) > 0 && len(d.known.byName[nameMaster]) < most {
			d.known.byName[nameMaster] = append(d.known.byName[nameMaster], line.Secret)
		}
	}
}

// add reports whether the secret is new.
func (s *secretStore) add(name string, secret []byte) bool {
	same := s.byName[name]
	if len(secret) == 0 || len(same) >= maxSameName {
		return false
	}
	for _, other := range same {
		if bytes.Equal(other, secret) {
			return false
		}
	}
	s.byName[name] = append(same, secret)
	return true
}

// keys13 makes the keys of TLS 1.3, in the order in which they are used. Those of KeyUpdate come later.
func (d *decoder) keys13() {
	put := func(s *stream, of *suite.Suite, epoch, name string) {
		for _, secret := range d.known.byName[name] {
			if p := newProtection(of, epoch, name, secret); p != nil {
				s.keys = append(s.keys, p)
			}
		}
	}
	// Early data comes before the server has chosen a suite, and may be for another than the one it chooses.
	if d.suite != nil {
		put(d.client, d.suite, epochEarly, nameClientEarly)
	}
	for _, id := range suite.All() {
		if of := suite.ByID(id); of != d.suite {
			put(d.client, of, epochEarly, nameClientEarly)
		}
	}
	put(d.client, d.suite, epochHandshake, nameClientHS)
	put(d.client, d.suite, epochApplication, nameClientApp+"0")
	put(d.server, d.suite, epochHandshake, nameServerHS)
	put(d.server, d.suite, epochApplication, nameServerApp+"0")
}

// keys12 makes the keys of TLS 1.2 (RFC 5246, Section 6.3).
func (d *decoder) keys12() {
	if d.suite == nil || d.hello == nil || d.answer == nil || d.suite.Version != wire.VersionTLS12 {
		return
	}
	seed := append(d.answer.Random[:len(d.answer.Random):len(d.answer.Random)], d.hello.Random[:]...)
	for _, master := range d.known.byName[nameMaster] {
		block := prf(d.suite.Hash, master, "key expansion", seed, 2*d.suite.KeyLen+2*d.suite.IVLen)
		take := func(n int) (part []byte) {
			part, block = block[:n:n], block[n:]
			return part
		}
		c := &protection{epoch: epochApplication, name: "client_write", secret: master, suite: d.suite}
		s := &protection{epoch: epochApplication, name: "server_write", secret: master, suite: d.suite}
		c.key, s.key = take(d.suite.KeyLen), take(d.suite.KeyLen)
		c.iv, s.iv = take(d.suite.IVLen), take(d.suite.IVLen)
		if c.ready() != nil && s.ready() != nil {
			d.client.keys, d.server.keys = append(d.client.keys, c), append(d.server.keys, s)
		}
	}
}
