package scan

import (
	"context"

	"github.com/tlswright/tlswright/grade"
)

// GOLDENDOODLE (Young 2019), Vaudenay's attack of 2002.
//
// Sent: two records with a wrong MAC, one with right padding and one with wrong. Concluded: a server that says different
// things to them tells whether padding is right, whatever the MAC is: an attacker need not guess, and is done sooner.

var goldendoodle = attack{"goldendoodle", "GOLDENDOODLE", []string{"CVE-2019-6593"}, "https://www.usenix.org/conference/usenixsecurity19/presentation/merget"}

func judgeGoldendoodle(ctx context.Context, q *cbcOracle) (grade.Vulnerability, error) {
	if q.seen[wrongMAC].says(q.seen[wrongBoth]) && !silentEnd(q.seen[wrongMAC], q.seen[wrongBoth]) {
		return q.healthy(goldendoodle, wrongBoth)
	}
	return q.confirmed(ctx, goldendoodle, "the answer to a wrong MAC tells whether the padding is right.", wrongMAC, wrongBoth)
}
