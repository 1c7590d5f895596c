package wire

// ECHOuterExtensions is ech_outer_extensions: the extensions that an EncodedClientHelloInner leaves out because the outer
// ClientHello has them, too. It stands nowhere else (RFC 9849, Section 5.1).
//
//	ExtensionType OuterExtensions<2..254>;
type ECHOuterExtensions struct {
	Types []ExtensionType // in the order in which the outer ClientHello has them
}

// Extension gives ExtECHOuterExtensions.
func (v *ECHOuterExtensions) Extension() ExtensionType { return ExtECHOuterExtensions }

// AppendBody appends extension_data.
func (v *ECHOuterExtensions) AppendBody(b []byte) []byte { return appendList16(b, 1, v.Types) }

func (v *ECHOuterExtensions) decode(c *cursor) {
	v.Types = list16[ExtensionType](c, "types", bounds{1, 2, 254}, KindExtensionType)
}

// EncodedClientHelloInner is what the payload of encrypted_client_hello holds (RFC 9849, Section 5.1): a ClientHello
// without a message's header, its legacy_session_id empty, with ech_outer_extensions in the place of what the outer one has.
//
//	struct {
//	    ClientHello client_hello;
//	    uint8 zeros[length_of_padding];
//	} EncodedClientHelloInner;
type EncodedClientHelloInner struct {
	Hello ClientHello
	Zeros []byte // all 0, or else it is malformed in a way that the receiver must tell from others: see Padded
}

// Append appends the structure.
func (v *EncodedClientHelloInner) Append(b []byte) []byte {
	return append(v.Hello.AppendBody(b), v.Zeros...)
}

// Padded reports whether the padding is what it must be.
func (v *EncodedClientHelloInner) Padded() bool {
	for _, z := range v.Zeros {
		if z != 0 {
			return false
		}
	}
	return true
}

// Parse reads the structure; what is behind the ClientHello is padding. Its slices borrow from b.
func (v *EncodedClientHelloInner) Parse(b []byte) error { return v.walk(b, nil) }

// WalkEncodedClientHelloInner reports every field of an EncodedClientHelloInner to v, as WalkMessage does for a message.
func WalkEncodedClientHelloInner(b []byte, v Visitor) error {
	return new(EncodedClientHelloInner).walk(b, v)
}

func (v *EncodedClientHelloInner) walk(b []byte, visit Visitor) error {
	var c cursor
	c.begin(b, "EncodedClientHelloInner", visit)
	v.Hello.decodeBody(&c)
	v.Zeros = c.take("zeros", c.rest(), KindBytes)
	return c.finish()
}
