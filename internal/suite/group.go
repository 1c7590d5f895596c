package suite

import (
	"crypto/ecdh"
	"errors"
	"fmt"

	"github.com/tlswright/tlswright/wire"
)

// ErrShare is what every error about a peer's key share wraps: its length is wrong, its point is not on the curve,
// its ML-KEM key is malformed, the result would be all zeros. (RFC 8446, Section 4.2.8: such a share is an
// illegal_parameter.)
var ErrShare = errors.New("invalid key share")

// Group is a way to agree on a shared secret. Key shares go over the wire exactly as Public and Respond give them.
type Group struct {
	// ID is the number of the group.
	ID wire.Group
	// ClientShareLen and ServerShareLen are the exact sizes in bytes of the shares.
	ClientShareLen, ServerShareLen int
	// SharedLen is the size in bytes of the shared secret.
	SharedLen int
	// Hybrid says that the group joins a curve and a post-quantum KEM.
	Hybrid bool
	// PostQuantum says that there is a post-quantum KEM in the group, beside a curve or alone. Such groups are of TLS 1.3 only.
	PostQuantum bool

	curve ecdh.Curve // nil: a KEM alone
	// companion is the group of the curve alone, for hybrids.
	companion wire.Group
	kem       *kem
	// kemFirst gives the order of the two parts, in both shares and in the secret alike.
	kemFirst bool
}

// KeyShare is the client's half of a key exchange, waiting for the server's.
type KeyShare interface {
	// Group returns the group the share belongs to.
	Group() wire.Group
	// Public returns the share to send, ClientShareLen bytes.
	Public() []byte
	// Shared computes the shared secret from the server's share; the error wraps ErrShare. The caller wipes it.
	Shared(serverShare []byte) ([]byte, error)
}

const (
	x25519Len = 32
	p256Len   = 65
	p384Len   = 97
	p521Len   = 133
)

var groups = [...]Group{
	plain(wire.GroupX25519, ecdh.X25519(), x25519Len, 32),
	plain(wire.GroupSecp256r1, ecdh.P256(), p256Len, 32),
	plain(wire.GroupSecp384r1, ecdh.P384(), p384Len, 48),
	plain(wire.GroupSecp521r1, ecdh.P521(), p521Len, 66),
	// draft-ietf-tls-ecdhe-mlkem, Section 3: for historical reasons X25519MLKEM768 puts the ML-KEM part first, the
	// others put it second.
	hybrid(plain(wire.GroupX25519, ecdh.X25519(), x25519Len, 32), wire.GroupX25519MLKEM768, &mlkem768, true),
	hybrid(plain(wire.GroupSecp256r1, ecdh.P256(), p256Len, 32), wire.GroupSecp256r1MLKEM768, &mlkem768, false),
	hybrid(plain(wire.GroupSecp384r1, ecdh.P384(), p384Len, 48), wire.GroupSecp384r1MLKEM1024, &mlkem1024, false),
	// draft-ietf-tls-mlkem, Section 4.1: the KEM alone.
	alone(wire.GroupMLKEM768, &mlkem768),
	alone(wire.GroupMLKEM1024, &mlkem1024),
}

func plain(id wire.Group, curve ecdh.Curve, shareLen, sharedLen int) Group {
	return Group{ID: id, ClientShareLen: shareLen, ServerShareLen: shareLen, SharedLen: sharedLen, curve: curve}
}

func hybrid(ec Group, id wire.Group, k *kem, kemFirst bool) Group {
	return Group{
		ID:             id,
		ClientShareLen: ec.ClientShareLen + k.publicLen,
		ServerShareLen: ec.ServerShareLen + k.ciphertextLen,
		SharedLen:      ec.SharedLen + k.sharedLen,
		Hybrid:         true,
		PostQuantum:    true,
		curve:          ec.curve,
		companion:      ec.ID,
		kem:            k,
		kemFirst:       kemFirst,
	}
}

func alone(id wire.Group, k *kem) Group {
	return Group{ID: id, ClientShareLen: k.publicLen, ServerShareLen: k.ciphertextLen, SharedLen: k.sharedLen, PostQuantum: true, kem: k}
}

// GroupByID returns the group with this number, nil if it is not one of ours.
func GroupByID(id wire.Group) *Group {
	for i := range groups {
		if groups[i].ID == id {
			return &groups[i]
		}
	}
	return nil
}

// DefaultGroups returns the groups in our order of preference, in a fresh slice: the hybrid that is deployed widely,
// the curves from fast to slow, and the hybrids for those who need NIST curves.
func DefaultGroups() []wire.Group {
	return []wire.Group{
		wire.GroupX25519MLKEM768,
		wire.GroupX25519,
		wire.GroupSecp256r1,
		wire.GroupSecp384r1,
		wire.GroupSecp521r1,
		wire.GroupSecp256r1MLKEM768,
		wire.GroupSecp384r1MLKEM1024,
	}
}

// AllGroups returns those of DefaultGroups and, behind them, the KEMs alone: for those who must have no curve, and trust
// in one assumption.
func AllGroups() []wire.Group {
	return append(DefaultGroups(), wire.GroupMLKEM768, wire.GroupMLKEM1024)
}

// shareError is an error about the peer's share in this group.
func (g *Group) shareError(format string, args ...any) error {
	return fmt.Errorf("%w for %v: %s", ErrShare, g.ID, fmt.Sprintf(format, args...))
}

// checkLen refuses a share of the wrong size.
func (g *Group) checkLen(share []byte, want int) error {
	if len(share) != want {
		return g.shareError("%d bytes in place of %d", len(share), want)
	}
	return nil
}
