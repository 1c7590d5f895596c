package acmeserver

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/issue"
	"github.com/tlswright/tlswright/internal/order"
	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

// finalize takes the request for an order's certificate, and issues it (RFC 8555, Section 7.4).
func (s *Server) finalize(q *request) (*reply, *acme.Problem) {
	var f acme.Finalize
	if problem := q.decode(&f); problem != nil {
		return nil, problem
	}
	l, problem := s.load(q, q.PathValue("id"))
	if problem != nil {
		return nil, problem
	}
	der, err := decodeBase64(f.CSR)
	if err != nil {
		return nil, acme.NewProblem(acme.BadCSR, "csr is no base64url of DER")
	}
	csr, err := pki.ParseCSR(der)
	if err != nil {
		return nil, acme.NewProblem(acme.BadCSR, "the request cannot be read: "+pki.Printable(err.Error()))
	}
	if problem := s.keyOfAccount(q, csr); problem != nil {
		return nil, problem
	}
	limits, err := q.limits()
	if err != nil {
		return nil, s.trouble("read the account", err)
	}
	o, begun, problem := s.begin(q, l, limits, csr)
	if problem != nil {
		return nil, problem
	}
	return s.orderReply(q, s.waitFor(q, o, begun), 0), nil
}

// keyOfAccount refuses a certificate for the key of any account, of any directory (RFC 8555, Section 11.1).
func (s *Server) keyOfAccount(q *request, csr *pki.CSR) *acme.Problem {
	print, err := (&jose.JSONWebKey{Key: csr.Key}).Thumbprint(acme.ThumbprintHash)
	if err != nil {
		return nil // a key of a kind that no account has
	}
	for name := range s.directories {
		_, err := s.o.Store.ACMEAccountOf(q.Context(), name, print)
		if err == nil {
			return acme.NewProblem(acme.BadCSR, "the key is that of an account (RFC 8555, Section 11.1)")
		}
		if !errors.Is(err, store.ErrNotFound) {
			return s.trouble("look for accounts with that key", err)
		}
	}
	return nil
}

// begin makes an order processing, once: of two requests at the same time one finds that it is. The serial number of its
// certificate is reserved by the same transaction.
func (s *Server) begin(q *request, l *loadedOrder, limits order.Limits, csr *pki.CSR) (*order.Order, *authority.Reserved, *acme.Problem) {
	// Looked at before, on what was read: most that is refused needs no transaction.
	o := l.Order
	if problem := limits.Finalize(&o, csr, q.key.Key); problem != nil {
		return nil, nil, problem
	}
	var refused *acme.Problem
	wish := s.wishFor(q.dir, &o, csr, s.validity(&o, q.dir))
	wish.For, wish.Take = o.ID, func(row *store.ACMEOrder) error {
		now, err := readOrder(row)
		if err != nil {
			return err
		}
		now.Observe(l.authorizations, s.o.Now())
		if refused = limits.Finalize(&now, csr, q.key.Key); refused != nil {
			return refused
		}
		o = now
		row.DueAt = s.o.Now().Add(lease)
		return writeOrder(row, &now)
	}
	// Not cut short when the client goes: half a transaction is of no use to anybody.
	begun, err := q.dir.Authority.As(s.by(o.Account).Actor).Reserve(context.WithoutCancel(q.Context()), wish)
	if refused != nil {
		return nil, nil, refused
	}
	if err != nil {
		return nil, nil, s.trouble("keep the order", err)
	}
	s.o.Meter.Ordered(acme.StatusProcessing)
	return &o, begun, nil
}

// waitFor has the certificate issued and waits a moment for it; the order is what it is by then.
func (s *Server) waitFor(q *request, o *order.Order, begun *authority.Reserved) *order.Order {
	done := make(chan *order.Order, 1)
	s.work.Go(func() {
		s.o.Chaos.dawdle(s.ctx)
		issued, err := begun.Issue(s.ctx)
		done <- s.issued(s.ctx, q.dir, *o, issued, err)
	})
	timer := time.NewTimer(max(s.o.Patience, time.Second) / s.o.Chaos.impatience())
	defer timer.Stop()
	select {
	case decided := <-done:
		if decided != nil {
			return decided
		}
	case <-timer.C:
	case <-q.Context().Done():
	}
	return o
}

// issue makes the certificate of a processing order that was left; nil if the outcome could not be kept.
func (s *Server) issue(ctx context.Context, d *directory, o order.Order) *order.Order {
	issued, err := s.makeCertificate(ctx, d, &o, o.ID, s.validity(&o, d))
	return s.issued(ctx, d, o, issued, err)
}

// issued keeps the outcome of an order; nil if that could not be. A certificate and its order were kept together already.
func (s *Server) issued(ctx context.Context, d *directory, o order.Order, issued *authority.Issued, err error) *order.Order {
	if err == nil {
		o.Issued(authority.SerialText(issued.Certificate.SerialNumber))
		s.fresh.keep(o.Serial, freshOne{d.Name, o.Account, issued.Certificate.Raw})
		s.o.Meter.Ordered(acme.StatusValid)
		s.o.Log.Info("issued", "order", o.ID, "serial", o.Serial, "account", o.Account)
		return &o
	}
	if errors.Is(err, store.ErrTaken) {
		return nil // somebody else has issued it
	}
	problem := refusalOf(err)
	if problem == nil {
		s.o.Log.Error("a certificate could not be issued", "order", o.ID, "error", err.Error())
		return nil
	}
	_, err = s.o.Store.ChangeACMEOrder(ctx, o.ID, func(row *store.ACMEOrder) error {
		if row.Status != acme.StatusProcessing {
			return store.ErrTaken
		}
		o.Failed(problem)
		row.DueAt = time.Time{}
		return writeOrder(row, &o)
	})
	if err != nil {
		s.o.Log.Error("the failure of an order could not be kept", "order", o.ID, "error", err.Error())
		return nil
	}
	s.o.Meter.Ordered(acme.StatusInvalid)
	return &o
}

// refusalOf is the problem of a request that can never become a certificate; nil for trouble that may pass.
func refusalOf(err error) *acme.Problem {
	var refused *pki.RefusedError
	var lint *issue.LintError
	if errors.As(err, &refused) || errors.As(err, &lint) {
		return acme.NewProblem(acme.BadCSR, "no sound certificate can be made of that: "+pki.Printable(err.Error()))
	}
	var unlogged *authority.LogsError
	if errors.As(err, &unlogged) {
		// Each attempt leaves a precertificate in public logs: whether there is another one is the client's to say.
		return acme.NewProblem(acme.ServerInternal, "the certificate could not be logged: "+pki.Printable(err.Error()))
	}
	return nil
}

// span is a validity; zero fields leave it to the profile.
type span struct {
	notBefore time.Time
	lifetime  time.Duration
}

// between is a validity with both ends given; the last second counts (RFC 5280, Section 4.1.2.5).
func between(from, to time.Time) span { return span{from, to.Sub(from) + time.Second} }

func (s *Server) validity(o *order.Order, d *directory) span {
	now := s.o.Now().Truncate(time.Second)
	switch {
	case o.Star != nil:
		if _, from, to, ok := o.Star.Due(now); ok {
			return between(from, to)
		}
		return span{o.Star.Start, o.Star.Lifetime}
	case !o.NotAfter.IsZero() && !o.NotBefore.IsZero():
		return between(o.NotBefore, o.NotAfter)
	case !o.NotAfter.IsZero():
		return between(now.Add(-pki.Backdate), o.NotAfter)
	}
	return span{o.NotBefore, d.Policy.Profiles[o.Profile].Lifetime}
}

// makeCertificate issues for an order.
func (s *Server) makeCertificate(ctx context.Context, d *directory, o *order.Order, fulfils string, v span) (*authority.Issued, error) {
	csr, err := pki.ParseCSR(o.CSR)
	if err != nil {
		return nil, err
	}
	wish := s.wishFor(d, o, csr, v)
	wish.For = fulfils
	return d.Authority.As(s.by(o.Account).Actor).Order(ctx, wish)
}

// wishFor is what the authority is asked for: what was proven, and nothing else of the request but its key. Names come from
// the order, usages from the profile (server authentication alone).
func (s *Server) wishFor(d *directory, o *order.Order, csr *pki.CSR, v span) authority.Order {
	req := pki.Request{Profile: pki.ProfileServer, Key: csr.Key, MustStaple: csr.MustStaple, NotBefore: v.notBefore, Lifetime: v.lifetime}
	for _, id := range o.Identifiers {
		req.SANs = append(req.SANs, id.Type+":"+id.Value)
	}
	if !d.Policy.Profiles[o.Profile].NoCommon {
		req.CommonName = commonName(csr, o.Identifiers)
	}
	return authority.Order{Request: req, CSR: o.CSR}
}

// commonName is the one the request asked for, or the first name; none where it would not fit (RFC 5280, Appendix A.1: 64
// characters).
func commonName(csr *pki.CSR, ids []acme.Identifier) string {
	candidates := []string{csr.Subject.CommonName}
	for _, id := range ids {
		candidates = append(candidates, id.Value)
	}
	i := slices.IndexFunc(candidates, func(n string) bool { return n != "" && len(n) <= 64 })
	if i < 0 {
		return ""
	}
	return candidates[i]
}

// takeUpWork goes on with what was left half-done, here or on another node, until the server is closed.
func (s *Server) takeUpWork() {
	tick := time.NewTicker(lookForWork)
	defer tick.Stop()
	for {
		now := s.o.Now()
		authorizations, orders, err := s.o.Store.ClaimACMEWork(s.ctx, now, now.Add(lease), s.o.Validations)
		if err != nil && s.ctx.Err() == nil {
			s.o.Log.Error("work that was left could not be looked for", "error", err.Error())
		}
		for i := range authorizations {
			s.resumeValidation(&authorizations[i])
		}
		for i := range orders {
			s.resumeOrder(&orders[i])
		}
		select {
		case <-tick.C:
		case <-s.draining:
			return
		case <-s.ctx.Done():
			return
		}
	}
}

func (s *Server) resumeValidation(row *store.ACMEAuthorization) {
	a, err := readAuthorization(row)
	if err != nil {
		s.o.Log.Error("an authorization cannot be read", "authorization", row.ID, "error", err.Error())
		return
	}
	account, err := s.o.Store.ACMEAccount(s.ctx, a.Account)
	if err != nil || s.directories[account.Directory] == nil {
		return
	}
	d := s.directories[account.Directory]
	for _, c := range a.Challenges {
		if c.Status == acme.StatusProcessing {
			t := s.task(&a, c.ID, &account, s.o.Base+d.prefix+"/acct/"+account.ID)
			s.work.Go(func() { s.validate(a, row, c.ID, c.Attempted, t, d) })
		}
	}
}

func (s *Server) resumeOrder(row *store.ACMEOrder) {
	o, err := readOrder(row)
	if err != nil {
		s.o.Log.Error("an order cannot be read", "order", row.ID, "error", err.Error())
		return
	}
	account, err := s.o.Store.ACMEAccount(s.ctx, o.Account)
	if err != nil || s.directories[account.Directory] == nil || o.Status != acme.StatusProcessing {
		return
	}
	s.work.Go(func() { s.issue(s.ctx, s.directories[account.Directory], o) })
}

// chainOf gives the chains of a certificate: the usual one first.
func (d *directory) chainOf(leaf []byte) [][][]byte {
	own := [][]byte{leaf}
	for _, c := range d.Authority.Chain {
		own = append(own, c.Raw)
	}
	all := [][][]byte{own}
	for _, alternate := range d.Alternates {
		chain := [][]byte{leaf}
		for _, c := range alternate {
			chain = append(chain, c.Raw)
		}
		all = append(all, chain)
	}
	return all
}

// current is the certificate that a STAR order offers now, made if it is its turn (RFC 8739, Section 3.3).
func (s *Server) current(q *request, o *order.Order) (*reply, *acme.Problem) {
	now := s.o.Now()
	turn, from, to, ok := o.Star.Due(now)
	switch {
	case !o.Star.Canceled.IsZero():
		return nil, acme.NewProblem(acme.AutoRenewalCanceled, "the order was canceled")
	case !ok && now.Before(o.Star.Start), o.Status != acme.StatusValid:
		return nil, notFound("there is no certificate yet")
	case !ok:
		return nil, acme.NewProblem(acme.AutoRenewalExpired, "the order has ended")
	}
	der, err := s.turnCertificate(q.Context(), q.dir, o, turn, between(from, to))
	if err != nil {
		return nil, s.trouble("renew the certificate", err)
	}
	c, err := cert.ParseX509(der)
	if err != nil {
		return nil, s.trouble("read the certificate", err)
	}
	r := certificateReply(q.dir.chainOf(der)[0])
	// In quotes, so that two of them joined by somebody on the way can be told apart (RFC 8739, Section 3.3).
	r.header = map[string]string{"Cert-Not-Before": `"` + c.NotBefore.UTC().Format(http.TimeFormat) + `"`, "Cert-Not-After": `"` + c.NotAfter.UTC().Format(http.TimeFormat) + `"`}
	return r, nil
}

// turnCertificate finds or makes the certificate of one turn. Its serial number stands in the order, so that nobody makes
// it twice.
func (s *Server) turnCertificate(ctx context.Context, d *directory, o *order.Order, turn int64, v span) ([]byte, error) {
	if o.Star.Turn == turn && o.Serial != "" {
		serial, err := authority.ParseSerial(o.Serial)
		if err != nil {
			return nil, err
		}
		record, err := d.Authority.Get(ctx, serial)
		if err != nil {
			return nil, err
		}
		return record.DER, nil
	}
	issued, err := s.makeCertificate(ctx, d, o, "", v)
	if err != nil {
		return nil, err
	}
	var winner []byte
	_, err = s.o.Store.ChangeACMEOrder(ctx, o.ID, func(row *store.ACMEOrder) error {
		if err := json.Unmarshal(row.Body, o); err != nil {
			return err
		}
		o.Status = row.Status
		if o.Star.Turn >= turn && row.Serial != "" {
			return nil
		}
		winner = issued.Certificate.Raw
		o.Star.Turn, o.Serial = turn, authority.SerialText(issued.Certificate.SerialNumber)
		return writeOrder(row, o)
	})
	if err != nil || winner != nil {
		return winner, err
	}
	return issued.Certificate.Raw, nil
}
