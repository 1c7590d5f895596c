package keys

import (
	"errors"
	"slices"
)

// ErrExportContext is returned for a context that its length field cannot express: more than 65,535 bytes.
var ErrExportContext = errors.New("keys: exporter context too long")

// Exporter12 hands keying material of a TLS 1.2 connection to the application (RFC 5705). The zero value is none. It
// has no secret of its own: it works as long as the master secret is not wiped.
type Exporter12 struct {
	m Master12
	r Randoms
}

// Exporter gives the exporter of a connection of this session. Without the extended master secret what it exports may
// be the same on two connections, one with the peer and one with an attacker: callers refuse it there
// (RFC 7627, Section 5.4).
func (m Master12) Exporter(r *Randoms) Exporter12 { return Exporter12{m, *r} }

// Export gives length bytes that only the two ends can compute, bound to the label and the context. A nil context is
// none, which is something else than an empty one, unlike in TLS 1.3. The errors are ErrExportLength for a negative
// length, ErrExportLabel for a label the handshake itself uses, and ErrExportContext.
//
//	PRF(SecurityParameters.master_secret, label,
//	    SecurityParameters.client_random +
//	    SecurityParameters.server_random +
//	    context_value_length + context_value
//	    )[length]
//
// (RFC 5705, Section 4)
func (e Exporter12) Export(label string, context []byte, length int) ([]byte, error) {
	if length < 0 {
		return nil, ErrExportLength
	}
	// RFC 5705, Section 4: labels MUST NOT be those of the PRF in TLS itself.
	reserved := [...]string{"client finished", "server finished", "master secret", "extended master secret", "key expansion"}
	if slices.Contains(reserved[:], label) {
		return nil, ErrExportLabel
	}
	if len(context) > 1<<16-1 {
		return nil, ErrExportContext
	}
	randoms := e.r.clientFirst()
	seed := append([]byte(nil), randoms[:]...)
	if context != nil {
		seed = append(seed, byte(len(context)>>8), byte(len(context)))
		seed = append(seed, context...)
	}
	return e.m.s.prf("exporter", label, seed, length), nil
}

// IsZero reports whether there is no secret.
func (e Exporter12) IsZero() bool { return e.m.IsZero() }

// Wipe overwrites the master secret, with which the exporter ends.
func (e Exporter12) Wipe() { e.m.Wipe() }
