package trace

import (
	"fmt"
	"strings"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/wire"
)

// offer is what a ClientHello says that its sender can do, as names in its order, without GREASE.
type offer struct {
	versions, suites, groups, shares, schemes, alpn, extensions []string
	compression                                                 []byte
	renegotiation                                               bool // secure renegotiation (RFC 5746)
	early                                                       bool
}

func newOffer(hello *wire.ClientHello) *offer {
	o := &offer{compression: hello.CompressionMethods}
	var versions wire.SupportedVersions
	var groups wire.SupportedGroups
	var shares wire.KeyShares
	var schemes wire.SignatureAlgorithms
	var alpn wire.ALPN
	if ok, err := hello.Ext(&versions); !ok || err != nil {
		versions.Versions = []wire.Version{hello.LegacyVersion}
	}
	// What cannot be read counts as not offered.
	_, _ = hello.Ext(&groups)
	_, _ = hello.Ext(&shares)
	_, _ = hello.Ext(&schemes)
	_, _ = hello.Ext(&alpn)
	for _, e := range shares.Entries {
		groupName := e.Group.String()
		if !wire.IsGREASE(uint16(e.Group)) {
			o.shares = append(o.shares, groupName)
		}
	}
	o.versions = namesOf(versions.Versions)
	o.suites = namesOf(hello.CipherSuites)
	o.groups = namesOf(groups.Groups)
	o.schemes = namesOf(schemes.Schemes)
	for _, p := range alpn.Protocols {
		o.alpn = append(o.alpn, pki.Printable(p))
	}
	types := make([]wire.ExtensionType, len(hello.Extensions))
	for i, e := range hello.Extensions {
		types[i] = e.Type
	}
	o.extensions = namesOf(types)
	_, o.renegotiation = hello.Extensions.Find(wire.ExtRenegotiationInfo)
	for _, s := range hello.CipherSuites {
		o.renegotiation = o.renegotiation || s == wire.TLS_EMPTY_RENEGOTIATION_INFO_SCSV
	}
	_, o.early = hello.Extensions.Find(wire.ExtEarlyData)
	return o
}

func namesOf[T interface {
	~uint16
	fmt.Stringer
}](values []T) []string {
	var names []string
	for _, v := range values {
		if !wire.IsGREASE(uint16(v)) {
			names = append(names, v.String())
		}
	}
	return names
}

// suitesWith counts the suites whose names a predicate likes.
func (o *offer) suitesWith(likes func(name string) bool) (n int) {
	for _, s := range o.suites {
		if likes(s) {
			n++
		}
	}
	return n
}

// What the names of suites say.
func isStaticRSA(name string) bool { return strings.HasPrefix(name, "TLS_RSA_") }

func isStaticDH(name string) bool {
	return strings.HasPrefix(name, "TLS_DH_") && !strings.HasPrefix(name, "TLS_DH_anon") ||
		strings.HasPrefix(name, "TLS_ECDH_") && !strings.HasPrefix(name, "TLS_ECDH_anon")
}

func isForward(name string) bool {
	return strings.Contains(name, "DHE_")
}

func isCBC(name string) bool { return strings.Contains(name, "_CBC_") }

func isRC4(name string) bool { return strings.Contains(name, "_RC4_") }

// isOldSuite reports whether a suite names its key exchange, as those up to TLS 1.2 do.
func isOldSuite(name string) bool { return strings.Contains(name, "_WITH_") }
