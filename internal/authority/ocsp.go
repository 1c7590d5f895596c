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

// OCSP answers a request (RFC 6960), DER both. A request that cannot be read, or
// that is about certificates of other issuers only, gets an answer that says so;
// the error is for trouble of our own. Of a serial number without a certificate the
// answer says that it is unknown. The answer is signed by Options.Responder, or by
// the issuer.
func (a *Authority) OCSP(ctx context.Context, request []byte) ([]byte, error) {
	req, err := ocsp.ParseRequest(request)
	if err != nil {
		return ocsp.ErrorResponse(ocsp.MalformedRequest), nil
	}
	if req.UnknownCritical {
		return ocsp.ErrorResponse(ocsp.MalformedRequest), nil
	}
	names, err := ocsp.NewIssuer(a.Issuer.Certificate)
	if err != nil {
		return nil, err
	}
	ours := false
	for i := range req.IDs {
		ours = ours || names.Issued(&req.IDs[i])
	}
	if !ours {
		return ocsp.ErrorResponse(ocsp.Unauthorized), nil
	}
	t := ocsp.ResponseTemplate{Nonce: req.Nonce, ByKey: true, ProducedAt: a.Now().UTC().Truncate(time.Second)}
	for i := range req.IDs {
		single := ocsp.Single{ID: req.IDs[i], Status: ocsp.Unknown, ThisUpdate: t.ProducedAt, NextUpdate: t.ProducedAt.Add(answerLifetime)}
		if names.Issued(&req.IDs[i]) {
			if err := a.answer(ctx, &single); err != nil {
				return nil, err
			}
		}
		t.Singles = append(t.Singles, single)
	}
	return a.signAnswer(t)
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
	if err := a.answer(ctx, &single); err != nil {
		return nil, err
	}
	return a.signAnswer(ocsp.ResponseTemplate{ByKey: true, ProducedAt: now, Singles: []ocsp.Single{single}})
}

// answer fills in what is on file.
func (a *Authority) answer(ctx context.Context, single *ocsp.Single) error {
	single.Status = ocsp.Unknown
	status, err := a.Store.Status(ctx, a.record.ID, single.ID.Serial)
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
