package acmeserver

import (
	"errors"
	"net/http"
	"time"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/internal/challenge"
	"github.com/tlswright/tlswright/internal/order"
	"github.com/tlswright/tlswright/internal/store"
)

func (s *Server) loadAuthorization(q *request, id string) (*order.Authorization, *acme.Problem) {
	rows, err := s.o.Store.ACMEAuthorizations(q.Context(), id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound("there is no such authorization")
	}
	if err != nil {
		return nil, s.trouble("read the authorization", err)
	}
	if problem := q.own(rows[0].Account); problem != nil {
		return nil, problem
	}
	a, err := readAuthorization(&rows[0])
	if err != nil {
		return nil, s.trouble("read the authorization", err)
	}
	return &a, nil
}

// authzReply shows an authorization (RFC 8555, Section 7.1.4).
func (s *Server) authzReply(q *request, a *order.Authorization) *reply {
	body := acme.Authorization{Identifier: a.Identifier, Status: a.StatusAt(s.o.Now()), Expires: date(a.Expires), Wildcard: a.Wildcard}
	r := &reply{location: s.url(q.Request, q.dir, "authz", a.ID)}
	for i := range a.Challenges {
		c := &a.Challenges[i]
		// Of a decided authorization only the challenge that decided it is of interest (RFC 8555, Section 7.1.4).
		if body.Status != acme.StatusPending && c.Status == acme.StatusPending {
			continue
		}
		if c.Status == acme.StatusProcessing {
			r.retry = retryAfter
		}
		body.Challenges = append(body.Challenges, s.challengeBody(q, a, c))
	}
	r.body = body
	return r
}

func (s *Server) challengeBody(q *request, a *order.Authorization, c *order.Challenge) acme.Challenge {
	body := acme.Challenge{Type: c.Type, URL: s.url(q.Request, q.dir, "chall", a.ID, c.ID), Status: c.Status, Validated: date(c.Validated), Error: c.Error}
	if c.Type == acme.DNSPersist01 {
		body.IssuerDomainNames, body.AccountURI = q.dir.Identities, s.accountURL(q.Request, q.dir, a.Account)
		return body
	}
	body.Token = c.Token
	return body
}

// authz shows an authorization, or gives it up (RFC 8555, Section 7.5.2).
func (s *Server) authz(q *request) (*reply, *acme.Problem) {
	a, problem := s.loadAuthorization(q, q.PathValue("id"))
	if problem != nil {
		return nil, problem
	}
	if q.isGet() {
		return s.authzReply(q, a), nil
	}
	var change acme.StatusChange
	if problem := q.decode(&change); problem != nil {
		return nil, problem
	}
	if change.Status != acme.StatusDeactivated {
		return nil, malformed("the status of an authorization can only become deactivated")
	}
	a, problem = s.changeAuthorization(q, a.ID, func(a *order.Authorization, row *store.ACMEAuthorization) *acme.Problem {
		row.DueAt = time.Time{}
		return a.Deactivate(s.o.Now())
	})
	if problem != nil {
		return nil, problem
	}
	return s.authzReply(q, a), nil
}

// changeAuthorization changes an authorization as it is at that moment.
func (s *Server) changeAuthorization(q *request, id string, edit func(*order.Authorization, *store.ACMEAuthorization) *acme.Problem) (*order.Authorization, *acme.Problem) {
	var changed order.Authorization
	var refused *acme.Problem
	_, err := s.o.Store.ChangeACMEAuthorization(q.Context(), id, func(row *store.ACMEAuthorization) error {
		var err error
		if changed, err = readAuthorization(row); err != nil {
			return err
		}
		if refused = edit(&changed, row); refused != nil {
			return refused
		}
		return writeAuthorization(row, &changed)
	})
	if refused != nil {
		return nil, refused
	}
	if err != nil {
		return nil, s.trouble("change the authorization", err)
	}
	return &changed, nil
}

// challenge shows a challenge, or has it validated (RFC 8555, Section 7.5.1).
func (s *Server) challenge(q *request) (*reply, *acme.Problem) {
	a, problem := s.loadAuthorization(q, q.PathValue("authz"))
	if problem != nil {
		return nil, problem
	}
	id := q.PathValue("id")
	c := a.Challenge(id)
	if c == nil {
		return nil, notFound("there is no such challenge")
	}
	if !q.isGet() {
		var empty map[string]any
		if problem := q.decode(&empty); problem != nil {
			return nil, problem
		}
		if c.Type == acme.DNSPersist01 && len(q.dir.Identities) == 0 {
			return nil, malformed("this CA has no name that a record could carry")
		}
		if a, problem = s.attempt(q, a.ID, id); problem != nil {
			return nil, problem
		}
		c = a.Challenge(id)
	}
	r := &reply{body: s.challengeBody(q, a, c), links: []string{`<` + s.url(q.Request, q.dir, "authz", a.ID) + `>;rel="up"`}}
	if c.Status == acme.StatusProcessing {
		r.retry = retryAfter
	}
	return r, nil
}

// attempt begins a validation, and waits a moment for its outcome: most are decided by then, and the client need not ask
// again.
func (s *Server) attempt(q *request, id, challengeID string) (*order.Authorization, *acme.Problem) {
	now := s.o.Now()
	if problem := s.limits.validation(q.account.ID, now); problem != nil {
		return nil, problem
	}
	begun := false
	a, problem := s.changeAuthorization(q, id, func(a *order.Authorization, row *store.ACMEAuthorization) (p *acme.Problem) {
		if begun, p = a.Attempt(challengeID, now); begun {
			row.DueAt = now.Add(lease)
		}
		return p
	})
	if problem != nil || !begun {
		return a, problem
	}
	task := s.task(a, challengeID, q.account, s.accountURL(q.Request, q.dir, q.account.ID))
	done := make(chan *order.Authorization, 1)
	s.work.Go(func() { done <- s.validate(*a, challengeID, task, q.dir) })
	timer := time.NewTimer(s.o.Patience)
	defer timer.Stop()
	select {
	case decided := <-done:
		if decided != nil {
			return decided, nil
		}
	case <-timer.C:
	case <-q.Context().Done():
	}
	return a, nil
}

func (s *Server) task(a *order.Authorization, challengeID string, account *store.ACMEAccount, accountURL string) challenge.Task {
	c := a.Challenge(challengeID)
	return challenge.Task{Identifier: a.Identifier, Wildcard: a.Wildcard, Type: c.Type, Token: c.Token, Thumbprint: account.Thumbprint, AccountURI: accountURL}
}

// validate has a challenge validated and keeps the outcome; nil if that could not be kept: somebody will take it up again.
func (s *Server) validate(a order.Authorization, challengeID string, t challenge.Task, d *directory) *order.Authorization {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-s.ctx.Done():
		return nil
	}
	begun := time.Now()
	problem := s.o.Chaos.validation(s.ctx)
	if problem == nil {
		problem = s.o.Validator.Validate(s.ctx, t)
	}
	if s.ctx.Err() != nil {
		return nil // cut short by our own end: no outcome
	}
	var changed order.Authorization
	_, err := s.o.Store.ChangeACMEAuthorization(s.ctx, a.ID, func(row *store.ACMEAuthorization) error {
		var err error
		if changed, err = readAuthorization(row); err != nil {
			return err
		}
		changed.Result(challengeID, problem, d.Policy.ValidLifetime, s.o.Now())
		row.DueAt = time.Time{}
		return writeAuthorization(row, &changed)
	})
	if err != nil {
		s.o.Log.Error("the outcome of a validation could not be kept", "authorization", a.ID, "error", err.Error())
		return nil
	}
	s.o.Meter.Validated(t.Type, problemName(problem), time.Since(begun))
	s.limits.validated(a.Account, problem == nil, s.o.Now())
	s.o.Log.Info("validated", "identifier", a.Requested().String(), "by", t.Type, "ok", problem == nil, "account", a.Account)
	return &changed
}

// servesGet answers the resources that may be read without a signature: the certificates of STAR orders that allow it.
func (s *Server) servesGet(w http.ResponseWriter, r *http.Request, d *directory) bool {
	id := r.PathValue("id")
	if id == "" || r.URL.Path != d.prefix+"/star/"+id {
		return false
	}
	row, err := s.o.Store.ACMEOrder(r.Context(), id)
	if err != nil {
		return false
	}
	o, err := readOrder(&row)
	if err != nil || o.Star == nil || !o.Star.AllowGet {
		return false
	}
	answer, problem := s.current(&request{Request: r, dir: d}, &o)
	if problem != nil {
		s.problem(w, r, d, problem)
		return true
	}
	s.answer(w, r, d, answer)
	return true
}
