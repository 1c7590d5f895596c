package scan

import (
	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/ciphers"
)

// Lucky Thirteen (AlFardan and Paterson, IEEE S&P 2013).
//
// Sent: nothing of its own; the suites are known. Concluded: with CBC the MAC is computed over the plain text, and how long
// that takes can tell about the padding. Every library has been hardened since; whether this server's has cannot be
// measured honestly over a network, so it is a condition and no proof. Suites with encrypt-then-MAC (RFC 7366) are out of it.

var lucky13 = attack{"lucky13", "LUCKY13", []string{"CVE-2013-0169"}, "https://www.isg.rhul.ac.uk/tls/Lucky13.html"}

func judgeLucky13(f *grade.Facts) grade.Vulnerability {
	consequence := "a library without the countermeasures of 2013 tells about the padding by the time that it takes"
	if f.Features.EncryptThenMAC == grade.Yes {
		consequence += "; clients with encrypt_then_mac are out of it"
	}
	return lucky13.bySuites(offered(f, versionsOld, func(p ciphers.Parts) bool { return p.Mode == "CBC" && p.MAC != "AEAD" }), grade.Potential,
		"CBC suites", consequence)
}
