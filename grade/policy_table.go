package grade

import (
	"slices"
	"strings"

	"github.com/tlswright/tlswright/wire"
)

// newestMozilla is the version of Mozilla's guidelines that counts where none is named.
const newestMozilla = "6.0"

// MozillaVersions are the versions of Mozilla's guidelines that are known, the newest first.
func MozillaVersions() []string { return []string{"6.0", "5.8", "5.7"} }

// Policies are the ones that come with the program: Mozilla's levels of a version (empty or unknown: the newest), then NIST's,
// the BSI's and PCI's. Version 6.0 has no level "old"; that of 5.8 stands in for it.
func Policies(mozilla string) []Policy {
	if !slices.Contains(MozillaVersions(), mozilla) {
		mozilla = newestMozilla
	}
	old := mozilla
	if old == "6.0" {
		old = "5.8"
	}
	return []Policy{mozillaModern(mozilla), mozillaIntermediate(mozilla), mozillaOldest(old), nist(), bsi(), pci()}
}

// PolicyByName finds a policy that comes with the program: "mozilla-modern" (of the newest version), "mozilla-old-5.7",
// "nist-sp-800-52r2", "bsi-tr-02102-2", "pci-dss-4"; "modern", "intermediate" and "old" alone mean Mozilla's.
func PolicyByName(name string) (Policy, bool) {
	name = strings.ToLower(strings.TrimSpace(name))
	switch name {
	case "modern", "intermediate", "old":
		name = "mozilla-" + name
	}
	for _, version := range MozillaVersions() {
		for _, p := range Policies(version) {
			if p.Name == name || strings.HasPrefix(p.Name, "mozilla-") && strings.HasPrefix(p.Name, name+"-") && strings.Count(name, "-") == 1 {
				return p, true
			}
		}
	}
	return Policy{}, false
}

// PolicyNames lists the names that PolicyByName knows in full.
func PolicyNames() []string {
	var names []string
	for _, version := range MozillaVersions() {
		for _, p := range Policies(version) {
			if !slices.Contains(names, p.Name) {
				names = append(names, p.Name)
			}
		}
	}
	return names
}

// setSuites sets the suites that may be taken, by number, so that no name has to be looked up for each judgement.
func (p *Policy) setSuites(lists ...[]wire.CipherSuite) {
	p.suites = slices.Concat(lists...)
	p.Suites = make([]string, 0, len(p.suites))
	for _, id := range p.suites {
		p.Suites = append(p.Suites, id.String())
	}
}

// mozillaBase is what all levels of a version have in common.
func mozillaBase(level, version string) Policy {
	p := Policy{
		Name: "mozilla-" + level + "-" + version, Title: "Mozilla " + level + ", version " + version,
		Reference: []string{"Mozilla Server Side TLS " + version},
		Groups:    []string{"x25519", "secp256r1", "secp384r1"}, CertificateCurves: []string{"secp256r1", "secp384r1"},
		MinECBits: 255, HSTSMinAge: 63072000, OCSPStaple: true, NoCompression: true, NoVulnerabilities: true,
		MaxLifetimeDays: 366, MinRSABits: 2048, MinDHBits: 2048,
	}
	if version != "5.7" {
		p.Groups = append([]string{"X25519MLKEM768"}, p.Groups...)
	}
	return p
}

func mozillaModern(version string) Policy {
	p := mozillaBase("modern", version)
	p.Versions, p.RequiredVersions = []string{"TLS 1.3"}, []string{"TLS 1.3"}
	p.setSuites(mozilla13)
	p.CertificateTypes = []string{"ecdsa"}
	p.CertificateSignatures = []string{"ecdsa-with-SHA256", "ecdsa-with-SHA384", "ecdsa-with-SHA512"}
	p.MaxLifetimeDays, p.MinRSABits, p.MinDHBits = 90, 0, 0
	return p
}

func mozillaIntermediate(version string) Policy {
	p := mozillaBase("intermediate", version)
	p.Versions, p.RequiredVersions = []string{"TLS 1.2", "TLS 1.3"}, []string{"TLS 1.3"}
	p.setSuites(mozilla13, mozillaECDHE)
	if version == "5.7" {
		p.setSuites(mozilla13, mozillaECDHE, mozillaDHE)
	}
	p.CertificateTypes = []string{"ecdsa", "rsa"}
	p.CertificateSignatures = []string{"sha256WithRSAEncryption", "ecdsa-with-SHA256", "ecdsa-with-SHA384", "ecdsa-with-SHA512"}
	return p
}

func mozillaOldest(version string) Policy {
	p := mozillaBase("old", version)
	p.Versions, p.RequiredVersions = []string{"TLS 1.0", "TLS 1.1", "TLS 1.2", "TLS 1.3"}, []string{"TLS 1.3"}
	p.setSuites(mozilla13, mozillaECDHE, mozillaOld, mozillaOldRSA)
	if version == "5.7" {
		p.setSuites(mozilla13, mozillaECDHE, mozillaDHE, mozillaOld, mozillaOldDHE, mozillaOldRSA)
		p.MinDHBits = 1024
	}
	p.CertificateTypes = []string{"rsa"}
	p.CertificateSignatures = []string{"sha256WithRSAEncryption"}
	p.ServerOrder = true
	// The level is for clients that cannot do better: what these suites are open to is part of the bargain.
	p.NoVulnerabilities = false
	p.ForbiddenRules = []string{"F2", "F10", "F12-heartbleed", "F12-ccs-injection", "F12-ticketbleed", "F14", "F5"}
	return p
}

// nist is NIST SP 800-52r2 for government servers: TLS 1.2 and, since 2024, 1.3; suites of its section 3.3.1 with ephemeral
// exchange (appendix D phases RSA key transport out).
func nist() Policy {
	p := Policy{
		Name: "nist-sp-800-52r2", Title: "NIST SP 800-52 Revision 2", Reference: []string{"NIST SP 800-52r2, Sections 3.1 to 3.5"},
		Versions: []string{"TLS 1.2", "TLS 1.3"}, RequiredVersions: []string{"TLS 1.2", "TLS 1.3"},
		MinCipherBits: 112, AnyGroup: []string{"secp256r1", "secp384r1"}, CertificateTypes: []string{"rsa", "ecdsa", "dsa"},
		CertificateSignatures: []string{"sha256WithRSAEncryption", "sha384WithRSAEncryption", "sha512WithRSAEncryption", "ecdsa-with-SHA256", "ecdsa-with-SHA384", "ecdsa-with-SHA512", "SHA256-RSAPSS", "SHA384-RSAPSS", "SHA512-RSAPSS"},
		CertificateCurves:     []string{"secp256r1", "secp384r1", "secp521r1"},
		MinRSABits:            2048, MinECBits: 224, MinDHBits: 2048, OCSPStaple: true, NoCompression: true, SecureRenegotiation: true,
		ExtendedMasterSecret: true, NoVulnerabilities: true, Trusted: true,
	}
	p.setSuites(nistSuites)
	return p
}

// bsi is the BSI's TR-02102-2: suites of its tables for TLS 1.2 with forward secrecy and for TLS 1.3; keys of 3000 bits since
// 2024. X25519 is not among its groups.
func bsi() Policy {
	p := Policy{
		Name: "bsi-tr-02102-2", Title: "BSI TR-02102-2", Reference: []string{"BSI TR-02102-2, Sections 3.2 to 3.6"},
		Versions:       []string{"TLS 1.2", "TLS 1.3"},
		ForwardSecrecy: true,
		Groups: []string{"secp256r1", "secp384r1", "secp521r1", "brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1",
			"brainpoolP256r1tls13", "brainpoolP384r1tls13", "brainpoolP512r1tls13", "ffdhe3072", "ffdhe4096"},
		CertificateTypes: []string{"rsa", "ecdsa", "dsa"},
		CertificateSignatures: []string{"sha256WithRSAEncryption", "sha384WithRSAEncryption", "sha512WithRSAEncryption", "ecdsa-with-SHA256",
			"ecdsa-with-SHA384", "ecdsa-with-SHA512", "SHA256-RSAPSS", "SHA384-RSAPSS", "SHA512-RSAPSS"},
		MinRSABits: 3000, MinECBits: 250, MinDHBits: 3000, NoCompression: true, SecureRenegotiation: true, ExtendedMasterSecret: true,
		NoEarlyData: true, NoVulnerabilities: true, Trusted: true,
	}
	p.setSuites(bsiSuites)
	return p
}

// pci is what PCI DSS 4 means by strong cryptography (requirements 2.2.7, 4.2.1 and appendix G), as far as it shows on the
// wire: no early TLS, no suite below the strength of AES-128, trusted and valid certificates, nothing known to be open.
func pci() Policy {
	return Policy{
		Name: "pci-dss-4", Title: "PCI DSS 4.0.1", Reference: []string{"PCI DSS 4.0.1, Requirement 4.2.1"},
		Versions: []string{"TLS 1.2", "TLS 1.3"}, MinCipherBits: 128,
		MinRSABits: 2048, MinECBits: 224, MinDHBits: 2048, NoCompression: true, NoVulnerabilities: true, Trusted: true,
		ForbiddenRules: []string{"B2", "F3", "F4", "F9", "F13", "T-sha1", "weak-key-known"},
	}
}
