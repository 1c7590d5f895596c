package wire

// OIDFilter demands that a client certificate has an extension with certain values.
type OIDFilter struct {
	OID    []byte // of the certificate extension, DER, never empty
	Values []byte // DER; empty: any
}

// OIDFilters is oid_filters in a CertificateRequest (RFC 8446, Section 4.2.5).
//
//	struct {
//	    opaque certificate_extension_oid<1..2^8-1>;
//	    opaque certificate_extension_values<0..2^16-1>;
//	} OIDFilter;
//
//	struct {
//	    OIDFilter filters<0..2^16-1>;
//	} OIDFilterExtension;
type OIDFilters struct {
	Filters []OIDFilter
}

// Extension gives ExtOIDFilters.
func (v *OIDFilters) Extension() ExtensionType { return ExtOIDFilters }

// AppendBody appends extension_data.
func (v *OIDFilters) AppendBody(b []byte) []byte {
	b, start := reserve(b, 2)
	for _, f := range v.Filters {
		b = appendOpaque(b, 1, f.OID)
		b = appendOpaque(b, 2, f.Values)
	}
	return seal(b, start, 2)
}

func (v *OIDFilters) decode(c *cursor) {
	v.Filters = nil
	outer := c.open("filters", bounds{2, 0, max16})
	for i := 0; c.more(); i++ {
		c.item(i)
		v.Filters = append(v.Filters, OIDFilter{
			OID:    c.opaque("certificate_extension_oid", bounds{1, 1, max8}, KindBytes),
			Values: c.opaque("certificate_extension_values", bounds{2, 0, max16}, KindBytes),
		})
	}
	c.close(outer)
}
