package wire

// KDF is the registered number of a key derivation function that an external PSK can be imported for (RFC 9258,
// Section 10).
type KDF uint16

// The key derivation functions.
const (
	KDFHKDFSHA256 KDF = 1
	KDFHKDFSHA384 KDF = 2
)

// String gives the registered name, "HKDF_SHA256", or "0x0003".
func (k KDF) String() string {
	switch k {
	case KDFHKDFSHA256:
		return "HKDF_SHA256"
	case KDFHKDFSHA384:
		return "HKDF_SHA384"
	}
	return name16(uint16(k), "", false)
}

// ImportedIdentity is what stands as the identity of an imported PSK in pre_shared_key (RFC 9258, Section 5.1). On the wire
// nothing tells it from another identity.
//
//	struct {
//	    opaque external_identity<1...2^16-1>;
//	    opaque context<0..2^16-1>;
//	    uint16 target_protocol;
//	    uint16 target_kdf;
//	} ImportedIdentity;
type ImportedIdentity struct {
	External []byte // never empty
	Context  []byte
	Protocol Version
	KDF      KDF
}

// Append appends the structure to b. It panics where a part is longer than its length field can tell.
func (v *ImportedIdentity) Append(b []byte) []byte {
	b = appendOpaque(b, 2, v.External)
	b = appendOpaque(b, 2, v.Context)
	return appendUint16(appendUint16(b, uint16(v.Protocol)), uint16(v.KDF))
}

// Parse reads the structure; its slices borrow from b.
func (v *ImportedIdentity) Parse(b []byte) error {
	var c cursor
	c.begin(b, "ImportedIdentity", nil)
	v.External = c.opaque("external_identity", bounds{2, 1, max16}, KindBytes)
	v.Context = c.opaque("context", bounds{2, 0, max16}, KindBytes)
	v.Protocol = Version(c.uint16("target_protocol", KindVersion))
	v.KDF = KDF(c.uint16("target_kdf", KindUint))
	return c.finish()
}
