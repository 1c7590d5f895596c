package scan

import (
	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/ciphers"
)

// SWEET32: birthday attacks on 64-bit block ciphers (Bhargavan and Leurent, CCS 2016).
//
// Sent: nothing of its own; the suites are known. Concluded: 3DES, DES, IDEA, RC2 and the like repeat a block after some 32
// GB under one key. Whether a connection lives that long cannot be seen from here, so it is a condition and no proof.

var sweet32 = attack{"sweet32", "SWEET32", []string{"CVE-2016-2183", "CVE-2016-6329"}, "https://sweet32.info/"}

func judgeSweet32(f *grade.Facts) grade.Vulnerability {
	return sweet32.bySuites(offered(f, versionsOld, func(p ciphers.Parts) bool { return p.Is64Bit() }), grade.Potential,
		"suites with blocks of 64 bits", "after some 32 GB under one key blocks begin to repeat, and secrets that are sent often can be read")
}
