package scan

import (
	"strings"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/ciphers"
)

// RC4 (AlFardan and others, "On the Security of RC4 in TLS", 2013; Vanhoef and Piessens, "All Your Biases Belong To Us", 2015).
//
// Sent: nothing of its own; the suites are known. Concluded: the key stream of RC4 is biased from its first byte on. A server
// that negotiates it does what RFC 7465, Section 2 forbids.

var rc4Suites = attack{"rc4", "RC4", []string{"CVE-2013-2566", "CVE-2015-2808"}, "https://www.rfc-editor.org/rfc/rfc7465"}

func judgeRC4(f *grade.Facts) grade.Vulnerability {
	return rc4Suites.bySuites(offered(f, versionsOld, func(p ciphers.Parts) bool { return strings.HasPrefix(p.Encryption, "RC4") }), grade.Vulnerable,
		"RC4 suites", "its key stream is biased, and what is sent often can be read (forbidden by RFC 7465)")
}
