package scan

import (
	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/ciphers"
)

// BEAST: Browser Exploit Against SSL/TLS (Duong and Rizzo, 2011).
//
// Sent: nothing of its own; the suites are known. Concluded: with CBC in TLS 1.0 and SSL 3.0 each record begins where the
// last one ended, so that an attacker knows the initialization vector beforehand (RFC 4346, Section 1.1). Clients have split
// their records against that since 2012, which cannot be seen from here: a condition and no proof.

var beast = attack{"beast", "BEAST", []string{"CVE-2011-3389"}, "https://www.rfc-editor.org/rfc/rfc4346#section-1.1"}

func judgeBEAST(f *grade.Facts) grade.Vulnerability {
	return beast.bySuites(offered(f, versionsCBC1, func(p ciphers.Parts) bool { return p.Mode == "CBC" }), grade.Potential,
		"CBC suites in TLS 1.0 or SSL 3.0", "clients of before 2012, which do not split records, can be attacked")
}
