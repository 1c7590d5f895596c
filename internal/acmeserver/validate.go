package acmeserver

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/internal/challenge"
	"github.com/tlswright/tlswright/internal/order"
	"github.com/tlswright/tlswright/internal/store"
)

// Most validations are decided while the client waits for the answer. Of those nothing is kept but the outcome: should the
// server die meanwhile, the client gets no answer and asks again. Only what takes longer is kept as begun, with a lease,
// before the client is told so.

// attempts are the validations that run here on clients' behalf, by authorization: one at a time for each.
type attempts struct {
	mu      sync.Mutex
	running map[string]*attempt
}

// attempt is a validation that runs.
type attempt struct {
	challenge string
	begun     time.Time
	done      chan struct{}        // closed at its end
	decided   *order.Authorization // set by then; nil: there is no outcome, or it could not be kept
}

// enter begins an attempt, or finds the one that runs.
func (a *attempts) enter(authorization, challenge string, now time.Time) (one *attempt, isNew bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if one := a.running[authorization]; one != nil {
		return one, false
	}
	one = &attempt{challenge: challenge, begun: now, done: make(chan struct{})}
	a.running[authorization] = one
	return one, true
}

func (a *attempts) leave(authorization string, one *attempt) {
	a.mu.Lock()
	delete(a.running, authorization)
	a.mu.Unlock()
	close(one.done)
}

// attempt has a challenge validated, and waits a moment for the outcome: most are decided by then, and the client need not
// ask again.
func (s *Server) attempt(q *request, a *order.Authorization, row *store.ACMEAuthorization, challengeID string) (*order.Authorization, *acme.Problem) {
	now := s.o.Now()
	if problem := s.limits.validation(q.account.ID, now); problem != nil {
		return nil, problem
	}
	begun, problem := a.Attempt(challengeID, now)
	if problem != nil || !begun {
		return a, problem
	}
	one, isNew := s.attempts.enter(a.ID, challengeID, now)
	switch {
	case isNew:
		task := s.task(a, challengeID, q.account, s.accountURL(q.Request, q.dir, q.account.ID))
		s.work.Go(func() {
			defer s.attempts.leave(a.ID, one)
			one.decided = s.validate(*a, row, challengeID, one.begun, task, q.dir)
		})
	case one.challenge != challengeID:
		return nil, acme.NewProblem(acme.Malformed, "another challenge of the authorization is being validated")
	}
	timer := time.NewTimer(s.o.Patience)
	defer timer.Stop()
	select {
	case <-one.done:
		if one.decided != nil {
			return one.decided, nil
		}
	case <-timer.C:
	case <-q.Context().Done():
	}
	return s.keepAttempt(q, a.ID, one)
}

// keepAttempt notes that a validation has begun, so that whoever lives then goes on with it.
func (s *Server) keepAttempt(q *request, id string, one *attempt) (*order.Authorization, *acme.Problem) {
	return s.changeAuthorization(q, id, func(a *order.Authorization, row *store.ACMEAuthorization) *acme.Problem {
		begun, problem := a.Attempt(one.challenge, one.begun)
		if begun {
			row.DueAt = s.o.Now().Add(lease)
		}
		return problem
	})
}

func (s *Server) task(a *order.Authorization, challengeID string, account *store.ACMEAccount, accountURL string) challenge.Task {
	c := a.Challenge(challengeID)
	return challenge.Task{Identifier: a.Identifier, Wildcard: a.Wildcard, Type: c.Type, Token: c.Token, Thumbprint: account.Thumbprint, AccountURI: accountURL}
}

// validate has a challenge validated and keeps the outcome; nil if that could not be kept: somebody will take it up again,
// or the client will ask again. row is how the authorization was read.
func (s *Server) validate(a order.Authorization, row *store.ACMEAuthorization, challengeID string, begun time.Time, t challenge.Task, d *directory) *order.Authorization {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-s.ctx.Done():
		return nil
	}
	start := time.Now()
	problem := s.o.Chaos.validation(s.ctx)
	if problem == nil {
		problem = s.o.Validator.Validate(s.ctx, t)
	}
	if s.ctx.Err() != nil {
		return nil // cut short by our own end: no outcome
	}
	changed, err := s.keepOutcome(a, row, func(now *order.Authorization, into *store.ACMEAuthorization) {
		// The attempt may not have been kept; if it cannot begin any more, Result finds that the outcome comes too late.
		_, _ = now.Attempt(challengeID, begun)
		at := s.o.Now()
		if now.Result(challengeID, problem, d.Policy.ValidLifetime, at) || now.StatusAt(at) != acme.StatusPending {
			into.DueAt = time.Time{} // else another node has another challenge in hand
		}
	})
	if err != nil {
		s.o.Log.Error("the outcome of a validation could not be kept", "authorization", a.ID, "error", err.Error())
		return nil
	}
	s.o.Meter.Validated(t.Type, problemName(problem), time.Since(start))
	s.limits.validated(a.Account, problem == nil, s.o.Now())
	s.o.Log.Info("validated", "identifier", a.Requested().String(), "by", t.Type, "ok", problem == nil, "account", a.Account)
	return changed
}

// keepOutcome changes an authorization: a, as it was read from a row, if it still is so, which it nearly always is; else as
// it is now.
func (s *Server) keepOutcome(a order.Authorization, from *store.ACMEAuthorization, edit func(*order.Authorization, *store.ACMEAuthorization)) (*order.Authorization, error) {
	to := *from
	a.Challenges = slices.Clone(a.Challenges) // whoever waits still looks at the others
	edit(&a, &to)
	if err := writeAuthorization(&to, &a); err != nil {
		return nil, err
	}
	// Not cut short: half a transaction is of no use to anybody.
	if done, err := s.o.Store.ReplaceACMEAuthorization(context.WithoutCancel(s.ctx), *from, to); err == nil && done {
		return &a, nil
	}
	var changed order.Authorization
	_, err := s.o.Store.ChangeACMEAuthorization(s.ctx, from.ID, func(row *store.ACMEAuthorization) error {
		var err error
		if changed, err = readAuthorization(row); err != nil {
			return err
		}
		edit(&changed, row)
		return writeAuthorization(row, &changed)
	})
	return &changed, err
}
