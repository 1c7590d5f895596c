package order

import (
	"fmt"
	"slices"
	"time"

	"github.com/tlswright/tlswright/acme"
)

// Plan is a new order with the authorizations that must be kept along with it.
type Plan struct {
	Order Order
	// New are the authorizations that did not exist before.
	New []Authorization
}

// Plan reads a newOrder request. usable are the account's authorizations that may be used again, valid or pending; those
// that do not fit are passed over. The problem names every identifier that is refused (RFC 8555, Section 6.7.1).
func (l Limits) Plan(account string, req acme.NewOrder, usable []Authorization, now time.Time) (*Plan, *acme.Problem) {
	ids, problem := l.identifiers(req.Identifiers)
	if problem != nil {
		return nil, problem
	}
	name, profile, problem := l.policy.profile(req.Profile)
	if problem != nil {
		return nil, problem
	}
	if problem := profile.fits(name, ids); problem != nil {
		return nil, problem
	}
	o := Order{ID: NewID(), Account: account, Status: acme.StatusPending, Identifiers: ids, Created: now, Expires: now.Add(l.policy.OrderLifetime),
		Profile: name, Replaces: req.Replaces}
	if problem := o.dates(req, profile, now); problem != nil {
		return nil, problem
	}
	if o.Star, problem = l.policy.Star.plan(req, now); problem != nil {
		return nil, problem
	}
	plan := &Plan{Order: o}
	for _, id := range ids {
		a, found := reusable(id, usable, o, now)
		if !found {
			if a, problem = l.authorization(account, id, now); problem != nil {
				return nil, problem
			}
			plan.New = append(plan.New, a)
		}
		plan.Order.Authorizations = append(plan.Order.Authorizations, a.ID)
		// An order must not outlive what it rests on (RFC 8555, Section 7.1.3).
		if a.Expires.Before(plan.Order.Expires) {
			plan.Order.Expires = a.Expires
		}
	}
	return plan, nil
}

// Authorize makes the authorization of a newAuthz request (RFC 8555, Section 7.4.1).
func (l Limits) Authorize(account string, req acme.NewAuthz, now time.Time) (*Authorization, *acme.Problem) {
	id, problem := req.Identifier.Normalize()
	if problem != nil {
		return nil, problem
	}
	if _, isWildcard := id.Wildcard(); isWildcard {
		return nil, acme.NewProblem(acme.Malformed, "a wildcard cannot be authorized in advance (RFC 8555, Section 7.4.1)")
	}
	if problem := l.Check(id); problem != nil {
		return nil, problem
	}
	a, problem := l.authorization(account, id, now)
	if problem != nil {
		return nil, problem
	}
	return &a, nil
}

// identifiers checks all identifiers and gives them in normal form, each once.
func (l Limits) identifiers(asked []acme.Identifier) ([]acme.Identifier, *acme.Problem) {
	switch {
	case len(asked) == 0:
		return nil, acme.NewProblem(acme.Malformed, "the order has no identifiers")
	case len(asked) > l.policy.MaxIdentifiers:
		return nil, acme.NewProblem(acme.Malformed, fmt.Sprintf("the order has %d identifiers, more than the %d that are allowed", len(asked), l.policy.MaxIdentifiers))
	}
	var ids []acme.Identifier
	var wrong []acme.Subproblem
	for _, id := range asked {
		normal, problem := id.Normalize()
		if problem == nil {
			problem = l.Check(normal)
		}
		if problem == nil && len(l.policy.challengesFor(withoutStar(normal))) == 0 {
			problem = acme.NewProblem(acme.RejectedIdentifier, "there is no way to prove it here")
		}
		if problem != nil {
			wrong = append(wrong, problem.For(id))
			continue
		}
		if !slices.Contains(ids, normal) {
			ids = append(ids, normal)
		}
	}
	if len(wrong) == 1 && len(asked) == 1 {
		return nil, acme.Join(wrong[0].Detail, wrong)
	}
	if len(wrong) > 0 {
		return nil, acme.Join(fmt.Sprintf("%d of %d identifiers are refused", len(wrong), len(asked)), wrong)
	}
	return ids, nil
}

func withoutStar(id acme.Identifier) (acme.Identifier, bool) { return id.Wildcard() }

// fits says whether a profile has certificates for these identifiers.
func (p Profile) fits(name string, ids []acme.Identifier) *acme.Problem {
	if p.MaxNames > 0 && len(ids) > p.MaxNames {
		return acme.NewProblem(acme.Malformed, fmt.Sprintf("profile %s has room for %d identifiers", name, p.MaxNames))
	}
	if p.NoIP {
		for _, id := range ids {
			if id.Type == acme.TypeIP {
				return acme.NewProblem(acme.RejectedIdentifier, fmt.Sprintf("profile %s has no IP addresses", name))
			}
		}
	}
	return nil
}

// dates takes over the validity that was asked for, within what the profile grants.
func (o *Order) dates(req acme.NewOrder, p Profile, now time.Time) *acme.Problem {
	var err error
	malformed := func(field string) *acme.Problem {
		return acme.NewProblem(acme.Malformed, field+" is no date of RFC 3339")
	}
	if req.NotBefore != "" {
		if o.NotBefore, err = time.Parse(time.RFC3339, req.NotBefore); err != nil {
			return malformed("notBefore")
		}
	}
	if req.NotAfter != "" {
		if o.NotAfter, err = time.Parse(time.RFC3339, req.NotAfter); err != nil {
			return malformed("notAfter")
		}
	}
	start := now
	if !o.NotBefore.IsZero() {
		start = o.NotBefore
	}
	switch {
	case !o.NotBefore.IsZero() && o.NotBefore.Before(now.Add(-time.Hour)):
		return acme.NewProblem(acme.Malformed, "notBefore lies in the past")
	case !o.NotBefore.IsZero() && o.NotBefore.After(now.Add(90*24*time.Hour)):
		return acme.NewProblem(acme.Malformed, "notBefore lies more than 90 days ahead")
	case !o.NotAfter.IsZero() && !o.NotAfter.After(start):
		return acme.NewProblem(acme.Malformed, "notAfter does not lie after notBefore")
	case !o.NotAfter.IsZero() && p.Lifetime > 0 && o.NotAfter.Sub(start) > p.Lifetime:
		return acme.NewProblem(acme.Malformed, fmt.Sprintf("certificates here live for %v at most", p.Lifetime))
	}
	return nil
}

// reusable finds an authorization that spares a new one: of the same identifier, and alive. A valid one is preferred.
func reusable(id acme.Identifier, usable []Authorization, o Order, now time.Time) (Authorization, bool) {
	base, isWildcard := id.Wildcard()
	var found *Authorization
	for i := range usable {
		a := &usable[i]
		if a.Account != o.Account || a.Identifier != base || a.Wildcard != isWildcard {
			continue
		}
		switch a.StatusAt(now.Add(time.Minute)) {
		case acme.StatusValid:
			return *a, true
		case acme.StatusPending:
			if found == nil && !a.attempted() {
				found = a
			}
		}
	}
	if found == nil {
		return Authorization{}, false
	}
	return *found, true
}

// attempted reports a challenge in progress: its outcome may make an authorization invalid that a second order rests on.
func (a *Authorization) attempted() bool {
	return slices.ContainsFunc(a.Challenges, func(c Challenge) bool { return c.Status != acme.StatusPending })
}

// authorization makes a new, pending one.
func (l Limits) authorization(account string, id acme.Identifier, now time.Time) (Authorization, *acme.Problem) {
	base, isWildcard := id.Wildcard()
	types := l.policy.challengesFor(base, isWildcard)
	if len(types) == 0 {
		return Authorization{}, acme.NewProblem(acme.RejectedIdentifier, "there is no way to prove "+id.Value+" here")
	}
	a := Authorization{ID: NewID(), Account: account, Identifier: base, Wildcard: isWildcard, Status: acme.StatusPending,
		Created: now, Expires: now.Add(l.policy.PendingLifetime)}
	for _, t := range types {
		a.Challenges = append(a.Challenges, Challenge{ID: NewID(), Type: t, Token: newToken(), Status: acme.StatusPending})
	}
	return a, nil
}
