package wire

// RenegotiationInfo is renegotiation_info of TLS 1.2, in both hellos (RFC 5746, Section 3.2).
//
//	struct {
//	    opaque renegotiated_connection<0..255>;
//	} RenegotiationInfo;
type RenegotiationInfo struct {
	Data []byte // empty in an initial handshake
}

// Extension gives ExtRenegotiationInfo.
func (v *RenegotiationInfo) Extension() ExtensionType { return ExtRenegotiationInfo }

// AppendBody appends extension_data.
func (v *RenegotiationInfo) AppendBody(b []byte) []byte { return appendOpaque(b, 1, v.Data) }

func (v *RenegotiationInfo) decode(c *cursor) {
	v.Data = c.opaque("renegotiated_connection", bounds{1, 0, max8}, KindBytes)
}
