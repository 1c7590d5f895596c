package wire

// ExtensionType is the registered number of an extension (RFC 8446, Section 4.2).
type ExtensionType uint16

// The registered extensions, and the unregistered ones that are met in the wild.
const (
	ExtServerName                   ExtensionType = 0
	ExtMaxFragmentLength            ExtensionType = 1
	ExtClientCertificateURL         ExtensionType = 2
	ExtTrustedCAKeys                ExtensionType = 3
	ExtTruncatedHMAC                ExtensionType = 4
	ExtStatusRequest                ExtensionType = 5
	ExtUserMapping                  ExtensionType = 6
	ExtClientAuthz                  ExtensionType = 7
	ExtServerAuthz                  ExtensionType = 8
	ExtCertType                     ExtensionType = 9
	ExtSupportedGroups              ExtensionType = 10
	ExtECPointFormats               ExtensionType = 11
	ExtSRP                          ExtensionType = 12
	ExtSignatureAlgorithms          ExtensionType = 13
	ExtUseSRTP                      ExtensionType = 14
	ExtHeartbeat                    ExtensionType = 15
	ExtALPN                         ExtensionType = 16
	ExtStatusRequestV2              ExtensionType = 17
	ExtSignedCertificateTimestamp   ExtensionType = 18
	ExtClientCertificateType        ExtensionType = 19
	ExtServerCertificateType        ExtensionType = 20
	ExtPadding                      ExtensionType = 21
	ExtEncryptThenMAC               ExtensionType = 22
	ExtExtendedMasterSecret         ExtensionType = 23
	ExtTokenBinding                 ExtensionType = 24
	ExtCachedInfo                   ExtensionType = 25
	ExtTLSLTS                       ExtensionType = 26
	ExtCompressCertificate          ExtensionType = 27
	ExtRecordSizeLimit              ExtensionType = 28
	ExtPwdProtect                   ExtensionType = 29
	ExtPwdClear                     ExtensionType = 30
	ExtPasswordSalt                 ExtensionType = 31
	ExtTicketPinning                ExtensionType = 32
	ExtTLSCertWithExternPSK         ExtensionType = 33
	ExtDelegatedCredential          ExtensionType = 34
	ExtSessionTicket                ExtensionType = 35
	ExtTLMSP                        ExtensionType = 36
	ExtTLMSPProxying                ExtensionType = 37
	ExtTLMSPDelegate                ExtensionType = 38
	ExtSupportedEKTCiphers          ExtensionType = 39
	ExtKeyShareOld                  ExtensionType = 40
	ExtPreSharedKey                 ExtensionType = 41
	ExtEarlyData                    ExtensionType = 42
	ExtSupportedVersions            ExtensionType = 43
	ExtCookie                       ExtensionType = 44
	ExtPSKKeyExchangeModes          ExtensionType = 45
	ExtTicketEarlyDataInfo          ExtensionType = 46
	ExtCertificateAuthorities       ExtensionType = 47
	ExtOIDFilters                   ExtensionType = 48
	ExtPostHandshakeAuth            ExtensionType = 49
	ExtSignatureAlgorithmsCert      ExtensionType = 50
	ExtKeyShare                     ExtensionType = 51
	ExtTransparencyInfo             ExtensionType = 52
	ExtConnectionIDDeprecated       ExtensionType = 53
	ExtConnectionID                 ExtensionType = 54
	ExtExternalIDHash               ExtensionType = 55
	ExtExternalSessionID            ExtensionType = 56
	ExtQUICTransportParameters      ExtensionType = 57
	ExtTicketRequest                ExtensionType = 58
	ExtDNSSECChain                  ExtensionType = 59
	ExtSequenceNumberEncryption     ExtensionType = 60
	ExtRRC                          ExtensionType = 61
	ExtTLSFlags                     ExtensionType = 62
	ExtNextProtocolNegotiation      ExtensionType = 0x3374
	ExtApplicationSettingsOld       ExtensionType = 0x4469
	ExtApplicationSettings          ExtensionType = 0x44cd
	ExtChannelIDOld                 ExtensionType = 0x754f
	ExtChannelID                    ExtensionType = 0x7550
	ExtTrustAnchors                 ExtensionType = 0xca34
	ExtECHOuterExtensions           ExtensionType = 0xfd00
	ExtEncryptedClientHello         ExtensionType = 0xfe0d
	ExtRenegotiationInfo            ExtensionType = 0xff01
	ExtQUICTransportParametersDraft ExtensionType = 0xffa5
	ExtEncryptedServerName          ExtensionType = 0xffce
)

// String gives the registered name, "key_share", "GREASE 0x0a0a" for a reserved number and "0x1234" for an unknown one.
func (t ExtensionType) String() string {
	name, ok := extensionName(t)
	return name16(uint16(t), name, ok)
}

// Extension is one extension as it stands in a message (RFC 8446, Section 4.2).
//
//	struct {
//	    ExtensionType extension_type;
//	    opaque extension_data<0..2^16-1>;
//	} Extension;
type Extension struct {
	Type ExtensionType
	Data []byte // extension_data, at most 65,535 bytes
}

// Extensions is the extension block of a message, in the order of the wire. nil is the absence of the block, which
// only a ClientHello or ServerHello can express; an empty non-nil list is a block of length 0.
type Extensions []Extension

// ExtensionView is the typed view of the data of one extension in one kind of message. Only this package implements
// it, in its files ext_*.go.
type ExtensionView interface {
	// Extension is the type of the extension.
	Extension() ExtensionType
	// AppendBody appends extension_data, without type and length.
	AppendBody(b []byte) []byte

	decode(c *cursor)
}

// Find gives the data of the first extension of type t.
func (es Extensions) Find(t ExtensionType) (data []byte, present bool) {
	for i := range es {
		if es[i].Type == t {
			return es[i].Data, true
		}
	}
	return nil, false
}

// Duplicate gives the first type that occurs a second time. RFC 8446, Section 4.2: there MUST NOT be more than one
// extension of the same type in a given extension block. Its time is linear in the number of extensions.
func (es Extensions) Duplicate() (t ExtensionType, found bool) {
	const small = 32 // up to here comparing all pairs costs less than clearing the set
	if len(es) <= small {
		for i := range es {
			for k := range es[:i] {
				if es[k].Type == es[i].Type {
					return es[i].Type, true
				}
			}
		}
		return 0, false
	}
	var seen [1 << 16 / 64]uint64
	for i := range es {
		word, bit := &seen[es[i].Type/64], uint64(1)<<(es[i].Type%64)
		if *word&bit != 0 {
			return es[i].Type, true
		}
		*word |= bit
	}
	return 0, false
}

// Add encodes v and appends it to the list.
func (es *Extensions) Add(v ExtensionView) {
	size := usualBody
	if known, ok := v.(interface{ bodySize() int }); ok {
		size = known.bodySize()
	}
	var body []byte
	if size > 0 {
		body = v.AppendBody(make([]byte, 0, size))
	}
	if len(body) == 0 {
		body = nil
	}
	*es = append(*es, Extension{Type: v.Extension(), Data: body})
}

// usualBody is as long as most extensions get, a key share of 32 bytes with what is around it among them.
const usualBody = 48

// append appends the block with its length.
func (es Extensions) append(b []byte) []byte {
	b, start := reserve(b, 2)
	for i := range es {
		b = appendUint16(b, uint16(es[i].Type))
		b = appendOpaque(b, 2, es[i].Data)
	}
	return seal(b, start, 2)
}

// appendIfAny appends the block unless it is absent.
func (es Extensions) appendIfAny(b []byte) []byte {
	if es == nil {
		return b
	}
	return es.append(b)
}

// size is the length of the block on the wire, its prefix included.
func (es Extensions) size() int {
	n := 2
	for i := range es {
		n += 4 + len(es[i].Data)
	}
	return n
}

// decode decodes the extension of v's type into v. The block stands at that offset of the message called root.
func (es Extensions) decode(v ExtensionView, root string, offset int) (present bool, err error) {
	var c cursor
	c.begin(nil, root, nil)
	return es.find(&c, v, offset)
}

func (es Extensions) find(c *cursor, v ExtensionView, offset int) (present bool, err error) {
	c.seek, c.list, c.base = true, es, offset+2
	c.place.enter("extensions")
	decodeView(c, v)
	return !c.absent, c.finish()
}

// at sets the cursor on the extension of type t in its list, if that is yet to be done. If there is none it is stopped,
// so that the view is decoded from nothing and becomes zero.
func (c *cursor) at(t ExtensionType) *cursor {
	if !c.seek {
		return c
	}
	for i := range c.list {
		data := c.list[i].Data
		if c.list[i].Type == t {
			c.item(i)
			c.place.label(t)
			c.base += 4
			c.b, c.pos, c.end = data, 0, len(data)
			return c
		}
		c.base += 4 + len(data)
	}
	c.absent = true
	return c
}

// extensions reads an extension block of at least that many bytes. The bodies are taken as they are; a visitor is
// shown what is in them.
func (c *cursor) extensions(least int, in context) Extensions {
	outer := c.open("extensions", bounds{2, least, max16})
	es := make(Extensions, 0, c.tally(2, 2, 0))
	for i := 0; c.more(); i++ {
		c.item(i)
		if c.rest() >= 2 {
			// Known before it is read, so that its own place carries the name too.
			c.place.label(ExtensionType(c.b[c.pos])<<8 | ExtensionType(c.b[c.pos+1]))
		}
		t := ExtensionType(c.uint16("extension_type", KindExtensionType))
		n := c.length("", bounds{2, 0, max16})
		es = append(es, Extension{Type: t, Data: c.extensionData(t, n, in)})
	}
	c.close(outer)
	return es
}

// extensionData takes the n bytes of a body. If they are shown to a visitor and malformed, the rest of the body is
// shown as such and reading goes on behind it.
func (c *cursor) extensionData(t ExtensionType, n int, in context) []byte {
	if c.visit == nil || c.stopped() {
		return c.take("", n, KindBytes)
	}
	v := viewIn(in, t)
	if v == nil {
		return c.take("", n, KindBytes)
	}
	start, outer, depth := c.pos, c.end, c.place.depth
	c.end = c.pos + n
	decodeView(c, v)
	c.noRest()
	if c.err != nil {
		if c.first == nil {
			c.first = c.err
		}
		c.malformed(c.err.Path, c.end)
		c.err = nil
	}
	c.pos, c.end, c.place.depth = start+n, outer, depth
	return c.b[start : start+n : start+n]
}
