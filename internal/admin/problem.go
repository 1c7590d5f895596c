package admin

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/tlswright/tlswright/internal/issue"
	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
)

// problemPrefix begins the types of problems.
const problemPrefix = "urn:tlswright:admin:"

// Problem is a problem document (RFC 9457).
type Problem struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail,omitempty"`
	Hint     string `json:"hint,omitempty"`     // what to do about it
	Instance string `json:"instance,omitempty"` // under which the service's log has it
}

// Error gives title and detail.
func (p *Problem) Error() string { return p.Title + ": " + p.Detail }

// problemKind gives status and title of a kind of problem; one that is not listed is trouble of our own.
func problemKind(kind string) (status int, title string) {
	switch kind {
	case "malformed":
		return http.StatusBadRequest, "the request cannot be understood"
	case "unauthenticated":
		return http.StatusForbidden, "the certificate is not that of an admin"
	case "forbidden":
		return http.StatusForbidden, "the admin lacks the role"
	case "cross-origin":
		return http.StatusForbidden, "requests of web pages are not taken"
	case "not-found":
		return http.StatusNotFound, "there is no such thing"
	case "method":
		return http.StatusMethodNotAllowed, "that cannot be done here"
	case "ambiguous", "conflict":
		return http.StatusConflict, "it does not go together with what is on file"
	case "too-large":
		return http.StatusRequestEntityTooLarge, "the request is too large"
	case "media-type":
		return http.StatusUnsupportedMediaType, "requests are JSON"
	case "host":
		return http.StatusMisdirectedRequest, "this service is not known by that name"
	case "refused":
		return http.StatusUnprocessableEntity, "the CA refuses that"
	case "busy":
		return http.StatusServiceUnavailable, "too many requests at a time"
	}
	return http.StatusInternalServerError, "the service could not do it"
}

// problem makes a problem of a kind.
func problem(kind, detail string) *Problem {
	status, title := problemKind(kind)
	return &Problem{Type: problemPrefix + kind, Title: title, Status: status, Detail: detail}
}

// problemOf turns an error into a problem. What is no refusal is trouble of our own, of which the admin learns the text:
// who runs the CA may know what ails it.
func problemOf(err error) *Problem {
	var known *Problem
	var refused *pki.RefusedError
	var lint *issue.LintError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &refused):
		p := problem("refused", pki.Printable(refused.Reason))
		p.Hint = pki.Printable(refused.Hint)
		return p
	case errors.As(err, &lint):
		return problem("refused", pki.Printable(lint.Error()))
	case errors.Is(err, store.ErrNotFound):
		return problem("not-found", "nothing of that name is on file")
	case errors.Is(err, store.ErrTaken):
		return problem("conflict", "that exists already")
	}
	return problem("internal", pki.Printable(err.Error()))
}

// send writes the problem.
func (p *Problem) send(w http.ResponseWriter) {
	text, err := json.Marshal(p)
	if err != nil {
		text = []byte(`{"status":500}`) // strings and numbers can always be encoded
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	if p.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", strconv.Itoa(int(busyPause/time.Second)))
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(text) // nobody to tell
}
