package scan

import (
	"strings"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/ciphers"
)

// FREAK: Factoring RSA Export Keys (Beurdouche and others, "A Messy State of the Union", 2015).
//
// Sent: nothing of its own; the suites are known. Concluded: a server that takes an export suite with RSA signs a
// temporary RSA key of 512 bits, which anybody can factor; a client with the bug can be made to accept it. The later
// export suites with 1024 bits are not counted: their keys cannot be factored in an afternoon.

var freak = attack{"freak", "FREAK", []string{"CVE-2015-0204", "CVE-2015-1637", "CVE-2015-1067"}, "https://mitls.org/pages/attacks/SMACK"}

func judgeFREAK(f *grade.Facts) grade.Vulnerability {
	isExportRSA := func(p ciphers.Parts) bool {
		return p.IsExport && p.KeyExchange == "RSA" && !strings.Contains(p.Suite.String(), "EXPORT1024")
	}
	return freak.bySuites(offered(f, versionsOld, isExportRSA), grade.Vulnerable,
		"export suites with RSA", "it signs keys of 512 bits, and they can be factored for a few dollars")
}
