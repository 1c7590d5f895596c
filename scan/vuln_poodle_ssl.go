package scan

import (
	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/ciphers"
)

// POODLE: Padding Oracle On Downgraded Legacy Encryption (Möller, Duong and Kotowicz, "This POODLE Bites", 2014).
//
// Sent: nothing of its own; the suites of SSL 3.0 are known. Concluded: SSL 3.0 with a CBC suite is the flaw itself, for
// the padding of SSL 3.0 is not authenticated and no server can check it (RFC 7568, Section 4).

var poodleSSL = attack{"poodle-ssl", "POODLE (SSL 3.0)", []string{"CVE-2014-3566"}, "https://www.rfc-editor.org/rfc/rfc7568"}

func judgePOODLE(f *grade.Facts) grade.Vulnerability {
	return poodleSSL.bySuites(offered(f, versionSSL30, func(p ciphers.Parts) bool { return p.Mode == "CBC" }), grade.Vulnerable,
		"CBC suites in SSL 3.0", "who can make a browser send requests reads a byte of them in 256 tries")
}
