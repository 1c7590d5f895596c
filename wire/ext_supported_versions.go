package wire

// SupportedVersions is supported_versions in a ClientHello (RFC 8446, Section 4.2.1).
//
//	ProtocolVersion versions<2..254>;
type SupportedVersions struct {
	Versions []Version // in order of preference
}

// Extension gives ExtSupportedVersions.
func (v *SupportedVersions) Extension() ExtensionType { return ExtSupportedVersions }

// AppendBody appends extension_data.
func (v *SupportedVersions) AppendBody(b []byte) []byte { return appendList16(b, 1, v.Versions) }

func (v *SupportedVersions) decode(c *cursor) {
	v.Versions = list16[Version](c, "versions", bounds{1, 2, 254}, KindVersion)
}

// SelectedVersion is supported_versions in a ServerHello or HelloRetryRequest (RFC 8446, Section 4.2.1).
//
//	ProtocolVersion selected_version;
type SelectedVersion struct {
	Version Version
}

// Extension gives ExtSupportedVersions.
func (v *SelectedVersion) Extension() ExtensionType { return ExtSupportedVersions }

// AppendBody appends extension_data.
func (v *SelectedVersion) AppendBody(b []byte) []byte { return appendUint16(b, uint16(v.Version)) }

func (v *SelectedVersion) decode(c *cursor) {
	v.Version = Version(c.uint16("selected_version", KindVersion))
}
