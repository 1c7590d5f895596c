package tlsnet

import (
	"time"

	"github.com/tlswright/tlswright/internal/ticket"
	"github.com/tlswright/tlswright/tlscore"
)

// DefaultTicketLifetime is how long a session may be resumed after its ticket was sent.
const DefaultTicketLifetime = 24 * time.Hour

// TicketKeys are the keys that a server seals session tickets with. They rotate by themselves: each seals for one
// rotation, and opens for the tickets' lifetime behind it. Several listeners may share them, and so may several nodes, by
// [TicketKeys.Export] and [TicketKeys.Import]. They may be used concurrently.
//
// A ticket is not worth more than the connection it came from: it is bound to what the server serves, the name and the
// protocol that were agreed on, and the policy for client certificates. Whoever has the keys can read and forge
// tickets, so they are secrets like a private key, and die with their rotation (RFC 8446, Section 8.1, and RFC 5077,
// Section 5.5).
type TicketKeys struct {
	ring *ticket.Keys
}

// NewTicketKeys makes a ring of keys. rotation is how long each of them seals; zero: twelve hours. lifetime is how long
// tickets are to be opened at least; zero: DefaultTicketLifetime; more than seven days: seven days (RFC 8446,
// Section 4.6.1).
func NewTicketKeys(rotation, lifetime time.Duration) *TicketKeys {
	if lifetime <= 0 {
		lifetime = DefaultTicketLifetime
	}
	return &TicketKeys{ticket.NewKeys(rotation, min(lifetime, tlscore.MaxTicketLifetime))}
}

// TicketKey is one key in a form that nodes can share. It is a secret.
type TicketKey struct {
	Name  [16]byte  // stands in every ticket
	Key   [32]byte  // of AES-256-GCM
	Since time.Time // it seals from here on, until the next key's time
}

// Export returns the keys that open tickets at a time, newest first; if need be it makes the one that seals from then on.
func (k *TicketKeys) Export(now time.Time) []TicketKey {
	var out []TicketKey
	for _, s := range k.ring.Export(now) {
		out = append(out, TicketKey(s))
	}
	return out
}

// Import replaces the keys by those that another node makes and rotates, newest first; from then on this ring makes none.
// A key may be given ahead of its time, so that all nodes can open before the first one seals. The error names the key
// that does not fit; nothing has changed then.
func (k *TicketKeys) Import(keys []TicketKey) error {
	shared := make([]ticket.Shared, len(keys))
	for i, key := range keys {
		shared[i] = ticket.Shared(key)
	}
	return k.ring.Import(shared)
}
