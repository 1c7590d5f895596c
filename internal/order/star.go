package order

import (
	"fmt"
	"time"

	"github.com/tlswright/tlswright/acme"
)

// StarPolicy bounds certificates that renew themselves (RFC 8739). The zero value: there are none.
type StarPolicy struct {
	MinLifetime time.Duration // of each certificate
	MaxDuration time.Duration // of the whole order
	AllowGet    bool          // certificates may be fetched by GET (RFC 8739, Section 3.4)
}

// Star is an order that renews itself, as it is kept.
type Star struct {
	Start    time.Time     `json:"start,omitzero"`
	End      time.Time     `json:"end"`
	Lifetime time.Duration `json:"lifetime"`
	Adjust   time.Duration `json:"adjust,omitempty"` // how much earlier a certificate begins
	AllowGet bool          `json:"allowGet,omitempty"`
	Canceled time.Time     `json:"canceled,omitzero"`
	Turn     int64         `json:"turn"` // of the certificate that was made last
}

// plan reads what an order says about automatic renewal (RFC 8739, Section 3.1.1).
func (p StarPolicy) plan(req acme.NewOrder, now time.Time) (*Star, *acme.Problem) {
	a := req.AutoRenewal
	if a == nil {
		return nil, nil
	}
	malformed := func(text string) (*Star, *acme.Problem) { return nil, acme.NewProblem(acme.Malformed, text) }
	if p.MaxDuration <= 0 {
		return malformed("there is no automatic renewal here; the directory would say so")
	}
	if req.NotBefore != "" || req.NotAfter != "" {
		return malformed("an order with automatic renewal has no notBefore and notAfter (RFC 8739, Section 3.1.1)")
	}
	const longest = int64(10 * 365 * 24 * 3600) // seconds; above it a duration would not fit
	if a.Lifetime <= 0 || a.Lifetime > longest || a.LifetimeAdjust < 0 || a.LifetimeAdjust > longest {
		return malformed("lifetime and lifetime-adjust are seconds, and none of them may be that long")
	}
	s := &Star{Start: now, Lifetime: time.Duration(a.Lifetime) * time.Second, Adjust: time.Duration(a.LifetimeAdjust) * time.Second,
		AllowGet: a.AllowCertificateGet && p.AllowGet}
	var err error
	if a.StartDate != "" {
		if s.Start, err = time.Parse(time.RFC3339, a.StartDate); err != nil {
			return malformed("start-date is no date of RFC 3339")
		}
	}
	if s.End, err = time.Parse(time.RFC3339, a.EndDate); err != nil {
		return malformed("end-date is no date of RFC 3339")
	}
	switch {
	case s.Lifetime < p.MinLifetime:
		return malformed(fmt.Sprintf("certificates here live for %v at least", p.MinLifetime))
	case !s.End.After(s.Start) || !s.End.After(now):
		return malformed("end-date does not lie ahead")
	case s.End.Sub(s.Start) > p.MaxDuration:
		return malformed(fmt.Sprintf("automatic renewal goes on for %v at most", p.MaxDuration))
	case a.AllowCertificateGet && !p.AllowGet:
		return malformed("certificates cannot be fetched by GET here")
	}
	return s, nil
}

// Due gives the validity of the certificate that must be on offer at a time, the number of its turn, counted from 0, and
// false when there is none: before the start, after the end, or once the order was canceled. Each turn begins when half
// of the one before has passed, so that clients fetch in time (RFC 8739, Section 2.2), and no certificate outlives the
// end of the order.
func (s *Star) Due(now time.Time) (turn int64, notBefore, notAfter time.Time, ok bool) {
	if !s.Canceled.IsZero() || now.Before(s.Start) || !now.Before(s.End) {
		return 0, time.Time{}, time.Time{}, false
	}
	step := max(s.Lifetime/2, time.Second)
	turn = int64(now.Sub(s.Start) / step)
	begin := s.Start.Add(time.Duration(turn) * step)
	end := begin.Add(s.Lifetime)
	if end.After(s.End) {
		end = s.End
	}
	from := begin.Add(-min(s.Adjust, s.Lifetime))
	if turn == 0 {
		from = s.Start // the first must not begin earlier (RFC 8739, Section 3.5)
	}
	return turn, from, end, true
}

// Cancel ends the renewal (RFC 8739, Section 3.1.2).
func (o *Order) Cancel(now time.Time) *acme.Problem {
	switch {
	case o.Star == nil:
		return acme.NewProblem(acme.Malformed, "the order has no automatic renewal")
	case o.Status != acme.StatusValid:
		return acme.NewProblem(acme.AutoRenewalCancelInvalid, "the order is "+o.Status)
	}
	o.Star.Canceled, o.Status = now, acme.StatusCanceled
	return nil
}
