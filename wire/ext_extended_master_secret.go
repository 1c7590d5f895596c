package wire

// ExtendedMasterSecret is extended_master_secret of TLS 1.2, in both hellos (RFC 7627, Section 5.1). It has no data.
type ExtendedMasterSecret struct{}

// Extension gives ExtExtendedMasterSecret.
func (v *ExtendedMasterSecret) Extension() ExtensionType { return ExtExtendedMasterSecret }

// AppendBody appends nothing.
func (v *ExtendedMasterSecret) AppendBody(b []byte) []byte { return b }

func (v *ExtendedMasterSecret) decode(*cursor) {}
