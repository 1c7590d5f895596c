package keys

import (
	"crypto"
	"strconv"
)

// Traffic is a traffic secret: it protects one direction for one epoch. The zero value is none.
type Traffic struct {
	s secret
	// base is the name without its number, for secrets that KeyUpdate replaces; n is the number.
	base string
	n    int
}

// Next gives the secret that follows after a KeyUpdate (RFC 8446, Section 7.2). The old one stays as it is: wipe it
// when its last record has been opened or sealed.
func (t Traffic) Next() Traffic {
	name := t.s.name
	if t.s.trace != nil && t.base != "" {
		name = t.base + strconv.Itoa(t.n+1)
	}
	return Traffic{s: t.s.derive(name, "traffic upd", nil), base: t.base, n: t.n + 1}
}

// KeysInto fills key and iv with the write key and the write IV (12 bytes) of the epoch (RFC 8446, Section 7.3).
func (t Traffic) KeysInto(key, iv []byte) {
	t.s.partInto(key, "key", nil)
	t.s.partInto(iv, "iv", nil)
}

// Finished gives the verify_data of a Finished message under this secret, one hash long
// (RFC 8446, Section 4.4.4). th ends before that message.
func (t Traffic) Finished(th []byte) []byte { return t.AppendFinished(nil, th) }

// AppendFinished is Finished, appended to b.
func (t Traffic) AppendFinished(b, th []byte) []byte { return t.s.finished(b, th) }

// Secret returns the secret itself, one hash long, for the key log. It is not a copy: Wipe overwrites it.
func (t Traffic) Secret() []byte { return t.s.value }

// Hash returns the hash of the schedule.
func (t Traffic) Hash() crypto.Hash { return t.s.hash }

// IsZero reports whether there is no secret.
func (t Traffic) IsZero() bool { return t.s.value == nil }

// Wipe overwrites the secret. Keys already taken from it stay good.
func (t Traffic) Wipe() { t.s.wipe() }
