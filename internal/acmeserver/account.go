package acmeserver

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/mail"
	"slices"
	"strconv"
	"strings"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/internal/order"
	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
)

// Bounds on what an account says of itself.
const (
	maxContacts    = 10
	maxContact     = 320 // characters
	ordersPerPage  = 100
	maxBindingText = 8 << 10
)

// accountBody is what the store keeps of an account for us.
type accountBody = order.Account

// Rights narrow what an account may have. They come with the key it is bound by.
type Rights = order.Rights

func decodeBase64(s string) ([]byte, error) { return base64.RawURLEncoding.Strict().DecodeString(s) }

func readAccount(a *store.ACMEAccount) (b accountBody, err error) {
	return b, json.Unmarshal(a.Body, &b)
}

// limits are the directory's policy as the account of a request feels it.
func (q *request) limits() (order.Limits, error) {
	b, err := readAccount(q.account)
	return q.dir.Policy.Narrow(b.Rights.DNS, b.Rights.IP), err
}

func (s *Server) accountReply(q *request, a *store.ACMEAccount, status int) (*reply, *acme.Problem) {
	b, err := readAccount(a)
	if err != nil {
		return nil, s.trouble("read the account", err)
	}
	at := s.accountURL(q.Request, q.dir, a.ID)
	return &reply{status: status, location: at, body: acme.Account{Status: a.Status, Contact: b.Contact, TermsOfServiceAgreed: b.Agreed,
		ExternalAccountBinding: b.Binding, Orders: at + "/orders"}}, nil
}

// newAccount makes an account, or finds the one of the key (RFC 8555, Section 7.3).
func (s *Server) newAccount(q *request) (*reply, *acme.Problem) {
	var n acme.NewAccount
	if problem := q.decode(&n); problem != nil {
		return nil, problem
	}
	known, err := s.o.Store.ACMEAccountOf(q.Context(), q.dir.Name, q.thumbprint)
	if err == nil {
		if known.Status != acme.StatusValid {
			return nil, deactivated("the account of this key is " + known.Status)
		}
		return s.accountReply(q, &known, http.StatusOK)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return nil, s.trouble("look for the account", err)
	}
	if n.OnlyReturnExisting {
		return nil, acme.NewProblem(acme.AccountDoesNotExist, "there is no account of this key")
	}
	if q.dir.Terms != "" && !n.TermsOfServiceAgreed {
		return nil, acme.NewProblem(acme.UserActionRequired, "the terms of service must be agreed to: "+q.dir.Terms)
	}
	if problem := checkContacts(n.Contact); problem != nil {
		return nil, problem
	}
	if problem := s.limits.newAccount(q.Request, s.o.Now()); problem != nil {
		return nil, problem
	}
	body := accountBody{Contact: n.Contact, Agreed: n.TermsOfServiceAgreed}
	kid, problem := s.bind(q, n.ExternalAccountBinding, &body)
	if problem != nil {
		return nil, problem
	}
	return s.makeAccount(q, body, kid)
}

func (s *Server) makeAccount(q *request, body accountBody, kid string) (*reply, *acme.Problem) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, s.trouble("write the account", err)
	}
	key, err := q.key.MarshalJSON()
	if err != nil {
		return nil, s.trouble("write the account", err)
	}
	a := store.ACMEAccount{ID: order.NewID(), Directory: q.dir.Name, Thumbprint: q.thumbprint, Status: acme.StatusValid, Key: key, Body: text, CreatedAt: s.o.Now()}
	err = s.o.Store.AddACMEAccount(q.Context(), a, kid, s.by(a.ID))
	if errors.Is(err, store.ErrTaken) {
		// Made by another request with the same key a moment ago, or the binding was.
		if known, again := s.o.Store.ACMEAccountOf(q.Context(), q.dir.Name, q.thumbprint); again == nil {
			return s.accountReply(q, &known, http.StatusOK)
		}
		return nil, acme.NewProblem(acme.Unauthorized, "the key of the external account binding has been used")
	}
	if err != nil {
		return nil, s.trouble("keep the account", err)
	}
	return s.accountReply(q, &a, http.StatusCreated)
}

// deactivated is the problem of an account that was given up: status 401, not 403 (RFC 8555, Section 7.3.6).
func deactivated(detail string) *acme.Problem {
	p := acme.NewProblem(acme.Unauthorized, detail)
	p.Status = http.StatusUnauthorized
	return p
}

// by is who the audit log names.
func (s *Server) by(account string) store.By {
	return store.By{Actor: "acme account " + account, At: s.o.Now()}
}

// actorOf is who the audit log names for a request.
func (s *Server) actorOf(q *request) string {
	if q.account == nil {
		return "acme, by the certificate's key"
	}
	return s.by(q.account.ID).Actor
}

// checkContacts refuses what nobody can be reached by (RFC 8555, Section 7.3).
func checkContacts(contacts []string) *acme.Problem {
	if len(contacts) > maxContacts {
		return acme.NewProblem(acme.InvalidContact, fmt.Sprintf("%d contacts are more than the %d that are kept", len(contacts), maxContacts))
	}
	for _, c := range contacts {
		address, isMail := strings.CutPrefix(c, "mailto:")
		switch {
		case !isMail:
			return acme.NewProblem(acme.UnsupportedContact, fmt.Sprintf("%q is no mailto: URL", pki.Printable(cut(c, maxContact))))
		case len(c) > maxContact || strings.ContainsAny(address, "?,"):
			return acme.NewProblem(acme.InvalidContact, "a contact has header fields, several addresses, or is too long (RFC 8555, Section 7.3)")
		}
		if parsed, err := mail.ParseAddress(address); err != nil || parsed.Address != address {
			return acme.NewProblem(acme.InvalidContact, fmt.Sprintf("%q is no mail address", pki.Printable(address)))
		}
	}
	return nil
}

func cut(s string, n int) string {
	if len(s) > n {
		return strings.ToValidUTF8(s[:n], "") + "…"
	}
	return s
}

// own checks that a request about an account is its own.
func (q *request) own(id string) *acme.Problem {
	if q.account.ID != id {
		return acme.NewProblem(acme.Unauthorized, "that belongs to another account")
	}
	return nil
}

// account shows, changes or deactivates an account (RFC 8555, Sections 7.3.2 and 7.3.6).
func (s *Server) account(q *request) (*reply, *acme.Problem) {
	if problem := q.own(q.PathValue("id")); problem != nil {
		return nil, problem
	}
	if q.isGet() {
		return s.accountReply(q, q.account, 0)
	}
	var change struct {
		Status  string    `json:"status"`
		Contact *[]string `json:"contact"`
		Agreed  *bool     `json:"termsOfServiceAgreed"`
	}
	if problem := q.decode(&change); problem != nil {
		return nil, problem
	}
	// Any other status is passed over (RFC 8555, Section 7.3.2).
	if change.Status == acme.StatusDeactivated {
		return s.changeAccount(q, "deactivated", func(a *store.ACMEAccount) error { a.Status = acme.StatusDeactivated; return nil })
	}
	if change.Contact != nil {
		if problem := checkContacts(*change.Contact); problem != nil {
			return nil, problem
		}
	}
	return s.changeAccount(q, "changed", func(a *store.ACMEAccount) error {
		b, err := readAccount(a)
		if err != nil {
			return err
		}
		if change.Contact != nil {
			b.Contact = *change.Contact
		}
		b.Agreed = b.Agreed || change.Agreed != nil && *change.Agreed
		a.Body, err = json.Marshal(b)
		return err
	})
}

func (s *Server) changeAccount(q *request, what string, edit func(*store.ACMEAccount) error) (*reply, *acme.Problem) {
	a, err := s.o.Store.ChangeACMEAccount(q.Context(), q.account.ID, edit, what, s.by(q.account.ID))
	if err != nil {
		return nil, s.trouble("change the account", err)
	}
	return s.accountReply(q, &a, 0)
}

// orders lists the orders of an account, page by page (RFC 8555, Section 7.1.2.1).
func (s *Server) orders(q *request) (*reply, *acme.Problem) {
	if problem := q.own(q.PathValue("id")); problem != nil {
		return nil, problem
	}
	after, err := strconv.ParseInt("0"+q.URL.Query().Get("after"), 10, 64)
	if err != nil {
		return nil, malformed("after is no number")
	}
	ids, next, err := s.o.Store.ACMEOrdersOf(q.Context(), q.account.ID, after, ordersPerPage)
	if err != nil {
		return nil, s.trouble("list the orders", err)
	}
	list := acme.Orders{Orders: make([]string, 0, len(ids))}
	for _, id := range ids {
		list.Orders = append(list.Orders, s.url(q.Request, q.dir, "order", id))
	}
	r := &reply{body: list}
	if next > 0 {
		r.links = []string{fmt.Sprintf(`<%s?after=%d>;rel="next"`, s.accountURL(q.Request, q.dir, q.account.ID)+"/orders", next)}
	}
	return r, nil
}

// keyChange gives an account another key (RFC 8555, Section 7.3.5).
func (s *Server) keyChange(q *request) (*reply, *acme.Problem) {
	inner, h, problem := parseJWS(q.payload, algorithms())
	if problem != nil {
		return nil, problem
	}
	if h.JWK == nil || h.KID != nil || h.Nonce != nil {
		return nil, malformed("the inner JWS must have jwk, and neither kid nor nonce")
	}
	if h.URL == nil || *h.URL != q.url {
		return nil, malformed("the url of the inner JWS is not that of the outer")
	}
	key, print, problem := parseKey(h.JWK, string(h.Algorithm))
	if problem != nil {
		return nil, problem
	}
	payload, err := inner.verify(key.Key)
	if err != nil {
		return nil, malformed("the inner signature does not fit the new key")
	}
	var change acme.KeyChange
	if err := json.Unmarshal(payload, &change); err != nil {
		return nil, malformed("the inner payload cannot be read")
	}
	if change.Account != s.accountURL(q.Request, q.dir, q.account.ID) {
		return nil, malformed("the inner payload names another account")
	}
	var old jose.JSONWebKey
	if err := old.UnmarshalJSON(change.OldKey); err != nil {
		return nil, malformed("oldKey is no key")
	}
	if oldPrint, err := old.Thumbprint(acme.ThumbprintHash); err != nil || !slices.Equal(oldPrint, q.account.Thumbprint) {
		return nil, malformed("oldKey is not the account's key")
	}
	text, err := key.MarshalJSON()
	if err != nil {
		return nil, s.trouble("write the key", err)
	}
	moved := errors.New("the key has changed meanwhile")
	a, err := s.o.Store.ChangeACMEAccount(q.Context(), q.account.ID, func(a *store.ACMEAccount) error {
		if !slices.Equal(a.Thumbprint, q.account.Thumbprint) {
			return moved
		}
		a.Key, a.Thumbprint = text, print
		return nil
	}, "has another key", s.by(q.account.ID))
	switch {
	case errors.Is(err, store.ErrTaken):
		return s.keyInUse(q, print)
	case errors.Is(err, moved):
		return nil, malformed(moved.Error())
	case err != nil:
		return nil, s.trouble("change the key", err)
	}
	return s.accountReply(q, &a, 0)
}

// keyInUse tells that another account has the key: 409 and where it is (RFC 8555, Section 7.3.5).
func (s *Server) keyInUse(q *request, print []byte) (*reply, *acme.Problem) {
	other, err := s.o.Store.ACMEAccountOf(q.Context(), q.dir.Name, print)
	if err != nil {
		return nil, s.trouble("find the account of that key", err)
	}
	p := malformed("another account has that key")
	p.Status = http.StatusConflict
	raw, err := json.Marshal(p)
	if err != nil {
		return nil, s.trouble("encode an answer", err)
	}
	return &reply{status: http.StatusConflict, location: s.accountURL(q.Request, q.dir, other.ID), raw: raw, kind: "application/problem+json"}, nil
}
