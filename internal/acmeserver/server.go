package acmeserver

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/challenge"
	"github.com/tlswright/tlswright/internal/order"
	"github.com/tlswright/tlswright/internal/store"
)

// Validator finds out who controls a name.
type Validator interface {
	Validate(ctx context.Context, t challenge.Task) *acme.Problem
}

// Options say how a server works. Store, Validator and at least one directory are needed.
type Options struct {
	Store       *store.Store
	Validator   Validator
	Directories []Directory
	// Base is how clients see the server: "https://ca.example:9443". Empty: https and the Host of each request.
	Base string
	// Hosts are the only ones that requests may name, without port; empty: any.
	Hosts []string
	// NonceFile is where used nonces are noted, so that none is taken twice after a restart; empty: only memory knows.
	NonceFile string
	// UseNonce, if set, notes in NonceFile's place that a nonce is used, for all nodes that share the database: true for the
	// first who asks. It may forget the nonce when it expires.
	UseNonce func(ctx context.Context, id [16]byte, expires time.Time) (bool, error)
	Limits   Limits
	Chaos    Chaos
	// Patience is how long an answer waits for a validation or a certificate that is nearly there; 0: 200 ms.
	Patience time.Duration
	// Validations is how many run at a time; 0: 64.
	Validations int
	Now         func() time.Time // nil: time.Now
	Log         *slog.Logger     // nil: nothing is logged
	Meter       Meter            // nil: nothing is measured
}

// Directory is one CA as clients see it.
type Directory struct {
	Name      string // "": at /acme/directory; else at /acme/ca/NAME/directory
	Authority *authority.Authority
	Policy    order.Policy
	// Terms is the URL of terms of service that clients must agree to; "": none.
	Terms   string
	Website string
	// Identities are the names by which CAA records know the CA.
	Identities     []string
	RequireBinding bool // accounts must be bound (RFC 8555, Section 7.3.4)
	// Alternates are further chains for certificates, without the leaf.
	Alternates [][]*x509.Certificate
}

// Server answers requests. It is an http.Handler.
type Server struct {
	o           Options
	mux         *http.ServeMux
	directories map[string]*directory
	nonces      *nonces
	limits      *limiter
	slots       chan struct{} // one for each validation at a time
	attempts    attempts
	keys        keys
	fresh       fresh
	work        sync.WaitGroup
	stop        context.CancelFunc
	ctx         context.Context // ends with Close
	draining    chan struct{}   // closed by Drain
	drain       sync.Once
}

// directory is a Directory at its place.
type directory struct {
	Directory
	prefix string // of its paths: "/acme"
}

// Bounds and defaults.
const (
	defaultPatience    = 200 * time.Millisecond
	defaultValidations = 64
	lease              = 45 * time.Second // after which half-done work is taken up by somebody else
	lookForWork        = 10 * time.Second
)

// New makes a server and takes up what an earlier one left. Close it after use.
func New(ctx context.Context, o Options) (*Server, error) {
	if o.Store == nil || o.Validator == nil || len(o.Directories) == 0 {
		return nil, errors.New("an ACME server needs a store, a validator and a directory")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Patience == 0 {
		o.Patience = defaultPatience
	}
	if o.Validations <= 0 {
		o.Validations = defaultValidations
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Meter == nil {
		o.Meter = unmetered{}
	}
	fresh := make([]byte, 32)
	_, _ = rand.Read(fresh) // never fails
	key, err := o.Store.ACMESecret(ctx, "nonces", fresh)
	if err != nil {
		return nil, err
	}
	if o.UseNonce != nil {
		o.NonceFile = ""
	}
	book, err := openNonces(key, o.NonceFile, o.Now())
	if err != nil {
		return nil, err
	}
	s := &Server{o: o, mux: http.NewServeMux(), directories: make(map[string]*directory), nonces: book, limits: newLimiter(o.Limits, o.Meter),
		slots: make(chan struct{}, o.Validations), attempts: attempts{running: make(map[string]*attempt)}, draining: make(chan struct{})}
	s.ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	for _, d := range o.Directories {
		if err := s.add(d); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.problem(w, r, nil, notFound("there is nothing at "+r.URL.Path))
	})
	s.work.Go(s.takeUpWork)
	return s, nil
}

func (s *Server) add(d Directory) error {
	d.Policy = d.Policy.WithDefaults()
	at := &directory{Directory: d, prefix: "/acme"}
	if d.Name != "" {
		if strings.Trim(d.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return fmt.Errorf("a directory is called %q: lower-case letters, digits and hyphens only", d.Name)
		}
		at.prefix = "/acme/ca/" + d.Name
	}
	if s.directories[d.Name] != nil {
		return fmt.Errorf("two directories are called %q", d.Name)
	}
	if d.Authority == nil {
		return fmt.Errorf("directory %q has no authority", d.Name)
	}
	s.directories[d.Name] = at
	s.route(at)
	return nil
}

// Drain finishes what was begun, and takes up nothing that others have left. No request may come any more. It returns when
// all is done, or ctx ends; what is not done by then is cut short by Close, and taken up by another server some time later.
func (s *Server) Drain(ctx context.Context) {
	s.drain.Do(func() { close(s.draining) })
	done := make(chan struct{})
	go func() {
		s.work.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// Close waits for what was begun, and stops.
func (s *Server) Close() error {
	s.stop()
	s.work.Wait()
	return s.nonces.close()
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.o.Chaos.meddles(s, w, r) {
		return
	}
	s.mux.ServeHTTP(w, r)
}

// base is how the client sees the server.
func (s *Server) base(r *http.Request) string {
	if s.o.Base != "" {
		return s.o.Base
	}
	return "https://" + r.Host
}

// url is the address of a resource of a directory.
func (s *Server) url(r *http.Request, d *directory, parts ...string) string {
	return s.base(r) + d.prefix + "/" + strings.Join(parts, "/")
}

// accountURL is the name of an account, as kid has it. It does not depend on the request where Base is set; otherwise on
// the host by which the client came.
func (s *Server) accountURL(r *http.Request, d *directory, id string) string {
	return s.url(r, d, "acct", id)
}
