package acmeserver

import (
	"net"
	"net/http"
	"time"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/internal/order"
	"github.com/tlswright/tlswright/pki"
)

// Meter is told what happens, for metrics. Its methods are called while a client waits: they must not wait themselves.
type Meter interface {
	// Ordered tells that an order has come to a status: pending when it is taken, processing, valid, invalid.
	Ordered(status string)
	// Validated tells the outcome of a validation: the type of the challenge, and the problem, "" for none.
	Validated(challenge, problem string, took time.Duration)
	// Refused tells the type of a problem that a client was told, as "badNonce".
	Refused(problem string)
	// Limited tells which limit a client has hit: account, order or validation.
	Limited(limit string)
}

// unmetered is the meter where nobody measures.
type unmetered struct{}

func (unmetered) Ordered(string)                          {}
func (unmetered) Validated(string, string, time.Duration) {}
func (unmetered) Refused(string)                          {}
func (unmetered) Limited(string)                          {}

// problemName is a problem's type for metrics; "": none.
func problemName(p *acme.Problem) string {
	if p == nil {
		return ""
	}
	return string(p.Kind())
}

// maxAgent bounds what is kept of a User-Agent, in bytes.
const maxAgent = 200

// clientOf says who sent a request.
func clientOf(r *http.Request) order.Client {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = ""
	}
	agent := r.UserAgent()
	return order.Client{Address: host, Agent: pki.Printable(agent[:min(len(agent), maxAgent)])}
}
