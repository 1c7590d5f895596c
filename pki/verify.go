package pki

import (
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/tlswright/tlswright/pki/cert"
)

// Bounds on a peer's chain: what crypto/x509 may be made to work on.
const (
	MaxChainLength = 10       // certificates, the leaf included
	MaxChainBytes  = 64 << 10 // bytes of DER, all certificates together
)

// Usage is what a leaf shall prove.
type Usage uint8

// The usages.
const (
	UsageServer Usage = iota // serverAuth (RFC 5280, Section 4.2.1.12)
	UsageClient              // clientAuth
	UsageCode                // codeSigning
	UsageEmail               // emailProtection
	UsageTime                // timeStamping
	UsageOCSP                // OCSPSigning
)

// String gives the RFC's name.
func (u Usage) String() string { return extKeyUsageName(u.extended()) }

// extended is the extended key usage that a leaf must have.
func (u Usage) extended() x509.ExtKeyUsage {
	switch u {
	case UsageClient:
		return x509.ExtKeyUsageClientAuth
	case UsageCode:
		return x509.ExtKeyUsageCodeSigning
	case UsageEmail:
		return x509.ExtKeyUsageEmailProtection
	case UsageTime:
		return x509.ExtKeyUsageTimeStamping
	case UsageOCSP:
		return x509.ExtKeyUsageOCSPSigning
	}
	return x509.ExtKeyUsageServerAuth
}

// VerifyOptions are all that a verdict depends on besides the leaf.
type VerifyOptions struct {
	// Roots are trusted. With no Roots and no SystemRoots nobody is: the machine's
	// own store is never consulted behind the caller's back. Those with an ML-DSA key
	// must be here: in SystemRoots crypto/x509 of Go 1.26 hides them.
	Roots       []*x509.Certificate
	SystemRoots *x509.CertPool // trusted too; nil: none
	// Intermediates are the DER certificates the peer sent after its leaf, in any
	// order. Unreadable and needless ones do no harm.
	Intermediates [][]byte
	// Time is the moment to judge for; it must be set.
	Time time.Time
	// ServerName is the DNS name or IP address the leaf must be valid for, with
	// UsageEmail also an e-mail address; "" skips this check.
	ServerName string
	Usage      Usage
	// AnyUsage leaves extended key usages out of the judgement; Usage does not matter.
	AnyUsage bool
	// Policies are the inputs of policy processing; nil: any policy, or none, will do.
	// [Verify] looks at Initial alone.
	Policies *PolicyOptions
	// Revocation is what [Explain] judges revocation by; nil: it is not asked for.
	// [Verify] does not look at it.
	Revocation *RevocationOptions
}

// Chain is a trusted chain.
type Chain struct {
	Certificates []*x509.Certificate // leaf first, root last; one only if the leaf itself is trusted
	Root         *x509.Certificate
}

// Verify decides whether a peer's leaf (DER) is trusted. The decision is that of
// crypto/x509; every refusal is a [*VerifyError] that names the certificate at
// fault and the reason.
func Verify(leaf []byte, o VerifyOptions) (*Chain, error) {
	if o.Time.IsZero() {
		return nil, &VerifyError{Reason: ReasonMisuse, Text: "no time was given to judge the certificate for"}
	}
	if err := checkBounds(leaf, o.Intermediates); err != nil {
		return nil, err
	}
	c, err := cert.ParseX509(leaf)
	if err != nil {
		return nil, unreadable(leaf, err)
	}
	v := verification{options: o, leaf: c}
	for _, der := range o.Intermediates {
		i, err := cert.ParseX509(der)
		if err != nil {
			v.unread++ // RFC 8446, Section 4.4.2: certificates that are not needed may be there
			continue
		}
		v.sent = append(v.sent, i)
	}
	if err := v.checkKeySizes(); err != nil {
		return nil, err
	}
	chains, err := v.askLibrary()
	if err != nil {
		return nil, v.explain(err)
	}
	// Hosts are compared by the library; it does not know mailboxes.
	if o.Usage == UsageEmail && o.ServerName != "" && !matchesName(c, o) {
		return nil, v.explainName(nil)
	}
	best := chains[0]
	for _, chain := range chains[1:] {
		if len(chain) < len(best) {
			best = chain
		}
	}
	return &Chain{Certificates: best, Root: best[len(best)-1]}, nil
}

// verification is one run of Verify.
type verification struct {
	options VerifyOptions
	leaf    *x509.Certificate
	sent    []*x509.Certificate // readable intermediates
	unread  int                 // unreadable ones
	roots   []*x509.Certificate // trusted ones; set by Explain
	strange map[string]bool     // by their DER: certificates that crypto/x509 does not read; set by Explain

	names       map[*x509.Certificate]readNames // what Explain has read of them
	comparisons int                             // of names with constraints that may still be made; set by Explain
	unreadable  []unreadableCA                  // those that cannot be read at all, so far as their names are known; set by Explain
}

// libraryOptions always sets Roots and CurrentTime: left empty, crypto/x509 would
// take the machine's store and clock.
func (v *verification) libraryOptions(sent, trusted []*x509.Certificate, system *x509.CertPool) x509.VerifyOptions {
	roots := x509.NewCertPool()
	if system != nil {
		roots = system.Clone()
	}
	for _, r := range trusted {
		roots.AddCert(r)
	}
	usage := v.options.Usage.extended()
	if v.options.AnyUsage {
		usage = x509.ExtKeyUsageAny
	}
	var policies []x509.OID
	if v.options.Policies != nil {
		policies = v.options.Policies.Initial
	}
	host := hostForLibrary(v.options.ServerName)
	if _, _, mailbox := cutMailbox(host); mailbox && v.options.Usage == UsageEmail {
		host = "" // matchesName looks at it
	}
	return x509.VerifyOptions{
		DNSName:       host,
		Roots:         roots,
		Intermediates: poolOf(sent),
		CurrentTime:   v.options.Time,
		KeyUsages:     []x509.ExtKeyUsage{usage},

		CertificatePolicies: policies,
	}
}

// hostForLibrary takes the zone off an IPv6 address and writes mapped IPv4
// addresses as IPv4: certificates know neither.
func hostForLibrary(name string) string {
	if addr, err := netip.ParseAddr(name); err == nil {
		return addr.WithZone("").Unmap().String()
	}
	return name
}

func checkBounds(leaf []byte, intermediates [][]byte) error {
	total := len(leaf)
	for _, der := range intermediates {
		total += len(der)
	}
	if n := 1 + len(intermediates); n > MaxChainLength {
		return &VerifyError{Reason: ReasonLimit, Text: fmt.Sprintf("the chain has %d certificates, more than the limit of %d", n, MaxChainLength)}
	}
	if total > MaxChainBytes {
		return &VerifyError{Reason: ReasonLimit, Text: fmt.Sprintf("the chain has %d bytes, more than the limit of %d", total, MaxChainBytes)}
	}
	return nil
}

// checkKeySizes keeps huge RSA keys away from the library, whose work grows with
// the cube of the modulus.
func (v *verification) checkKeySizes() error {
	for _, c := range append([]*x509.Certificate{v.leaf}, v.sent...) {
		if k, ok := c.PublicKey.(*rsa.PublicKey); ok && k.N.BitLen() > MaxRSABits {
			return v.fault(ReasonLimit, c, nil, "", "has an RSA key of %d bits, more than the limit of %d", k.N.BitLen(), MaxRSABits)
		}
	}
	return nil
}

// explain turns the library's verdict into a VerifyError.
func (v *verification) explain(err error) *VerifyError {
	var (
		invalid   x509.CertificateInvalidError
		host      x509.HostnameError
		unknown   x509.UnknownAuthorityError
		unhandled x509.UnhandledCriticalExtension
	)
	switch {
	case errors.As(err, &host):
		return v.explainName(err)
	case errors.As(err, &invalid):
		return v.explainInvalid(invalid, err)
	case errors.As(err, &unknown):
		return v.explainUnknown(err)
	case errors.As(err, &unhandled):
		for _, c := range append([]*x509.Certificate{v.leaf}, v.sent...) {
			if ids := c.UnhandledCriticalExtensions; len(ids) > 0 {
				return v.fault(ReasonConstraint, c, err, "", "carries the critical extension %v, which is not understood", ids[0])
			}
		}
	}
	return v.fault(ReasonConstraint, v.leaf, err, "", "was refused: %s", Printable(err.Error()))
}
