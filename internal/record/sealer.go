package record

import (
	"math"
	"slices"

	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// Sealer protects the records of one epoch in one direction.
type Sealer struct {
	epoch
	tagLen int
	// limit is how many records the key may seal, due from where on a new key should be made ready.
	limit, due uint64
}

// NewSealer derives the keys of the epoch from its traffic secret, which it does not keep.
func NewSealer(s *suite.Suite, t keys.Traffic) (*Sealer, error) {
	l := new(Sealer)
	if err := l.Reset(s, t); err != nil {
		return nil, err
	}
	return l, nil
}

// Reset begins another epoch in the place of this one, as NewSealer would, and forgets all of this one. After an error
// the Sealer is as if wiped.
func (s *Sealer) Reset(of *suite.Suite, t keys.Traffic) error {
	*s = Sealer{tagLen: of.TagLen}
	s.setLimit(of)
	return s.set(of, t)
}

// setLimit takes the limit of the key from the suite.
func (s *Sealer) setLimit(of *suite.Suite) {
	s.limit = of.MaxRecords
	if s.limit == 0 {
		s.limit = math.MaxUint64
	}
	// A sixteenth is left for what is already under way when KeyUpdateDue is noticed: for AES-GCM 1.4 million
	// records.
	s.due = s.limit - s.limit/16
}

// Seal appends one record to out: the payload, its type and pad bytes of zeros, sealed. The payload has at most 2^14
// bytes and may be empty. It may lie anywhere in out's spare capacity, also exactly where it will be sealed - at
// len(out) + Prefix() -, and is not copied then. The errors are ErrLimit, ErrTooLong (payload and padding together
// have more than 2^14 bytes) and in TLS 1.2 ErrPadding; with an error nothing was appended and no sequence number was
// used. This is the record of TLS 1.3:
//
//	struct {
//	    opaque content[TLSPlaintext.length];
//	    ContentType type;
//	    uint8 zeros[length_of_padding];
//	} TLSInnerPlaintext;
//
//	struct {
//	    ContentType opaque_type = application_data; /* 23 */
//	    ProtocolVersion legacy_record_version = 0x0303; /* TLS v1.2 */
//	    uint16 length;
//	    opaque encrypted_record[TLSCiphertext.length];
//	} TLSCiphertext;
//
// (RFC 8446, Section 5.2)
func (s *Sealer) Seal(out []byte, typ wire.ContentType, payload []byte, pad int) ([]byte, error) {
	if s.aead == nil {
		return out, ErrWiped
	}
	if s.seq >= s.limit {
		return out, ErrLimit
	}
	if s.v12 != nil {
		return s.seal12(out, typ, payload, pad)
	}
	// RFC 8446, Section 5.4: the padding counts towards the limit of 2^14 + 1 bytes, type included.
	if pad < 0 || len(payload) > wire.MaxPlaintext || pad > wire.MaxPlaintext-len(payload) {
		return out, ErrTooLong
	}
	inner := len(payload) + 1 + pad
	start := len(out)
	body := start + wire.RecordHeaderLen
	out = slices.Grow(out, wire.RecordHeaderLen+inner+s.tagLen)[:body+inner]
	// The payload goes first: it may overlap what is written next.
	if len(payload) > 0 && &out[body] != &payload[0] {
		copy(out[body:], payload)
	}
	out[body+len(payload)] = byte(typ)
	clear(out[body+len(payload)+1:])
	wire.AppendRecordHeader(out[:start], wire.RecordHeader{
		Type: wire.ContentApplicationData, Version: wire.VersionTLS12, Length: inner + s.tagLen,
	})
	out = s.aead.Seal(out[:body], s.nextNonce(), out[body:], out[start:body])
	s.seq++
	return out, nil
}

// Overhead returns how many bytes a record without padding has besides its payload: header, type and tag in TLS 1.3;
// header, the explicit part of the nonce and tag in TLS 1.2.
func (s *Sealer) Overhead() int {
	if s.v12 != nil {
		return s.Prefix() + s.tagLen
	}
	return s.Prefix() + 1 + s.tagLen
}

// Prefix returns how many bytes of a record come before its payload: the header, and in TLS 1.2 the explicit part of
// the nonce.
func (s *Sealer) Prefix() int {
	if s.v12 != nil {
		return wire.RecordHeaderLen + s.v12.explicit
	}
	return wire.RecordHeaderLen
}

// Sequence returns the number of the next record, which is how many were sealed.
func (s *Sealer) Sequence() uint64 { return s.seq }

// KeyUpdateDue reports that the key should be replaced soon: fifteen sixteenths of its records are used
// (RFC 8446, Section 5.5: an update SHOULD come before the limit).
func (s *Sealer) KeyUpdateDue() bool { return s.seq >= s.due }

// Wipe erases the IV and lets go of the key; Seal then returns ErrWiped.
func (s *Sealer) Wipe() { s.wipe() }
