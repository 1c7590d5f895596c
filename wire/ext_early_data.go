package wire

// EarlyData is early_data in a ClientHello or EncryptedExtensions (RFC 8446, Section 4.2.10). It has no data.
type EarlyData struct{}

// Extension gives ExtEarlyData.
func (v *EarlyData) Extension() ExtensionType { return ExtEarlyData }

func (v *EarlyData) bodySize() int { return 0 }

// AppendBody appends nothing.
func (v *EarlyData) AppendBody(b []byte) []byte { return b }

func (v *EarlyData) decode(*cursor) {}

// EarlyDataSize is early_data in a NewSessionTicket (RFC 8446, Section 4.2.10).
//
//	uint32 max_early_data_size;
type EarlyDataSize struct {
	Max uint32 // the most 0-RTT data that may be sent with the ticket, in bytes
}

// Extension gives ExtEarlyData.
func (v *EarlyDataSize) Extension() ExtensionType { return ExtEarlyData }

// AppendBody appends extension_data.
func (v *EarlyDataSize) AppendBody(b []byte) []byte { return appendUint32(b, v.Max) }

func (v *EarlyDataSize) decode(c *cursor) { v.Max = c.uint32("max_early_data_size", KindUint) }
