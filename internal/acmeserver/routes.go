package acmeserver

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tlswright/tlswright/acme"
)

// handler answers a request whose signature, nonce and account were checked.
type handler func(*request) (*reply, *acme.Problem)

// reply is what a handler answers with.
type reply struct {
	status   int // 0: 200
	location string
	links    []string // without the index
	retry    time.Duration
	body     any               // JSON
	raw      []byte            // instead of body
	kind     string            // content type of raw
	header   map[string]string // more of them
	public   string            // Cache-Control of an answer that may be kept; "": none is
}

// route puts the resources of a directory into place.
func (s *Server) route(d *directory) {
	p := d.prefix
	s.mux.HandleFunc(p+"/directory", s.methods(d, s.serveDirectory, http.MethodGet, http.MethodHead, http.MethodPost))
	s.mux.HandleFunc(p+"/new-nonce", s.methods(d, s.serveNonce, http.MethodGet, http.MethodHead, http.MethodPost))
	s.mux.HandleFunc(p+"/renewal-info/{id}", s.methods(d, s.serveRenewalInfo, http.MethodGet, http.MethodHead))
	for path, h := range map[string]struct {
		auth signer
		run  handler
	}{
		"/new-account":         {byKey, s.newAccount},
		"/new-order":           {byAccount, s.newOrder},
		"/new-authz":           {byAccount, s.newAuthz},
		"/revoke-cert":         {byEither, s.revokeCert},
		"/key-change":          {byAccount, s.keyChange},
		"/acct/{id}":           {byAccount, s.account},
		"/acct/{id}/orders":    {byAccount, s.orders},
		"/order/{id}":          {byAccount, s.order},
		"/order/{id}/finalize": {byAccount, s.finalize},
		"/authz/{id}":          {byAccount, s.authz},
		"/chall/{authz}/{id}":  {byAccount, s.challenge},
		"/cert/{serial}":       {byAccount, s.certificate},
		"/cert/{serial}/{alt}": {byAccount, s.certificate},
		"/star/{id}":           {byAccount, s.starCertificate},
	} {
		s.mux.HandleFunc(p+path, s.signed(d, h.auth, h.run))
	}
}

// methods serves a resource that is read without a signature. Where POST is allowed, that is POST-as-GET: signed, and the
// same otherwise (RFC 8555, Section 6.3).
func (s *Server) methods(d *directory, run func(http.ResponseWriter, *http.Request, *directory), allowed ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for _, m := range allowed {
			if r.Method != m {
				continue
			}
			if problem := s.signedRead(r, d); problem != nil {
				s.problem(w, r, d, problem)
				return
			}
			run(w, r, d)
			return
		}
		s.refuseMethod(w, r, d, allowed)
	}
}

// signedRead checks a request that only reads, if it is signed.
func (s *Server) signedRead(r *http.Request, d *directory) *acme.Problem {
	if r.Method != http.MethodPost {
		return nil
	}
	q, problem := s.readJWS(r, d, byEither)
	if problem == nil && !q.isGet() {
		problem = malformed("this can only be read (RFC 8555, Section 6.3)")
	}
	return problem
}

func (s *Server) refuseMethod(w http.ResponseWriter, r *http.Request, d *directory, allowed []string) {
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	p := acme.NewProblem(acme.Malformed, r.Method+" is not possible here")
	p.Status = http.StatusMethodNotAllowed
	s.problem(w, r, d, p)
}

// signed serves a resource that takes signed requests.
func (s *Server) signed(d *directory, auth signer, run handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && s.servesGet(w, r, d) {
			return
		}
		if r.Method != http.MethodPost {
			s.refuseMethod(w, r, d, []string{http.MethodPost})
			return
		}
		req, problem := s.readJWS(r, d, auth)
		var answer *reply
		if problem == nil {
			answer, problem = run(req)
		}
		if problem != nil {
			s.problem(w, r, d, problem)
			return
		}
		s.answer(w, r, d, answer)
	}
}

// common sets the headers of every answer.
func (s *Server) common(w http.ResponseWriter, r *http.Request, d *directory) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	if d != nil {
		h.Add("Link", `<`+s.url(r, d, "directory")+`>;rel="index"`)
	}
	if r.Method == http.MethodPost || strings.HasSuffix(r.URL.Path, "/new-nonce") {
		h.Set("Replay-Nonce", s.nonces.fresh(s.o.Now()))
	}
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, d *directory, a *reply) {
	s.common(w, r, d)
	h := w.Header()
	for _, l := range a.links {
		h.Add("Link", l)
	}
	for name, value := range a.header {
		h.Set(name, value)
	}
	if a.location != "" {
		h.Set("Location", a.location)
	}
	if a.retry > 0 {
		h.Set("Retry-After", s.o.Chaos.retryAfter(a.retry, s.o.Now()))
	}
	if a.public != "" {
		h.Set("Cache-Control", a.public)
	}
	raw, kind := a.raw, a.kind
	if a.body != nil {
		kind = "application/json"
		var err error
		if raw, err = json.Marshal(a.body); err != nil {
			s.problem(w, r, d, s.trouble("encode an answer", err))
			return
		}
	}
	if kind != "" {
		h.Set("Content-Type", kind)
	}
	h.Set("Content-Length", strconv.Itoa(len(raw)))
	if a.status == 0 {
		a.status = http.StatusOK
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(raw) // the client is gone; what was done stays done
}

// problem answers with a problem document (RFC 8555, Section 6.7).
func (s *Server) problem(w http.ResponseWriter, r *http.Request, d *directory, p *acme.Problem) {
	s.common(w, r, d)
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	if p.Status == http.StatusTooManyRequests && h.Get("Retry-After") == "" {
		h.Set("Retry-After", s.o.Chaos.retryAfter(s.limits.wait(), s.o.Now()))
	}
	if p.Kind() == acme.UserActionRequired && d != nil && d.Terms != "" {
		h.Add("Link", `<`+d.Terms+`>;rel="terms-of-service"`)
		p.Instance = d.Terms // where a person can do something about it (RFC 8555, Section 7.3.3)
	}
	status := p.Status
	if status == 0 {
		status = http.StatusBadRequest
	}
	s.o.Meter.Refused(problemName(p))
	s.o.Log.Info("refused", "path", r.URL.Path, "type", string(p.Kind()), "detail", p.Detail, "from", r.RemoteAddr)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(p)
}

// notFound is the problem of something that is not there.
func notFound(detail string) *acme.Problem {
	p := acme.NewProblem(acme.Malformed, detail)
	p.Status = http.StatusNotFound
	return p
}

// trouble is a problem of our own: the client learns no more than that.
func (s *Server) trouble(doing string, err error) *acme.Problem {
	s.o.Log.Error("trouble", "doing", doing, "error", err.Error())
	return acme.NewProblem(acme.ServerInternal, "the server could not "+doing)
}

func (s *Server) serveDirectory(w http.ResponseWriter, r *http.Request, d *directory) {
	at := func(name string) string { return s.url(r, d, name) }
	meta := &acme.Meta{TermsOfService: d.Terms, Website: d.Website, CAAIdentities: d.Identities, ExternalAccountRequired: d.RequireBinding}
	for name, p := range d.Policy.Profiles {
		if meta.Profiles == nil {
			meta.Profiles = make(map[string]string)
		}
		meta.Profiles[name] = p.Description
	}
	if star := d.Policy.Star; star.MaxDuration > 0 {
		meta.AutoRenewal = &acme.AutoRenewalMeta{MinLifetime: int64(star.MinLifetime / time.Second), MaxDuration: int64(star.MaxDuration / time.Second), AllowCertificateGet: star.AllowGet}
	}
	s.answer(w, r, d, &reply{body: acme.Directory{NewNonce: at("new-nonce"), NewAccount: at("new-account"), NewOrder: at("new-order"), NewAuthz: at("new-authz"),
		RevokeCert: at("revoke-cert"), KeyChange: at("key-change"), RenewalInfo: at("renewal-info"), Meta: meta}})
}

func (s *Server) serveNonce(w http.ResponseWriter, r *http.Request, d *directory) {
	s.common(w, r, d)
	if r.Method != http.MethodHead {
		w.WriteHeader(http.StatusNoContent) // RFC 8555, Section 7.2
		return
	}
	w.WriteHeader(http.StatusOK)
}

// knownHost reports whether a request names a host that is ours.
func (s *Server) knownHost(r *http.Request) bool {
	if len(s.o.Hosts) == 0 {
		return true
	}
	u, err := url.Parse("https://" + r.Host)
	if err != nil {
		return false
	}
	for _, h := range s.o.Hosts {
		if strings.EqualFold(h, u.Hostname()) {
			return true
		}
	}
	return false
}
