package wire

// SupportedGroups is supported_groups in a ClientHello and, for later connections, in EncryptedExtensions (RFC 8446,
// Section 4.2.7).
//
//	struct {
//	    NamedGroup named_group_list<2..2^16-1>;
//	} NamedGroupList;
type SupportedGroups struct {
	Groups []Group // in order of preference
}

// Extension gives ExtSupportedGroups.
func (v *SupportedGroups) Extension() ExtensionType { return ExtSupportedGroups }

// AppendBody appends extension_data.
func (v *SupportedGroups) AppendBody(b []byte) []byte { return appendList16(b, 2, v.Groups) }

func (v *SupportedGroups) decode(c *cursor) {
	v.Groups = list16[Group](c, "named_group_list", bounds{2, 2, max16}, KindGroup)
}
