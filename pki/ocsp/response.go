package ocsp

import (
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/tlswright/tlswright/pki/cert"
)

// ResponseStatus says whether a request was answered (RFC 6960, Section 4.2.1).
type ResponseStatus uint8

// The statuses of a response; 4 is not used.
const (
	Successful       ResponseStatus = 0
	MalformedRequest ResponseStatus = 1
	InternalError    ResponseStatus = 2
	TryLater         ResponseStatus = 3
	SigRequired      ResponseStatus = 5
	Unauthorized     ResponseStatus = 6
)

// String gives the RFC's name.
func (s ResponseStatus) String() string {
	names := [...]string{"successful", "malformedRequest", "internalError", "tryLater", "", "sigRequired", "unauthorized"}
	if int(s) < len(names) && s != 4 {
		return names[s]
	}
	return fmt.Sprintf("response status %d", uint8(s))
}

// CertStatus is the status of a certificate (RFC 6960, Section 2.2).
type CertStatus uint8

// The statuses of a certificate.
const (
	Good CertStatus = iota
	Revoked
	Unknown // the responder does not know the certificate
)

// String gives the RFC's name.
func (s CertStatus) String() string {
	names := [...]string{"good", "revoked", "unknown"}
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("status %d", uint8(s))
}

// Reason is a CRLReason by its number (RFC 5280, Section 5.3.1): convert it to crl.Reason for its name. 0 stands for an
// absent reason, too.
type Reason uint8

// maxReason is the last reason there is; 7 is not used.
const maxReason = 10

// Single is the status of one certificate.
//
//	SingleResponse ::= SEQUENCE {
//	   certID                       CertID,
//	   certStatus                   CertStatus,
//	   thisUpdate                   GeneralizedTime,
//	   nextUpdate         [0]       EXPLICIT GeneralizedTime OPTIONAL,
//	   singleExtensions   [1]       EXPLICIT Extensions OPTIONAL }
type Single struct {
	ID         CertID
	Status     CertStatus
	RevokedAt  time.Time // if Status is Revoked
	Reason     Reason    // if Status is Revoked
	ThisUpdate time.Time
	NextUpdate time.Time // zero: newer information is there all the time
	// SCTs is a SignedCertificateTimestampList (RFC 6962, Section 3.3), nil if there is none. Responses that are made here have
	// none.
	SCTs []byte
}

// Response is an answer. Its byte slices borrow from the input of [ParseResponse].
//
//	ResponseData ::= SEQUENCE {
//	   version              [0] EXPLICIT Version DEFAULT v1,
//	   responderID              ResponderID,
//	   producedAt               GeneralizedTime,
//	   responses                SEQUENCE OF SingleResponse,
//	   responseExtensions   [1] EXPLICIT Extensions OPTIONAL }
//
// RFC 6960, Section 4.2.1.
type Response struct {
	Raw    []byte
	Status ResponseStatus // all that follows is empty if it is not Successful

	RawTBS []byte // the signed part, header included
	// ResponderName (a Name, DER) or ResponderKey (SHA-1 of the public key's bits) says who signed; the other is nil.
	ResponderName []byte
	ResponderKey  []byte
	ProducedAt    time.Time
	Singles       []Single
	Nonce         []byte // nil: none
	// Certificates are those that the responder sent along, DER, as they stand.
	Certificates       [][]byte
	SignatureAlgorithm x509.SignatureAlgorithm
	Signature          []byte
	// UnknownCritical tells that there are critical extensions that are not understood: the response must not be used.
	UnknownCritical bool
}

// maxCertificates bounds the certificates in one response.
const maxCertificates = 10

// ParseResponse reads a response, DER, also one that is only an error. The error is a [*ParseError]. Nothing is checked but
// the form: see [Response.Verify].
func ParseResponse(der []byte) (*Response, error) {
	if len(der) > MaxResponse {
		return nil, &ParseError{"response", fmt.Sprintf("%d bytes, more than the limit of %d", len(der), MaxResponse)}
	}
	in := cryptobyte.String(der)
	var outer, status, body cryptobyte.String
	var present bool
	if !in.ReadASN1(&outer, cbasn1.SEQUENCE) || !in.Empty() || !outer.ReadASN1(&status, cbasn1.ENUM) || len(status) != 1 || status[0] > 6 || status[0] == 4 {
		return nil, malformed("responseStatus")
	}
	r := &Response{Raw: der, Status: ResponseStatus(status[0])}
	if !outer.ReadOptionalASN1(&body, &present, explicit(0)) || !outer.Empty() {
		return nil, malformed("responseBytes")
	}
	// RFC 6960, Section 4.2.1: if the value of responseStatus is one of the error conditions, the responseBytes field is not
	// set.
	if present != (r.Status == Successful) {
		return nil, &ParseError{"responseBytes", "does not fit to the status " + r.Status.String()}
	}
	if !present {
		return r, nil
	}
	var bytes, kind, basic cryptobyte.String
	if !body.ReadASN1(&bytes, cbasn1.SEQUENCE) || !body.Empty() || !bytes.ReadASN1(&kind, cbasn1.OBJECT_IDENTIFIER) ||
		!bytes.ReadASN1(&basic, cbasn1.OCTET_STRING) || !bytes.Empty() {
		return nil, malformed("responseBytes")
	}
	if string(kind) != idBasic {
		return nil, &ParseError{"responseType", "not a basic response"}
	}
	return r, r.parseBasic(basic)
}

// parseBasic reads the signed structure.
//
//	BasicOCSPResponse       ::= SEQUENCE {
//	   tbsResponseData      ResponseData,
//	   signatureAlgorithm   AlgorithmIdentifier,
//	   signature            BIT STRING,
//	   certs            [0] EXPLICIT SEQUENCE OF Certificate OPTIONAL }
func (r *Response) parseBasic(in cryptobyte.String) error {
	var basic, tbs, algorithm, certs, list cryptobyte.String
	var signature asn1.BitString
	var hasCerts bool
	if !in.ReadASN1(&basic, cbasn1.SEQUENCE) || !in.Empty() || !basic.ReadASN1Element(&tbs, cbasn1.SEQUENCE) {
		return malformed("tbsResponseData")
	}
	if !basic.ReadASN1Element(&algorithm, cbasn1.SEQUENCE) || !basic.ReadASN1BitString(&signature) || signature.BitLength%8 != 0 {
		return malformed("signature")
	}
	r.RawTBS, r.SignatureAlgorithm, r.Signature = tbs, cert.SignatureAlgorithm(algorithm), signature.Bytes
	if !basic.ReadOptionalASN1(&certs, &hasCerts, explicit(0)) || !basic.Empty() || hasCerts && (!certs.ReadASN1(&list, cbasn1.SEQUENCE) || !certs.Empty()) {
		return malformed("certs")
	}
	for !list.Empty() {
		var c cryptobyte.String
		if len(r.Certificates) == maxCertificates || !list.ReadASN1Element(&c, cbasn1.SEQUENCE) {
			return malformed("certs")
		}
		r.Certificates = append(r.Certificates, c)
	}
	return r.parseData(tbs)
}

func (r *Response) parseData(in cryptobyte.String) error {
	var data, responder, list, extensions cryptobyte.String
	var hasExtensions bool
	var tag cbasn1.Tag
	if !in.ReadASN1(&data, cbasn1.SEQUENCE) || !readVersion(&data) {
		return malformed("tbsResponseData.version")
	}
	if !data.ReadAnyASN1(&responder, &tag) || !r.readResponder(responder, tag) {
		return malformed("tbsResponseData.responderID")
	}
	if !data.ReadASN1GeneralizedTime(&r.ProducedAt) {
		return malformed("tbsResponseData.producedAt")
	}
	if !data.ReadASN1(&list, cbasn1.SEQUENCE) || list.Empty() {
		return malformed("tbsResponseData.responses")
	}
	for !list.Empty() {
		if err := r.readSingle(&list); err != nil {
			return err
		}
	}
	if !data.ReadOptionalASN1(&extensions, &hasExtensions, explicit(1)) || !data.Empty() {
		return malformed("tbsResponseData.responseExtensions")
	}
	if !hasExtensions {
		return nil
	}
	all, err := readExtensions(extensions, "tbsResponseData.responseExtensions")
	if err != nil {
		return err
	}
	for _, e := range all {
		switch {
		case string(e.id) == idNonce:
			if r.Nonce, err = readNonce(e.value); err != nil {
				return err
			}
		case e.critical:
			r.UnknownCritical = true
		}
	}
	return nil
}

// readResponder reads the choice of who signed.
//
//	ResponderID ::= CHOICE {
//	   byName               [1] Name,
//	   byKey                [2] KeyHash }
func (r *Response) readResponder(in cryptobyte.String, tag cbasn1.Tag) bool {
	var v cryptobyte.String
	switch tag {
	case explicit(1):
		ok := in.ReadASN1Element(&v, cbasn1.SEQUENCE) && in.Empty()
		r.ResponderName = v
		return ok
	case explicit(2):
		ok := in.ReadASN1(&v, cbasn1.OCTET_STRING) && in.Empty() && len(v) == 20
		r.ResponderKey = v
		return ok
	}
	return false
}

func (r *Response) readSingle(list *cryptobyte.String) error {
	field := func() string { return fmt.Sprintf("tbsResponseData.responses[%d]", len(r.Singles)) }
	if len(r.Singles) == MaxIDs {
		return &ParseError{field(), fmt.Sprintf("more than %d certificates", MaxIDs)}
	}
	var s, status, next, extensions cryptobyte.String
	var single Single
	var tag cbasn1.Tag
	var hasNext, hasExtensions, ok bool
	if !list.ReadASN1(&s, cbasn1.SEQUENCE) {
		return malformed(field())
	}
	if single.ID, ok = readCertID(&s); !ok {
		return malformed(field() + ".certID")
	}
	if !s.ReadAnyASN1(&status, &tag) || !single.readStatus(status, tag) {
		return malformed(field() + ".certStatus")
	}
	if !s.ReadASN1GeneralizedTime(&single.ThisUpdate) {
		return malformed(field() + ".thisUpdate")
	}
	if !s.ReadOptionalASN1(&next, &hasNext, explicit(0)) || hasNext && (!next.ReadASN1GeneralizedTime(&single.NextUpdate) || !next.Empty()) {
		return malformed(field() + ".nextUpdate")
	}
	if !s.ReadOptionalASN1(&extensions, &hasExtensions, explicit(1)) || !s.Empty() {
		return malformed(field() + ".singleExtensions")
	}
	if hasExtensions {
		all, err := readExtensions(extensions, field()+".singleExtensions")
		if err != nil {
			return err
		}
		for _, e := range all {
			var list cryptobyte.String
			if string(e.id) == idSCTs && e.value.ReadASN1(&list, cbasn1.OCTET_STRING) && e.value.Empty() {
				single.SCTs = list
			} else {
				r.UnknownCritical = r.UnknownCritical || e.critical
			}
		}
	}
	r.Singles = append(r.Singles, single)
	return nil
}

// readStatus reads the choice of statuses.
//
//	CertStatus ::= CHOICE {
//	    good        [0]     IMPLICIT NULL,
//	    revoked     [1]     IMPLICIT RevokedInfo,
//	    unknown     [2]     IMPLICIT UnknownInfo }
//
//	RevokedInfo ::= SEQUENCE {
//	    revocationTime              GeneralizedTime,
//	    revocationReason    [0]     EXPLICIT CRLReason OPTIONAL }
func (s *Single) readStatus(in cryptobyte.String, tag cbasn1.Tag) bool {
	switch tag {
	case context(0):
		return in.Empty()
	case context(2):
		s.Status = Unknown
		return in.Empty()
	case explicit(1):
	default:
		return false
	}
	s.Status = Revoked
	var reason, value cryptobyte.String
	var present bool
	if !in.ReadASN1GeneralizedTime(&s.RevokedAt) || !in.ReadOptionalASN1(&reason, &present, explicit(0)) || !in.Empty() {
		return false
	}
	if !present {
		return true
	}
	if !reason.ReadASN1(&value, cbasn1.ENUM) || !reason.Empty() || len(value) != 1 || value[0] > maxReason || value[0] == 7 {
		return false
	}
	s.Reason = Reason(value[0])
	return true
}

// Find gives what a response says about a certificate of an issuer; nil if nothing. Where it says several things, the worst
// counts: revoked, then unknown.
func (r *Response) Find(c, issuer *x509.Certificate) *Single {
	if c.SerialNumber.Sign() < 0 {
		return nil
	}
	i, err := NewIssuer(issuer)
	if err != nil {
		return nil
	}
	serial := string(c.SerialNumber.Bytes())
	var worst *Single
	for n := range r.Singles {
		s := &r.Singles[n]
		if string(s.ID.Serial) != serial || !i.Issued(&s.ID) {
			continue
		}
		if worst == nil || s.Status == Revoked || s.Status == Unknown && worst.Status == Good {
			worst = s
		}
	}
	return worst
}
