package wire

// Version is a protocol version as two bytes on the wire (RFC 8446, Section 4.1.2). It appears as legacy_version, as
// legacy_record_version and in supported_versions.
type Version uint16

// The versions of SSL and TLS that were numbered in this field. SSL 2.0 has another format altogether.
const (
	VersionSSL30 Version = 0x0300
	VersionTLS10 Version = 0x0301
	VersionTLS11 Version = 0x0302
	VersionTLS12 Version = 0x0303
	VersionTLS13 Version = 0x0304
)

// String gives "TLS 1.3" for the known versions, "GREASE 0x0a0a" for the reserved ones and "0x7f1c" for the rest.
func (v Version) String() string {
	switch v {
	case VersionSSL30:
		return "SSL 3.0"
	case VersionTLS10:
		return "TLS 1.0"
	case VersionTLS11:
		return "TLS 1.1"
	case VersionTLS12:
		return "TLS 1.2"
	case VersionTLS13:
		return "TLS 1.3"
	}
	return name16(uint16(v), "", false)
}
