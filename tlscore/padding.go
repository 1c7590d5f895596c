package tlscore

import (
	"encoding/binary"
	"fmt"

	"github.com/tlswright/tlswright/wire"
)

// Padding says how long records of TLS 1.3 are made with zeros that nobody but the peer can tell from content (RFC 8446,
// Section 5.4). The zero Padding adds nothing. What is set is applied in the order of the fields, and never makes a record
// longer than records may be. All of it is in bytes of content.
//
// It hides how long messages are, and not how many there are, nor when they are sent. To hides all but the multiple, for
// little; AtLeast hides it of everything that is not longer, such as a page's requests; Random only blurs what is sent often.
type Padding struct {
	To      int // to a multiple of this
	AtLeast int // to this, where it is shorter
	Random  int // by so many more, at random, from 0 to this
	// Everything pads handshake messages and alerts, too, as far as they are protected: how long a certificate is tells which.
	Everything bool
}

// check checks a policy.
func (p *Padding) check() error {
	for _, n := range []int{p.To, p.AtLeast, p.Random} {
		if n < 0 || n > wire.MaxPlaintext {
			return fmt.Errorf("padding: %d bytes, want 0 to %d", n, wire.MaxPlaintext)
		}
	}
	return nil
}

// of is how many zeros content of n bytes gets, of room bytes that there are for both.
func (p *Padding) of(n, room int) int {
	total := n
	if p.To > 1 {
		total += (p.To - n%p.To) % p.To
	}
	total = max(total, p.AtLeast)
	if p.Random > 0 {
		var b [4]byte
		randomBytes(b[:])
		total += int(binary.BigEndian.Uint32(b[:]) % uint32(p.Random+1))
	}
	return max(0, min(total, room)-n)
}

// padding is how many zeros go behind content of n bytes. Early data gets none: a server that refuses it counts what it
// skips.
func (w *writeHalf) padding(kind wire.ContentType, n int) int {
	if w.sealer == nil || w.v12 || w.pad == nil || w.epoch == EpochEarlyData || kind != wire.ContentApplicationData && !w.pad.Everything {
		return 0
	}
	return w.pad.of(n, w.room())
}

// padding is the policy of the configuration; nil: there is none.
func (p *Params) padding() *Padding {
	if p.c.Padding == (Padding{}) {
		return nil
	}
	return &p.c.Padding
}
