package gateway

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tlswright/tlswright/acmeclient"
	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/fetch"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/relay"
	"github.com/tlswright/tlswright/internal/revoked"
	"github.com/tlswright/tlswright/internal/staple"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlsnet"
)

// Options are what a gateway needs of its surroundings. The zero value serves certificates of files alone.
type Options struct {
	// Home is the folder for what is kept between runs: certificates of the own CA, staples, revocation lists. "": nothing
	// is kept.
	Home string
	// NeverServe is a folder of which no file is served, where Home is "".
	NeverServe string
	// Tree is where certificates of ACME are kept; nil: sites cannot have any.
	Tree *acmeclient.Tree
	// OwnCA issues a certificate of the estate's own CA, valid for the names; nil: there is none. It may be called again
	// for the same names, when the certificate runs out.
	OwnCA func(ctx context.Context, names []string, key pki.KeyType) (keystore.Identity, error)
	// OwnRoots are the roots of the estate's own CA: sites with Clients.OwnCA trust clients of them, and ACME servers
	// and upstreams may have certificates of them.
	OwnRoots []*x509.Certificate
	// Transport makes the requests to ACME servers; nil: one that trusts ACME.CA, or else the system's roots and OwnRoots.
	Transport http.RoundTripper
	// Live are the records of the estate's own CA, so that what it revokes counts at once; none: its lists and responders
	// count.
	Live []revoked.Live
	// AllowPrivate lets CRLs and OCSP answers be fetched from private and loopback addresses too: for a CA of one's own.
	AllowPrivate bool

	// Events is told what happens, from many goroutines; it must not wait. Nil: nobody listens.
	Events func(Event)
	Log    *slog.Logger     // nil: nothing is logged
	Now    func() time.Time // nil: time.Now
	// DenialsFile keeps the last refusals, for [ReadDenials]; "": they are logged only.
	DenialsFile string
	// Output is where the access log "-" goes; nil: it goes nowhere.
	Output io.Writer
	// Grace is how long connections and requests under way may take to finish at the end; 0: DefaultGrace.
	Grace time.Duration

	stall     time.Duration // of HTTP/2, as relay.FrontLimits has it; 0: relay.DefaultStall
	parkAfter time.Duration // of connections without HTTP, as relay.Joiner has it
	// KeepMemory says that this process is the gateway's alone: its garbage collector is suited to that, unless GOGC or
	// GOMEMLIMIT is set.
	KeepMemory bool
	// Tune may change the TLS configuration of a site before it is used, and that of listeners (site ""), which counts
	// until the site is chosen. Nil: nothing is changed.
	Tune func(site string, c *tlsnet.Config)
	// Dial makes the connections to targets of HTTP; nil: a net.Dialer does.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Unanswered may answer a request whose target did not, in the place of a line of plain text with err.Status. It
	// reports whether it did. Nil: nobody may.
	Unanswered func(w http.ResponseWriter, r *http.Request, err *relay.Error) bool
	// IsOurs reports whether a connection from an address is one by which the same program looks at its own servers: what it is
	// refused is no refusal, and is neither kept nor told. Nil: none is.
	IsOurs func(remote string) bool
	// Notify tells the supervisor of the process how the gateway is; nil: [Notify]. Where it is a part of a whole, that one
	// knows better.
	Notify func(state string)
	// Answered is told of each request, and each connection without HTTP, at its end, from many goroutines. Nil: nobody is.
	Answered func(AccessLine)
}

// DefaultGrace is how long what is under way may take to finish at the end.
const DefaultGrace = 15 * time.Second

// Gateway is a TLS front door. Its methods may be called concurrently.
type Gateway struct {
	o       Options
	log     *slog.Logger
	state   atomic.Pointer[state]
	denials *denialLog
	metrics *metrics
	proofs  *proofs
	conns   *registry
	limits  *counter
	access  *accessLog
	tickets *tlsnet.TicketKeys
	standIn tlsnet.Identity // of listeners: never shown to anybody, see listener.base
	began   time.Time
	joiner  relay.Joiner

	fetcher   *fetch.Fetcher
	pool      *revoked.Pool
	staples   *staple.Keeper
	checking  sync.Mutex
	checkers  map[string]*revoked.Checker         // by their settings
	addresses atomic.Pointer[map[string]net.Addr] // of listeners, by name

	mu        sync.Mutex // held by Listen, Reload and Serve's beginning and end
	listeners []*listener
	operator  *operator       // nil: there is none
	building  *config.Gateway // that build works on
	serving   context.Context // nil: not yet
	stopping  bool
	running   sync.WaitGroup // of listeners
	failed    chan error
}

// New checks a configuration and loads everything that it names: certificates, keys, CAs, rules. It binds nothing and
// asks nobody but the own CA. The error says what is wrong, and is or wraps a *[ConfigError] where it is the configuration.
func New(c *config.Gateway, o Options) (*Gateway, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Events == nil {
		o.Events = func(Event) {}
	}
	if o.stall <= 0 {
		o.stall = relay.DefaultStall
	}
	if o.Notify == nil {
		o.Notify = Notify
	}
	if o.Grace <= 0 {
		o.Grace = DefaultGrace
	}
	g := &Gateway{o: o, log: o.Log, proofs: newProofs(), conns: newRegistry(), limits: newCounter(), checkers: make(map[string]*revoked.Checker), failed: make(chan error, 1), began: o.Now()}
	g.metrics = newMetrics(g)
	g.joiner.ParkAfter = o.parkAfter
	var err error
	if g.standIn, err = standIn(o.Now()); err != nil {
		return nil, err
	}
	if g.denials, err = openDenials(o.DenialsFile); err != nil {
		return nil, err
	}
	tickets := stampOf(c.Tickets)
	if g.tickets, err = ticketKeys(c.Tickets, o.Now()); err != nil {
		return nil, err
	}
	if g.access, err = openAccessLog(c.AccessLog, o.Output); err != nil {
		return nil, err
	}
	err = g.openKept(c)
	var st *state
	if err == nil {
		st, err = g.build(context.Background(), c, nil)
	}
	if err != nil {
		return nil, errors.Join(err, g.denials.close(), g.access.close(), g.closeKept())
	}
	st.stamps[c.Tickets] = tickets
	g.state.Store(st)
	return g, nil
}

// ConfigError says which part of the configuration will not do, and why.
type ConfigError struct {
	Place config.Place
	Where string // "site app", "listener 127.0.0.1:8443"
	Err   error
}

// Error implements error.
func (e *ConfigError) Error() string {
	if e.Place.Line > 0 {
		return fmt.Sprintf("line %d: %s: %v", e.Place.Line, e.Where, e.Err)
	}
	return e.Where + ": " + e.Err.Error()
}

// Unwrap gives the cause.
func (e *ConfigError) Unwrap() error { return e.Err }

// Event is something that happened, for those who watch.
type Event struct {
	Kind     string    `json:"event"` // listening, denied, certificate, ech-keys, reload, upstream, withheld, limited, warning, stopping
	Time     time.Time `json:"time"`
	Listener string    `json:"listener,omitempty"`
	Site     string    `json:"site,omitempty"`
	Address  string    `json:"address,omitempty"`
	Text     string    `json:"text,omitempty"` // one line, fit to print
	Method   string    `json:"method,omitempty"`
	Path     string    `json:"path,omitempty"`
	Err      error     `json:"-"` // beneath Text; nil: there is none
	Denial   *Denial   `json:"denial,omitempty"`
}

// tell logs an event and passes it on. Refusals have their own way: see deny.
func (g *Gateway) tell(level slog.Level, e Event) {
	e.Time = g.o.Now()
	args := []any{"event", e.Kind}
	for _, a := range [][2]string{{"listener", e.Listener}, {"site", e.Site}, {"address", e.Address}, {"method", e.Method}, {"path", e.Path}} {
		if a[1] != "" {
			args = append(args, a[0], a[1])
		}
	}
	g.log.Log(context.Background(), level, e.Text, args...)
	g.o.Events(e)
}

// Addr returns the address of a listener by its name, or by its address as it was configured; nil: it is not bound.
func (g *Gateway) Addr(name string) net.Addr {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, l := range g.listeners {
		if l.name == name || l.address == name {
			return l.nl.Addr()
		}
	}
	return nil
}
