package acmeserver

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/internal/order"
	"github.com/tlswright/tlswright/internal/store"
)

// retryAfter is how long a client is asked to wait for what is not ready: whole seconds, in digits, because some clients
// cannot read dates.
const retryAfter = time.Second

// loadedOrder is an order with its authorizations, brought up to date.
type loadedOrder struct {
	order.Order
	authorizations []order.Authorization
}

func readOrder(row *store.ACMEOrder) (o order.Order, err error) {
	if err := json.Unmarshal(row.Body, &o); err != nil {
		return o, err
	}
	o.Status, o.Serial = row.Status, row.Serial
	return o, nil
}

func writeOrder(row *store.ACMEOrder, o *order.Order) (err error) {
	row.Status, row.ExpiresAt, row.Serial = o.Status, o.Expires, o.Serial
	row.Body, err = json.Marshal(o)
	return err
}

func readAuthorization(row *store.ACMEAuthorization) (a order.Authorization, err error) {
	return a, json.Unmarshal(row.Body, &a)
}

func writeAuthorization(row *store.ACMEAuthorization, a *order.Authorization) (err error) {
	row.ID, row.Account, row.Identifier, row.Status, row.ExpiresAt = a.ID, a.Account, a.Requested().String(), a.Status, a.Expires
	row.Body, err = json.Marshal(a)
	return err
}

// load finds an order of the request's account, as it is now.
func (s *Server) load(q *request, id string) (*loadedOrder, *acme.Problem) {
	row, err := s.o.Store.ACMEOrder(q.Context(), id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound("there is no such order")
	}
	if err != nil {
		return nil, s.trouble("read the order", err)
	}
	if problem := q.own(row.Account); problem != nil {
		return nil, problem
	}
	l := &loadedOrder{}
	if l.Order, err = readOrder(&row); err != nil {
		return nil, s.trouble("read the order", err)
	}
	if l.authorizations, err = s.authorizations(q, l.Authorizations); err != nil {
		return nil, s.trouble("read the authorizations", err)
	}
	l.Observe(l.authorizations, s.o.Now())
	return l, nil
}

func (s *Server) authorizations(q *request, ids []string) ([]order.Authorization, error) {
	rows, err := s.o.Store.ACMEAuthorizations(q.Context(), ids...)
	if err != nil {
		return nil, err
	}
	all := make([]order.Authorization, len(rows))
	for i := range rows {
		if all[i], err = readAuthorization(&rows[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func date(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Truncate(time.Second).Format(time.RFC3339)
}

// orderReply shows an order (RFC 8555, Section 7.1.3).
func (s *Server) orderReply(q *request, o *order.Order, status int) *reply {
	at := func(parts ...string) string { return s.url(q.Request, q.dir, parts...) }
	body := acme.Order{Status: o.Status, Expires: date(o.Expires), Identifiers: o.Identifiers, NotBefore: date(o.NotBefore), NotAfter: date(o.NotAfter),
		Error: o.Error, Finalize: at("order", o.ID, "finalize"), Profile: o.Profile, Replaces: o.Replaces}
	for _, id := range o.Authorizations {
		body.Authorizations = append(body.Authorizations, at("authz", id))
	}
	switch {
	case o.Star != nil:
		body.AutoRenewal = &acme.AutoRenewal{StartDate: date(o.Star.Start), EndDate: date(o.Star.End), Lifetime: int64(o.Star.Lifetime / time.Second),
			LifetimeAdjust: int64(o.Star.Adjust / time.Second), AllowCertificateGet: o.Star.AllowGet}
		if o.Status == acme.StatusValid {
			body.StarCertificate = at("star", o.ID)
		}
	case o.Serial != "":
		body.Certificate = at("cert", o.Serial)
	}
	r := &reply{status: status, location: at("order", o.ID), body: body}
	if o.Status == acme.StatusProcessing {
		r.retry = retryAfter
	}
	return r
}

// newOrder takes an order (RFC 8555, Section 7.4).
func (s *Server) newOrder(q *request) (*reply, *acme.Problem) {
	var n acme.NewOrder
	if problem := q.decode(&n); problem != nil {
		return nil, problem
	}
	limits, err := q.limits()
	if err != nil {
		return nil, s.trouble("read the account", err)
	}
	if problem := s.limits.newOrder(q.account.ID, s.o.Now()); problem != nil {
		return nil, problem
	}
	if problem := s.checkReplaces(q, n); problem != nil {
		return nil, problem
	}
	usable, err := s.usable(q, n.Identifiers)
	if err != nil {
		return nil, s.trouble("look for authorizations", err)
	}
	plan, problem := limits.Plan(q.account.ID, n, usable, s.o.Now())
	if problem != nil {
		return nil, problem
	}
	plan.Order.Client = clientOf(q.Request)
	row := store.ACMEOrder{ID: plan.Order.ID, Account: q.account.ID, CreatedAt: plan.Order.Created}
	if err := writeOrder(&row, &plan.Order); err != nil {
		return nil, s.trouble("write the order", err)
	}
	rows := make([]store.ACMEAuthorization, len(plan.New))
	for i := range plan.New {
		if err := writeAuthorization(&rows[i], &plan.New[i]); err != nil {
			return nil, s.trouble("write the authorizations", err)
		}
	}
	err = s.o.Store.AddACMEOrder(q.Context(), row, rows, n.Replaces)
	if errors.Is(err, store.ErrTaken) {
		return nil, acme.NewProblem(acme.AlreadyReplaced, "another order replaces that certificate")
	}
	if err != nil {
		return nil, s.trouble("keep the order", err)
	}
	s.o.Meter.Ordered(acme.StatusPending)
	// An order of which everything was proven before is ready at once.
	plan.Order.Observe(chosen(plan, usable), s.o.Now())
	return s.orderReply(q, &plan.Order, http.StatusCreated), nil
}

// chosen are the authorizations that a planned order rests on.
func chosen(plan *order.Plan, usable []order.Authorization) []order.Authorization {
	all := make([]order.Authorization, 0, len(plan.Order.Authorizations))
	for _, id := range plan.Order.Authorizations {
		is := func(a order.Authorization) bool { return a.ID == id }
		if i := slices.IndexFunc(plan.New, is); i >= 0 {
			all = append(all, plan.New[i])
		} else if i := slices.IndexFunc(usable, is); i >= 0 {
			all = append(all, usable[i])
		}
	}
	return all
}

// usable finds the authorizations that an order might use again.
func (s *Server) usable(q *request, ids []acme.Identifier) ([]order.Authorization, error) {
	if q.dir.Policy.ValidLifetime < 0 || len(ids) > q.dir.Policy.MaxIdentifiers || s.o.Chaos.forgetsAuthorizations() {
		return nil, nil
	}
	var all []order.Authorization
	for _, id := range ids {
		normal, problem := id.Normalize()
		if problem != nil {
			continue // Plan will say it
		}
		rows, err := s.o.Store.UsableACMEAuthorizations(q.Context(), q.account.ID, normal.String(), s.o.Now())
		if err != nil {
			return nil, err
		}
		for i := range rows {
			a, err := readAuthorization(&rows[i])
			if err != nil {
				return nil, err
			}
			all = append(all, a)
		}
	}
	return all, nil
}

// order shows an order, or cancels its automatic renewal.
func (s *Server) order(q *request) (*reply, *acme.Problem) {
	l, problem := s.load(q, q.PathValue("id"))
	if problem != nil {
		return nil, problem
	}
	if q.isGet() {
		return s.orderReply(q, &l.Order, 0), nil
	}
	var change acme.StatusChange
	if problem := q.decode(&change); problem != nil {
		return nil, problem
	}
	if change.Status != acme.StatusCanceled {
		return nil, malformed("an order cannot be changed, but for canceling its automatic renewal")
	}
	return s.cancel(q, l.ID)
}

// newAuthz makes an authorization without an order (RFC 8555, Section 7.4.1).
func (s *Server) newAuthz(q *request) (*reply, *acme.Problem) {
	var n acme.NewAuthz
	if problem := q.decode(&n); problem != nil {
		return nil, problem
	}
	limits, err := q.limits()
	if err != nil {
		return nil, s.trouble("read the account", err)
	}
	if problem := s.limits.newOrder(q.account.ID, s.o.Now()); problem != nil {
		return nil, problem
	}
	a, problem := limits.Authorize(q.account.ID, n, s.o.Now())
	if problem != nil {
		return nil, problem
	}
	var row store.ACMEAuthorization
	if err := writeAuthorization(&row, a); err != nil {
		return nil, s.trouble("write the authorization", err)
	}
	if err := s.o.Store.AddACMEAuthorization(q.Context(), row); err != nil {
		return nil, s.trouble("keep the authorization", err)
	}
	r := s.authzReply(q, a)
	r.status = http.StatusCreated
	return r, nil
}
