package ticket

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	nameLen  = 16
	keyLen   = 32
	nonceLen = 12
	tagLen   = 16
	maxUses  = 1 << 31 // tickets per key: random 96-bit nonces stay apart (NIST SP 800-38D, Section 8.3)
	maxKept  = 64      // keys in a ring, shared ones included

	// Overhead is how many bytes a ticket has more than the state inside.
	Overhead = nameLen + nonceLen + tagLen
)

// DefaultRotation is how long a key seals tickets before the next one takes over.
const DefaultRotation = 12 * time.Hour

// Keys is a ring of ticket keys: the newest seals, all of them open until their time is over. It is safe for concurrent
// use.
//
// Every key seals for one rotation and opens for the tickets' whole lifetime behind it, so that a rotation never makes
// a ticket useless before its time.
type Keys struct {
	rotation time.Duration
	lifetime time.Duration

	mu   sync.Mutex
	ring []*key // newest first
	hold bool   // the keys come from outside; none are made here
}

type key struct {
	name  [nameLen]byte
	bytes [keyLen]byte
	aead  cipher.AEAD
	since time.Time // seals from here on
	uses  uint64
}

// NewKeys makes a ring with a fresh key at the time of the first ticket. rotation is how long a key seals (zero:
// DefaultRotation), lifetime how long a ticket may be used (RFC 8446, Section 4.6.1: at most seven days).
func NewKeys(rotation, lifetime time.Duration) *Keys {
	if rotation <= 0 {
		rotation = DefaultRotation
	}
	return &Keys{rotation: rotation, lifetime: lifetime}
}

func newKey(b [keyLen]byte, name [nameLen]byte, since time.Time) (*key, error) {
	block, err := aes.NewCipher(b[:])
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &key{name: name, bytes: b, aead: aead, since: since}, nil
}

// current returns the key that seals now, and makes it where its time has come. The lock is held.
func (k *Keys) current(now time.Time) (*key, error) {
	if !k.hold && (len(k.ring) == 0 || !now.Before(k.ring[0].since.Add(k.rotation)) || k.ring[0].uses >= maxUses) {
		var b [keyLen]byte
		var name [nameLen]byte
		rand.Read(b[:])
		rand.Read(name[:])
		fresh, err := newKey(b, name, now)
		if err != nil {
			return nil, err
		}
		k.ring = append([]*key{fresh}, k.ring...)
	}
	k.forget(now)
	for _, c := range k.ring {
		if !c.since.After(now) && c.uses < maxUses {
			return c, nil
		}
	}
	return nil, errors.New("ticket: no key that may seal now")
}

// forget drops the keys whose last ticket has expired. The lock is held.
func (k *Keys) forget(now time.Time) {
	kept := k.ring[:0]
	for i, c := range k.ring {
		if i < maxKept && now.Before(c.since.Add(k.rotation+k.lifetime)) {
			kept = append(kept, c)
			continue
		}
		clear(c.bytes[:])
	}
	clear(k.ring[len(kept):])
	k.ring = kept
}

// Seal encrypts a session's state into a ticket, bound to context: Open needs the same. The ticket has Overhead bytes
// more than the state. The error says that no key may seal now.
func (k *Keys) Seal(now time.Time, state, context []byte) ([]byte, error) {
	k.mu.Lock()
	c, err := k.current(now)
	if err == nil {
		c.uses++
	}
	k.mu.Unlock()
	if err != nil {
		return nil, err
	}
	out := make([]byte, nameLen+nonceLen, Overhead+len(state))
	copy(out, c.name[:])
	nonce := out[nameLen:]
	rand.Read(nonce)
	return c.aead.Seal(out, nonce, state, additional(c.name, context)), nil
}

// Open decrypts a ticket. ok is false for whatever is not a ticket of ours, is for another context, or is under a key
// that is forgotten: the three are not told apart.
func (k *Keys) Open(now time.Time, ticket, context []byte) (state []byte, ok bool) {
	if len(ticket) < Overhead {
		return nil, false
	}
	k.mu.Lock()
	k.forget(now)
	var c *key
	for _, candidate := range k.ring {
		if subtle.ConstantTimeCompare(candidate.name[:], ticket[:nameLen]) == 1 {
			c = candidate
		}
	}
	k.mu.Unlock()
	if c == nil {
		return nil, false
	}
	nonce, sealed := ticket[nameLen:nameLen+nonceLen], ticket[nameLen+nonceLen:]
	state, err := c.aead.Open(nil, nonce, sealed, additional(c.name, context))
	return state, err == nil
}

// additional binds the key's name and the caller's context.
func additional(name [nameLen]byte, context []byte) []byte {
	return append(name[:len(name):len(name)], context...)
}

// Shared is a key in a form that nodes can share: whoever has it can open tickets, so it is a secret.
type Shared struct {
	Name  [nameLen]byte
	Key   [keyLen]byte
	Since time.Time // it seals from here on, until the next one's time
}

// Export returns the keys in use, newest first, for other nodes. The one that seals now is made if there is none yet.
func (k *Keys) Export(now time.Time) []Shared {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, _ = k.current(now) // where there is none to be made, those there are remain
	out := make([]Shared, len(k.ring))
	for i, c := range k.ring {
		out[i] = Shared{c.name, c.bytes, c.since}
	}
	return out
}

// Import replaces the ring by keys that somebody else makes and rotates, newest first; from then on none is made here.
// A key may be given ahead of its time, so that all nodes can open before the first one seals. The error names the key.
func (k *Keys) Import(keys []Shared) error {
	if len(keys) == 0 || len(keys) > maxKept {
		return fmt.Errorf("ticket: %d keys to import, want 1 to %d", len(keys), maxKept)
	}
	ring := make([]*key, len(keys))
	for i, s := range keys {
		if i > 0 && s.Since.After(keys[i-1].Since) {
			return fmt.Errorf("ticket: key %d is newer than the one before it", i)
		}
		c, err := newKey(s.Key, s.Name, s.Since)
		if err != nil {
			return fmt.Errorf("ticket: key %d: %w", i, err)
		}
		ring[i] = c
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range ring { // a key that stays keeps its count
		for _, old := range k.ring {
			if old.name == c.name {
				c.uses = old.uses
			}
		}
	}
	for _, old := range k.ring {
		clear(old.bytes[:])
	}
	k.ring, k.hold = ring, true
	return nil
}
