package ocsp

import (
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Bounds on what is read.
const (
	MaxRequest  = 64 << 10 // bytes of a request
	MaxResponse = 1 << 20  // bytes of a response
	MaxIDs      = 256      // certificates in one request or response
)

// Request asks for the status of certificates. Its byte slices borrow from the input of [ParseRequest].
//
//	TBSRequest      ::=     SEQUENCE {
//	    version             [0]     EXPLICIT Version DEFAULT v1,
//	    requestorName       [1]     EXPLICIT GeneralName OPTIONAL,
//	    requestList                 SEQUENCE OF Request,
//	    requestExtensions   [2]     EXPLICIT Extensions OPTIONAL }
//
// RFC 6960, Section 4.1.1.
type Request struct {
	Raw   []byte
	IDs   []CertID // at least one
	Nonce []byte   // nil: none
	// Signed tells that the request carries a signature; nobody checks it.
	Signed bool
	// UnknownCritical tells that the request has critical extensions that are not understood: it must not be answered with a
	// status.
	UnknownCritical bool
}

// ParseRequest reads a request, DER. The error is a [*ParseError]; the answer to such a request is [MalformedRequest].
func ParseRequest(der []byte) (*Request, error) {
	if len(der) > MaxRequest {
		return nil, &ParseError{"request", fmt.Sprintf("%d bytes, more than the limit of %d", len(der), MaxRequest)}
	}
	in := cryptobyte.String(der)
	var outer, tbs, list, extensions cryptobyte.String
	var hasExtensions bool
	r := &Request{Raw: der}
	if !in.ReadASN1(&outer, cbasn1.SEQUENCE) || !in.Empty() || !outer.ReadASN1(&tbs, cbasn1.SEQUENCE) {
		return nil, malformed("request")
	}
	var signature cryptobyte.String
	if !outer.ReadOptionalASN1(&signature, &r.Signed, explicit(0)) || !outer.Empty() {
		return nil, malformed("optionalSignature")
	}
	if !readVersion(&tbs) {
		return nil, malformed("tbsRequest.version")
	}
	if !tbs.SkipOptionalASN1(explicit(1)) {
		return nil, malformed("tbsRequest.requestorName")
	}
	if !tbs.ReadASN1(&list, cbasn1.SEQUENCE) || list.Empty() {
		return nil, malformed("tbsRequest.requestList")
	}
	if !tbs.ReadOptionalASN1(&extensions, &hasExtensions, explicit(2)) || !tbs.Empty() {
		return nil, malformed("tbsRequest.requestExtensions")
	}
	for !list.Empty() {
		if err := r.readOne(&list); err != nil {
			return nil, err
		}
	}
	if !hasExtensions {
		return r, nil
	}
	all, err := readExtensions(extensions, "tbsRequest.requestExtensions")
	if err != nil {
		return nil, err
	}
	for _, e := range all {
		switch {
		case string(e.id) == idNonce:
			if r.Nonce, err = readNonce(e.value); err != nil {
				return nil, err
			}
		case e.critical:
			r.UnknownCritical = true
		}
	}
	return r, nil
}

// readOne reads one Request of the list.
func (r *Request) readOne(list *cryptobyte.String) error {
	field := func() string { return fmt.Sprintf("tbsRequest.requestList[%d]", len(r.IDs)) }
	if len(r.IDs) == MaxIDs {
		return &ParseError{field(), fmt.Sprintf("more than %d certificates", MaxIDs)}
	}
	var one, extensions cryptobyte.String
	var hasExtensions bool
	if !list.ReadASN1(&one, cbasn1.SEQUENCE) {
		return malformed(field())
	}
	id, ok := readCertID(&one)
	if !ok || !one.ReadOptionalASN1(&extensions, &hasExtensions, explicit(0)) || !one.Empty() {
		return malformed(field())
	}
	if hasExtensions {
		all, err := readExtensions(extensions, field()+".singleRequestExtensions")
		if err != nil {
			return err
		}
		for _, e := range all {
			r.UnknownCritical = r.UnknownCritical || e.critical
		}
	}
	r.IDs = append(r.IDs, id)
	return nil
}

// readVersion reads an optional version, which must be 1.
func readVersion(s *cryptobyte.String) bool {
	var version cryptobyte.String
	var present bool
	if !s.ReadOptionalASN1(&version, &present, explicit(0)) {
		return false
	}
	var v int
	return !present || version.ReadASN1Integer(&v) && version.Empty() && v == 0
}

// CreateRequest asks for certificates, at least one and at most [MaxIDs]; nonce has 1 to [MaxNonce] octets, 32 of them
// random by RFC 9654, or is nil.
func CreateRequest(ids []CertID, nonce []byte) ([]byte, error) {
	if len(ids) == 0 || len(ids) > MaxIDs {
		return nil, fmt.Errorf("a request is for 1 to %d certificates, not %d", MaxIDs, len(ids))
	}
	if len(nonce) > MaxNonce || nonce != nil && len(nonce) == 0 {
		return nil, fmt.Errorf("a nonce has 1 to %d octets, not %d", MaxNonce, len(nonce))
	}
	var list []byte
	for i := range ids {
		start := len(list)
		var err error
		if list, err = appendCertID(list, &ids[i]); err != nil {
			return nil, err
		}
		list = wrap(list, start, tagSequence)
	}
	tbs := appendElement(nil, tagSequence, list)
	if nonce != nil {
		tbs = appendElement(tbs, tagExplicit|2, appendNonce(nil, nonce))
	}
	return appendElement(nil, tagSequence, appendElement(nil, tagSequence, tbs)), nil
}
