package wire

// Cookie is cookie in a HelloRetryRequest and in the ClientHello that answers it (RFC 8446, Section 4.2.2).
//
//	struct {
//	    opaque cookie<1..2^16-1>;
//	} Cookie;
type Cookie struct {
	Cookie []byte // never empty
}

// Extension gives ExtCookie.
func (v *Cookie) Extension() ExtensionType { return ExtCookie }

// AppendBody appends extension_data.
func (v *Cookie) AppendBody(b []byte) []byte { return appendOpaque(b, 2, v.Cookie) }

func (v *Cookie) decode(c *cursor) { v.Cookie = c.opaque("cookie", bounds{2, 1, max16}, KindBytes) }
