package wire

// EncryptThenMAC is encrypt_then_mac of TLS 1.2, in both hellos (RFC 7366, Section 2). It has no data.
type EncryptThenMAC struct{}

// Extension gives ExtEncryptThenMAC.
func (v *EncryptThenMAC) Extension() ExtensionType { return ExtEncryptThenMAC }

// AppendBody appends nothing.
func (v *EncryptThenMAC) AppendBody(b []byte) []byte { return b }

func (v *EncryptThenMAC) decode(*cursor) {}
