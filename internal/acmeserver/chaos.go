package acmeserver

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/tlswright/tlswright/acme"
)

// Chaos makes a server misbehave as real ones do now and then, so that people can test their clients. The zero value is
// none. Percentages are of requests, 0 to 100.
type Chaos struct {
	RejectNonces    int           // good nonces refused with badNonce
	Unavailable     int           // requests answered with 503 and Retry-After
	TooMany         int           // requests answered with 429 and Retry-After
	Drop            int           // connections closed without an answer
	Slow            time.Duration // at most so long before each answer
	ValidationDelay time.Duration // at most so long before each validation
	FailValidations int           // proofs that are there and not found
	IssueDelay      time.Duration // orders stay in processing so long
	RetryDates      bool          // Retry-After as a date, every second time
	FreshAuthz      bool          // authorizations are never used again
}

// Enabled reports any misbehaviour.
func (c Chaos) Enabled() bool { return c != Chaos{} }

func chance(percent int) bool { return percent > 0 && rand.IntN(100) < percent }

func sleep(ctx context.Context, most time.Duration) {
	if most <= 0 {
		return
	}
	t := time.NewTimer(rand.N(most) + 1)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// meddles answers a request in the place of the server, or delays it.
func (c Chaos) meddles(s *Server, w http.ResponseWriter, r *http.Request) bool {
	if !c.Enabled() {
		return false
	}
	sleep(r.Context(), c.Slow)
	status := 0
	switch {
	case chance(c.Drop):
		if h, ok := w.(http.Hijacker); ok {
			if conn, _, err := h.Hijack(); err == nil {
				_ = conn.Close()
				return true
			}
		}
		status = http.StatusServiceUnavailable
	case chance(c.Unavailable):
		status = http.StatusServiceUnavailable
	case chance(c.TooMany):
		status = http.StatusTooManyRequests
	default:
		return false
	}
	p := acme.NewProblem(acme.RateLimited, "this server misbehaves because it was told to (chaos)")
	if status == http.StatusServiceUnavailable {
		p = acme.NewProblem(acme.ServerInternal, p.Detail)
	}
	p.Status = status
	w.Header().Set("Retry-After", c.retryAfter(time.Second, s.o.Now()))
	s.problem(w, r, nil, p)
	return true
}

func (c Chaos) rejectsNonce() bool          { return chance(c.RejectNonces) }
func (c Chaos) forgetsAuthorizations() bool { return c.FreshAuthz }

// validation delays a validation, and may spoil it.
func (c Chaos) validation(ctx context.Context) *acme.Problem {
	sleep(ctx, c.ValidationDelay)
	if chance(c.FailValidations) {
		return acme.NewProblem(acme.Connection, "the proof was not found, because this server was told so (chaos)")
	}
	return nil
}

func (c Chaos) dawdle(ctx context.Context) { sleep(ctx, c.IssueDelay) }

// impatience divides the time that an answer waits for a certificate: with IssueDelay it does not wait.
func (c Chaos) impatience() time.Duration {
	if c.IssueDelay > 0 {
		return 1000
	}
	return 1
}

// retryAfter writes a time to wait: whole seconds, or, where clients are to be tested, a date as HTTP allows too.
func (c Chaos) retryAfter(d time.Duration, now time.Time) string {
	d = max(d.Round(time.Second), time.Second)
	if c.RetryDates && chance(50) {
		return now.Add(d).UTC().Format(http.TimeFormat)
	}
	return strconv.FormatInt(int64(d/time.Second), 10)
}
