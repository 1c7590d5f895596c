package verify

import (
	"errors"
	"fmt"
	"time"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/wire"
)

// ErrDelegated is returned, wrapped, for a delegated credential that is not valid (RFC 9345, Section 4.1.3:
// illegal_parameter).
var ErrDelegated = errors.New("invalid delegated credential")

// MaxDelegated is the longest that a delegated credential may still be valid for when it is used.
//
// RFC 9345, Section 4.1.3: the maximum validity period is set to 7 days by default.
const MaxDelegated = 7 * 24 * time.Hour

// Delegation is a delegated credential.
type Delegation struct {
	Key    LeafKey
	Scheme *suite.Scheme // that Key signs the handshake with
	Until  time.Time     // it is over after that

	notAfter time.Time // of the certificate
	proven   bool
}

// Holds reports whether the credential's signature was found to be that of its certificate.
func (d *Delegation) Holds() bool { return d != nil && d.proven }

// DelegatedInput returns what the owner of a certificate, DER, signs of a delegated credential: 64 spaces, a context
// string that says who may use it, a zero byte, the certificate, the credential and the algorithm (RFC 9345, Section 4).
func DelegatedInput(by Signer, certificate []byte, dc *wire.DelegatedCredential) []byte {
	const spaces = "                                                                "
	context := "TLS, server delegated credentials"
	if by == ClientSigner {
		context = "TLS, client delegated credentials"
	}
	b := make([]byte, 0, len(spaces)+len(context)+1+len(certificate)+len(dc.PublicKey)+16)
	b = append(b, spaces...)
	b = append(b, context...)
	b = append(b, 0)
	b = append(b, certificate...)
	return dc.AppendSigned(b)
}

// MayDelegate looks whether a certificate may sign delegated credentials.
//
// RFC 9345, Section 4.2: it has the DelegationUsage extension, and the digitalSignature bit of its key usage is set.
func MayDelegate(certificate []byte) error {
	c, err := cert.Parse(certificate)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	if _, ok := c.Find(cert.OIDDelegatedCredUsage); !ok {
		return fmt.Errorf("%w: the certificate does not have the DelegationUsage extension", ErrDelegated)
	}
	if !c.HasKeyUsage || c.KeyUsage&cert.DigitalSignature == 0 {
		return fmt.Errorf("%w: the certificate's key usage does not allow digital signatures", ErrDelegated)
	}
	return nil
}

// Delegated checks a credential that a certificate, DER, with the key leaf has signed, but for two things: the time, see
// [Delegation.In], and whether the certificate may delegate, see [MayDelegate]. Whether its schemes were offered is the
// caller's to check, too.
func Delegated(by Signer, certificate []byte, leaf LeafKey, dc *wire.DelegatedCredential) (*Delegation, error) {
	d, err := ReadDelegated(certificate, leaf, dc)
	if err != nil {
		return nil, err
	}
	if err := suite.SchemeByID(dc.Algorithm).Verify(leaf.Public, DelegatedInput(by, certificate, dc), dc.Signature); err != nil {
		return nil, fmt.Errorf("%w: signature with %v: %w", ErrDelegated, dc.Algorithm, err)
	}
	// RFC 9345, Section 4.1.3: the expiry time is less than the certificate's.
	if !d.Until.Before(d.notAfter) {
		return nil, fmt.Errorf("%w: it is good for longer than its certificate", ErrDelegated)
	}
	d.proven = true
	return d, nil
}

// ReadDelegated is Delegated without the signature, for a credential of our own, which the peer will look at.
func ReadDelegated(certificate []byte, leaf LeafKey, dc *wire.DelegatedCredential) (*Delegation, error) {
	c, err := cert.Parse(certificate)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	key, err := RawKey(dc.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("%w: its key: %w", ErrDelegated, err)
	}
	d := &Delegation{Key: key, Scheme: suite.SchemeByID(dc.Scheme), Until: c.NotBefore.Add(time.Duration(dc.ValidTime) * time.Second), notAfter: c.NotAfter}
	if !Delegable(d.Scheme) || !key.Fits(d.Scheme) {
		return nil, fmt.Errorf("%w: its key cannot sign with %v", ErrDelegated, dc.Scheme)
	}
	algorithm := suite.SchemeByID(dc.Algorithm)
	if algorithm == nil || !algorithm.TLS13 || !leaf.Fits(algorithm) {
		return nil, fmt.Errorf("%w: it cannot be signed with %v by the certificate's key", ErrDelegated, dc.Algorithm)
	}
	if c.NotBefore.IsZero() || c.NotAfter.IsZero() {
		return nil, fmt.Errorf("%w: the certificate's validity cannot be read", ErrDelegated)
	}
	return d, nil
}

// Delegable reports whether a delegated credential may sign with a scheme.
//
// RFC 9345, Section 4: when using RSA, the public key MUST NOT use the rsaEncryption OID. The other one that RSA has,
// id-RSASSA-PSS, nobody makes keys for, and none is taken here.
func Delegable(s *suite.Scheme) bool {
	return s != nil && s.TLS13 && !s.Fits(suite.KeyRSA) && !s.Fits(suite.KeyRSAPSS)
}

// In checks the time (RFC 9345, Section 4.1.3): the credential is not over, nor is it good for more than seven days more.
func (d *Delegation) In(now time.Time) error {
	switch {
	case now.After(d.Until):
		return fmt.Errorf("%w: it is over since %s", ErrDelegated, d.Until.UTC().Format(time.RFC3339))
	case d.Until.After(now.Add(MaxDelegated)):
		return fmt.Errorf("%w: it is good until %s, for more than seven days", ErrDelegated, d.Until.UTC().Format(time.RFC3339))
	}
	return nil
}
