package ocsp

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/tlswright/tlswright/pki/cert"
)

// ResponseTemplate says what a response shall contain.
type ResponseTemplate struct {
	Singles    []Single // one or more
	Nonce      []byte   // that of the request; nil: none
	ProducedAt time.Time
	// ByKey names the responder by its key, which is shorter than by its name.
	ByKey bool
	// Certificates go along: the responder's own if it is delegated.
	Certificates []*x509.Certificate
}

// CreateResponse makes a response and signs it. The responder is the issuer itself or has a certificate for this from it;
// key is the responder's. The signature is not checked before it is given out: that would take longer than making it.
func CreateResponse(t ResponseTemplate, responder *x509.Certificate, key crypto.Signer) ([]byte, error) {
	if err := t.check(responder, key); err != nil {
		return nil, err
	}
	algorithm, err := cert.UsualAlgorithm(key.Public())
	if err != nil {
		return nil, err
	}
	tbs, err := t.data(responder)
	if err != nil {
		return nil, err
	}
	signature, err := cert.Sign(key, algorithm, tbs)
	if err != nil {
		return nil, fmt.Errorf("sign the response: %w", err)
	}
	length := len(tbs) + len(signature) + 128
	for _, c := range t.Certificates {
		length += len(c.Raw)
	}
	// The response is built inside out: every header moves what it is put in front of, which is short.
	out := append(make([]byte, 0, length), tbs...)
	out = append(out, cert.AlgorithmIdentifier(algorithm)...)
	out = appendElement(out, tagBitString, []byte{0}, signature)
	if len(t.Certificates) > 0 {
		start := len(out)
		for _, c := range t.Certificates {
			out = append(out, c.Raw...)
		}
		out = wrap(wrap(out, start, tagSequence), start, tagExplicit)
	}
	out = wrap(wrap(out, 0, tagSequence), 0, tagOctetString)
	body := appendElement(make([]byte, 0, len(out)+32), tagOID, []byte(idBasic))
	body = append(body, out...)
	body = wrap(wrap(body, 0, tagSequence), 0, tagExplicit)
	return appendElement(make([]byte, 0, len(body)+8), tagSequence, []byte{0x0a, 1, byte(Successful)}, body), nil
}

func (t *ResponseTemplate) check(responder *x509.Certificate, key crypto.Signer) error {
	switch {
	case responder == nil || key == nil:
		return errors.New("a response needs its responder's certificate and key")
	case len(t.Singles) == 0 || len(t.Singles) > MaxIDs:
		return fmt.Errorf("a response is about 1 to %d certificates, not %d", MaxIDs, len(t.Singles))
	case len(t.Nonce) > MaxNonce || t.Nonce != nil && len(t.Nonce) == 0:
		return fmt.Errorf("a nonce has 1 to %d octets, not %d", MaxNonce, len(t.Nonce))
	case !yearFits(t.ProducedAt):
		return errors.New("a response needs the time at which it is made")
	case len(t.Certificates) > maxCertificates:
		return fmt.Errorf("at most %d certificates go along with a response", maxCertificates)
	}
	for i := range t.Singles {
		s := &t.Singles[i]
		switch {
		case !yearFits(s.ThisUpdate) || !s.NextUpdate.IsZero() && (!yearFits(s.NextUpdate) || s.NextUpdate.Before(s.ThisUpdate)):
			return errors.New("a status needs the time at which it was right, and none before as its end")
		case s.Status > Unknown:
			return fmt.Errorf("there is no %v of a certificate", s.Status)
		case s.Status == Revoked && (!yearFits(s.RevokedAt) || s.Reason > maxReason || s.Reason == 7):
			return errors.New("a revocation needs a time and a reason that there is")
		}
	}
	return nil
}

// data writes ResponseData.
func (t *ResponseTemplate) data(responder *x509.Certificate) ([]byte, error) {
	out := make([]byte, 0, 256+len(responder.RawSubject)+len(t.Nonce)+160*len(t.Singles))
	if t.ByKey {
		bits, ok := publicKeyBits(responder.RawSubjectPublicKeyInfo)
		if !ok {
			return nil, errors.New("the responder's public key cannot be read")
		}
		out = appendElement(out, tagExplicit|2, appendElement(nil, tagOctetString, sum(crypto.SHA1, bits)))
	} else {
		out = appendElement(out, tagExplicit|1, responder.RawSubject)
	}
	out = appendTime(out, t.ProducedAt)
	list := len(out)
	for i := range t.Singles {
		start := len(out)
		var err error
		if out, err = appendSingle(out, &t.Singles[i]); err != nil {
			return nil, err
		}
		out = wrap(out, start, tagSequence)
	}
	out = wrap(out, list, tagSequence)
	if t.Nonce != nil {
		out = appendElement(out, tagExplicit|1, appendNonce(nil, t.Nonce))
	}
	return wrap(out, 0, tagSequence), nil
}

func appendSingle(out []byte, s *Single) ([]byte, error) {
	out, err := appendCertID(out, &s.ID)
	if err != nil {
		return nil, err
	}
	switch s.Status {
	case Good:
		out = append(out, tagContext, 0)
	case Unknown:
		out = append(out, tagContext|2, 0)
	case Revoked:
		start := len(out)
		out = appendTime(out, s.RevokedAt)
		if s.Reason != 0 {
			out = append(out, tagExplicit, 3, 0x0a, 1, byte(s.Reason))
		}
		out = wrap(out, start, tagExplicit|1)
	}
	out = appendTime(out, s.ThisUpdate)
	if !s.NextUpdate.IsZero() {
		start := len(out)
		out = wrap(appendTime(out, s.NextUpdate), start, tagExplicit)
	}
	return out, nil
}

// ErrorResponse is a response that says only why there is none, which is any status but Successful. It is not signed.
func ErrorResponse(s ResponseStatus) []byte {
	if s == Successful {
		s = InternalError // without an answer there is no success
	}
	return []byte{tagSequence, 3, 0x0a, 1, byte(s)}
}
