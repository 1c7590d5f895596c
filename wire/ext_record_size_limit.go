package wire

// RecordSizeLimit is record_size_limit in a ClientHello and in EncryptedExtensions, or in the ServerHello of TLS 1.2
// (RFC 8449, Section 4).
//
//	uint16 RecordSizeLimit;
type RecordSizeLimit struct {
	// Limit is the longest plaintext of a protected record that its sender takes, in bytes; in TLS 1.3 that counts the
	// content type and the padding. Any value parses. RFC 8449, Section 4: a value below 64 MUST be refused with
	// illegal_parameter.
	Limit uint16
}

// Extension gives ExtRecordSizeLimit.
func (v *RecordSizeLimit) Extension() ExtensionType { return ExtRecordSizeLimit }

// AppendBody appends extension_data.
func (v *RecordSizeLimit) AppendBody(b []byte) []byte { return appendUint16(b, v.Limit) }

func (v *RecordSizeLimit) decode(c *cursor) { v.Limit = c.uint16("record_size_limit", KindUint) }
