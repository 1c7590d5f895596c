package authority

import (
	"time"

	"github.com/tlswright/tlswright/pki/crl"
)

// Meter is told what an authority does, for metrics. Its methods are called while somebody waits: they must not wait
// themselves.
type Meter interface {
	// Issued tells that a certificate was issued, and by which profile.
	Issued(profile string)
	// NotIssued tells that a request was refused, or could not be fulfilled.
	NotIssued(profile string)
	// Revoked tells that a certificate was revoked, or put on hold.
	Revoked(reason crl.Reason)
	// Signed tells that something was signed that is no certificate: "crl", "delta", "ocsp", "set".
	Signed(what string)
	// Submitted tells the outcome of showing a precertificate to a log.
	Submitted(log string, took time.Duration, err error)
}

// unmetered is the meter where nobody measures.
type unmetered struct{}

func (unmetered) Issued(string)                          {}
func (unmetered) NotIssued(string)                       {}
func (unmetered) Revoked(crl.Reason)                     {}
func (unmetered) Signed(string)                          {}
func (unmetered) Submitted(string, time.Duration, error) {}
