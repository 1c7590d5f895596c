package wire

// KeyShareEntry is the public half of one key exchange (RFC 8446, Section 4.2.8).
//
//	struct {
//	    NamedGroup group;
//	    opaque key_exchange<1..2^16-1>;
//	} KeyShareEntry;
type KeyShareEntry struct {
	Group       Group
	KeyExchange []byte // never empty; its length and format are the group's
}

func (e *KeyShareEntry) append(b []byte) []byte {
	b = appendUint16(b, uint16(e.Group))
	return appendOpaque(b, 2, e.KeyExchange)
}

func (e *KeyShareEntry) decode(c *cursor) {
	e.Group = Group(c.uint16("group", KindGroup))
	e.KeyExchange = c.opaque("key_exchange", bounds{2, 1, max16}, KindBytes)
}

// KeyShares is key_share in a ClientHello (RFC 8446, Section 4.2.8).
//
//	struct {
//	    KeyShareEntry client_shares<0..2^16-1>;
//	} KeyShareClientHello;
type KeyShares struct {
	Entries []KeyShareEntry // in order of preference; none: the server is to name a group in a HelloRetryRequest
}

// Extension gives ExtKeyShare.
func (v *KeyShares) Extension() ExtensionType { return ExtKeyShare }

// AppendBody appends extension_data.
func (v *KeyShares) AppendBody(b []byte) []byte {
	b, start := reserve(b, 2)
	for i := range v.Entries {
		b = v.Entries[i].append(b)
	}
	return seal(b, start, 2)
}

func (v *KeyShares) decode(c *cursor) {
	outer := c.open("client_shares", bounds{2, 0, max16})
	v.Entries = make([]KeyShareEntry, 0, c.tally(2, 2, 0))
	for i := 0; c.more(); i++ {
		c.item(i)
		var e KeyShareEntry
		e.decode(c)
		v.Entries = append(v.Entries, e)
	}
	c.close(outer)
}

// KeyShareHello is key_share in a ServerHello (RFC 8446, Section 4.2.8).
//
//	struct {
//	    KeyShareEntry server_share;
//	} KeyShareServerHello;
type KeyShareHello struct {
	Entry KeyShareEntry
}

// Extension gives ExtKeyShare.
func (v *KeyShareHello) Extension() ExtensionType { return ExtKeyShare }

// AppendBody appends extension_data.
func (v *KeyShareHello) AppendBody(b []byte) []byte { return v.Entry.append(b) }

func (v *KeyShareHello) decode(c *cursor) {
	c.place.enter("server_share")
	v.Entry.decode(c)
	c.place.leave()
}

// KeyShareRetry is key_share in a HelloRetryRequest (RFC 8446, Section 4.2.8).
//
//	struct {
//	    NamedGroup selected_group;
//	} KeyShareHelloRetryRequest;
type KeyShareRetry struct {
	Group Group
}

// Extension gives ExtKeyShare.
func (v *KeyShareRetry) Extension() ExtensionType { return ExtKeyShare }

// AppendBody appends extension_data.
func (v *KeyShareRetry) AppendBody(b []byte) []byte { return appendUint16(b, uint16(v.Group)) }

func (v *KeyShareRetry) decode(c *cursor) { v.Group = Group(c.uint16("selected_group", KindGroup)) }
