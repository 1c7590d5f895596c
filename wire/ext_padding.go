package wire

// Padding is padding in a ClientHello (RFC 7685, Section 3): as many zero bytes as it takes. RFC 7685, Section 3: the
// client MUST fill them with zero; other bytes are refused.
type Padding struct {
	Length int // in bytes, without type and length of the extension
}

// Extension gives ExtPadding.
func (v *Padding) Extension() ExtensionType { return ExtPadding }

// AppendBody appends extension_data.
func (v *Padding) AppendBody(b []byte) []byte {
	for range v.Length {
		b = append(b, 0)
	}
	return b
}

func (v *Padding) decode(c *cursor) {
	v.Length = 0
	for _, x := range c.b[c.pos:c.end] {
		if x != 0 {
			c.fail("padding", "is not zero")
			return
		}
	}
	v.Length = len(c.take("padding", c.rest(), KindBytes))
}
