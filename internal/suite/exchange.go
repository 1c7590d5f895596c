package suite

import (
	"crypto/ecdh"
	"crypto/rand"
	"fmt"

	"github.com/tlswright/tlswright/wire"
)

// Generate draws a key pair for the client's side. It fails only where the platform refuses the algorithm.
func (g *Group) Generate() (KeyShare, error) {
	if g.curve == nil {
		key, err := g.kem.generate()
		if err != nil {
			return nil, fmt.Errorf("generate a key for %v: %w", g.ID, err)
		}
		return &kemShare{g: g, kem: key}, nil
	}
	ec, err := g.curve.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate a key for %v: %w", g.ID, err)
	}
	if !g.Hybrid {
		return &ecShare{g: g, key: ec}, nil
	}
	kem, err := g.kem.generate()
	if err != nil {
		return nil, fmt.Errorf("generate a key for %v: %w", g.ID, err)
	}
	return &hybridShare{g: g, ec: ec, kem: kem}, nil
}

// Respond is the server's side in one step: it draws a key pair, and computes the share to send and the shared
// secret, which the caller wipes. An error about clientShare wraps ErrShare.
func (g *Group) Respond(clientShare []byte) (serverShare, shared []byte, err error) {
	if err := g.checkLen(clientShare, g.ClientShareLen); err != nil {
		return nil, nil, err
	}
	if g.curve == nil {
		shared, serverShare, err = g.kem.encapsulate(clientShare)
		if err != nil {
			return nil, nil, g.shareError("%v", err)
		}
		return serverShare, shared, nil
	}
	var ecPart, kemPart []byte
	if g.Hybrid {
		ecPart, kemPart = g.split(clientShare, g.kem.publicLen)
	} else {
		ecPart = clientShare
	}
	// The peer's point is parsed first, so that rubbish does not cost a key generation.
	peer, err := g.curve.NewPublicKey(ecPart)
	if err != nil {
		return nil, nil, g.shareError("%v", err)
	}
	ec, err := g.curve.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("generate a key for %v: %w", g.ID, err)
	}
	secret, err := ec.ECDH(peer)
	if err != nil {
		return nil, nil, g.shareError("%v", err)
	}
	if !g.Hybrid {
		return ec.PublicKey().Bytes(), secret, nil
	}
	defer clear(secret)
	kemSecret, ciphertext, err := g.kem.encapsulate(kemPart)
	if err != nil {
		return nil, nil, g.shareError("%v", err)
	}
	defer clear(kemSecret)
	return g.join(ec.PublicKey().Bytes(), ciphertext), g.join(secret, kemSecret), nil
}

// Companion gives the plain share hidden in a hybrid one: the same key on the same curve, without the KEM. A client
// that offers both saves a key generation and the peer sees nothing it would not see anyway.
// (draft-ietf-tls-hybrid-design, Section 3.2: the key of a component may be used again within one ClientHello.)
func Companion(share KeyShare) (KeyShare, bool) {
	h, ok := share.(*hybridShare)
	if !ok {
		return nil, false
	}
	return &ecShare{g: GroupByID(h.g.companion), key: h.ec}, true
}

// CompanionGroup returns the plain group whose share Companion would give; false if the group is no hybrid.
func (g *Group) CompanionGroup() (wire.Group, bool) { return g.companion, g.Hybrid }

// split divides a hybrid share; kemLen is the size of its KEM part.
func (g *Group) split(share []byte, kemLen int) (ec, kem []byte) {
	if g.kemFirst {
		return share[kemLen:], share[:kemLen]
	}
	ecLen := len(share) - kemLen
	return share[:ecLen], share[ecLen:]
}

// join puts two parts together in the order of the group, in a new slice.
func (g *Group) join(ec, kem []byte) []byte {
	out := make([]byte, 0, len(ec)+len(kem))
	if g.kemFirst {
		return append(append(out, kem...), ec...)
	}
	return append(append(out, ec...), kem...)
}

// ecdh computes the shared secret of a plain curve with the peer's point.
func (g *Group) ecdh(key *ecdh.PrivateKey, point []byte) ([]byte, error) {
	peer, err := g.curve.NewPublicKey(point)
	if err != nil {
		return nil, g.shareError("%v", err)
	}
	// RFC 8446, Section 7.4.2: an all-zero X25519 result is refused, which ECDH does.
	secret, err := key.ECDH(peer)
	if err != nil {
		return nil, g.shareError("%v", err)
	}
	return secret, nil
}

type ecShare struct {
	g   *Group
	key *ecdh.PrivateKey
}

func (s *ecShare) Group() wire.Group { return s.g.ID }

func (s *ecShare) Public() []byte { return s.key.PublicKey().Bytes() }

func (s *ecShare) Shared(serverShare []byte) ([]byte, error) {
	if err := s.g.checkLen(serverShare, s.g.ServerShareLen); err != nil {
		return nil, err
	}
	return s.g.ecdh(s.key, serverShare)
}

type hybridShare struct {
	g   *Group
	ec  *ecdh.PrivateKey
	kem decapsulator
}

func (s *hybridShare) Group() wire.Group { return s.g.ID }

func (s *hybridShare) Public() []byte { return s.g.join(s.ec.PublicKey().Bytes(), s.kem.public()) }

func (s *hybridShare) Shared(serverShare []byte) ([]byte, error) {
	if err := s.g.checkLen(serverShare, s.g.ServerShareLen); err != nil {
		return nil, err
	}
	point, ciphertext := s.g.split(serverShare, s.g.kem.ciphertextLen)
	secret, err := s.g.ecdh(s.ec, point)
	if err != nil {
		return nil, err
	}
	defer clear(secret)
	kemSecret, err := s.kem.decapsulate(ciphertext)
	if err != nil {
		return nil, s.g.shareError("%v", err)
	}
	defer clear(kemSecret)
	return s.g.join(secret, kemSecret), nil
}

type kemShare struct {
	g   *Group
	kem decapsulator
}

func (s *kemShare) Group() wire.Group { return s.g.ID }

func (s *kemShare) Public() []byte { return s.kem.public() }

func (s *kemShare) Shared(serverShare []byte) ([]byte, error) {
	if err := s.g.checkLen(serverShare, s.g.ServerShareLen); err != nil {
		return nil, err
	}
	secret, err := s.kem.decapsulate(serverShare)
	if err != nil {
		return nil, s.g.shareError("%v", err)
	}
	return secret, nil
}
