package admin

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/order"
	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlsnet"
)

// Bounds of the API.
const (
	maxBody     = 256 << 10 // bytes of a request
	maxRequests = 64        // at a time
	busyPause   = time.Second
	bodyTimeout = 30 * time.Second
	maxPage     = 1000
	usualPage   = 100
)

// Issuer is a CA that the API acts for.
type Issuer struct {
	Name      string
	Directory string // its ACME directory; "": the first
	Authority *authority.Authority
}

// Options say how a server works. Store and Issuers are needed.
type Options struct {
	Store   *store.Store
	Issuers []Issuer // the first is meant where a request names none
	// Hosts are the names and addresses by which requests may call the service, without port (DNS rebinding).
	Hosts []string
	// Profiles are profiles of one's own, by name.
	Profiles map[string]pki.ProfileSpec
	// Renew, if set, is told when a new CRL of an issuer was asked for, so that the one that is kept is given up.
	Renew func(issuer string)
	// Client gives the verified certificate of who asks; nil: that of the TLS connection.
	Client  func(*http.Request) *x509.Certificate
	Metrics *Metrics // served at /metrics, too; nil: none
	Version string
	Now     func() time.Time // nil: time.Now
	Log     *slog.Logger     // nil: nothing is logged
}

// Server answers requests of admins. It is an http.Handler.
type Server struct {
	o       Options
	routes  map[string]map[string]*route // by pattern and method
	mux     *http.ServeMux               // finds the pattern
	names   map[int64]string             // issuers by their number in the store
	slots   chan struct{}
	origin  *http.CrossOriginProtection
	started time.Time
	spec    []byte // the OpenAPI document
}

// New makes a server.
func New(o Options) (*Server, error) {
	if o.Store == nil || len(o.Issuers) == 0 {
		return nil, errors.New("an admin API needs a store and an issuer")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Client == nil {
		o.Client = clientOf
	}
	s := &Server{o: o, routes: make(map[string]map[string]*route), mux: http.NewServeMux(), names: make(map[int64]string),
		slots: make(chan struct{}, maxRequests), origin: http.NewCrossOriginProtection(), started: o.Now()}
	for _, i := range o.Issuers {
		s.names[i.Authority.IssuerID()] = i.Name
	}
	for _, r := range s.table() {
		if s.routes[r.path] == nil {
			s.routes[r.path] = make(map[string]*route)
			s.mux.HandleFunc(r.path, s.serve)
		}
		s.routes[r.path][r.method] = r
	}
	var err error
	if s.spec, err = json.MarshalIndent(s.openAPI(), "", "  "); err != nil {
		return nil, fmt.Errorf("describe the API: %w", err)
	}
	return s, nil
}

// clientOf is the verified certificate of the connection.
func clientOf(r *http.Request) *x509.Certificate {
	info, ok := tlsnet.InfoFromContext(r.Context())
	if !ok || !info.Peer.Verified() {
		return nil
	}
	return info.Peer.Chain[0]
}

// call is one request that was let in.
type call struct {
	*http.Request
	s     *Server
	w     http.ResponseWriter
	admin store.Admin
	query map[string]string // only what the route knows, each once
	body  []byte
}

// by is who the audit log names.
func (c *call) by() store.By { return store.By{Actor: actorOf(c.admin.Name), At: c.s.o.Now()} }

// actorOf is how the audit log names an admin.
func actorOf(name string) string { return "admin " + name }

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	default:
		s.refuse(w, r, "", problem("busy", "try again in a second"))
		return
	}
	if p := s.checkOrigin(r); p != nil {
		s.refuse(w, r, "", p)
		return
	}
	if _, pattern := s.mux.Handler(r); pattern == "" || path.Clean(r.URL.Path) != r.URL.Path {
		// Who is nobody learns not even what there is.
		admin, p := s.identify(r)
		if p == nil {
			p = problem("not-found", "there is nothing at "+pki.Printable(r.URL.Path))
		}
		s.refuse(w, r, admin.Name, p)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// checkOrigin refuses what a web page made a browser send: by a name that is not ours, or from another site.
func (s *Server) checkOrigin(r *http.Request) *Problem {
	host := r.Host
	if name, _, err := net.SplitHostPort(r.Host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	if !slices.ContainsFunc(s.o.Hosts, func(h string) bool { return strings.EqualFold(h, host) }) {
		return problem("host", fmt.Sprintf("%q is none of its names", pki.Printable(host)))
	}
	if err := s.origin.Check(r); err != nil {
		return problem("cross-origin", pki.Printable(err.Error()))
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" {
		return problem("cross-origin", "another site asked the browser to")
	}
	return nil
}

// identify finds who asks.
func (s *Server) identify(r *http.Request) (store.Admin, *Problem) {
	c := s.o.Client(r)
	if c == nil {
		return store.Admin{}, problem("unauthenticated", "a client certificate of the admin CA is needed")
	}
	admin, err := s.o.Store.Admin(r.Context(), sha256.Sum256(c.Raw))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return admin, problem("unauthenticated", fmt.Sprintf("the certificate of %q is not on the list, or no more", pki.Printable(c.Subject.CommonName)))
	case err != nil:
		return admin, problemOf(err)
	case s.o.Now().After(admin.NotAfter):
		return admin, problem("unauthenticated", "the certificate has expired")
	}
	return admin, nil
}

// serve answers a request for something that is there.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	admin, p := s.identify(r)
	if p != nil {
		s.refuse(w, r, "", p)
		return
	}
	methods := s.routes[r.Pattern]
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	at := methods[method]
	if at == nil {
		w.Header().Set("Allow", allowed(methods))
		s.refuse(w, r, admin.Name, problem("method", r.Method+" is not possible here"))
		return
	}
	if at.role != "" && !may(&admin, at.role) {
		s.refuse(w, r, admin.Name, problem("forbidden", fmt.Sprintf("it needs the role %q; %s has %s", at.role, admin.Name, strings.Join(admin.Roles, ", "))))
		return
	}
	c := &call{Request: r, s: s, w: w, admin: admin}
	if p := c.read(at); p != nil {
		s.refuse(w, r, admin.Name, p)
		return
	}
	answer, err := at.run(c)
	if err != nil {
		s.refuse(w, r, admin.Name, problemOf(err))
		return
	}
	s.answer(c, at, answer)
}

// allowed lists methods for the header Allow.
func allowed(methods map[string]*route) string {
	var words []string
	for m := range methods {
		words = append(words, m)
		if m == http.MethodGet {
			words = append(words, http.MethodHead)
		}
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}

// read takes query and body apart, strictly: what is not known is a mistake that the admin should hear of.
func (c *call) read(at *route) *Problem {
	if pki.Printable(c.URL.Path) != c.URL.Path {
		return problem("malformed", "the path holds what cannot be printed")
	}
	values, err := url.ParseQuery(c.URL.RawQuery)
	if err != nil { // what was left out of a query would answer another question, or act on another certificate
		return problem("malformed", "the query cannot be read: "+pki.Printable(err.Error()))
	}
	c.query = make(map[string]string, len(values))
	for name, v := range values {
		if !slices.ContainsFunc(at.query, func(p parameter) bool { return p.name == name }) {
			return problem("malformed", fmt.Sprintf("there is no parameter %q here", pki.Printable(name)))
		}
		if len(v) != 1 {
			return problem("malformed", fmt.Sprintf("%q is given more than once", pki.Printable(name)))
		}
		if pki.Printable(v[0]) != v[0] {
			return problem("malformed", fmt.Sprintf("%q holds what cannot be printed", name))
		}
		c.query[name] = v[0]
	}
	// A client that dribbles does not hold its slot for long. Where there is no connection beneath, there is nothing to set.
	_ = http.NewResponseController(c.w).SetReadDeadline(time.Now().Add(bodyTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(c.w, c.Request.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return problem("too-large", fmt.Sprintf("a request has at most %d bytes", maxBody))
	case err != nil:
		return problem("malformed", "the request broke off")
	case len(body) > 0 && at.body == nil:
		return problem("malformed", "this takes no body")
	case at.body == nil:
		return nil
	}
	if kind, _, err := mime.ParseMediaType(c.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return problem("media-type", "send it as application/json")
	}
	c.body = body
	return nil
}

// decode reads the body into v: one JSON value, without anything that is not known.
func (c *call) decode(v any) error {
	d := json.NewDecoder(bytes.NewReader(c.body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return problem("malformed", pki.Printable(strings.TrimPrefix(err.Error(), "json: ")))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return problem("malformed", "there is something behind the JSON value")
	}
	return nil
}

// raw is an answer that is not JSON.
type raw struct {
	kind string
	body []byte
}

func (s *Server) answer(c *call, at *route, answer any) {
	h := c.w.Header()
	text, kind := []byte(nil), "application/json"
	switch a := answer.(type) {
	case served:
		return
	case nil:
		c.w.WriteHeader(http.StatusNoContent)
		return
	case raw:
		text, kind = a.body, a.kind
	default:
		if next, ok := answer.(paged); ok && next.token() != "" {
			u := *c.URL
			q := u.Query()
			q.Set("after", next.token())
			u.RawQuery = q.Encode()
			h.Set("Link", "<"+u.RequestURI()+`>;rel="next"`)
		}
		var err error
		if text, err = json.Marshal(answer); err != nil {
			s.refuse(c.w, c.Request, c.admin.Name, problem("internal", "the answer cannot be encoded"))
			return
		}
		text = append(text, '\n')
	}
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(text)))
	c.w.WriteHeader(at.successStatus())
	_, _ = c.w.Write(text) // what was done stays done
}

// refuse answers with a problem, and logs it under the same number.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, admin string, p *Problem) {
	p.Instance = "urn:tlswright:request:" + order.NewID()
	level := slog.LevelInfo
	if p.Status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	s.o.Log.Log(context.WithoutCancel(r.Context()), level, "admin request refused", "method", r.Method, "path", r.URL.Path, "admin", admin, "status", p.Status,
		"detail", p.Detail, "from", r.RemoteAddr, "instance", p.Instance)
	s.o.Metrics.denied(strings.TrimPrefix(p.Type, problemPrefix))
	p.send(w)
}
