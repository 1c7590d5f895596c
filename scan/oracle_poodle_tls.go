package scan

import (
	"context"

	"github.com/tlswright/tlswright/grade"
)

// POODLE against TLS (Langley 2014).
//
// Sent: a request with the right MAC and padding of which one byte is wrong, the first or the last one. Concluded: a server
// that answers the request does not look at all bytes of the padding, which TLS lays down, and what POODLE does to SSL 3.0
// works there, too. Where it says nothing, neither to this nor to a request in order, what it does at a goodbye decides.

var poodleTLS = attack{"poodle-tls", "POODLE (TLS)", []string{"CVE-2014-8730"}, "https://www.imperialviolet.org/2014/12/08/poodleagain.html"}

func judgePOODLETLS(ctx context.Context, q *cbcOracle) (grade.Vulnerability, error) {
	for _, way := range []string{wrongFirst, wrongLast} {
		if _, asked := q.seen[way]; !asked {
			continue
		}
		took, err := q.takes(ctx, way)
		if err != nil {
			return grade.Vulnerability{}, err
		}
		if took {
			return q.confirmed(ctx, poodleTLS, "a record with wrong padding is taken for right.", wrongMAC, way)
		}
	}
	return poodleTLS.is(grade.NotVulnerable, "In "+q.where()+" records with wrong padding are refused: "+q.seen[wrongFirst].String()+"."), nil
}

// takes reports whether a damaged record is taken for right.
func (q *cbcOracle) takes(ctx context.Context, way string) (bool, error) {
	r := q.seen[way]
	switch {
	case !q.differ(way, wrongMAC):
		return false, nil
	case r.Data:
		return true, nil
	case r.Farewell == nil:
		return false, nil
	}
	if err := q.all(ctx, undamaged); err != nil {
		return false, err
	}
	return r.same(q.seen[undamaged]), nil
}
