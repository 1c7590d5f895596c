package keys

import (
	"crypto"
	"errors"
)

// ErrExportLength is returned for a negative length, or one HKDF cannot deliver: more than 255 times the hash.
var ErrExportLength = errors.New("keys: exporter length out of range")

// ErrExportLabel is returned for a label too long for the HkdfLabel, more than 249 bytes, and in TLS 1.2 for one that
// the handshake itself uses.
var ErrExportLabel = errors.New("keys: exporter label refused")

// Exporter hands keying material to the application (RFC 8446, Section 7.5). The zero value is none.
type Exporter struct{ s secret }

// Export gives length bytes that only the two ends can compute, bound to the label and the context. In TLS 1.3 an
// absent context and an empty one give the same bytes.
func (e Exporter) Export(label string, context []byte, length int) ([]byte, error) {
	size := e.s.hash.Size()
	if length < 0 || length > 255*size {
		return nil, ErrExportLength
	}
	if len(label) > maxLabel {
		return nil, ErrExportLabel
	}
	// TLS-Exporter(label, context_value, key_length) =
	//     HKDF-Expand-Label(Derive-Secret(Secret, label, ""), "exporter", Hash(context_value), key_length)
	var sum [64]byte
	hashInto(e.s.hash, sum[:], context)
	s := e.s.deriveEmpty("exporter secret", label)
	defer s.wipe()
	out := make([]byte, length)
	s.partInto(out, "exporter", sum[:size])
	return out, nil
}

// Secret returns the exporter secret itself, one hash long, for the key log. It is not a copy: Wipe overwrites it.
func (e Exporter) Secret() []byte { return e.s.value }

// Hash returns the hash of the schedule.
func (e Exporter) Hash() crypto.Hash { return e.s.hash }

// IsZero reports whether there is no secret.
func (e Exporter) IsZero() bool { return e.s.value == nil }

// Wipe overwrites the secret. Export must not be called afterwards.
func (e Exporter) Wipe() { e.s.wipe() }
