package scan

import "github.com/tlswright/tlswright/grade"

// ALPACA: Application Layer Protocol Confusion (Brinkmann and others, USENIX Security 2021).
//
// Sent: hellos with a protocol in ALPN and with a server name that do not exist; questions of the features. Concluded: a server
// that goes on in spite of both can be given connections that were meant for another service with the same certificate. Either
// refusal is enough. Whether there is such a service cannot be seen from here: a condition.

var alpaca = attack{"alpaca", "ALPACA", []string{"CVE-2021-31971"}, "https://alpaca-attack.com/"}

func judgeALPACA(f *grade.Facts) grade.Vulnerability {
	alpn, sni := f.Features.StrictALPN, f.Features.StrictSNI
	switch {
	case alpn == grade.Yes:
		return alpaca.is(grade.NotVulnerable, "A protocol that the server does not speak is refused (ALPN).")
	case sni == grade.Yes:
		return alpaca.is(grade.NotVulnerable, "A name that the server does not have is refused (SNI).")
	case alpn == grade.No && sni == grade.No:
		return alpaca.is(grade.Potential, "The server goes on when it is asked for an unknown protocol and for an unknown name: connections can be led to it that were meant for another service with its certificate.",
			"unknown ALPN protocol: accepted", "unknown server name: accepted")
	}
	return alpaca.unknown("What the server does with an unknown protocol and an unknown name could not be found out.")
}
