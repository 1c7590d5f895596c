package scan

import (
	"context"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/wire"
)

// The padding oracle of OpenSSL with AES-NI (CVE-2016-2107; Somorovsky 2016).
//
// Sent: a record that is padding from its first byte to its last, right padding, with no room for a MAC. Concluded: a server
// that answers record_overflow has taken the padding off, found less than nothing left and called that too long; a sound
// one says what it says to a wrong MAC.

var cve20162107 = attack{"cve-2016-2107", "OpenSSL padding oracle (AES-NI)", []string{"CVE-2016-2107"}, "https://www.openssl.org/news/secadv/20160503.txt"}

func judge20162107(ctx context.Context, q *cbcOracle) (grade.Vulnerability, error) {
	r, asked := q.seen[nothingButPad]
	switch {
	case !asked:
		return cve20162107.is(grade.NotApplicable, "No AES suite with CBC is offered."), nil
	case !q.differ(nothingButPad, wrongMAC):
		return cve20162107.is(grade.NotVulnerable, "In "+q.where()+" a record of nothing but padding gets the answer that a wrong MAC gets: "+r.String()+"."), nil
	case len(r.Alerts) > 0 && r.Alerts[0].Code == wire.AlertRecordOverflow:
		return q.confirmed(ctx, cve20162107, "a record of nothing but padding is called too long.", nothingButPad, wrongMAC)
	}
	return cve20162107.is(grade.NotVulnerable, "In "+q.where()+" a record of nothing but padding is not called too long, as the flawed library does.", q.evidence(nothingButPad, wrongMAC)...), nil
}
