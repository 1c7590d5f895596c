package order

import (
	"fmt"
	"time"

	"github.com/tlswright/tlswright/acme"
)

// StatusAt is the authorization's status at a time: a valid one expires, a pending one that was not proven in time is
// invalid (RFC 8555, Section 7.1.6).
func (a *Authorization) StatusAt(now time.Time) string {
	if now.Before(a.Expires) {
		return a.Status
	}
	switch a.Status {
	case acme.StatusPending:
		return acme.StatusInvalid
	case acme.StatusValid:
		return acme.StatusExpired
	}
	return a.Status
}

// Attempt takes the client's word that it is ready to have a challenge validated (RFC 8555, Section 7.5.1). begun tells
// that a validation is to be started now; a second word changes nothing.
func (a *Authorization) Attempt(id string, now time.Time) (begun bool, problem *acme.Problem) {
	c := a.Challenge(id)
	if c == nil {
		return false, acme.NewProblem(acme.Malformed, "there is no such challenge")
	}
	switch status := a.StatusAt(now); status {
	case acme.StatusPending:
	case acme.StatusValid, acme.StatusInvalid:
		if c.Status != acme.StatusPending {
			return false, nil
		}
		return false, acme.NewProblem(acme.Malformed, "the authorization is "+status+" already")
	default:
		return false, acme.NewProblem(acme.Malformed, "the authorization is "+status)
	}
	if c.Status != acme.StatusPending {
		return false, nil
	}
	for i := range a.Challenges {
		if a.Challenges[i].Status == acme.StatusProcessing {
			return false, acme.NewProblem(acme.Malformed, "another challenge of the authorization is being validated")
		}
	}
	c.Status, c.Attempted = acme.StatusProcessing, now
	return true, nil
}

// Result takes the outcome of a validation: problem nil is success. changed is false where it comes too late: the
// authorization has expired or was deactivated meanwhile, or the challenge is decided.
func (a *Authorization) Result(id string, problem *acme.Problem, validFor time.Duration, now time.Time) (changed bool) {
	c := a.Challenge(id)
	if c == nil || c.Status != acme.StatusProcessing || a.StatusAt(now) != acme.StatusPending {
		return false
	}
	if problem != nil {
		c.Status, c.Error = acme.StatusInvalid, problem
		a.Status = acme.StatusInvalid
		return true
	}
	c.Status, c.Validated, c.Error = acme.StatusValid, now, nil
	a.Status = acme.StatusValid
	if validFor > 0 {
		a.Expires = now.Add(validFor)
	}
	return true
}

// Deactivate gives an authorization up (RFC 8555, Section 7.5.2).
func (a *Authorization) Deactivate(now time.Time) *acme.Problem {
	switch status := a.StatusAt(now); status {
	case acme.StatusPending, acme.StatusValid:
		a.Status = acme.StatusDeactivated
		return nil
	case acme.StatusDeactivated:
		return nil
	default:
		return acme.NewProblem(acme.Malformed, "the authorization is "+status+" and cannot be deactivated")
	}
}

// Observe brings an order up to date with its authorizations, in any order, and the time. changed tells that the order
// is to be stored.
func (o *Order) Observe(authorizations []Authorization, now time.Time) (changed bool) {
	switch o.Status {
	case acme.StatusPending, acme.StatusReady:
	default:
		return false
	}
	if !now.Before(o.Expires) {
		return o.fail(acme.NewProblem(acme.Malformed, "the order has expired"))
	}
	valid := 0
	for i := range authorizations {
		a := &authorizations[i]
		switch status := a.StatusAt(now); status {
		case acme.StatusValid:
			valid++
		case acme.StatusPending:
		default:
			return o.fail(a.reason(status))
		}
	}
	if o.Status == acme.StatusPending && valid == len(o.Authorizations) && valid == len(authorizations) {
		o.Status = acme.StatusReady
		return true
	}
	if o.Status == acme.StatusReady && valid != len(o.Authorizations) {
		return o.fail(acme.NewProblem(acme.Unauthorized, "an authorization of the order is not valid any more"))
	}
	return false
}

// reason says why an authorization brings its order down.
func (a *Authorization) reason(status string) *acme.Problem {
	id := a.Requested()
	for _, c := range a.Challenges {
		if c.Error != nil {
			p := *c.Error
			p.Subproblems = append([]acme.Subproblem(nil), p.Subproblems...)
			if len(p.Subproblems) == 0 {
				p.Subproblems = []acme.Subproblem{c.Error.For(id)}
			}
			p.Detail = fmt.Sprintf("%s could not be proven by %s: %s", id.Value, c.Type, c.Error.Detail)
			return &p
		}
	}
	return acme.Join(fmt.Sprintf("the authorization of %s is %s", id.Value, status),
		[]acme.Subproblem{acme.NewProblem(acme.Unauthorized, "the authorization is "+status).For(id)})
}

func (o *Order) fail(p *acme.Problem) bool {
	o.Status, o.Error = acme.StatusInvalid, p
	return true
}

// Issued ends a processing order with its certificate. changed is false if the order is not processing.
func (o *Order) Issued(serial string) (changed bool) {
	if o.Status != acme.StatusProcessing {
		return false
	}
	o.Status, o.Serial = acme.StatusValid, serial
	return true
}

// Failed ends a processing order without one.
func (o *Order) Failed(p *acme.Problem) (changed bool) {
	if o.Status != acme.StatusProcessing {
		return false
	}
	return o.fail(p)
}
