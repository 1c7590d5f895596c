package dashboard

import (
	"errors"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/pki"
)

// Bounds on requests.
const (
	maxRequests = 64       // at a time; each may read in the database
	maxQuery    = 4 << 10  // bytes of a query
	maxBody     = 16 << 10 // bytes of a form or a JSON document
	bodyTimeout = 10 * time.Second
	readTimeout = 20 * time.Second // for what a page reads in the database
)

// Options say what a dashboard shows, and to whom. Source is needed, and Names.
type Options struct {
	Source Source
	Keeper Keeper // nil: nothing can be changed
	HasCA  bool   // there is a CA of our own, whose inventory is shown
	// Pulse tells how the monitor keeps time; nil: it runs elsewhere.
	Pulse func() Pulse
	// Names are the names and addresses by which requests may call the dashboard, without port: a page elsewhere cannot have a
	// browser read it under a name of its own (DNS rebinding).
	Names []string
	// Token is what who may change things brings; empty: nobody can by a token. At least [MinToken] characters.
	Token string
	// IsTLS says that it is served over TLS: cookies are for TLS alone then.
	IsTLS bool
	// HasClients says that client certificates are asked for; who shows one may change things.
	HasClients bool
	// Client names who has shown a client certificate that was verified; nil, or "": nobody has.
	Client  func(*http.Request) string
	Version string
	Now     func() time.Time // nil: time.Now
	Log     *slog.Logger     // nil: nothing is logged
}

// Server is a dashboard. It is an http.Handler.
type Server struct {
	o        Options
	mux      *http.ServeMux              // finds the pattern
	pages    map[string]map[string]*page // by pattern and method
	allow    map[string][]string         // methods by pattern
	api      []*route
	views    map[string]*template.Template
	files    map[string]*file
	slots    chan struct{}
	origin   *http.CrossOriginProtection
	sessions *sessions
	spec     []byte // the OpenAPI document
}

// page is something a browser asks for: one pattern and method.
type page struct {
	method, path string
	query        []string // parameters that it knows
	isWrite      bool     // only for who may change things
	isForm       bool     // a form comes with it
	run          func(*call) error
}

// New makes a dashboard.
func New(o Options) (*Server, error) {
	if o.Source == nil || len(o.Names) == 0 {
		return nil, errors.New("a dashboard needs a source and names")
	}
	if o.Token != "" {
		if err := CheckToken(o.Token); err != nil {
			return nil, err
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Client == nil {
		o.Client = func(*http.Request) string { return "" }
	}
	s := &Server{o: o, mux: http.NewServeMux(), pages: make(map[string]map[string]*page), allow: make(map[string][]string), slots: make(chan struct{}, maxRequests),
		origin: http.NewCrossOriginProtection(), sessions: newSessions(o.Token)}
	var err error
	if s.views, err = readViews(); err != nil {
		return nil, err
	}
	if s.files, err = readFiles(); err != nil {
		return nil, err
	}
	s.api = apiRoutes()
	if s.spec, err = s.openAPI(); err != nil {
		return nil, err
	}
	for _, p := range slices.Concat(browserPages(), apiPages(s.api)) {
		if s.pages[p.path] == nil {
			s.pages[p.path] = make(map[string]*page)
			s.mux.HandleFunc(p.path, s.serve)
		}
		s.pages[p.path][p.method] = p
		s.allow[p.path] = append(s.allow[p.path], p.method)
		if p.method == http.MethodGet {
			s.allow[p.path] = append(s.allow[p.path], http.MethodHead)
		}
	}
	return s, nil
}

// browserPages lists what people see and send. What a list takes is in query.go.
func browserPages() []*page {
	get, post := http.MethodGet, http.MethodPost
	return []*page{
		{method: get, path: "/{$}", run: (*call).overview},
		{method: get, path: "/targets", query: []string{"q", "state", "order", "page"}, run: (*call).targets},
		{method: get, path: "/target", query: []string{"name", "days"}, run: (*call).target},
		{method: get, path: "/target/handshake", query: []string{"name", "place"}, run: (*call).handshake},
		{method: get, path: "/certificates", query: []string{"q", "source", "ended", "page"}, run: (*call).certificates},
		{method: get, path: "/certificate", query: []string{"sha256"}, run: (*call).certificate},
		{method: get, path: "/incidents", query: []string{"all", "page"}, run: (*call).incidents},
		{method: get, path: "/incident", query: []string{"id"}, run: (*call).incident},
		{method: get, path: "/inventory", query: []string{"q", "standing", "page"}, run: (*call).inventory},
		{method: get, path: "/api", run: (*call).apiPage},
		{method: get, path: "/help", run: (*call).help},
		{method: get, path: "/login", query: []string{"to"}, run: (*call).loginPage},
		{method: post, path: "/login", query: []string{"to"}, isForm: true, run: (*call).login},
		{method: post, path: "/logout", isForm: true, isWrite: true, run: (*call).logout},
		{method: post, path: "/incident/acknowledge", isForm: true, isWrite: true, run: (*call).acknowledge},
		{method: post, path: "/silence", isForm: true, isWrite: true, run: (*call).silence},
		{method: post, path: "/silence/end", isForm: true, isWrite: true, run: (*call).endSilence},
		{method: get, path: "/static/{name}", query: []string{"v"}, run: (*call).static},
		{method: get, path: "/healthz", run: (*call).health},
	}
}

// call is one request that was let in.
type call struct {
	*http.Request
	s     *Server
	w     http.ResponseWriter
	page  *page
	now   time.Time
	query url.Values // only what the page knows, each once and printable
	form  url.Values
	user  user // who may change things; zero: nobody
}

// isAPI reports whether a program asks.
func isAPI(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, apiPath) }

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	setHeaders(w.Header())
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	default:
		s.refuse(w, r, refusal(http.StatusServiceUnavailable, "too many ask at the same time", "try again in a second"))
		return
	}
	if err := s.checkOrigin(r); err != nil {
		s.refuse(w, r, err)
		return
	}
	if _, pattern := s.mux.Handler(r); pattern == "" || path.Clean(r.URL.Path) != r.URL.Path {
		s.refuse(w, r, refusal(http.StatusNotFound, "there is nothing at "+pki.Printable(cut(r.URL.Path, 200)), ""))
		return
	}
	s.mux.ServeHTTP(w, r)
}

// serve answers a request for something that is there.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	methods := s.pages[r.Pattern]
	p := methods[method]
	if p == nil {
		w.Header().Set("Allow", strings.Join(s.allow[r.Pattern], ", "))
		s.refuse(w, r, refusal(http.StatusMethodNotAllowed, r.Method+" is not possible here", ""))
		return
	}
	c := &call{Request: r, s: s, w: w, page: p, now: s.o.Now()}
	if err := c.read(); err != nil {
		s.refuse(w, r, err)
		return
	}
	if err := p.run(c); err != nil {
		s.refuse(w, r, err)
	}
}

// read takes query and body apart and finds out who asks. What is not known is refused: a mistake in a filter would else
// show another list than was asked for.
func (c *call) read() error {
	var err error
	if c.query, err = parseQuery(c.URL.RawQuery, c.page.query); err != nil {
		return err
	}
	c.user = c.s.userOf(c.Request)
	if c.page.isForm {
		if err := c.readForm(); err != nil {
			return err
		}
	}
	if !c.page.isWrite {
		return nil
	}
	if err := c.s.mayWrite(c.user, c.Request); err != nil {
		return err
	}
	if c.page.isForm && !c.s.sessions.isCSRF(c.user, c.form.Get("csrf")) {
		return refusal(http.StatusForbidden, "the form is too old, or not ours", "load the page again")
	}
	return nil
}

// readForm reads a form that a browser sends.
func (c *call) readForm() error {
	if kind, _, _ := strings.Cut(c.Header.Get("Content-Type"), ";"); strings.TrimSpace(kind) != "application/x-www-form-urlencoded" {
		return refusal(http.StatusUnsupportedMediaType, "a form is sent as application/x-www-form-urlencoded", "")
	}
	body, err := c.body()
	if err != nil {
		return err
	}
	if c.form, err = url.ParseQuery(string(body)); err != nil || len(c.form) > 20 {
		return refusal(http.StatusBadRequest, "the form cannot be read", "")
	}
	return nil
}

// body reads what was sent along.
func (c *call) body() ([]byte, error) {
	// A client that dribbles does not hold its slot for long. Where there is no connection beneath, there is nothing to set.
	_ = http.NewResponseController(c.w).SetReadDeadline(time.Now().Add(bodyTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(c.w, c.Request.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, refusal(http.StatusRequestEntityTooLarge, fmt.Sprintf("a request has at most %d bytes", maxBody), "")
	case err != nil:
		return nil, refusal(http.StatusBadRequest, "the request broke off", "")
	}
	return body, nil
}

// RefusalError is why a request is not answered.
type RefusalError struct {
	Status int
	Text   string // fit to print
	Hint   string // what to do about it; "": nothing is known
}

// Error implements error.
func (e *RefusalError) Error() string { return e.Text }

func refusal(status int, text, hint string) *RefusalError {
	return &RefusalError{Status: status, Text: text, Hint: hint}
}

// refusalOf turns an error into a refusal. What ails the database is for the log and not for whoever asks.
func (s *Server) refusalOf(r *http.Request, err error) *RefusalError {
	var known *RefusalError
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, history.ErrNotFound):
		return refusal(http.StatusNotFound, pki.Printable(cut(err.Error(), 300)), "it may have been taken out, or be over")
	case r.Context().Err() != nil:
		return refusal(http.StatusServiceUnavailable, "the request was given up", "")
	}
	s.o.Log.Error("the dashboard could not answer", "path", pki.Printable(r.URL.Path), "error", pki.Printable(err.Error()))
	return refusal(http.StatusInternalServerError, "that could not be read", "the monitor's log says why")
}

// refuse answers with a page, or with a problem document (RFC 9457) where a program asks.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	e := s.refusalOf(r, err)
	if e.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	if isAPI(r) {
		s.sendProblem(w, e)
		return
	}
	c := &call{Request: r, s: s, w: w, now: s.o.Now(), user: s.userOf(r)}
	if err := c.show(e.Status, "error", "", e.Text, e); err != nil {
		http.Error(w, e.Text, e.Status)
	}
}
