package acmeserver

import (
	"encoding/json"
	"errors"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/internal/store"
)

// bind checks an external account binding (RFC 8555, Section 7.3.4): a JWS over the account's key, by a MAC key that was
// handed out by another way. kid is its name, to be used up with the account; "" where there is none.
func (s *Server) bind(q *request, raw json.RawMessage, body *accountBody) (kid string, problem *acme.Problem) {
	if len(raw) == 0 || string(raw) == "null" {
		if q.dir.RequireBinding {
			return "", acme.NewProblem(acme.ExternalAccountRequired, "accounts here must be bound to a customer: ask for a key and its name")
		}
		return "", nil
	}
	if len(raw) > maxBindingText {
		return "", malformed("the external account binding is too long")
	}
	inner, h, problem := parseJWS(raw, []jose.SignatureAlgorithm{jose.HS256, jose.HS384, jose.HS512})
	if problem != nil {
		return "", problem
	}
	switch {
	case h.KID == nil || *h.KID == "" || h.JWK != nil || h.Nonce != nil:
		return "", malformed("the external account binding must have kid, and neither jwk nor nonce")
	case h.URL == nil || *h.URL != q.url:
		return "", malformed("the url of the external account binding is not that of the request")
	}
	denied := acme.NewProblem(acme.Unauthorized, "the external account binding is not by a key that is known and unused here")
	b, err := s.o.Store.ACMEBinding(q.Context(), *h.KID)
	if errors.Is(err, store.ErrNotFound) {
		return "", denied
	}
	if err != nil {
		return "", s.trouble("look for the binding", err)
	}
	payload, err := inner.verify(b.Key)
	if err != nil || b.Directory != q.dir.Name || b.Account != "" {
		return "", denied
	}
	var bound jose.JSONWebKey
	if err := bound.UnmarshalJSON(payload); err != nil {
		return "", malformed("the external account binding is not over a key")
	}
	print, err := bound.Thumbprint(acme.ThumbprintHash)
	if err != nil || string(print) != string(q.thumbprint) {
		return "", malformed("the external account binding is over another key than the account's")
	}
	if err := json.Unmarshal(b.Body, &body.Rights); err != nil {
		return "", s.trouble("read the binding", err)
	}
	body.Binding = raw
	return *h.KID, nil
}
