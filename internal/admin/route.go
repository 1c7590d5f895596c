package admin

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
)

// route is one thing that can be asked of the API. Documentation and service are made of the same table.
type route struct {
	method, path string // the path as http.ServeMux has it, without a method
	role         Role   // that it needs; "": none, but being an admin
	summary      string
	query        []parameter
	body         any    // a value of the type that is read; nil: nothing is sent
	answer       any    // a value of the type that is answered with; nil: nothing
	status       int    // 0: 200
	kind         string // of an answer that is not JSON
	run          func(*call) (any, error)
}

// parameter is one of a query.
type parameter struct {
	name, kind, about string // kind is that of JSON schema
	words             []string
}

func (r *route) successStatus() int {
	switch {
	case r.status != 0:
		return r.status
	case r.answer == nil && r.kind == "":
		return http.StatusNoContent
	}
	return http.StatusOK
}

// table lists everything that can be asked.
func (s *Server) table() []*route {
	get, post := http.MethodGet, http.MethodPost
	return []*route{
		{method: get, path: "/v1/whoami", summary: "Who asks, and what that one may do", answer: Identity{}, run: (*call).whoami},
		{method: get, path: "/v1/status", role: RoleRead, summary: "How the CA is", answer: Status{}, run: (*call).status},
		{method: get, path: "/v1/admins", role: RoleRead, summary: "Who may act over this API", answer: []Identity{}, run: (*call).admins},
		{method: get, path: "/v1/issuers", role: RoleRead, summary: "The issuers, with what is known of their CRLs", answer: []IssuerView{}, run: (*call).issuers},
		{method: get, path: "/v1/issuers/{issuer}", role: RoleRead, summary: "One issuer", answer: IssuerView{}, run: (*call).issuer},
		{method: post, path: "/v1/issuers/{issuer}/crl", role: RoleRevoke, summary: "Make a CRL now", body: CRLOrder{}, answer: []CRLMade{}, status: http.StatusCreated, run: (*call).makeCRL},
		{method: get, path: "/v1/certificates", role: RoleRead, summary: "List or search certificates, the newest first", query: certificateQuery(), answer: page[Certificate]{}, run: (*call).certificates},
		{method: post, path: "/v1/certificates", role: RoleIssue, summary: "Issue a certificate for a request (PKCS #10)", body: IssueOrder{}, answer: Certificate{}, status: http.StatusCreated, run: (*call).issue},
		{method: get, path: "/v1/certificates/{serial}", role: RoleRead, summary: "One certificate, with its chain and where it comes from", query: ofIssuer(), answer: Certificate{}, run: (*call).certificate},
		{method: post, path: "/v1/certificates/{serial}/revoke", role: RoleRevoke, summary: "Revoke it", query: ofIssuer(), body: RevokeOrder{}, answer: Certificate{}, run: (*call).revoke},
		{method: post, path: "/v1/certificates/{serial}/hold", role: RoleRevoke, summary: "Put it on hold: revoked for the time being", query: ofIssuer(), answer: Certificate{}, run: (*call).hold},
		{method: post, path: "/v1/certificates/{serial}/release", role: RoleRevoke, summary: "Take it off hold", query: ofIssuer(), answer: Certificate{}, run: (*call).release},
		{method: get, path: "/v1/accounts", role: RoleRead, summary: "ACME accounts, the newest first", query: accountQuery(), answer: page[Account]{}, run: (*call).accounts},
		{method: get, path: "/v1/accounts/{id}", role: RoleRead, summary: "One ACME account", answer: Account{}, run: (*call).account},
		{method: post, path: "/v1/accounts/{id}/deactivate", role: RoleAccounts, summary: "Deactivate it: it can order nothing any more (status \"revoked\", RFC 8555, Section 7.1.6)", answer: Account{}, run: (*call).deactivate},
		{method: get, path: "/v1/orders", role: RoleRead, summary: "ACME orders, the newest first", query: orderQuery(), answer: page[Order]{}, run: (*call).orders},
		{method: get, path: "/v1/orders/{id}", role: RoleRead, summary: "One ACME order, with its authorizations", answer: Order{}, run: (*call).order},
		{method: get, path: "/v1/bindings", role: RoleRead, summary: "Keys for external account binding, without the keys themselves", answer: []Binding{}, run: (*call).bindings},
		{method: post, path: "/v1/bindings", role: RoleAccounts, summary: "Make a key; it is shown this once", body: BindingOrder{}, answer: Binding{}, status: http.StatusCreated, run: (*call).bind},
		{method: http.MethodDelete, path: "/v1/bindings/{kid}", role: RoleAccounts, summary: "Take a key back; an account that was made with it stays", run: (*call).unbind},
		{method: get, path: "/v1/audit", role: RoleRead, summary: "The audit log, page by page", query: auditQuery(), answer: page[AuditEntry]{}, run: (*call).audit},
		{method: get, path: "/v1/audit/verification", role: RoleRead, summary: "Recompute the chain of the audit log from its beginning", answer: AuditVerdict{}, run: (*call).verifyAudit},
		{method: get, path: "/metrics", role: RoleRead, summary: "Metrics, as Prometheus reads them", kind: "text/plain", run: (*call).metrics},
		{method: get, path: "/openapi.json", summary: "This description", kind: "application/json", run: func(c *call) (any, error) { return raw{"application/json", c.s.spec}, nil }},
	}
}

func pageQuery(more ...parameter) []parameter {
	return append(more, parameter{name: "limit", kind: "integer", about: fmt.Sprintf("how many at most, 1 to %d (%d unless given)", maxPage, usualPage)},
		parameter{name: "after", kind: "string", about: "the field next of the page before"})
}

func ofIssuer() []parameter {
	return []parameter{{name: "issuer", kind: "string", about: "its name, where two issuers have given out the same serial number"}}
}

// page is one page of a list.
type page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"` // to be sent as the parameter after; "": this is the last page
}

// paged is what can have a page behind it.
type paged interface{ token() string }

func (p page[T]) token() string { return p.Next }

// limit reads the size of a page.
func (c *call) limit() (int, error) {
	text, ok := c.query["limit"]
	if !ok {
		return usualPage, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxPage {
		return 0, problem("malformed", fmt.Sprintf("limit is a number from 1 to %d", maxPage))
	}
	return n, nil
}

// afterNumber reads where a page begins that is told by a number.
func (c *call) afterNumber() (int64, error) {
	text, ok := c.query["after"]
	if !ok {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return 0, problem("malformed", "after is not what a page before gave")
	}
	return n, nil
}

// afterPlace is afterNumber where a page is told by time and ID.
func (c *call) afterPlace() (at store.Place, err error) {
	text, ok := c.query["after"]
	if !ok {
		return at, nil
	}
	bad := problem("malformed", "after is not what a page before gave")
	plain, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return at, bad
	}
	millis, id, ok := strings.Cut(string(plain), " ")
	n, err := strconv.ParseInt(millis, 10, 64)
	if !ok || err != nil || id == "" {
		return at, bad
	}
	return store.Place{At: time.UnixMilli(n), ID: id}, nil
}

// placeToken is the reverse of afterPlace.
func placeToken(at time.Time, id string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(at.UnixMilli(), 10) + " " + id))
}

// numbered reads which page is meant where places are numbers.
func (c *call) numbered() (after int64, limit int, err error) {
	if after, err = c.afterNumber(); err != nil {
		return 0, 0, err
	}
	limit, err = c.limit()
	return after, limit, err
}

// placed is numbered where places are times and IDs.
func (c *call) placed() (after store.Place, limit int, err error) {
	if after, err = c.afterPlace(); err != nil {
		return after, 0, err
	}
	limit, err = c.limit()
	return after, limit, err
}

// word reads a parameter that is one of a few.
func (c *call) word(name string, words []string) (string, error) {
	text := c.query[name]
	if text == "" {
		return "", nil
	}
	if slices.Contains(words, text) {
		return text, nil
	}
	return "", problem("malformed", fmt.Sprintf("%s is one of %s, not %q", name, strings.Join(words, ", "), pki.Printable(text)))
}

// moment reads a parameter that is a time.
func (c *call) moment(name string) (time.Time, error) {
	text, ok := c.query[name]
	if !ok {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, problem("malformed", name+" is a time as 2026-01-31 or 2026-01-31T12:00:00Z")
}
