package dashboard

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/openapi"
	"github.com/tlswright/tlswright/pki"
)

// apiPath is where the API stands.
const apiPath = "/api/v1/"

// route is one thing that programs can ask for. Description and service are made of the same table.
type route struct {
	method, path string
	summary      string
	query        []parameter
	body         any // a value of the type that is read; nil: nothing is sent
	answer       any // a value of the type that is answered with; nil: nothing
	isWrite      bool
	run          func(*call) (any, error)
}

// parameter is one of a query.
type parameter struct {
	name, kind, about string // kind is that of JSON schema
	words             []string
	isNeeded          bool
}

// apiRoutes lists everything that can be asked.
func apiRoutes() []*route {
	get, post := http.MethodGet, http.MethodPost
	paged := func(more ...parameter) []parameter {
		return append(more, parameter{name: "page", kind: "integer", about: "from 1"}, parameter{name: "limit", kind: "integer", about: "rows of a page, 1 to 1000 (50 unless given)"})
	}
	name := parameter{name: "name", kind: "string", about: "the target's name", isNeeded: true}
	days := parameter{name: "days", kind: "integer", about: "of the last days, 1 to 3650 (90 unless given)"}
	text := parameter{name: "q", kind: "string", about: "part of what is searched for, in any case"}
	return []*route{
		{method: get, path: apiPath + "summary", summary: "Everything at a glance", answer: SummaryView{}, run: (*call).apiSummary},
		{method: get, path: apiPath + "targets", summary: "Targets, the most urgent first", answer: list[TargetView]{}, run: (*call).apiTargets,
			query: paged(text, parameter{name: "state", kind: "string", about: "OK, UNKNOWN, WARNING, ERROR, CRITICAL, EXPIRED; several with commas between"},
				parameter{name: "order", kind: "string", about: "most urgent first unless given", words: orders()[1:]})},
		{method: get, path: apiPath + "target", summary: "One target with what each of its places shows", query: []parameter{name}, answer: TargetInDepth{}, run: (*call).apiTarget},
		{method: get, path: apiPath + "target/days", summary: "Its days, in UTC", query: []parameter{name, days}, answer: []DayView{}, run: (*call).apiDays},
		{method: get, path: apiPath + "target/looks", summary: "Single looks at it, the newest first", query: paged(name), answer: []LookView{}, run: (*call).apiLooks},
		{method: get, path: apiPath + "target/handshake", summary: "The last recorded handshake of one of its places, as \"tlswright trace\" has it",
			query: []parameter{name, {name: "place", kind: "string", about: "as the target lists it", isNeeded: true}}, answer: json.RawMessage{}, run: (*call).apiHandshake},
		{method: get, path: apiPath + "changes", summary: "What has changed, the newest first", answer: []history.Changed{}, run: (*call).apiChanges,
			query: paged(parameter{name: "name", kind: "string", about: "of this target only"}, days)},
		{method: get, path: apiPath + "certificates", summary: "Certificates that were seen, those that end first in front", answer: list[CertificateView]{}, run: (*call).apiCertificates,
			query: paged(text, parameter{name: "source", kind: "string", about: "where it was seen", words: sources()},
				parameter{name: "ended", kind: "string", about: "those that have ended, too", words: []string{"yes"}})},
		{method: get, path: apiPath + "certificate", summary: "One certificate, and who shows it where", answer: CertificateView{}, run: (*call).apiCertificate,
			query: []parameter{{name: "sha256", kind: "string", about: "its fingerprint", isNeeded: true}}},
		{method: get, path: apiPath + "incidents", summary: "Incidents, open ones first", answer: list[IncidentView]{}, run: (*call).apiIncidents,
			query: paged(parameter{name: "all", kind: "string", about: "those that are over, too", words: []string{"yes"}})},
		{method: get, path: apiPath + "incident", summary: "One incident, and what was told of it", answer: IncidentStory{}, run: (*call).apiIncident,
			query: []parameter{{name: "id", kind: "string", about: "of the incident", isNeeded: true}}},
		{method: post, path: apiPath + "incident/acknowledge", summary: "Say that somebody takes care of an open incident", body: AcknowledgeOrder{}, answer: IncidentView{}, isWrite: true, run: (*call).apiAcknowledge},
		{method: get, path: apiPath + "silences", summary: "Silences that are not over", answer: []SilenceView{}, run: (*call).apiSilences},
		{method: post, path: apiPath + "silences", summary: "Keep messages back for a while", body: SilenceOrder{}, answer: SilenceView{}, isWrite: true, run: (*call).apiSilence},
		{method: http.MethodDelete, path: apiPath + "silences/{id}", summary: "End a silence", isWrite: true, run: (*call).apiEndSilence},
		{method: get, path: apiPath + "inventory", summary: "What our own CAs have issued, and where it was seen", answer: list[history.Issued]{}, run: (*call).apiInventory,
			query: paged(text, parameter{name: "standing", kind: "string", about: "what has become of it", words: standings()})},
		{method: get, path: apiPath + "openapi.json", summary: "This description", answer: json.RawMessage{}, run: func(c *call) (any, error) { return json.RawMessage(c.s.spec), nil }},
	}
}

// apiPages makes of routes what is served.
func apiPages(routes []*route) []*page {
	var list []*page
	for _, r := range routes {
		p := &page{method: r.method, path: r.path, isWrite: r.isWrite, run: func(c *call) error { return c.answer(r) }}
		for _, q := range r.query {
			p.query = append(p.query, q.name)
		}
		list = append(list, p)
	}
	return list
}

// answer answers a program.
func (c *call) answer(r *route) error {
	answer, err := r.run(c)
	if err != nil {
		return err
	}
	if answer == nil {
		c.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	text, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	c.sendJSON(http.StatusOK, "application/json", append(text, '\n'))
	return nil
}

func (c *call) sendJSON(status int, kind string, text []byte) {
	h := c.w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(text)))
	c.send(status, text)
}

// Problem is a problem document (RFC 9457).
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	Hint   string `json:"hint,omitempty"` // what to do about it
}

// sendProblem refuses a program.
func (s *Server) sendProblem(w http.ResponseWriter, e *RefusalError) {
	title := http.StatusText(e.Status)
	text, err := json.Marshal(Problem{Type: "urn:tlswright:dashboard:" + strings.ReplaceAll(strings.ToLower(title), " ", "-"), Title: title, Status: e.Status, Detail: e.Text, Hint: e.Hint})
	if err != nil {
		text = []byte(`{"status":500}`) // strings and numbers can always be encoded
	}
	h := w.Header()
	if e.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="tlswright"`)
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(e.Status)
	_, _ = w.Write(text) // nobody to tell
}

// decode reads a JSON document into v: one value, without anything that is not known.
func (c *call) decode(v any) error {
	if kind, _, _ := strings.Cut(c.Header.Get("Content-Type"), ";"); strings.TrimSpace(kind) != "application/json" {
		return refusal(http.StatusUnsupportedMediaType, "send it as application/json", "")
	}
	body, err := c.body()
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return refusal(http.StatusBadRequest, pki.Printable(cut(strings.TrimPrefix(err.Error(), "json: "), 200)), "")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return refusal(http.StatusBadRequest, "there is something behind the JSON value", "")
	}
	return nil
}

// list is one page of a list.
type list[T any] struct {
	Items []T `json:"items"`
	Total int `json:"total"` // in all
	Page  int `json:"page"`
}

// sized reads which page of which size is wanted.
func (c *call) sized() (n int, p history.Page, err error) {
	size, err := number(c.query, "limit", rowsOfPage, 1, maxLimit)
	if err != nil {
		return 0, p, err
	}
	return pageOf(c.query, size)
}

// since reads from when on something is wanted.
func since(q url.Values, now time.Time) (time.Time, error) {
	span, err := number(q, "days", usualDays, 1, maxDays)
	return now.Add(-time.Duration(span) * day), err
}

// openAPI describes the API (OpenAPI 3.1), made of the table that it is served from.
func (s *Server) openAPI() ([]byte, error) {
	paths, schemas := openapi.Object{}, new(openapi.Schemas)
	for _, r := range s.api {
		at, ok := paths[r.path].(openapi.Object)
		if !ok {
			at = openapi.Object{}
			paths[r.path] = at
		}
		at[strings.ToLower(r.method)] = r.describe(schemas)
	}
	schemas.Of(reflect.TypeFor[Problem]())
	return json.MarshalIndent(openapi.Object{
		"openapi": "3.1.0",
		"info": openapi.Object{"title": "tlswright monitor, dashboard API", "version": "1",
			"description": "Reading needs nothing. Changing something needs the dashboard's token, or a client certificate. Refusals are problem documents (RFC 9457). Times are RFC 3339 in UTC."},
		"paths":      paths,
		"components": openapi.Object{"schemas": schemas.Made, "securitySchemes": openapi.Object{"token": openapi.Object{"type": "http", "scheme": "bearer"}, "certificate": openapi.Object{"type": "mutualTLS"}}},
	}, "", "  ")
}

func (r *route) describe(s *openapi.Schemas) openapi.Object {
	words := strings.FieldsFunc(strings.ToLower(r.method)+" "+strings.TrimPrefix(r.path, apiPath), func(c rune) bool { return !unicode.IsLetter(c) })
	d := openapi.Object{"summary": r.summary, "operationId": strings.Join(words, "_")}
	var parameters []any
	for _, segment := range strings.Split(r.path, "/") {
		if name, ok := strings.CutPrefix(segment, "{"); ok {
			parameters = append(parameters, openapi.Object{"name": strings.TrimSuffix(name, "}"), "in": "path", "required": true, "schema": openapi.Object{"type": "string"}})
		}
	}
	for _, p := range r.query {
		schema := openapi.Object{"type": p.kind}
		if p.words != nil {
			schema["enum"] = p.words
		}
		parameters = append(parameters, openapi.Object{"name": p.name, "in": "query", "description": p.about, "required": p.isNeeded, "schema": schema})
	}
	if parameters != nil {
		d["parameters"] = parameters
	}
	if r.body != nil {
		d["requestBody"] = openapi.Object{"required": true, "content": openapi.Object{"application/json": openapi.Object{"schema": s.Of(reflect.TypeOf(r.body))}}}
	}
	status, success := http.StatusNoContent, openapi.Object{}
	if r.answer != nil {
		status = http.StatusOK
		success["content"] = openapi.Object{"application/json": openapi.Object{"schema": s.Of(reflect.TypeOf(r.answer))}}
	}
	success["description"] = http.StatusText(status)
	if r.isWrite {
		d["security"] = []any{openapi.Object{"token": []any{}}, openapi.Object{"certificate": []any{}}}
	}
	d["responses"] = openapi.Object{strconv.Itoa(status): success,
		"default": openapi.Object{"description": "why not", "content": openapi.Object{"application/problem+json": openapi.Object{"schema": openapi.Object{"$ref": openapi.Path + "Problem"}}}}}
	return d
}

// apiPage describes the API for people.
func (c *call) apiPage() error {
	type row struct {
		Method, Path, Summary string
		Query                 []parameterView
		IsWrite               bool
	}
	var rows []row
	for _, r := range c.s.api {
		one := row{Method: r.method, Path: r.path, Summary: r.summary, IsWrite: r.isWrite}
		for _, p := range r.query {
			one.Query = append(one.Query, parameterView{p.name, p.about, strings.Join(p.words, ", "), p.isNeeded})
		}
		rows = append(rows, one)
	}
	return c.show(http.StatusOK, "api", "", "API", rows)
}

// parameterView is a parameter for people.
type parameterView struct {
	Name, About, Words string
	IsNeeded           bool
}
