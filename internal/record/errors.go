package record

import "errors"

var (
	// ErrLimit is returned when the key has done all it may: its records are used up, or too many were forged. The
	// next record needs a new epoch.
	ErrLimit = errors.New("record: limit of the key reached")
	// ErrBadMAC is returned for a record that does not authenticate (RFC 8446, Section 5.2: bad_record_mac).
	ErrBadMAC = errors.New("record: message authentication failed")
	// ErrNoContentType is returned for a record whose plaintext is nothing but padding
	// (RFC 8446, Section 5.4: unexpected_message).
	ErrNoContentType = errors.New("record: no content type")
	// ErrTooLong is returned for a record longer than allowed, in either form: the ciphertext has more than
	// 2^14 + 256 bytes, or the plaintext with its type and padding more than 2^14 + 1
	// (RFC 8446, Section 5.4: record_overflow); in TLS 1.2 the bounds are 2^14 + 2048 and 2^14
	// (RFC 5246, Section 6.2.3). Seal returns it for a payload or padding that would not fit.
	ErrTooLong = errors.New("record: too long")
	// ErrEmpty is returned, beside the content type, for an authentic record with no content where none may be
	// empty, that is anything but application data (RFC 8446, Section 5.4: unexpected_message).
	ErrEmpty = errors.New("record: empty content")
	// ErrOuterType is returned for a record whose outer type is not application_data: it is not protected.
	ErrOuterType = errors.New("record: outer type is not application_data")
	// ErrHeader is returned for bytes that are not one whole record.
	ErrHeader = errors.New("record: length does not match the header")
	// ErrPadding is returned by a Sealer of TLS 1.2 that is asked to pad: its records have no room for it.
	ErrPadding = errors.New("record: no padding in TLS 1.2")
	// ErrWiped is returned after Wipe.
	ErrWiped = errors.New("record: key has been wiped")
)
