package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"strings"
	"time"

	"filippo.io/mldsa"
)

// Profile names what a certificate is for.
type Profile string

// The built-in profiles.
const (
	ProfileRoot         Profile = "root"         // signs intermediates
	ProfileIntermediate Profile = "intermediate" // signs leaves
	ProfileServer       Profile = "server"       // proves a TLS server
	ProfileClient       Profile = "client"       // proves a TLS client
	ProfilePeer         Profile = "peer"         // both
	ProfileOCSP         Profile = "ocsp"         // signs OCSP answers for its issuer
	ProfileCode         Profile = "code"         // signs programs
	ProfileEmail        Profile = "email"        // signs and receives e-mail (S/MIME)
)

const day = 24 * time.Hour

// MaxLeafLifetime is the longest a leaf of the TLS profiles may live unless
// Request.AllowLong is set: browsers refuse server certificates that live longer.
const MaxLeafLifetime = 398 * day

// MaxShortLifetime is the longest a certificate without any revocation may live
// ([ProfileSpec.ShortLived]): as long as a CRL or an OCSP answer is trusted.
const MaxShortLifetime = 7 * day

// Backdate is how far before "now" a certificate starts to be valid by default, so
// that a peer whose clock is a little slow does not refuse it. Of certificates that live less than an hour, this would be
// too much: they lose a twelfth of their life at most.
const Backdate = 5 * time.Minute

// maxBackdated is the part of a lifetime that backdating may take: one in so many.
const maxBackdated = 12

// SANKinds is a set of kinds of subject alternative names.
type SANKinds uint8

// The kinds of subject alternative names.
const (
	SANDNS SANKinds = 1 << iota
	SANIP
	SANURI
	SANEmail
)

// AllSANKinds holds every kind.
const AllSANKinds = SANDNS | SANIP | SANURI | SANEmail

// String lists the kinds, "dns, ip".
func (k SANKinds) String() string {
	var names []string
	for i, name := range []string{"dns", "ip", "uri", "email"} {
		if k&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// ProfileSpec is a profile as data: what it puts into a certificate and what it
// demands of a request.
type ProfileSpec struct {
	// Name is shown to people; for a profile of one's own it is free.
	Name Profile
	// CA makes the subject a CA that may sign certificates and CRLs.
	CA bool
	// PathLen is how many CAs may follow below a CA; -1: no limit. Without CA it has
	// no meaning.
	PathLen int
	// Lifetime is the time of validity where the request names none.
	Lifetime time.Duration
	// MaxLifetime bounds what a request may ask for unless it sets AllowLong; 0: no
	// bound.
	MaxLifetime time.Duration
	// KeyUsage holds the bits of RFC 5280, Section 4.2.1.3. Those that the subject's
	// kind of key cannot do are left out (RFC 8813, Section 3 and RFC 8410, Section 5).
	KeyUsage x509.KeyUsage
	// ExtKeyUsage and OtherExtKeyUsage are the purposes of RFC 5280, Section 4.2.1.12,
	// by name and by number.
	ExtKeyUsage      []x509.ExtKeyUsage
	OtherExtKeyUsage []x509.OID
	// NeedsSAN demands a subject alternative name of one of SANKinds; for what may be
	// a server an e-mail address does not count.
	NeedsSAN bool
	// SANKinds are the kinds of names a request may ask for; 0: all.
	SANKinds SANKinds
	// Policies are the certificate policies (RFC 5280, Section 4.2.1.4).
	Policies []x509.OID
	// CRLDistributionPoints, OCSPServers and IssuingCertificateURLs are URLs of the
	// issuer (RFC 5280, Sections 4.2.1.13 and 4.2.2.1).
	CRLDistributionPoints  []string
	OCSPServers            []string
	IssuingCertificateURLs []string
	// NameConstraints limit the names below a CA (RFC 5280, Section 4.2.1.10).
	NameConstraints *NameConstraints
	// MustStaple asks servers to staple an OCSP answer (RFC 7633).
	MustStaple bool
	// OCSPNoCheck says that the revocation of this OCSP signer is not to be asked for
	// (RFC 6960, Section 4.2.2.2.1).
	OCSPNoCheck bool
	// ShortLived certificates live too short to be revoked: noRevAvail of RFC 9608 and
	// no pointer to a CRL or an OCSP server.
	ShortLived bool
}

// Profiles lists the built-in profiles in the order in which help texts show them.
func Profiles() []Profile {
	return []Profile{ProfileServer, ProfileClient, ProfilePeer, ProfileEmail, ProfileCode, ProfileOCSP, ProfileIntermediate, ProfileRoot}
}

// ParseProfile reads the name of a built-in profile.
func ParseProfile(s string) (Profile, error) {
	var names []string
	for _, p := range Profiles() {
		if string(p) == s {
			return p, nil
		}
		names = append(names, string(p))
	}
	return "", fmt.Errorf("unknown profile %q, not one of %s", Printable(s), strings.Join(names, ", "))
}

// BuiltinProfile returns what a built-in profile says. The caller may change it.
func BuiltinProfile(p Profile) (ProfileSpec, error) {
	// Leaves get digitalSignature only: TLS 1.3 and ECDHE suites never encrypt to a
	// certificate's key.
	leaf := ProfileSpec{Name: p, Lifetime: 90 * day, MaxLifetime: MaxLeafLifetime, PathLen: -1, KeyUsage: x509.KeyUsageDigitalSignature}
	ca := ProfileSpec{Name: p, CA: true, PathLen: -1, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	switch p {
	case ProfileRoot:
		ca.Lifetime = 3650 * day
		return ca, nil
	case ProfileIntermediate:
		ca.PathLen, ca.Lifetime = 0, 1825*day
		return ca, nil
	case ProfileServer:
		leaf.ExtKeyUsage, leaf.NeedsSAN = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, true
	case ProfileClient:
		leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	case ProfilePeer:
		leaf.ExtKeyUsage, leaf.NeedsSAN = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, true
	case ProfileOCSP:
		leaf.ExtKeyUsage, leaf.Lifetime, leaf.OCSPNoCheck = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}, 30*day, true
	case ProfileCode:
		// 460 days is what the CA/Browser Forum lets code signers have since March 2026.
		leaf.ExtKeyUsage, leaf.Lifetime, leaf.MaxLifetime = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}, 365*day, 460*day
	case ProfileEmail:
		leaf.ExtKeyUsage, leaf.Lifetime, leaf.MaxLifetime = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}, 365*day, 825*day
		leaf.NeedsSAN, leaf.SANKinds = true, SANEmail
		leaf.KeyUsage |= x509.KeyUsageKeyEncipherment | x509.KeyUsageKeyAgreement
	default:
		return ProfileSpec{}, fmt.Errorf("unknown profile %q", Printable(string(p)))
	}
	return leaf, nil
}

// sans returns the kinds of names that are allowed.
func (s *ProfileSpec) sans() SANKinds {
	if s.SANKinds == 0 {
		return AllSANKinds
	}
	return s.SANKinds
}

// neededSANs returns the kinds of names of which one is demanded.
func (s *ProfileSpec) neededSANs() SANKinds {
	switch {
	case !s.NeedsSAN:
		return 0
	case s.serves():
		return s.sans() &^ SANEmail
	}
	return s.sans()
}

// serves reports whether the certificate can prove a TLS server.
func (s *ProfileSpec) serves() bool {
	for _, u := range s.ExtKeyUsage {
		if u == x509.ExtKeyUsageServerAuth || u == x509.ExtKeyUsageAny {
			return true
		}
	}
	return !s.CA && len(s.ExtKeyUsage)+len(s.OtherExtKeyUsage) == 0
}

// usageOf leaves out what the kind of key cannot do.
func usageOf(u x509.KeyUsage, pub crypto.PublicKey) x509.KeyUsage {
	const encipher = x509.KeyUsageKeyEncipherment | x509.KeyUsageDataEncipherment
	const agree = x509.KeyUsageKeyAgreement | x509.KeyUsageEncipherOnly | x509.KeyUsageDecipherOnly
	switch pub.(type) {
	case *rsa.PublicKey:
		return u &^ agree
	case *ecdsa.PublicKey:
		return u &^ encipher
	case ed25519.PublicKey, *mldsa.PublicKey:
		// RFC 8410, Section 5, and RFC 9881, Section 5: these keys sign and do nothing else.
		return u &^ (encipher | agree)
	}
	return u
}
