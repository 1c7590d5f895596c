package scan

import (
	"strings"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/ciphers"
)

// Raccoon (Merget and others, USENIX Security 2021).
//
// Sent: nothing of its own; the public values that came with suites of finite-field Diffie-Hellman are compared. Concluded:
// before TLS 1.3 the leading zeros of the shared secret are stripped, and the time that takes tells about them. That is worth
// something only if the server uses a key again, or has one for ever (static DH): a condition. The timing is not measured.

var raccoon = attack{"raccoon", "Raccoon", []string{"CVE-2020-1968"}, "https://raccoon-attack.com/"}

func judgeRaccoon(f *grade.Facts) grade.Vulnerability {
	all := offered(f, versionsOld, isFiniteField)
	static := offered(f, versionsOld, func(p ciphers.Parts) bool {
		return strings.HasPrefix(p.KeyExchange, "DH") && !strings.HasPrefix(p.KeyExchange, "DHE") && p.Authentication != "none"
	})
	var reused []string
	isKnown := len(f.DH) > 0
	for _, d := range f.DH {
		isKnown = isKnown && (d.Reused == grade.Yes || d.Reused == grade.No)
		if d.Reused == grade.Yes {
			reused = append(reused, describeDH(d)+": the same public value on two connections")
		}
	}
	switch {
	case len(static.names) > 0:
		return raccoon.is(grade.Potential, "The server takes suites with a Diffie-Hellman key that is always the same.", append(static.names, reused...)...)
	case len(reused) > 0:
		return raccoon.is(grade.Potential, "The server uses its Diffie-Hellman key again: who measures well can learn secrets of other connections.", reused...)
	case !all.sure:
		return raccoon.unknown("Not all suites with Diffie-Hellman could be asked about.")
	case len(all.names) == 0:
		return raccoon.is(grade.NotApplicable, "No suite with finite-field Diffie-Hellman is offered.")
	case !isKnown:
		return raccoon.unknown("Whether the server uses its Diffie-Hellman key again could not be found out.")
	}
	return raccoon.is(grade.NotVulnerable, "The server sends a new public value on each connection.")
}
