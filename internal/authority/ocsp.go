package authority

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/ocsp"
)

// answerLifetime is how long an OCSP answer is good for.
const answerLifetime = 4 * 24 * time.Hour

// OCSPAnswer is an answer with what it says.
type OCSPAnswer struct {
	DER     []byte
	Status  ocsp.ResponseStatus
	Singles []ocsp.Single // where Status is Successful
	Nonce   []byte        // that of the request; nil: none
}

// StatusSource tells what is on file about a serial number of the issuer, as [store.Store.Status] does.
type StatusSource func(ctx context.Context, serial []byte) (store.Status, error)

// OCSP answers a request (RFC 6960), DER both. A request that cannot be read, or
// that is about certificates of other issuers only, gets an answer that says so;
// the error is for trouble of our own. Of a serial number without a certificate the
// answer says that it is unknown. The answer is signed by Options.Responder, or by
// the issuer.
func (a *Authority) OCSP(ctx context.Context, request []byte) ([]byte, error) {
	answer, err := a.OCSPFrom(ctx, request, a.Status)
	return answer.DER, err
}

// Status tells what is on file about a serial number; [store.ErrNotFound].
func (a *Authority) Status(ctx context.Context, serial []byte) (store.Status, error) {
	return a.Store.Status(ctx, a.record.ID, serial)
}

// OCSPFrom is OCSP for who keeps statuses for a while.
func (a *Authority) OCSPFrom(ctx context.Context, request []byte, from StatusSource) (OCSPAnswer, error) {
	refused := func(s ocsp.ResponseStatus) (OCSPAnswer, error) {
		return OCSPAnswer{DER: ocsp.ErrorResponse(s), Status: s}, nil
	}
	req, err := ocsp.ParseRequest(request)
	if err != nil || req.UnknownCritical {
		return refused(ocsp.MalformedRequest)
	}
	ours := false
	for i := range req.IDs {
		ours = ours || a.names.Issued(&req.IDs[i])
	}
	if !ours {
		return refused(ocsp.Unauthorized)
	}
	t := ocsp.ResponseTemplate{Nonce: req.Nonce, ByKey: true, ProducedAt: a.Now().UTC().Truncate(time.Second), Singles: make([]ocsp.Single, 0, len(req.IDs))}
	for i := range req.IDs {
		single := ocsp.Single{ID: req.IDs[i], Status: ocsp.Unknown, ThisUpdate: t.ProducedAt, NextUpdate: t.ProducedAt.Add(answerLifetime)}
		if a.names.Issued(&req.IDs[i]) {
			if err := answerFrom(ctx, &single, from); err != nil {
				return OCSPAnswer{}, err
			}
		}
		t.Singles = append(t.Singles, single)
	}
	der, err := a.signAnswer(t)
	return OCSPAnswer{DER: der, Status: ocsp.Successful, Singles: t.Singles, Nonce: t.Nonce}, err
}

// Answer makes the answer about one certificate without a request, as a server
// staples it.
func (a *Authority) Answer(ctx context.Context, serial *big.Int) ([]byte, error) {
	// Clients that look for their certificate in an answer expect SHA-1 (RFC 5019, Section 2.1.1).
	id, err := ocsp.NewCertID(serial.Bytes(), a.Issuer.Certificate, crypto.SHA1)
	if err != nil {
		return nil, err
	}
	now := a.Now().UTC().Truncate(time.Second)
	single := ocsp.Single{ID: id, ThisUpdate: now, NextUpdate: now.Add(answerLifetime)}
	if err := answerFrom(ctx, &single, a.Status); err != nil {
		return nil, err
	}
	return a.signAnswer(ocsp.ResponseTemplate{ByKey: true, ProducedAt: now, Singles: []ocsp.Single{single}})
}

// answerFrom fills in what is on file.
func answerFrom(ctx context.Context, single *ocsp.Single, from StatusSource) error {
	single.Status = ocsp.Unknown
	status, err := from(ctx, single.ID.Serial)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	switch status.State {
	case store.StateIssued:
		single.Status = ocsp.Good
	case store.StateRevoked, store.StateOnHold:
		single.Status, single.RevokedAt, single.Reason = ocsp.Revoked, status.At, ocsp.Reason(status.Reason)
	}
	return nil
}

func (a *Authority) signAnswer(t ocsp.ResponseTemplate) ([]byte, error) {
	signer := a.Issuer
	if a.Responder != nil {
		signer = *a.Responder
		t.Certificates = []*x509.Certificate{signer.Certificate}
	} else if err := a.needKey(); err != nil {
		return nil, err
	}
	der, err := ocsp.CreateResponse(t, signer.Certificate, signer.Key)
	if err != nil {
		return nil, fmt.Errorf("sign the OCSP answer: %w", err)
	}
	a.Meter.Signed("ocsp")
	return der, nil
}

// NewResponder issues a certificate with which a key may sign OCSP answers in the
// issuer's place: Options.Responder then.
func (a *Authority) NewResponder(ctx context.Context, key crypto.Signer) (*pki.Issuer, error) {
	c, err := a.Issue(ctx, pki.Request{
		Profile: pki.ProfileOCSP, CommonName: cut(a.Issuer.Certificate.Subject.CommonName, 64-len(" OCSP")) + " OCSP", Key: key.Public(),
	})
	if err != nil {
		return nil, err
	}
	return &pki.Issuer{Certificate: c, Key: key}, nil
}

// cut shortens a text to at most n characters.
func cut(s string, n int) string {
	r := []rune(s)
	return string(r[:min(n, len(r))])
}
