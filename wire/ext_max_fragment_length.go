package wire

// MaxFragmentLength is max_fragment_length in a ClientHello and in the server's answer (RFC 6066, Section 4).
//
//	enum {
//	    2^9(1), 2^10(2), 2^11(3), 2^12(4), (255)
//	} MaxFragmentLength;
type MaxFragmentLength struct {
	Code uint8
}

// Limit is the most content of a record in bytes, or 0 for a code that has no meaning.
func (v MaxFragmentLength) Limit() int {
	if v.Code < 1 || v.Code > 4 {
		return 0
	}
	return 1 << (8 + v.Code)
}

// Extension gives ExtMaxFragmentLength.
func (v *MaxFragmentLength) Extension() ExtensionType { return ExtMaxFragmentLength }

// AppendBody appends extension_data.
func (v *MaxFragmentLength) AppendBody(b []byte) []byte { return append(b, v.Code) }

func (v *MaxFragmentLength) decode(c *cursor) { v.Code = c.uint8("max_fragment_length", KindType) }
