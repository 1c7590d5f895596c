package wire

// PSKIdentity is one key that a client offers.
type PSKIdentity struct {
	Identity      []byte // a ticket, or a name agreed upon; never empty
	ObfuscatedAge uint32 // of a ticket: milliseconds plus ticket_age_add, modulo 2^32; 0 for an external key
}

// PreSharedKeys is pre_shared_key in a ClientHello (RFC 8446, Section 4.2.11).
//
//	struct {
//	    opaque identity<1..2^16-1>;
//	    uint32 obfuscated_ticket_age;
//	} PskIdentity;
//
//	opaque PskBinderEntry<32..255>;
//
//	struct {
//	    PskIdentity identities<7..2^16-1>;
//	    PskBinderEntry binders<33..2^16-1>;
//	} OfferedPsks;
//
// That there are as many binders as identities is not a matter of syntax and not checked here.
type PreSharedKeys struct {
	Identities []PSKIdentity
	Binders    [][]byte // 32 to 255 bytes each
}

// BindersLen is the length of the binder list on the wire in bytes, its prefix included: what a ClientHello, in which
// pre_shared_key comes last, is cut short by before the binders are computed (RFC 8446, Section 4.2.11.2).
func (v *PreSharedKeys) BindersLen() int {
	n := 2
	for _, binder := range v.Binders {
		n += 1 + len(binder)
	}
	return n
}

// Extension gives ExtPreSharedKey.
func (v *PreSharedKeys) Extension() ExtensionType { return ExtPreSharedKey }

func (v *PreSharedKeys) bodySize() int {
	n := 2 + v.BindersLen()
	for _, id := range v.Identities {
		n += 2 + len(id.Identity) + 4
	}
	return n
}

// AppendBody appends extension_data.
func (v *PreSharedKeys) AppendBody(b []byte) []byte {
	b, start := reserve(b, 2)
	for _, id := range v.Identities {
		b = appendOpaque(b, 2, id.Identity)
		b = appendUint32(b, id.ObfuscatedAge)
	}
	b = seal(b, start, 2)
	return appendOpaques(b, 2, 1, v.Binders)
}

func (v *PreSharedKeys) decode(c *cursor) {
	outer := c.open("identities", bounds{2, 7, max16})
	v.Identities = make([]PSKIdentity, 0, c.tally(0, 2, 4))
	for i := 0; c.more(); i++ {
		c.item(i)
		v.Identities = append(v.Identities, PSKIdentity{
			Identity:      c.opaque("identity", bounds{2, 1, max16}, KindBytes),
			ObfuscatedAge: c.uint32("obfuscated_ticket_age", KindUint),
		})
	}
	c.close(outer)
	v.Binders = c.opaques("binders", bounds{2, 33, max16}, bounds{1, 32, max8}, KindBytes)
}

// PreSharedKeySelected is pre_shared_key in a ServerHello (RFC 8446, Section 4.2.11).
//
//	uint16 selected_identity;
type PreSharedKeySelected struct {
	Index uint16 // into the identities that the client offered, from 0
}

// Extension gives ExtPreSharedKey.
func (v *PreSharedKeySelected) Extension() ExtensionType { return ExtPreSharedKey }

// AppendBody appends extension_data.
func (v *PreSharedKeySelected) AppendBody(b []byte) []byte { return appendUint16(b, v.Index) }

func (v *PreSharedKeySelected) decode(c *cursor) { v.Index = c.uint16("selected_identity", KindUint) }
