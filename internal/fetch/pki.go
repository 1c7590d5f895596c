package fetch

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/pki/pkcs7"
)

// maxIssuers bounds how many certificates one AIA address may give.
const maxIssuers = 16

// Issuers fetches what an authority information access extension names as the issuer: one certificate in DER, a
// certs-only PKCS #7 message (RFC 5280, Section 4.2.2.1), or PEM, which is often found there although it should not be.
func (f *Fetcher) Issuers(ctx context.Context, url string) ([]*x509.Certificate, error) {
	answer, err := f.ask(ctx, question{url: url, limit: MaxCertificates, accept: "application/pkix-cert, application/pkcs7-mime, */*;q=0.1"})
	if err != nil {
		return nil, err
	}
	fail := func(reason string, err error) ([]*x509.Certificate, error) {
		return nil, &Error{URL: pki.Printable(url), Reason: reason, Err: err}
	}
	found, err := parseIssuers(answer)
	if err != nil {
		return fail("answers with what is no certificate", err)
	}
	if len(found) > maxIssuers {
		return fail("answers with too many certificates", nil)
	}
	return found, nil
}

func parseIssuers(answer []byte) ([]*x509.Certificate, error) {
	if bytes.Contains(answer, []byte("-----BEGIN ")) {
		return pki.ParseCertificatesPEM(answer)
	}
	c, err := cert.ParseX509(answer)
	if err == nil {
		return []*x509.Certificate{c}, nil
	}
	bundle, bundleErr := pkcs7.Decode(answer)
	if bundleErr != nil || len(bundle) == 0 {
		return nil, err
	}
	return bundle, nil
}

// CRL fetches a CRL. PEM is taken too and given as DER.
func (f *Fetcher) CRL(ctx context.Context, url string) ([]byte, error) {
	answer, err := f.ask(ctx, question{url: url, limit: MaxCRL, accept: "application/pkix-crl, */*;q=0.1"})
	if err != nil {
		return nil, err
	}
	if block, _ := pem.Decode(answer); block != nil {
		return block.Bytes, nil
	}
	return answer, nil
}

// OCSP posts a request in DER and returns the response in DER (RFC 6960, Appendix A.1).
func (f *Fetcher) OCSP(ctx context.Context, url string, request []byte) ([]byte, error) {
	return f.ask(ctx, question{
		url: url, body: request, kind: "application/ocsp-request", accept: "application/ocsp-response", limit: MaxOCSP,
	})
}
