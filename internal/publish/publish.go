package publish

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/pki"
)

// Issuer is a CA that is published.
type Issuer struct {
	Name      string // in URLs: lower-case letters, digits, hyphens
	Authority *authority.Authority
}

// Options say what is published. Issuers and Roots are needed.
type Options struct {
	Issuers []Issuer
	Roots   []*x509.Certificate
	Title   string           // of the page; "": from the first root
	Now     func() time.Time // nil: time.Now
	Log     *slog.Logger     // nil: nothing is logged
	Meter   Meter            // nil: nothing is measured
	// Notice is how long a revocation may take until answers made before are given up; 0: 100 ms.
	Notice time.Duration
}

// Publisher answers. It is an http.Handler. Close it after use.
type Publisher struct {
	o       Options
	issuers map[string]*issuer
	change  atomic.Int64 // the last change of the records, as of the last look
	stop    context.CancelFunc
	done    sync.WaitGroup
}

// issuer is an Issuer with what was made for it.
type issuer struct {
	Issuer
	answers  *answers
	statuses statuses
	lists    lists
}

const (
	defaultNotice = 100 * time.Millisecond
	lookTimeout   = time.Second
)

// New makes a publisher, which looks for changes until it is closed.
func New(ctx context.Context, o Options) (*Publisher, error) {
	if len(o.Issuers) == 0 || len(o.Roots) == 0 {
		return nil, errors.New("a publisher needs an issuer and a root")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Meter == nil {
		o.Meter = unmetered{}
	}
	if o.Notice <= 0 {
		o.Notice = defaultNotice
	}
	p := &Publisher{o: o, issuers: make(map[string]*issuer)}
	for _, i := range o.Issuers {
		if i.Name == "" || strings.Trim(i.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || p.issuers[i.Name] != nil {
			return nil, fmt.Errorf("an issuer cannot be published as %q", i.Name)
		}
		p.issuers[i.Name] = &issuer{Issuer: i, answers: newAnswers()}
	}
	if err := p.look(ctx); err != nil {
		return nil, err
	}
	watch, stop := context.WithCancel(context.WithoutCancel(ctx))
	p.stop = stop
	p.done.Go(func() { p.watch(watch) })
	return p, nil
}

// Close stops looking for changes.
func (p *Publisher) Close() {
	p.stop()
	p.done.Wait()
}

// watch gives up answers when another process has revoked something.
func (p *Publisher) watch(ctx context.Context) {
	tick := time.NewTicker(p.o.Notice)
	defer tick.Stop()
	for failed := false; ; {
		select {
		case <-tick.C:
			err := p.look(ctx)
			if err != nil && ctx.Err() == nil {
				// Nobody knows what has changed: what is signed from now on is asked for each time.
				for _, i := range p.issuers {
					i.statuses.forget()
				}
				if !failed {
					p.o.Log.Error("changes could not be looked for", "error", err.Error())
				}
			}
			failed = err != nil
		case <-ctx.Done():
			return
		}
	}
}

// look asks for the last change, and forgets what was made before it.
func (p *Publisher) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	change, err := p.o.Issuers[0].Authority.Store.LastChange(ctx)
	if err != nil {
		return err
	}
	if p.change.Swap(change) != change {
		for _, i := range p.issuers {
			i.answers.forget()
			i.statuses.forget()
		}
	}
	return nil
}

// ServeHTTP answers a request. Paths are cut here and not by a mux: a question in base64 may have slashes, two in a row too.
func (p *Publisher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	kind, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if kind != "ocsp" && r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET is possible here", http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	switch {
	case kind == "ocsp":
		p.ocsp(w, r, rest)
	case kind == "crl":
		p.crl(w, r, rest)
	case kind == "ca":
		p.certificate(w, r, rest)
	case kind == "sets":
		p.set(w, r, rest)
	case path == "/roots.pem":
		p.roots(w, r)
	case path == "/":
		p.page(w, r)
	default:
		http.NotFound(w, r)
	}
}

// send writes something that may be kept for a while.
func (p *Publisher) send(w http.ResponseWriter, kind string, body []byte, keep time.Duration) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if keep > 0 {
		h.Set("Cache-Control", "public, max-age="+strconv.FormatInt(int64(keep/time.Second), 10)+", no-transform, must-revalidate")
	} else {
		h.Set("Cache-Control", "no-store")
	}
	_, _ = w.Write(body) // nobody to tell
}

// certificate gives an issuer's certificate, as AIA names it: DER (RFC 5280, Section 4.2.2.1), or PEM.
func (p *Publisher) certificate(w http.ResponseWriter, r *http.Request, rest string) {
	name, form, _ := strings.Cut(rest, ".")
	i := p.issuers[name]
	switch {
	case i == nil:
		http.NotFound(w, r)
	case form == "cer" || form == "crt" || form == "der":
		p.send(w, "application/pkix-cert", i.Authority.Issuer.Certificate.Raw, time.Hour)
	case form == "pem":
		p.send(w, "application/x-pem-file", pki.AppendCertificatePEM(nil, i.Authority.Issuer.Certificate.Raw), time.Hour)
	default:
		http.NotFound(w, r)
	}
}

func (p *Publisher) roots(w http.ResponseWriter, _ *http.Request) {
	var text []byte
	for _, c := range p.o.Roots {
		text = pki.AppendCertificatePEM(text, c.Raw)
	}
	w.Header().Set("Content-Disposition", `attachment; filename="roots.pem"`)
	p.send(w, "application/x-pem-file", text, time.Hour)
}

// set gives the compressed set of revocations, made anew when something has changed or it is an hour old.
func (p *Publisher) set(w http.ResponseWriter, r *http.Request, rest string) {
	i := p.issuers[strings.TrimSuffix(rest, ".set")]
	if i == nil {
		http.NotFound(w, r)
		return
	}
	made, err := i.lists.get("set", p.change.Load(), p.o.Now(), time.Hour, func() ([]byte, error) { return i.Authority.RevocationSet(r.Context()) })
	if err != nil {
		p.trouble(w, "make the revocation set", err)
		return
	}
	p.send(w, "application/octet-stream", made, 10*time.Minute)
}

func (p *Publisher) trouble(w http.ResponseWriter, doing string, err error) {
	p.o.Log.Error("trouble", "doing", doing, "error", err.Error())
	http.Error(w, "the server could not "+doing, http.StatusInternalServerError)
}
