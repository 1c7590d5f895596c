package publish

import (
	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/pki/ocsp"
)

// Meter is told of every OCSP answer, for metrics. It must not wait.
type Meter interface {
	// Answered tells what an answer says: "good", "revoked", "unknown", or the status of one that says nothing, as
	// "malformedRequest"; and whether it was kept from before.
	Answered(says string, kept bool)
}

// unmetered is the meter where nobody measures.
type unmetered struct{}

func (unmetered) Answered(string, bool) {}

// saying is what an answer says, for metrics: of several certificates the worst.
func saying(r *authority.OCSPAnswer) string {
	if r.Status != ocsp.Successful {
		return r.Status.String()
	}
	says := ocsp.Good
	for _, s := range r.Singles {
		if s.Status != ocsp.Good && says != ocsp.Revoked {
			says = s.Status
		}
	}
	return says.String()
}
