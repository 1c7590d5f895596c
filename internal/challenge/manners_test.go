package challenge_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"io"
	"net"
	"slices"
	"testing"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/internal/challenge"
)

// addRegisteredID gives a certificate an alternative name of a kind that crypto/x509 passes over.
func addRegisteredID(c *x509.Certificate) {
	names := []asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 2, Bytes: []byte(c.DNSNames[0])}, {Class: asn1.ClassContextSpecific, Tag: 8, Bytes: []byte{42, 3, 4}}}
	value, err := asn1.Marshal(names)
	if err != nil {
		panic(err) // a test's own mistake
	}
	c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: value})
}

// TestMannersOfTLSALPN01 looks, as crypto/tls, at what a validation says: the protocol alone, the name or the reverse name of
// an address, no version older than TLS 1.2, and nothing once the handshake is done (RFC 8737, Sections 3 and 4; RFC 8738,
// Section 6).
func TestMannersOfTLSALPN01(t *testing.T) {
	_, r := newZone(t)
	for host, name := range map[string]string{"a.example": "a.example", "127.0.0.1": "1.0.0.127.in-addr.arpa"} {
		for newest, want := range map[uint16]acme.ProblemType{tls.VersionTLS13: "", tls.VersionTLS12: "", tls.VersionTLS11: acme.TLS} {
			tk := task(acme.TLSALPN01, host)
			id := proofCertificate(t, tk, nil)
			hellos := make(chan *tls.ClientHelloInfo, 1)
			l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: newest, NextProtos: []string{acme.ALPNProtocol},
				GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
					hellos <- h
					return &tls.Certificate{Certificate: id.Chain, PrivateKey: id.Key}, nil
				}})
			if err != nil {
				t.Fatal(err)
			}
			said := make(chan error, 1)
			go func() { said <- silence(l) }()
			v := validator(t, challenge.Options{Gate: loopback(), TLSPort: port(t, l.Addr().String())}, r)
			check(t, tls.VersionName(newest), v.Validate(t.Context(), tk), want, "")
			if err := <-said; err != nil {
				t.Errorf("%s: %v", host, err)
			}
			_ = l.Close()
			if want != "" {
				continue
			}
			h := <-hellos
			if h.ServerName != name || !slices.Equal(h.SupportedProtos, []string{acme.ALPNProtocol}) || slices.Min(h.SupportedVersions) < tls.VersionTLS12 {
				t.Errorf("%s: asked for %q by %q in %x", host, h.ServerName, h.SupportedProtos, h.SupportedVersions)
			}
		}
	}
}

// silence takes one connection, and complains of what comes over it.
func silence(l net.Listener) error {
	c, err := l.Accept()
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if n, err := io.ReadFull(c, make([]byte, 1)); n > 0 || err == nil {
		return errors.New("the validation went on after the handshake")
	}
	return nil
}
