package wire

import "strconv"

// RecordErrorKind says why bytes are not a record.
type RecordErrorKind uint8

// The reasons.
const (
	// RecordTooLong: the header announces a longer fragment than allowed. RFC 8446, Section 5.1: an endpoint that
	// receives such a record MUST terminate the connection with a record_overflow alert.
	RecordTooLong RecordErrorKind = iota + 1
	// RecordUnknownType: no such content type. RFC 8446, Section 5: the connection MUST be terminated with an
	// unexpected_message alert. It is also what a peer looks like that does not speak TLS: then Header.Type holds the
	// first byte it sent.
	RecordUnknownType
	// RecordUnknownVersion: the major version is not 3. The minor one is ignored (RFC 8446, Section 5.1).
	RecordUnknownVersion
)

// RecordError is the error of Deframe.
type RecordError struct {
	Kind RecordErrorKind
	// Header is what was read of the header. For RecordUnknownType only its Type is set.
	Header RecordHeader
	// Limit is the longest fragment that was allowed, in bytes.
	Limit int
}

// Error gives "record of 20000 bytes exceeds the limit of 16384".
func (e *RecordError) Error() string {
	switch e.Kind {
	case RecordTooLong:
		return "record of " + strconv.Itoa(e.Header.Length) + " bytes exceeds the limit of " + strconv.Itoa(e.Limit)
	case RecordUnknownType:
		return "record of unknown content type " + strconv.Itoa(int(e.Header.Type))
	}
	return "record of unknown version " + hex16(uint16(e.Header.Version))
}

// Deframe finds the first record in a stream of bytes. It copies nothing and remembers nothing.
//
// rec is the record, header and fragment, as a part of in. If in does not hold all of it, rec is nil and need says how
// many more bytes are wanted at least (5 less what is there until the header is known). maxLength bounds the fragment,
// in bytes. The error is a *RecordError, given as soon as the bytes that show it are there: a peer that speaks
// something else is refused by its first byte and not after a record's worth of waiting.
func Deframe(in []byte, maxLength int) (rec []byte, need int, err error) {
	if len(in) == 0 {
		return nil, RecordHeaderLen, nil
	}
	if t := ContentType(in[0]); t < ContentChangeCipherSpec || t > ContentHeartbeat {
		return nil, 0, &RecordError{Kind: RecordUnknownType, Header: RecordHeader{Type: t}, Limit: maxLength}
	}
	h, ok := ParseRecordHeader(in)
	if !ok {
		return nil, RecordHeaderLen - len(in), nil
	}
	if h.Version>>8 != 3 {
		return nil, 0, &RecordError{Kind: RecordUnknownVersion, Header: h, Limit: maxLength}
	}
	if h.Length > maxLength {
		return nil, 0, &RecordError{Kind: RecordTooLong, Header: h, Limit: maxLength}
	}
	end := RecordHeaderLen + h.Length
	if len(in) < end {
		return nil, end - len(in), nil
	}
	return in[:end:end], 0, nil
}
