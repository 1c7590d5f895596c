package wire

// PostHandshakeAuth is post_handshake_auth in a ClientHello (RFC 8446, Section 4.2.6). It has no data.
//
//	struct {} PostHandshakeAuth;
type PostHandshakeAuth struct{}

// Extension gives ExtPostHandshakeAuth.
func (v *PostHandshakeAuth) Extension() ExtensionType { return ExtPostHandshakeAuth }

// AppendBody appends nothing.
func (v *PostHandshakeAuth) AppendBody(b []byte) []byte { return b }

func (v *PostHandshakeAuth) decode(*cursor) {}
