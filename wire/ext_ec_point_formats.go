package wire

// ECPointFormats is ec_point_formats of TLS 1.2, in both hellos (RFC 8422, Section 5.1.2).
//
//	enum {
//	    uncompressed (0), deprecated (1..2), reserved (248..255)
//	} ECPointFormat;
//
//	struct {
//	    ECPointFormat ec_point_format_list<1..2^8-1>
//	} ECPointFormatList;
type ECPointFormats struct {
	Formats []byte
}

// Extension gives ExtECPointFormats.
func (v *ECPointFormats) Extension() ExtensionType { return ExtECPointFormats }

// AppendBody appends extension_data.
func (v *ECPointFormats) AppendBody(b []byte) []byte { return appendOpaque(b, 1, v.Formats) }

func (v *ECPointFormats) decode(c *cursor) {
	v.Formats = list8[byte](c, "ec_point_format_list", bounds{1, 1, max8}, KindUint)
}
