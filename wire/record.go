package wire

// ContentType is the first byte of a record: what its fragment holds (RFC 8446, Section 5.1).
type ContentType uint8

// The content types of TLS.
const (
	ContentChangeCipherSpec ContentType = 20
	ContentAlert            ContentType = 21
	ContentHandshake        ContentType = 22
	ContentApplicationData  ContentType = 23
	ContentHeartbeat        ContentType = 24
)

// String gives the registered name, "application_data", or "0x80".
func (t ContentType) String() string {
	name, ok := contentTypeName(t)
	return name8(uint8(t), name, ok)
}

// Sizes of records in bytes.
const (
	// RecordHeaderLen is the size of the header of every record.
	RecordHeaderLen = 5
	// MaxPlaintext is the most content a record may carry (RFC 8446, Section 5.1).
	MaxPlaintext = 1 << 14
	// MaxCiphertext13 is the longest fragment of a protected TLS 1.3 record: content, its type, padding and tag
	// (RFC 8446, Section 5.2).
	MaxCiphertext13 = 1<<14 + 256
	// MaxCiphertext12 is the longest fragment of a protected TLS 1.2 record (RFC 5246, Section 6.2.3).
	MaxCiphertext12 = 1<<14 + 2048
)

// RecordHeader is what precedes the fragment of a record (RFC 8446, Section 5.1).
//
//	struct {
//	    ContentType type;
//	    ProtocolVersion legacy_record_version;
//	    uint16 length;
//	    opaque fragment[TLSPlaintext.length];
//	} TLSPlaintext;
type RecordHeader struct {
	Type    ContentType
	Version Version
	Length  int // of the fragment, in bytes, at most 65,535; whether that is too long is for Deframe to say
}

// ParseRecordHeader reads the header at the start of b. ok is false when b has fewer than 5 bytes.
func ParseRecordHeader(b []byte) (h RecordHeader, ok bool) {
	if len(b) < RecordHeaderLen {
		return RecordHeader{}, false
	}
	return RecordHeader{
		Type:    ContentType(b[0]),
		Version: Version(b[1])<<8 | Version(b[2]),
		Length:  int(b[3])<<8 | int(b[4]),
	}, true
}

// AppendRecordHeader appends the 5 bytes of h.
func AppendRecordHeader(b []byte, h RecordHeader) []byte {
	b = append(b, byte(h.Type))
	b = appendUint16(b, uint16(h.Version))
	return append(b, byte(h.Length>>8), byte(h.Length))
}

// WalkRecord reports the fields of one whole record. The fragment is one leaf, except that an alert in the clear and a
// change_cipher_spec are taken apart; handshake messages may span records, so they are for Joiner and WalkMessage. The
// error is a *ParseError when raw is not exactly one record.
func WalkRecord(raw []byte, v Visitor) error {
	var c cursor
	c.begin(raw, "TLSPlaintext", v)
	if len(raw) > 0 && ContentType(raw[0]) == ContentApplicationData {
		c.place.root = "TLSCiphertext"
		c.uint8("opaque_type", KindContentType)
		c.uint16("legacy_record_version", KindVersion)
		c.take("encrypted_record", int(c.uint16("length", KindLength)), KindBytes)
		return c.finish()
	}
	t := ContentType(c.uint8("type", KindContentType))
	c.uint16("legacy_record_version", KindVersion)
	n := int(c.uint16("length", KindLength))
	switch {
	case t == ContentAlert && n == 2:
		// A protected alert of an older version is longer than two bytes.
		c.place.enter("fragment")
		decodeAlert(&c)
		c.place.leave()
	case t == ContentChangeCipherSpec && n == 1:
		c.place.enter("fragment")
		c.uint8("type", KindType)
		c.place.leave()
	default:
		c.take("fragment", n, KindBytes)
	}
	return c.finish()
}

// WalkAlert reports the two fields of an alert. The error is a *ParseError when raw is not two bytes.
func WalkAlert(raw []byte, v Visitor) error {
	var c cursor
	c.begin(raw, "Alert", v)
	decodeAlert(&c)
	return c.finish()
}
