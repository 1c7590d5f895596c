package acmeserver

import (
	"errors"
	"net/http"
	"time"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/internal/order"
	"github.com/tlswright/tlswright/internal/store"
)

// loadAuthorization finds an authorization of the request's account; row is how it was read.
func (s *Server) loadAuthorization(q *request, id string) (a *order.Authorization, row *store.ACMEAuthorization, problem *acme.Problem) {
	rows, err := s.o.Store.ACMEAuthorizations(q.Context(), id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil, notFound("there is no such authorization")
	}
	if err != nil {
		return nil, nil, s.trouble("read the authorization", err)
	}
	if problem := q.own(rows[0].Account); problem != nil {
		return nil, nil, problem
	}
	found, err := readAuthorization(&rows[0])
	if err != nil {
		return nil, nil, s.trouble("read the authorization", err)
	}
	return &found, &rows[0], nil
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
	a, _, problem := s.loadAuthorization(q, q.PathValue("id"))
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
	a, row, problem := s.loadAuthorization(q, q.PathValue("authz"))
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
		if a, problem = s.attempt(q, a, row, id); problem != nil {
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
