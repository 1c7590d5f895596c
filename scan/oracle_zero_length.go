package scan

import (
	"context"

	"github.com/tlswright/tlswright/grade"
)

// The oracle of records without content (CVE-2019-1559).
//
// Sent: two records without content, one with a wrong MAC and one with wrong padding. Concluded: a program on OpenSSL
// before 1.0.2r that went on after the first error ended the one connection otherwise than the other, although it said the
// same to records with content. Where it does not even do that, it is one of the other oracles, and named there.

var zeroLength = attack{"zero-length", "0-length padding oracle", []string{"CVE-2019-1559"}, "https://www.openssl.org/news/secadv/20190226.txt"}

func judgeZeroLength(ctx context.Context, q *cbcOracle) (grade.Vulnerability, error) {
	if _, asked := q.seen[emptyWrongMAC]; !asked {
		return zeroLength.is(grade.NotVulnerable, "In "+q.where()+" it was not asked about."), nil
	}
	switch {
	case !q.differ(emptyWrongMAC, emptyWrongPad):
		return zeroLength.is(grade.NotVulnerable, "In "+q.where()+" records without content get the same answer, whatever is wrong: "+q.seen[emptyWrongMAC].String()+"."), nil
	case q.differ(wrongMAC, wrongFirst) || q.differ(wrongMAC, wrongBoth):
		return zeroLength.is(grade.NotVulnerable, "In "+q.where()+" records without content show what those with content show, too."), nil
	}
	return q.confirmed(ctx, zeroLength, "a record without content tells by the answer what is wrong with it.", emptyWrongMAC, emptyWrongPad)
}
