package scan

import (
	"strconv"

	"github.com/tlswright/tlswright/grade"
)

// CRIME: Compression Ratio Info-leak Made Easy (Rizzo and Duong, 2012).
//
// Sent: a hello that offers DEFLATE and LZS beside no compression; a question of the features. Concluded: a server that
// chooses a method will compress, and the lengths of records tell what they hold in common with what an attacker puts in.

var crime = attack{"crime", "CRIME", []string{"CVE-2012-4929"}, "https://www.rfc-editor.org/rfc/rfc7525#section-3.3"}

func judgeCRIME(f *grade.Facts) grade.Vulnerability {
	o := offered(f, versionsOld, noSuite)
	switch {
	case f.Features.Compression == grade.Yes:
		var methods []string
		for _, m := range f.Features.CompressionMethods {
			methods = append(methods, "compression method "+strconv.Itoa(m))
		}
		return crime.is(grade.Vulnerable, "The server compresses at the level of TLS: the length of a record tells about the secrets in it.", methods...)
	case f.Features.Compression == grade.No:
		return crime.is(grade.NotVulnerable, "Compression was offered, and the server did not take it.")
	case !o.any && o.sure:
		return crime.is(grade.NotApplicable, "TLS 1.3 has no compression, and no older version is offered.")
	}
	return crime.unknown("Whether the server compresses could not be found out.")
}
