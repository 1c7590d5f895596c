package verify

import (
	"crypto/subtle"
	"errors"

	"github.com/tlswright/tlswright/internal/keys"
)

// ErrFinished is returned for a Finished that does not match (RFC 8446, Section 4.4.4: decrypt_error).
var ErrFinished = errors.New("finished does not match")

// ErrBinder is returned for a PSK binder that does not match (RFC 8446, Section 4.2.11: the handshake is aborted).
var ErrBinder = errors.New("psk binder does not match")

// FinishedProof says that the peer knows the traffic secret and has seen the same transcript.
type FinishedProof struct{ proven bool }

// Holds reports whether this is a proof: Finished has made it.
func (p *FinishedProof) Holds() bool { return p != nil && p.proven }

// Finished checks verify_data, in constant time. t is the secret of the sender's direction, th ends before its
// Finished.
func Finished(t keys.Traffic, th, got []byte) (*FinishedProof, error) {
	if t.IsZero() {
		return nil, ErrFinished
	}
	var room [64]byte
	if subtle.ConstantTimeCompare(t.AppendFinished(room[:0], th), got) != 1 {
		return nil, ErrFinished
	}
	return &FinishedProof{proven: true}, nil
}

// BinderProof says that the peer knows the PSK and has bound it to this ClientHello.
type BinderProof struct{ proven bool }

// Holds reports whether this is a proof: Binder has made it.
func (p *BinderProof) Holds() bool { return p != nil && p.proven }

// Binder checks a PSK binder, in constant time. th is the hash over the transcript up to the truncated ClientHello.
func Binder(b keys.Binder, th, got []byte) (*BinderProof, error) {
	if b.IsZero() {
		return nil, ErrBinder
	}
	if subtle.ConstantTimeCompare(b.MAC(th), got) != 1 {
		return nil, ErrBinder
	}
	return &BinderProof{proven: true}, nil
}
