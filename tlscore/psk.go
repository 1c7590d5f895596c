package tlscore

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/subtle"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"

	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// PSK is an external pre-shared key: both ends have had it before, and prove to each other that they have, in the place of
// certificates (RFC 8446, Section 2.2). Anybody else who has it can be either end, and one that can be guessed is guessed
// offline, so a password is none (RFC 9257, Section 4).
type PSK struct {
	Identity []byte // names the key; anybody on the path can read it
	Key      []byte // 16 bytes or more, of full entropy

	// Role is the end that this node is when it uses the key: a client offers those of RoleClient only, a server takes those
	// of RoleServer only. The same key must not serve for both, for an attacker could send what a node says back to it
	// (RFC 9257, Section 4.1); where Contexts tell the two apart it may.
	Role Role

	// Hash is the hash that belongs to the key, SHA-256 or SHA-384; zero: SHA-256 (RFC 8446, Section 4.2.11).
	Hash crypto.Hash
	// Context goes into the derivation and both ends must have the same, such as the names of the two (RFC 9258,
	// Appendix A); up to 255 bytes.
	Context []byte
	// Unimported uses the key as it is, with cipher suites of its hash alone, as peers without the importer of RFC 9258 do.
	// A key must be used in one of the two ways only. There is no Context then.
	Unimported bool

	Tag any // the caller's handle, not looked at; in [Facts] once the key is agreed on
}

// Limits on external PSKs.
const (
	minPSK          = 16  // bytes (RFC 9257, Section 6: at least 128 bits)
	maxPSKContext   = 255 // bytes
	maxPSKIdentity  = 4 << 10
	maxOfferedBytes = 16 << 10  // of a ClientHello, for identities and binders
	pskOverhead     = 2 + 4 + 1 // bytes beside an identity and its binder
)

// pskEntry is a PSK in one of the forms in which it may stand in a ClientHello.
type pskEntry struct {
	psk    *PSK
	order  int    // in Config.PSKs
	name   []byte // identity on the wire
	hash   crypto.Hash
	secret []byte
	check  []byte // tells the key and its context from others of the same name, in sessions
}

// binder is the key for the binder of an entry.
func (e *pskEntry) binder(early keys.Early) keys.Binder {
	if e.psk.Unimported {
		return early.Binder(true)
	}
	return early.ImportedBinder()
}

// checkPSK refuses what no handshake could use, or what would be a weak spot in one.
func checkPSK(p *PSK) error {
	switch {
	case len(p.Identity) == 0 || len(p.Identity) > maxPSKIdentity:
		return fmt.Errorf("identity has %d bytes, want 1 to %d", len(p.Identity), maxPSKIdentity)
	case len(p.Key) < minPSK:
		return fmt.Errorf("key has %d bytes, fewer than %d (RFC 9257, Section 6)", len(p.Key), minPSK)
	case p.Hash != 0 && p.Hash != crypto.SHA256 && p.Hash != crypto.SHA384:
		return fmt.Errorf("hash is %v, want SHA-256 or SHA-384", p.Hash)
	case len(p.Context) > maxPSKContext:
		return fmt.Errorf("context has %d bytes, more than %d", len(p.Context), maxPSKContext)
	case p.Unimported && len(p.Context) > 0:
		return errors.New("has a context, which only an imported key can (RFC 9258, Section 5.1)")
	}
	return nil
}

// entries lists the forms of a PSK: one, or one for each hash of the cipher suites that it may be imported for (RFC 9258,
// Section 5.1).
func (p *Params) entries(psk *PSK, order int) []*pskEntry {
	h, check := cmp.Or(psk.Hash, crypto.SHA256), psk.check()
	if psk.Unimported {
		return []*pskEntry{{psk: psk, order: order, name: bytes.Clone(psk.Identity), hash: h, secret: bytes.Clone(psk.Key), check: check}}
	}
	var out []*pskEntry
	for _, target := range []struct {
		hash crypto.Hash
		kdf  wire.KDF
	}{{crypto.SHA256, wire.KDFHKDFSHA256}, {crypto.SHA384, wire.KDFHKDFSHA384}} {
		if !p.hasHash(target.hash) {
			continue
		}
		id := wire.ImportedIdentity{External: psk.Identity, Context: psk.Context, Protocol: wire.VersionTLS13, KDF: target.kdf}
		name := id.Append(nil)
		out = append(out, &pskEntry{psk: psk, order: order, name: name, hash: target.hash, secret: keys.Import(h, psk.Key, name, target.hash), check: check})
	}
	return out
}

// check is a value that only this key gives, in this context. It says nothing about the key.
func (p *PSK) check() []byte {
	return keys.Import(crypto.SHA256, p.Key, append([]byte("tlswright session"), p.Context...), crypto.SHA256)[:16]
}

// hasHash reports whether some cipher suite of TLS 1.3 has a hash.
func (p *Params) hasHash(h crypto.Hash) bool {
	for _, id := range p.c.CipherSuites {
		if s := suite.ByID(id); s != nil && s.Hash == h {
			return true
		}
	}
	return false
}

// compilePSKs checks the external PSKs and sorts them by role.
func (p *Params) compilePSKs(all []PSK) error {
	size := 0
	p.accepts = make(map[string]*pskEntry)
	for i := range all {
		psk := &all[i]
		if err := checkPSK(psk); err != nil {
			return fmt.Errorf("psks[%d]: %w", i, err)
		}
		for j := range all[:i] {
			if reflects(psk, &all[j]) {
				return fmt.Errorf("psks[%d]: is for both roles, so that what this node says could be sent back to it; give the two different contexts, or keys (RFC 9257, Section 4.1)", i)
			}
			if sameKey(psk, &all[j]) && psk.Unimported != all[j].Unimported {
				return fmt.Errorf("psks[%d]: is used both as it is and imported (RFC 9258, Section 4)", i)
			}
		}
		kept := *psk
		kept.Identity = bytes.Clone(psk.Identity)
		for _, e := range p.entries(&kept, i) {
			if psk.Role == RoleServer {
				if p.accepts[string(e.name)] != nil {
					return fmt.Errorf("psks[%d]: another has the same identity", i)
				}
				p.accepts[string(e.name)] = e
				continue
			}
			p.offers = append(p.offers, e)
			size += len(e.name) + e.hash.Size() + pskOverhead
		}
	}
	if size > maxOfferedBytes {
		return fmt.Errorf("psks: they take %d bytes of a ClientHello, more than %d", size, maxOfferedBytes)
	}
	return nil
}

func sameKey(a, b *PSK) bool { return subtle.ConstantTimeCompare(a.Key, b.Key) == 1 }

// reflects reports whether a message of one role made with a can pass for one of the other role made with b.
func reflects(a, b *PSK) bool {
	return a.Role != b.Role && sameKey(a, b) && (a.Unimported || b.Unimported || bytes.Equal(a.Context, b.Context))
}

// insistsOnPSK reports whether a client takes no server that proves itself by a certificate.
func (c *Config) insistsOnPSK() bool {
	if c.PSKOptional {
		return false
	}
	for i := range c.PSKs {
		if c.PSKs[i].Role == RoleClient {
			return true
		}
	}
	return false
}

// keyed notes the external PSK that a connection, or the session that it resumes, rests on.
func (f *Facts) keyed(e *pskEntry) {
	f.PSKIdentity, f.PSKTag, f.pskCheck = e.psk.Identity, e.psk.Tag, e.check
}

// stillKeyed returns the PSK that a session rests on if this end still has it, among its entries. ok is also true for a
// session that rests on none.
func (s *Session) stillKeyed(entries iter.Seq[*pskEntry]) (e *pskEntry, ok bool) {
	if s.PSKIdentity == nil {
		return nil, true
	}
	for e := range entries {
		if bytes.Equal(e.psk.Identity, s.PSKIdentity) && subtle.ConstantTimeCompare(e.check, s.pskCheck) == 1 {
			return e, true
		}
	}
	return nil, false
}

// HasPSK reports whether a session rests on one of the PSKs of the configuration.
func (p *Params) HasPSK(s *Session) bool {
	for _, entries := range []iter.Seq[*pskEntry]{slices.Values(p.offers), maps.Values(p.accepts)} {
		if e, _ := s.stillKeyed(entries); e != nil {
			return true
		}
	}
	return false
}

// RestsOn reports whether the first connection of a session rested on this PSK, and not on another one of its name.
func (s *Session) RestsOn(psk *PSK) bool {
	return s.PSKIdentity != nil && bytes.Equal(psk.Identity, s.PSKIdentity) && subtle.ConstantTimeCompare(psk.check(), s.pskCheck) == 1
}

// foundPSK is the entry of a client's offer that a server goes on with.
type foundPSK struct {
	*pskEntry
	index int
	suite *suite.Suite
}

// findPSK looks for an external PSK among those that the client offers: the first in the order of the server that some
// cipher suite goes with. nil: none.
func (hs *serverHandshake) findPSK(t *turn, o *offer, known map[string]*pskEntry) *foundPSK {
	var best *foundPSK
	rank := math.MaxInt
	suites := make(map[crypto.Hash]*suite.Suite, 2) // one look for each hash, however often a client repeats itself
	for i, id := range o.psk.keys.Identities {
		e := known[string(id.Identity)]
		if e == nil {
			continue
		}
		chosen, ok := suites[e.hash]
		if !ok {
			chosen = hs.suiteFor(t, o, e.hash, nil)
			suites[e.hash] = chosen
		}
		if chosen == nil {
			continue
		}
		r := 2 * e.order
		if chosen != hs.suite {
			r++
		}
		if r < rank {
			best, rank = &foundPSK{e, i, chosen}, r
		}
	}
	return best
}
