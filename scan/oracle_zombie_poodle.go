package scan

import (
	"context"

	"github.com/tlswright/tlswright/grade"
)

// Zombie POODLE (Young 2019).
//
// Sent: two records with wrong padding, one with the right MAC and one with a wrong one. Concluded: a server that says
// different things to them tells whether a MAC is right although the padding is not, which is what POODLE needs to know.

var zombiePOODLE = attack{"zombie-poodle", "Zombie POODLE", []string{"CVE-2019-5592", "CVE-2019-6593"}, "https://www.usenix.org/conference/usenixsecurity19/presentation/merget"}

func judgeZombie(ctx context.Context, q *cbcOracle) (grade.Vulnerability, error) {
	if q.seen[wrongFirst].says(q.seen[wrongBoth]) && !silentEnd(q.seen[wrongFirst], q.seen[wrongBoth]) {
		return q.healthy(zombiePOODLE, wrongBoth)
	}
	took, err := q.takes(ctx, wrongFirst)
	if err != nil {
		return grade.Vulnerability{}, err
	}
	if took {
		return zombiePOODLE.is(grade.NotVulnerable, "In "+q.where()+" the padding is not looked at: see poodle-tls."), nil
	}
	return q.confirmed(ctx, zombiePOODLE, "the answer to wrong padding tells whether the MAC is right.", wrongFirst, wrongBoth)
}

// silentEnd reports whether of two connections on which nothing was said one ended and the other did not: to end it is to
// say something.
func silentEnd(a, b reaction) bool {
	return len(a.Alerts) == 0 && len(b.Alerts) == 0 && !a.Data && !b.Data && a.Other == "" && b.Other == "" && !a.ends(b)
}
