package wire

const hexDigits = "0123456789abcdef"

// IsGREASE reports whether v is one of the sixteen values 0x0a0a, 0x1a1a, … 0xfafa that are reserved in the
// registries of cipher suites, extensions, groups, signature schemes and versions so that peers get used to unknown
// values (RFC 8701, Section 2).
func IsGREASE(v uint16) bool {
	return v&0x0f0f == 0x0a0a && v>>8 == v&0xff
}

// name16 renders a 16-bit registered number: GREASE values as such, then the registry's name, then hex.
func name16(v uint16, name string, registered bool) string {
	if IsGREASE(v) {
		return "GREASE " + hex16(v)
	}
	if registered {
		return name
	}
	return hex16(v)
}

// name8 renders an 8-bit registered number.
func name8(v uint8, name string, registered bool) string {
	if registered {
		return name
	}
	return string([]byte{'0', 'x', hexDigits[v>>4], hexDigits[v&15]})
}

func hex16(v uint16) string {
	return string([]byte{'0', 'x', hexDigits[v>>12], hexDigits[v>>8&15], hexDigits[v>>4&15], hexDigits[v&15]})
}
