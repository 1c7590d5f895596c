package keys

import (
	"bytes"
	"crypto"
	"hash"
	"slices"
)

// messageHashType is the type of the synthetic message that stands for the first ClientHello after a
// HelloRetryRequest (RFC 8446, Section 4.4.1).
const messageHashType = 254

// Transcript is the hash over the handshake messages. It starts before the hash is known - the ClientHello comes
// before the choice of a cipher suite - and keeps the messages until Begin names it. The zero value is an empty one.
type Transcript struct {
	id   crypto.Hash
	h    hash.Hash
	kept []byte
	// keeps says that kept goes on to grow after Begin.
	keeps bool
	// spare is the hash of an earlier handshake, reset.
	spare struct {
		id crypto.Hash
		h  hash.Hash
	}
}

// largestSpare is how much memory for messages Reset keeps, in bytes: more than most ClientHellos take.
const largestSpare = 4 << 10

// Reset empties the transcript for another handshake and holds on to its memory. What Messages returned is not valid any more.
func (t *Transcript) Reset() {
	if t.h != nil {
		t.h.Reset()
		t.spare.id, t.spare.h = t.id, t.h
	}
	kept := t.kept[:0]
	if cap(kept) > largestSpare {
		kept = nil
	}
	*t = Transcript{kept: kept, spare: t.spare}
}

// Add takes one handshake message, header included. The bytes are not referenced afterwards.
func (t *Transcript) Add(raw []byte) {
	if t.h == nil || t.keeps {
		t.kept = append(t.kept, raw...)
	}
	if t.h != nil {
		t.h.Write(raw)
	}
}

// Begin names the hash and feeds it what was kept. A second call is ignored: the hash of a handshake does not change.
func (t *Transcript) Begin(h crypto.Hash) {
	if t.h != nil {
		return
	}
	if t.spare.h != nil && t.spare.id == h {
		t.h, t.spare.h = t.spare.h, nil
	} else {
		t.h = h.New()
	}
	t.id = h
	t.h.Write(t.kept)
	if !t.keeps {
		t.kept = t.kept[:0]
	}
}

// Keep makes the transcript hold on to the messages themselves after Begin too, until Forget. TLS 1.2 needs them where
// a client signs: its CertificateVerify is over the messages, with a hash that need not be that of the transcript
// (RFC 5246, Section 7.4.8). It must come before Begin, else it does nothing, for the beginning is gone.
func (t *Transcript) Keep() {
	if t.h == nil {
		t.keeps = true
	}
}

// Messages returns all messages so far, one behind the other; nil where they were not kept. The slice is valid until
// the next call of any other method.
func (t *Transcript) Messages() []byte {
	if len(t.kept) == 0 { // nothing but memory for later
		return nil
	}
	return t.kept
}

// Forget ends what Keep began and lets go of the messages. The hash goes on.
func (t *Transcript) Forget() {
	t.keeps = false
	if t.h != nil {
		t.kept = t.kept[:0]
	}
}

// Started reports whether Begin was called.
func (t *Transcript) Started() bool { return t.h != nil }

// Hash returns the hash that Begin named, 0 before.
func (t *Transcript) Hash() crypto.Hash { return t.id }

// Sum returns the hash over all messages so far. It must not be called before Begin.
func (t *Transcript) Sum() []byte { return t.SumInto(make([]byte, 0, t.id.Size())) }

// SumInto appends the hash over all messages so far to b. It must not be called before Begin.
func (t *Transcript) SumInto(b []byte) []byte { return t.h.Sum(b) }

// SumOver appends to b the hash over all messages so far and raw, which is not added: what a PSK binder is over. Where Begin
// has not named the hash, it is h.
func (t *Transcript) SumOver(h crypto.Hash, raw, b []byte) []byte {
	if t.h == nil && len(t.kept) == 0 {
		b = slices.Grow(b, h.Size())
		out := b[len(b) : len(b)+h.Size()]
		hashInto(h, out, raw)
		return b[:len(b)+len(out)]
	}
	c := t.Clone()
	c.Begin(h)
	c.Add(raw)
	return c.SumInto(b)
}

// Retry replaces all messages so far by the synthetic message_hash. It belongs between the first ClientHello and the
// HelloRetryRequest, and after Begin. There is no such thing in TLS 1.2, so it also forgets the messages.
//
//	Transcript-Hash(ClientHello1, HelloRetryRequest, ... Mn) =
//	    Hash(message_hash ||        /* Handshake type */
//	         00 00 Hash.length  ||  /* Handshake message length (bytes) */
//	         Hash(ClientHello1) ||  /* Hash of ClientHello1 */
//	         HelloRetryRequest  || ... || Mn)
//
// (RFC 8446, Section 4.4.1)
func (t *Transcript) Retry() {
	var buf [4 + 64]byte
	msg := t.h.Sum(append(buf[:0], messageHashType, 0, 0, byte(t.id.Size())))
	t.Forget()
	t.h.Reset()
	t.h.Write(msg)
}

// Clone returns an independent copy, for what is computed over a transcript that will never be sent like this: the
// truncated ClientHello of PSK binders, post-handshake authentication.
func (t *Transcript) Clone() *Transcript {
	c := &Transcript{id: t.id, kept: bytes.Clone(t.kept), keeps: t.keeps}
	if t.h == nil {
		return c
	}
	// Every hash of the standard library is a hash.Cloner and none of them fails.
	h, err := t.h.(hash.Cloner).Clone()
	if err != nil {
		panic("keys: internal error: hash without Clone: " + err.Error())
	}
	c.h = h
	return c
}
