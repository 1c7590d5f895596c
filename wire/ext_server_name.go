package wire

// ServerName is one name in a server_name extension.
type ServerName struct {
	Type uint8  // 0: host_name, the only one there is
	Name []byte // never empty
}

// ServerNames is server_name in a ClientHello (RFC 6066, Section 3).
//
//	struct {
//	    NameType name_type;
//	    select (name_type) {
//	        case host_name: HostName;
//	    } name;
//	} ServerName;
//
//	enum {
//	    host_name(0), (255)
//	} NameType;
//
//	opaque HostName<1..2^16-1>;
//
//	struct {
//	    ServerName server_name_list<1..2^16-1>
//	} ServerNameList;
//
// A second name of the same type is refused (RFC 6066, Section 3).
type ServerNames struct {
	Names []ServerName
}

// HostName gives the name of type host_name, as the client sent it. It is not checked for being a DNS name.
func (v ServerNames) HostName() (name string, present bool) {
	for _, n := range v.Names {
		if n.Type == 0 {
			return string(n.Name), true
		}
	}
	return "", false
}

// Extension gives ExtServerName.
func (v *ServerNames) Extension() ExtensionType { return ExtServerName }

// AppendBody appends extension_data.
func (v *ServerNames) AppendBody(b []byte) []byte {
	b, start := reserve(b, 2)
	for _, n := range v.Names {
		b = append(b, n.Type)
		b = appendOpaque(b, 2, n.Name)
	}
	return seal(b, start, 2)
}

func (v *ServerNames) decode(c *cursor) {
	outer := c.open("server_name_list", bounds{2, 1, max16})
	v.Names = make([]ServerName, 0, c.tally(1, 2, 0))
	var seen [256]bool
	for i := 0; c.more(); i++ {
		c.item(i)
		t := c.uint8("name_type", KindType)
		if seen[t] {
			c.fail("name_type", "repeated")
		}
		seen[t] = true
		// RFC 6066, Section 3: names of types yet to be defined begin with a 16-bit length as well.
		v.Names = append(v.Names, ServerName{Type: t, Name: c.opaque("name", bounds{2, 1, max16}, KindText)})
	}
	c.close(outer)
}

// ServerNameAck is server_name in EncryptedExtensions, or in the ServerHello of older versions: the server used the
// name. RFC 6066, Section 3: the extension_data field SHALL be empty.
type ServerNameAck struct{}

// Extension gives ExtServerName.
func (v *ServerNameAck) Extension() ExtensionType { return ExtServerName }

func (v *ServerNameAck) bodySize() int { return 0 }

// AppendBody appends nothing.
func (v *ServerNameAck) AppendBody(b []byte) []byte { return b }

func (v *ServerNameAck) decode(*cursor) {}
