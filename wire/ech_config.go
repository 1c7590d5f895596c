package wire

// ECHVersion tells the layout of an ECHConfig, and with it the version of Encrypted ClientHello (RFC 9849, Section 4).
type ECHVersion uint16

// ECHVersion1 is the version of RFC 9849; its number is that of the extension.
const ECHVersion1 ECHVersion = 0xfe0d

// String gives "ECH 1", or "0x1234" for one that we do not know.
func (v ECHVersion) String() string {
	if v == ECHVersion1 {
		return "ECH 1"
	}
	return name16(uint16(v), "", false)
}

// ECHConfigExtensionType is the number of an extension of an ECHConfig (RFC 9849, Section 4.2). None is registered yet but
// those reserved for GREASE.
type ECHConfigExtensionType uint16

// Mandatory reports whether a client that does not know the extension must leave the whole ECHConfig alone.
func (t ECHConfigExtensionType) Mandatory() bool { return t&0x8000 != 0 }

// String gives "GREASE 0xaaaa" for a reserved number, else "0x1234".
func (t ECHConfigExtensionType) String() string { return name16(uint16(t), "", false) }

// ECHConfigExtension is one extension of an ECHConfig (RFC 9849, Section 4).
//
//	struct {
//	    ECHConfigExtensionType type;
//	    opaque data<0..2^16-1>;
//	} ECHConfigExtension;
type ECHConfigExtension struct {
	Type ECHConfigExtensionType
	Data []byte
}

// ECHConfig says how a server wants its ClientHellos encrypted (RFC 9849, Section 4).
//
//	struct {
//	    uint8 config_id;
//	    HpkeKemId kem_id;
//	    HpkePublicKey public_key;
//	    HpkeSymmetricCipherSuite cipher_suites<4..2^16-4>;
//	} HpkeKeyConfig;
//
//	struct {
//	    HpkeKeyConfig key_config;
//	    uint8 maximum_name_length;
//	    opaque public_name<1..255>;
//	    ECHConfigExtension extensions<0..2^16-1>;
//	} ECHConfigContents;
//
//	struct {
//	    uint16 version;
//	    uint16 length;
//	    select (ECHConfig.version) {
//	        case 0xfe0d: ECHConfigContents contents;
//	    }
//	} ECHConfig;
type ECHConfig struct {
	Version ECHVersion
	Unknown []byte // the contents of a version other than ECHVersion1; nothing below is set then

	ConfigID          uint8
	KEM               HPKEKEM
	PublicKey         []byte // never empty; its length and format are the KEM's
	CipherSuites      []HPKESuite
	MaximumNameLength uint8  // of the names behind the server, in bytes; 0: not told
	PublicName        string // never empty; what stands in the open in server_name
	Extensions        []ECHConfigExtension
}

// Append appends the structure. It panics with a *SizeError where a part is longer than its length field can tell.
func (v *ECHConfig) Append(b []byte) []byte {
	b = appendUint16(b, uint16(v.Version))
	if v.Version != ECHVersion1 {
		return appendOpaque(b, 2, v.Unknown)
	}
	b, start := reserve(b, 2)
	b = append(b, v.ConfigID)
	b = appendUint16(b, uint16(v.KEM))
	b = appendOpaque(b, 2, v.PublicKey)
	b, suites := reserve(b, 2)
	for _, s := range v.CipherSuites {
		b = s.append(b)
	}
	b = seal(b, suites, 2)
	b = append(b, v.MaximumNameLength)
	b = appendOpaque(b, 1, v.PublicName)
	b, extensions := reserve(b, 2)
	for _, e := range v.Extensions {
		b = appendUint16(b, uint16(e.Type))
		b = appendOpaque(b, 2, e.Data)
	}
	b = seal(b, extensions, 2)
	return seal(b, start, 2)
}

// Parse reads one ECHConfig and nothing behind it. Its slices borrow from b.
func (v *ECHConfig) Parse(b []byte) error {
	var c cursor
	c.begin(b, "ECHConfig", nil)
	v.decode(&c)
	return c.finish()
}

func (v *ECHConfig) decode(c *cursor) {
	*v = ECHConfig{Version: ECHVersion(c.uint16("version", KindECHVersion))}
	if v.Version != ECHVersion1 {
		v.Unknown = c.opaque("contents", bounds{2, 0, max16}, KindBytes)
		return
	}
	outer := c.open("contents", bounds{2, 0, max16})
	v.ConfigID = c.uint8("key_config.config_id", KindUint)
	v.KEM = HPKEKEM(c.uint16("key_config.kem_id", KindHPKEKEM))
	v.PublicKey = c.opaque("key_config.public_key", bounds{2, 1, max16}, KindBytes)
	suites := c.open("key_config.cipher_suites", bounds{2, 4, max16 - 3})
	if c.rest() > 0 {
		v.CipherSuites = make([]HPKESuite, 0, c.rest()/4)
	}
	for i := 0; c.more(); i++ {
		c.item(i)
		v.CipherSuites = append(v.CipherSuites, hpkeSuite(c, ""))
	}
	c.close(suites)
	v.MaximumNameLength = c.uint8("maximum_name_length", KindUint)
	v.PublicName = string(c.opaque("public_name", bounds{1, 1, max8}, KindText))
	extensions := c.open("extensions", bounds{2, 0, max16})
	for i := 0; c.more(); i++ {
		c.item(i)
		e := ECHConfigExtension{Type: ECHConfigExtensionType(c.uint16("type", KindUint))}
		e.Data = c.opaque("data", bounds{2, 0, max16}, KindBytes)
		v.Extensions = append(v.Extensions, e)
	}
	c.close(extensions)
	c.close(outer)
}

// ECHConfigList is what a server publishes, in the DNS and as retry configurations (RFC 9849, Section 4).
//
//	ECHConfig ECHConfigList<4..2^16-1>;
type ECHConfigList struct {
	Configs []ECHConfig // in order of preference; never empty
}

// Append appends the list.
func (v *ECHConfigList) Append(b []byte) []byte {
	b, start := reserve(b, 2)
	for i := range v.Configs {
		b = v.Configs[i].Append(b)
	}
	return seal(b, start, 2)
}

// Parse reads a whole list. Its slices borrow from b.
func (v *ECHConfigList) Parse(b []byte) error { return v.walk(b, nil) }

// WalkECHConfigList reports every field of an ECHConfigList to v, as WalkMessage does for a message.
func WalkECHConfigList(b []byte, v Visitor) error { return new(ECHConfigList).walk(b, v) }

func (v *ECHConfigList) walk(b []byte, visit Visitor) error {
	var c cursor
	c.begin(b, "ECHConfigList", visit)
	v.decode(&c, "configs")
	return c.finish()
}

func (v *ECHConfigList) decode(c *cursor, field string) {
	outer := c.open(field, bounds{2, 4, max16})
	v.Configs = nil
	for i := 0; c.more(); i++ {
		c.item(i)
		var e ECHConfig
		e.decode(c)
		v.Configs = append(v.Configs, e)
	}
	c.close(outer)
}
