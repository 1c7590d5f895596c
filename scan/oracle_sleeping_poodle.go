package scan

import (
	"context"

	"github.com/tlswright/tlswright/grade"
)

// Sleeping POODLE (Young 2019).
//
// Sent: what is sent for Zombie POODLE and GOLDENDOODLE. Concluded: a server that says the same to all of them, but ends
// one connection and leaves another open, tells by its silence what those tell by their alerts. There is no public
// definition to the letter; this is ours. Differences in time alone are not measured: over a network they prove nothing.

var sleepingPOODLE = attack{"sleeping-poodle", "Sleeping POODLE", []string{"CVE-2019-6593"}, "https://www.usenix.org/conference/usenixsecurity19/presentation/merget"}

func judgeSleeping(ctx context.Context, q *cbcOracle) (grade.Vulnerability, error) {
	for _, pair := range [][2]string{{wrongFirst, wrongBoth}, {wrongMAC, wrongBoth}} {
		a, b := q.seen[pair[0]], q.seen[pair[1]]
		if !a.says(b) || a.ends(b) || silentEnd(a, b) {
			continue
		}
		return q.confirmed(ctx, sleepingPOODLE, "the server says the same to different damage, but ends one connection and not the other.", pair[0], pair[1])
	}
	return q.healthy(sleepingPOODLE, wrongBoth)
}
