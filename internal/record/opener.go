package record

import (
	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// Opener unprotects the records of one epoch in one direction.
type Opener struct {
	epoch
	tagLen int
	// forgeries counts records that did not authenticate, maxForgeries is where the key is given up.
	forgeries, maxForgeries uint64
}

// NewOpener derives the keys of the epoch from its traffic secret, which it does not keep.
func NewOpener(s *suite.Suite, t keys.Traffic) (*Opener, error) {
	o := new(Opener)
	if err := o.Reset(s, t); err != nil {
		return nil, err
	}
	return o, nil
}

// Reset begins another epoch in the place of this one, as NewOpener would, and forgets all of this one. After an error
// the Opener is as if wiped.
func (o *Opener) Reset(s *suite.Suite, t keys.Traffic) error {
	*o = Opener{tagLen: s.TagLen, maxForgeries: s.MaxForgeries}
	return o.set(s, t)
}

// Open opens one whole record, header included, in place: content aliases rec, which is overwritten also where Open
// fails. The error is one of this package's. After ErrBadMAC the Opener expects the same sequence number again, so
// that a server can skip early data it refused; every other caller ends the connection
// (RFC 8446, Section 5.2).
//
// Only application data may be empty. For an empty record of another type Open returns the type and ErrEmpty.
//
// In TLS 1.2 the type is that of the header and may be any; the version there is authenticated as it stands, and
// whether it is right is for the caller to see.
func (o *Opener) Open(rec []byte) (typ wire.ContentType, content []byte, err error) {
	return o.OpenInto(nil, rec)
}

// OpenInto is Open for who knows already where the content belongs: if room has space for all that was sealed - in TLS 1.3
// that is content, type and padding - content lies at its front, and rec is left as it was. Otherwise it is Open. All of
// room may be overwritten, also where OpenInto fails. It must not overlap rec.
func (o *Opener) OpenInto(room, rec []byte) (typ wire.ContentType, content []byte, err error) {
	if o.aead == nil {
		return 0, nil, ErrWiped
	}
	h, ok := wire.ParseRecordHeader(rec)
	if !ok || h.Length != len(rec)-wire.RecordHeaderLen {
		return 0, nil, ErrHeader
	}
	if o.exhausted() || (o.maxForgeries != 0 && o.forgeries >= o.maxForgeries) {
		return 0, nil, ErrLimit
	}
	if o.v12 != nil {
		return o.open12(room, rec, h)
	}
	return o.open13(room, rec, h)
}

// open13 is Open for TLS 1.3, behind the checks both have in common.
func (o *Opener) open13(room, rec []byte, h wire.RecordHeader) (typ wire.ContentType, content []byte, err error) {
	// RFC 8446, Section 5.2: the outer type is always application_data. It is authenticated but not by itself
	// checked: a peer could seal under any.
	if h.Type != wire.ContentApplicationData {
		return 0, nil, ErrOuterType
	}
	if h.Length > wire.MaxCiphertext13 {
		return 0, nil, ErrTooLong
	}
	header, sealed := rec[:wire.RecordHeaderLen], rec[wire.RecordHeaderLen:]
	inner, err := o.aead.Open(o.place(room, sealed), o.nextNonce(), sealed, header)
	if err != nil {
		o.forgeries++
		return 0, nil, ErrBadMAC
	}
	o.seq++
	return unpad(inner)
}

// place is where the content of sealed goes: to the front of room, or, if that is too small, where it came from.
func (o *Opener) place(room, sealed []byte) []byte {
	if n := len(sealed) - o.tagLen; n > 0 && len(room) >= n {
		return room[:0:n]
	}
	return sealed[:0]
}

// unpad takes apart a TLSInnerPlaintext: content, type, zeros.
func unpad(inner []byte) (typ wire.ContentType, content []byte, err error) {
	// RFC 8446, Section 5.4: the limit holds for content, type and padding together.
	if len(inner) > wire.MaxPlaintext+1 {
		return 0, nil, ErrTooLong
	}
	end := len(inner)
	for end > 0 && inner[end-1] == 0 {
		end--
	}
	if end == 0 {
		return 0, nil, ErrNoContentType
	}
	typ, content = wire.ContentType(inner[end-1]), inner[:end-1]
	if len(content) == 0 && typ != wire.ContentApplicationData {
		return typ, content, ErrEmpty
	}
	return typ, content, nil
}

// Sequence returns the number of the next record, which is how many were opened.
func (o *Opener) Sequence() uint64 { return o.seq }

// Forgeries returns how many records did not authenticate.
func (o *Opener) Forgeries() uint64 { return o.forgeries }

// Wipe erases the IV and lets go of the key; Open then returns ErrWiped.
func (o *Opener) Wipe() { o.wipe() }
