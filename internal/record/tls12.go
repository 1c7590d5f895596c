package record

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// additionalLen is the size of what an AEAD of TLS 1.2 authenticates besides the payload.
const additionalLen = 8 + 1 + 2 + 2

// tls12 is what an epoch of TLS 1.2 has besides; nil in TLS 1.3.
type tls12 struct {
	// explicit is how many bytes of the nonce stand in the record, 8 or 0.
	explicit int
	// additional is working memory, for the reason epoch.nonce is.
	additional [additionalLen]byte
}

// NewSealer12 makes a Sealer of TLS 1.2 from keys of the key block; it does not keep the slices. There is no
// KeyUpdate in TLS 1.2: where KeyUpdateDue says so, the connection has to end before long.
func NewSealer12(s *suite.Suite, key, iv []byte) (*Sealer, error) {
	l := &Sealer{tagLen: s.TagLen}
	l.setLimit(s)
	if err := l.set12(s, key, iv); err != nil {
		return nil, err
	}
	return l, nil
}

// NewOpener12 makes an Opener of TLS 1.2 from keys of the key block; it does not keep the slices.
func NewOpener12(s *suite.Suite, key, iv []byte) (*Opener, error) {
	o := &Opener{tagLen: s.TagLen, maxForgeries: s.MaxForgeries}
	if err := o.set12(s, key, iv); err != nil {
		return nil, err
	}
	return o, nil
}

// set12 installs a key and an IV of TLS 1.2. A salt becomes an IV with zeros behind it, so that the nonce of a record,
// whose explicit part is the sequence number, is made as in TLS 1.3 (RFC 5288, Section 3: the explicit part MAY be the
// sequence number).
func (e *epoch) set12(s *suite.Suite, key, iv []byte) error {
	if s.Version != wire.VersionTLS12 {
		return fmt.Errorf("%v is no cipher suite of TLS 1.2", s.ID)
	}
	if len(iv) != s.IVLen {
		return fmt.Errorf("IV of %d bytes for %v, want %d", len(iv), s.ID, s.IVLen)
	}
	e.v12 = &tls12{explicit: s.ExplicitLen}
	return e.install(s, key, iv)
}

// additional gives what is authenticated besides the payload (RFC 5246, Section 6.2.3.3):
//
//	additional_data = seq_num + TLSCompressed.type +
//	                  TLSCompressed.version + TLSCompressed.length;
func (e *epoch) additional(h wire.RecordHeader) []byte {
	b := binary.BigEndian.AppendUint64(e.v12.additional[:0], e.seq)
	return wire.AppendRecordHeader(b, h)
}

// seal12 is Seal for TLS 1.2:
//
//	struct {
//	    ContentType type;
//	    ProtocolVersion version;
//	    uint16 length;
//	    struct {
//	        opaque nonce_explicit[SecurityParameters.record_iv_length];
//	        aead-ciphered struct {
//	            opaque content[TLSCompressed.length];
//	        };
//	    } fragment;
//	} TLSCiphertext;
//
// (RFC 5246, Section 6.2.3)
func (s *Sealer) seal12(out []byte, typ wire.ContentType, payload []byte, pad int) ([]byte, error) {
	if pad != 0 {
		return out, ErrPadding
	}
	if len(payload) > wire.MaxPlaintext {
		return out, ErrTooLong
	}
	start, explicit := len(out), s.v12.explicit
	body := start + wire.RecordHeaderLen + explicit
	out = slices.Grow(out, wire.RecordHeaderLen+explicit+len(payload)+s.tagLen)[:body+len(payload)]
	// The payload goes first: it may overlap what is written next.
	if len(payload) > 0 && &out[body] != &payload[0] {
		copy(out[body:], payload)
	}
	h := wire.RecordHeader{Type: typ, Version: wire.VersionTLS12, Length: explicit + len(payload) + s.tagLen}
	wire.AppendRecordHeader(out[:start], h)
	nonce := s.nextNonce()
	copy(out[body-explicit:body], nonce[nonceLen-explicit:])
	h.Length = len(payload)
	out = s.aead.Seal(out[:body], nonce, out[body:], s.additional(h))
	s.seq++
	return out, nil
}

// open12 is Open for TLS 1.2, behind the checks both have in common.
func (o *Opener) open12(room, rec []byte, h wire.RecordHeader) (typ wire.ContentType, content []byte, err error) {
	if h.Length > wire.MaxCiphertext12 {
		return 0, nil, ErrTooLong
	}
	explicit := o.v12.explicit
	fragment := rec[wire.RecordHeaderLen:]
	h.Length -= explicit + o.tagLen
	if h.Length < 0 {
		// RFC 5246, Section 6.2.3.3: a failed decryption is a bad_record_mac, and this cannot be decrypted.
		o.forgeries++
		return 0, nil, ErrBadMAC
	}
	nonce := o.nextNonce()
	// The peer may choose the explicit part as it likes (RFC 5288, Section 3).
	copy(nonce[nonceLen-explicit:], fragment[:explicit])
	sealed := fragment[explicit:]
	content, err = o.aead.Open(o.place(room, sealed), nonce, sealed, o.additional(h))
	if err != nil {
		o.forgeries++
		return 0, nil, ErrBadMAC
	}
	o.seq++
	if len(content) > wire.MaxPlaintext {
		return 0, nil, ErrTooLong
	}
	if len(content) == 0 && h.Type != wire.ContentApplicationData {
		return h.Type, content, ErrEmpty
	}
	return h.Type, content, nil
}
