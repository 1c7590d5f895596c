package scan

import (
	"fmt"
	"strings"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/ciphers"
)

// Logjam (Adrian and others, "Imperfect Forward Secrecy", CCS 2015).
//
// Sent: nothing of its own; the suites and the Diffie-Hellman parameters are known. Concluded: a server that takes an export
// suite with DHE, or sends 512 bits for any, can be attacked as the paper did. A prime of at most 1024 bits that many
// servers use is worth the one computation that breaks them all: a condition.

var logjam = attack{"logjam", "Logjam", []string{"CVE-2015-4000"}, "https://weakdh.org/"}

const (
	breakableDH = 512  // bits that anybody breaks
	stateDH     = 1024 // bits that a state is thought to break
)

func judgeLogjam(f *grade.Facts) grade.Vulnerability {
	isExport := func(p ciphers.Parts) bool {
		return p.IsExport && strings.HasPrefix(p.KeyExchange, "DH") && !strings.Contains(p.Suite.String(), "EXPORT1024")
	}
	export := offered(f, versionsOld, isExport)
	all := offered(f, versionsOld, isFiniteField)
	evidence := export.names
	var shared []string
	for _, d := range f.DH {
		switch {
		case d.Bits <= breakableDH:
			evidence = append(evidence, describeDH(d))
		case d.Bits <= stateDH && d.Known != "":
			shared = append(shared, describeDH(d))
		}
	}
	switch {
	case len(evidence) > 0:
		return logjam.is(grade.Vulnerable, "The server negotiates Diffie-Hellman with 512 bits, which can be broken while the client waits.", evidence...)
	case len(shared) > 0:
		return logjam.is(grade.Potential, "The server uses a prime of at most 1024 bits that many others use: who has broken it once reads all of them.", shared...)
	case !all.sure || len(all.names) > 0 && len(f.DH) == 0:
		return logjam.unknown("Not all suites with Diffie-Hellman could be asked about.")
	case len(all.names) == 0:
		return logjam.is(grade.NotApplicable, "No suite with finite-field Diffie-Hellman is offered.")
	}
	return logjam.is(grade.NotVulnerable, "No export suite with Diffie-Hellman, and no prime in common use of at most 1024 bits.")
}

// isFiniteField reports suites whose key exchange is Diffie-Hellman with a prime.
func isFiniteField(p ciphers.Parts) bool {
	return strings.HasPrefix(p.KeyExchange, "DH")
}

// noSuite matches none.
func noSuite(ciphers.Parts) bool { return false }

// describeDH says in a few words which parameters are meant.
func describeDH(d grade.DH) string {
	const shown = 16
	s := fmt.Sprintf("DH of %d bits, prime %s…", d.Bits, d.Prime[:min(shown, len(d.Prime))])
	if d.Known != "" {
		s += " (" + d.Known + ")"
	}
	return s
}
