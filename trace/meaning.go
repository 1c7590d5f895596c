package trace

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/wire"
)

// Kinds of fields, as package wire names them.
const (
	kindBytes     = "bytes"
	kindNumber    = "number"
	kindMalformed = "malformed"
)

// maxValue is how many bytes a value shows; the bytes themselves are always in the recording.
const maxValue = 48

// fieldPath makes a path of ours out of one of package wire: "ClientHello.extensions[2] key_share.group" becomes
// "extensions[2].key_share.group".
func fieldPath(path string) string {
	if _, rest, ok := strings.Cut(path, "."); ok {
		path = rest
	}
	return strings.ReplaceAll(path, "] ", "].")
}

// valueOf shows the bytes of a field.
func valueOf(kind wire.Kind, b []byte) string {
	switch kind {
	case wire.KindText:
		return shorten(pki.Printable(string(b)))
	case wire.KindLength, wire.KindUint, wire.KindType:
		if len(b) <= 8 {
			var wide [8]byte
			copy(wide[8-len(b):], b)
			return strconv.FormatUint(binary.BigEndian.Uint64(wide[:]), 10)
		}
	case wire.KindCertificate:
		if name := certificateName(b); name != "" {
			return name
		}
	case wire.KindName:
		if name := distinguishedName(b); name != "" {
			return name
		}
	}
	if len(b) <= 2 {
		var wide [2]byte
		copy(wide[2-len(b):], b)
		if name := kind.Name(binary.BigEndian.Uint16(wide[:])); name != "" {
			return name
		}
	}
	return hexValue(b)
}

// hexValue shows the first bytes in hexadecimal.
func hexValue(b []byte) string {
	if len(b) <= maxValue {
		return hex.EncodeToString(b)
	}
	return hex.EncodeToString(b[:maxValue]) + "…"
}

// dataValue shows application data: as text if it is some.
func dataValue(b []byte) string {
	short := b
	if len(short) > maxValue {
		short = short[:maxValue]
	}
	for _, c := range short {
		if c >= 0x7f || c < ' ' && c != '\r' && c != '\n' && c != '\t' {
			return hexValue(b)
		}
	}
	s := strconv.Quote(string(short))
	if len(b) > len(short) {
		s += "…"
	}
	return s
}

// shorten cuts a text that is to be shown in a line.
func shorten(s string) string {
	const most = 300
	if len(s) <= most {
		return s
	}
	return pki.Printable(strings.ToValidUTF8(s[:most], "")) + "…"
}

// certificateName says whose certificate it is, and whose word for it.
func certificateName(der []byte) string {
	c, err := cert.Parse(der)
	if err != nil {
		return ""
	}
	subject, issuer := distinguishedName(c.RawSubject), distinguishedName(c.RawIssuer)
	if alt, err := c.AltNames(); subject == "" && err == nil && len(alt.DNS) > 0 {
		subject = shorten(pki.Printable(alt.DNS[0]))
	}
	return subject + ", issued by " + issuer
}

// distinguishedName shows a name in the order of its certificate.
func distinguishedName(der []byte) string {
	attributes, err := cert.ParseName(der)
	if err != nil {
		return ""
	}
	var b strings.Builder
	for i, a := range attributes {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(attributeName(a.Type) + "=" + pki.Printable(a.Value))
	}
	return shorten(b.String())
}

func attributeName(oid string) string {
	switch oid {
	case "2.5.4.3":
		return "CN"
	case "2.5.4.5":
		return "serialNumber"
	case "2.5.4.6":
		return "C"
	case "2.5.4.7":
		return "L"
	case "2.5.4.8":
		return "ST"
	case "2.5.4.10":
		return "O"
	case "2.5.4.11":
		return "OU"
	case "0.9.2342.19200300.100.1.25":
		return "DC"
	}
	return oid
}
