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

// problemKinds gives status and title of each kind of problem.
func problemKinds() map[string]Problem {
	return map[string]Problem{
		"malformed":       {Status: http.StatusBadRequest, Title: "the request cannot be understood"},
		"unauthenticated": {Status: http.StatusForbidden, Title: "the certificate is not that of an admin"},
		"forbidden":       {Status: http.StatusForbidden, Title: "the admin lacks the role"},
		"cross-origin":    {Status: http.StatusForbidden, Title: "requests of web pages are not taken"},
		"not-found":       {Status: http.StatusNotFound, Title: "there is no such thing"},
		"method":          {Status: http.StatusMethodNotAllowed, Title: "that cannot be done here"},
		"ambiguous":       {Status: http.StatusConflict, Title: "it does not go together with what is on file"},
		"conflict":        {Status: http.StatusConflict, Title: "it does not go together with what is on file"},
		"too-large":       {Status: http.StatusRequestEntityTooLarge, Title: "the request is too large"},
		"media-type":      {Status: http.StatusUnsupportedMediaType, Title: "requests are JSON"},
		"host":            {Status: http.StatusMisdirectedRequest, Title: "this service is not known by that name"},
		"refused":         {Status: http.StatusUnprocessableEntity, Title: "the CA refuses that"},
		"busy":            {Status: http.StatusServiceUnavailable, Title: "too many requests at a time"},
	}
}

// problem makes a problem of a kind; one that is not listed is trouble of our own.
func problem(kind, detail string) *Problem {
	p, ok := problemKinds()[kind]
	if !ok {
		p = Problem{Status: http.StatusInternalServerError, Title: "the service could not do it"}
	}
	p.Type, p.Detail = problemPrefix+kind, detail
	return &p
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
