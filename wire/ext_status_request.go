package wire

// StatusTypeOCSP is the one certificate status type in use, ocsp (RFC 6066, Section 8).
const StatusTypeOCSP uint8 = 1

// StatusRequest is status_request in a ClientHello (RFC 6066, Section 8).
//
//	struct {
//	    CertificateStatusType status_type;
//	    select (status_type) {
//	        case ocsp: OCSPStatusRequest;
//	    } request;
//	} CertificateStatusRequest;
//
//	enum { ocsp(1), (255) } CertificateStatusType;
//
//	struct {
//	    ResponderID responder_id_list<0..2^16-1>;
//	    Extensions  request_extensions;
//	} OCSPStatusRequest;
//
//	opaque ResponderID<1..2^16-1>;
//	opaque Extensions<0..2^16-1>;
type StatusRequest struct {
	Type              uint8
	ResponderIDs      [][]byte // DER, for StatusTypeOCSP
	RequestExtensions []byte   // DER, for StatusTypeOCSP
	Other             []byte   // the request of any other type
}

// Extension gives ExtStatusRequest.
func (v *StatusRequest) Extension() ExtensionType { return ExtStatusRequest }

// AppendBody appends extension_data.
func (v *StatusRequest) AppendBody(b []byte) []byte {
	b = append(b, v.Type)
	if v.Type != StatusTypeOCSP {
		return append(b, v.Other...)
	}
	b = appendOpaques(b, 2, 2, v.ResponderIDs)
	return appendOpaque(b, 2, v.RequestExtensions)
}

func (v *StatusRequest) decode(c *cursor) {
	*v = StatusRequest{Type: c.uint8("status_type", KindType)}
	if v.Type != StatusTypeOCSP {
		v.Other = c.take("request", c.rest(), KindBytes)
		return
	}
	v.ResponderIDs = c.opaques("responder_id_list", bounds{2, 0, max16}, bounds{2, 1, max16}, KindBytes)
	v.RequestExtensions = c.opaque("request_extensions", bounds{2, 0, max16}, KindBytes)
}

// EmptyStatusRequest is status_request in a CertificateRequest (RFC 8446, Section 4.4.2.1), or in the ServerHello of
// older versions, where it announces a CertificateStatus message. It has no data.
type EmptyStatusRequest struct{}

// Extension gives ExtStatusRequest.
func (v *EmptyStatusRequest) Extension() ExtensionType { return ExtStatusRequest }

// AppendBody appends nothing.
func (v *EmptyStatusRequest) AppendBody(b []byte) []byte { return b }

func (v *EmptyStatusRequest) decode(*cursor) {}

// CertificateStatus is status_request of a certificate in a Certificate message: its OCSP response (RFC 8446,
// Section 4.4.2.1).
//
//	struct {
//	    CertificateStatusType status_type;
//	    select (status_type) {
//	        case ocsp: OCSPResponse;
//	    } response;
//	} CertificateStatus;
//
//	opaque OCSPResponse<1..2^24-1>;
//
// Any status type but ocsp is refused.
type CertificateStatus struct {
	Response []byte // DER, never empty
}

// Extension gives ExtStatusRequest.
func (v *CertificateStatus) Extension() ExtensionType { return ExtStatusRequest }

// AppendBody appends extension_data.
func (v *CertificateStatus) AppendBody(b []byte) []byte {
	b = append(b, StatusTypeOCSP)
	return appendOpaque(b, 3, v.Response)
}

func (v *CertificateStatus) decode(c *cursor) {
	if t := c.uint8("status_type", KindType); t != StatusTypeOCSP {
		c.fail("status_type", "is not ocsp")
	}
	v.Response = c.opaque("response", bounds{3, 1, max24}, KindBytes)
}
