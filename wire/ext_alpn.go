package wire

// ALPN is application_layer_protocol_negotiation in a ClientHello and, with a single name, in the server's answer
// (RFC 7301, Section 3.1).
//
//	opaque ProtocolName<1..2^8-1>;
//
//	struct {
//	    ProtocolName protocol_name_list<2..2^16-1>
//	} ProtocolNameList;
type ALPN struct {
	Protocols []string // in order of preference; none is empty
}

// Extension gives ExtALPN.
func (v *ALPN) Extension() ExtensionType { return ExtALPN }

// AppendBody appends extension_data.
func (v *ALPN) AppendBody(b []byte) []byte {
	b, start := reserve(b, 2)
	for _, p := range v.Protocols {
		b = appendOpaque(b, 1, p)
	}
	return seal(b, start, 2)
}

func (v *ALPN) decode(c *cursor) {
	outer := c.open("protocol_name_list", bounds{2, 2, max16})
	v.Protocols = make([]string, 0, c.tally(0, 1, 0))
	for i := 0; c.more(); i++ {
		c.item(i)
		v.Protocols = append(v.Protocols, string(c.opaque("", bounds{1, 1, max8}, KindText)))
	}
	c.close(outer)
}
