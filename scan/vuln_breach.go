package scan

import (
	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/pki"
)

// BREACH: Browser Reconnaissance and Exfiltration via Adaptive Compression of Hypertext (Gluck, Harris and Prado, 2013).
//
// Sent: the request for "/" with an Accept-Encoding; a question of the HTTP part. Concluded: if the page comes compressed, one
// of the three conditions is there. The others - the page repeats what the request says, and has a secret - cannot be seen
// from here: a hint and no proof.

var breach = attack{"breach", "BREACH", []string{"CVE-2013-3587"}, "https://www.breachattack.com/"}

func judgeBREACH(f *grade.Facts) grade.Vulnerability {
	switch {
	case f.HTTP == nil:
		return breach.is(grade.NotApplicable, "The server was not asked for a page.")
	case f.HTTP.Status == 0:
		return breach.unknown("The server gave no page.")
	case f.HTTP.ContentEncoding != "" && f.HTTP.ContentEncoding != "identity":
		return breach.is(grade.Potential, "The page comes compressed: if it repeats what a request says and has a secret in it, its length tells about the secret.",
			"Content-Encoding: "+pki.Printable(f.HTTP.ContentEncoding))
	}
	return breach.is(grade.NotVulnerable, "The page came without compression, though it was offered.")
}
