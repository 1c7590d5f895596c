package pki

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// Request says what a certificate shall contain.
type Request struct {
	// Profile is a built-in profile. With Spec it is not looked at.
	Profile Profile
	// Spec is a profile of one's own; nil: that of Profile.
	Spec    *ProfileSpec
	Subject pkix.Name
	// CommonName replaces Subject.CommonName where it is not "".
	CommonName string
	// SANs are the subject alternative names: IP addresses, URIs, e-mail addresses
	// and DNS names, told apart by their form, or by a prefix ip:, uri:, email:, dns:.
	SANs []string
	// Key is the subject's public key. SelfSign takes it from its signer if nil.
	Key crypto.PublicKey
	// NotBefore is when validity starts; zero: [Backdate] before now, or a twelfth of the lifetime where that is less.
	NotBefore time.Time
	// Lifetime is the time from NotBefore to NotAfter, both included (RFC 5280,
	// Section 4.1.2.5). Zero: the profile's own (root 10 years, intermediate 5 years,
	// leaf 90 days), cut to what the issuer has left.
	Lifetime time.Duration
	// PathLen limits how many intermediates may follow a CA certificate. Nil: the
	// profile's own (root: no limit, intermediate: 0).
	PathLen *int
	// AllowLong permits a leaf to live longer than the profile's MaxLifetime.
	AllowLong bool
	// SignatureAlgorithm; zero: the issuer key's usual one.
	SignatureAlgorithm x509.SignatureAlgorithm
	// Policies come after those of the profile.
	Policies []x509.OID
	// CRLDistributionPoints, OCSPServers and IssuingCertificateURLs replace those of
	// the profile where they are not empty.
	CRLDistributionPoints  []string
	OCSPServers            []string
	IssuingCertificateURLs []string
	// MustStaple asks servers to staple an OCSP answer (RFC 7633), as the profile can
	// too.
	MustStaple bool
	// MayDelegate lets a leaf sign delegated credentials (RFC 9345).
	MayDelegate bool
	// NameConstraints limit the names below a CA, in place of those of the profile.
	NameConstraints *NameConstraints
	// Serial is the serial number, positive and of at most 20 octets; nil: 128 random
	// bits ([NewSerial]). That it was never used before is the caller's concern.
	Serial *big.Int
	// Precertificate asks for what logs are shown before the certificate is signed: the
	// same, with a critical extension that no client accepts (RFC 6962, Section 3.1).
	Precertificate bool
	// Timestamps are what logs answered: the value of the extension of RFC 6962,
	// Section 3.3. Nil: none.
	Timestamps []byte
}

// Issuer is a CA certificate with its key, which may live elsewhere (an HSM).
type Issuer struct {
	Certificate *x509.Certificate
	Key         crypto.Signer
	// Chain are the issuer's own issuers, nearest first, as far as they are known. What
	// they demand (path length, names, purposes, validity) is kept at issuance.
	Chain []*x509.Certificate
}

// RefusedError is a request that will not be fulfilled as it stands.
type RefusedError struct {
	Reason string
	Hint   string // what to do instead; may be ""
}

// Error implements error.
func (e *RefusedError) Error() string { return e.Reason }

func refuse(hint, format string, args ...any) error {
	return &RefusedError{Reason: fmt.Sprintf(format, args...), Hint: hint}
}

// SelfSign makes a certificate signed by its own key: a root, or a leaf that
// stands alone. What cannot be sound is refused with a [*RefusedError].
func SelfSign(req Request, key crypto.Signer, now time.Time) (*x509.Certificate, error) {
	if key == nil {
		return nil, errors.New("no key to sign with")
	}
	if req.Key == nil {
		req.Key = key.Public()
	}
	if _, ok := key.(*PSSKey); ok && req.SignatureAlgorithm == 0 {
		req.SignatureAlgorithm = x509.SHA256WithRSAPSS
	}
	if !SameKey(req.Key, key.Public()) {
		return nil, errors.New("the requested key is not the one that signs")
	}
	d, err := DraftSelfSigned(req, now)
	if err != nil {
		return nil, err
	}
	return d.Sign(key)
}

// Issue makes a certificate signed by this CA. What cannot be sound is refused
// with a [*RefusedError]: the limits of the issuer and of its own issuers are kept
// (RFC 5280, Section 6.1 would make the certificate useless otherwise).
func (i Issuer) Issue(req Request, now time.Time) (*x509.Certificate, error) {
	if i.Certificate == nil || i.Key == nil {
		return nil, errors.New("the issuer lacks its certificate or key")
	}
	d, err := i.Draft(req, now)
	if err != nil {
		return nil, err
	}
	return d.Sign(i.Key)
}
