package wire

// SCTs is signed_certificate_timestamp of a certificate in a Certificate message, or in the ServerHello of older
// versions (RFC 6962, Section 3.3; RFC 8446, Section 4.4.2.1).
//
//	opaque SerializedSCT<1..2^16-1>;
//
//	struct {
//	    SerializedSCT sct_list <1..2^16-1>;
//	} SignedCertificateTimestampList;
type SCTs struct {
	List [][]byte // none is empty
}

// Extension gives ExtSignedCertificateTimestamp.
func (v *SCTs) Extension() ExtensionType { return ExtSignedCertificateTimestamp }

// AppendBody appends extension_data.
func (v *SCTs) AppendBody(b []byte) []byte { return appendOpaques(b, 2, 2, v.List) }

func (v *SCTs) decode(c *cursor) {
	v.List = c.opaques("sct_list", bounds{2, 1, max16}, bounds{2, 1, max16}, KindBytes)
}

// EmptySCT is signed_certificate_timestamp in a ClientHello or CertificateRequest: its sender wants SCTs (RFC 6962,
// Section 3.3.1). It has no data.
type EmptySCT struct{}

// Extension gives ExtSignedCertificateTimestamp.
func (v *EmptySCT) Extension() ExtensionType { return ExtSignedCertificateTimestamp }

// AppendBody appends nothing.
func (v *EmptySCT) AppendBody(b []byte) []byte { return b }

func (v *EmptySCT) decode(*cursor) {}
