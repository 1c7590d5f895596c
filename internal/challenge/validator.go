package challenge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/internal/fetch"
	"github.com/tlswright/tlswright/internal/resolve"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlsnet"
)

// Bounds of one validation.
const (
	DefaultTimeout = 10 * time.Second
	maxPerspective = 16
)

// Options say from where and how to look.
type Options struct {
	// Gate says which addresses may be connected to. Its LookUp is replaced by the perspective's resolver.
	Gate fetch.Gate
	// Perspectives are the places to look from; none: this machine and its resolver.
	Perspectives []Perspective
	// Quorum is how many perspectives must see the proof; 0: all of up to two, all but one of three and more.
	Quorum int
	// HTTPPort and TLSPort replace 80 and 443, for tests and for closed networks; 0: the standard's.
	HTTPPort, TLSPort int
	// Timeout bounds one look; 0: DefaultTimeout.
	Timeout time.Duration
	// Identities are the names by which CAA records and dns-persist-01 know the CA: "ca.example". Without any, CAA records
	// that restrict issuance forbid it.
	Identities []string
	// NoCAA leaves CAA records out of account: for names that no public DNS knows.
	NoCAA bool
	// Now tells the time; nil: time.Now.
	Now func() time.Time
}

// Perspective is a place to look from.
type Perspective struct {
	Name     string
	Resolver *resolve.Resolver
	Local    netip.Addr // to connect from; the zero value leaves it to the system
}

// Task is one challenge to validate.
type Task struct {
	Identifier acme.Identifier // without the star of a wildcard
	Wildcard   bool
	Type       string // acme.HTTP01 …
	Token      string
	Thumbprint []byte // of the account's key (RFC 7638, SHA-256)
	AccountURI string
}

// keyAuthorization is what the proof is made from.
func (t Task) keyAuthorization() string { return acme.KeyAuthorization(t.Token, t.Thumbprint) }

// Validator validates. It may be used concurrently.
type Validator struct {
	o      Options
	places []*place
}

// place is a perspective with its connections.
type place struct {
	name     string
	resolver *resolve.Resolver
	gate     fetch.Gate
	gate4    fetch.Gate                                                            // the same, for names that have IPv4
	connect  func(ctx context.Context, network, hostport string) (net.Conn, error) // to port 80 or 443, or what stands for it
	web      *tlsnet.Transport                                                     // for https
	tlsPort  int
}

// New makes a Validator.
func New(o Options) (*Validator, error) {
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.HTTPPort == 0 {
		o.HTTPPort = 80
	}
	if o.TLSPort == 0 {
		o.TLSPort = 443
	}
	if len(o.Perspectives) == 0 {
		o.Perspectives = []Perspective{{Name: "here", Resolver: resolve.New(resolve.Options{})}}
	}
	if len(o.Perspectives) > maxPerspective {
		return nil, fmt.Errorf("%d perspectives are more than the %d that are possible", len(o.Perspectives), maxPerspective)
	}
	if o.Quorum <= 0 {
		o.Quorum = len(o.Perspectives)
		if o.Quorum > 2 {
			o.Quorum--
		}
	}
	if o.Quorum > len(o.Perspectives) {
		return nil, fmt.Errorf("a quorum of %d cannot be had from %d perspectives", o.Quorum, len(o.Perspectives))
	}
	v := &Validator{o: o}
	for _, p := range o.Perspectives {
		v.places = append(v.places, newPlace(p, o))
	}
	return v, nil
}

func newPlace(p Perspective, o Options) *place {
	at := &place{name: p.Name, resolver: p.Resolver, gate: o.Gate, tlsPort: o.TLSPort}
	at.gate.LookUp, at.gate.Local = p.Resolver.Addresses, p.Local
	at.gate4 = at.gate
	at.gate4.LookUp = p.Resolver.Addresses4
	ports := map[string]string{"80": strconv.Itoa(o.HTTPPort), "443": strconv.Itoa(o.TLSPort)}
	at.connect = func(ctx context.Context, network, hostport string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(hostport)
		if err != nil {
			return nil, err
		}
		real, ok := ports[port]
		if !ok {
			return nil, &fetch.Error{Reason: "leads to port " + port + "; only 80 and 443 are asked"}
		}
		return at.dial(ctx, network, net.JoinHostPort(host, real))
	}
	// The certificate behind a redirect to https is not verified: it is the proof that counts, and whoever has none yet
	// could not get one (RFC 8555, Section 8.3 leaves it open).
	at.web = &tlsnet.Transport{Config: &tlsnet.Config{Insecure: true}, Connect: at.connect, DisableCompression: true,
		MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Second}
	return at
}

// dial connects by IPv4, which is tried first anyway, and asks for more addresses only if that leads nowhere.
func (p *place) dial(ctx context.Context, network, hostport string) (net.Conn, error) {
	c, err := p.gate4.Dial(ctx, network, hostport)
	if err == nil || ctx.Err() != nil {
		return c, err
	}
	return p.gate.Dial(ctx, network, hostport)
}

// Close gives up idle connections.
func (v *Validator) Close() {
	for _, p := range v.places {
		p.web.CloseIdleConnections()
	}
}

// Validate looks for the proof of a challenge, and asks for CAA. nil: the name is proven. The problem is one that can be
// shown to the client as it is.
func (v *Validator) Validate(ctx context.Context, t Task) *acme.Problem {
	ctx, cancel := context.WithTimeout(ctx, v.o.Timeout)
	defer cancel()
	if problem := v.fromAll(ctx, func(ctx context.Context, p *place) *acme.Problem { return v.look(ctx, p, t) }); problem != nil {
		return problem
	}
	return v.CheckCAA(ctx, t)
}

// fromAll looks from every place at once and counts who agrees. The verdict of the first place is the one that is told.
func (v *Validator) fromAll(ctx context.Context, look func(context.Context, *place) *acme.Problem) *acme.Problem {
	if len(v.places) == 1 {
		return look(ctx, v.places[0])
	}
	type verdict struct {
		place   int
		problem *acme.Problem
	}
	verdicts := make(chan verdict, len(v.places))
	for i, p := range v.places {
		go func() { verdicts <- verdict{i, look(ctx, p)} }()
	}
	agreed := 0
	var told verdict
	for range v.places {
		d := <-verdicts
		if d.problem == nil {
			agreed++
			continue
		}
		if told.problem == nil || d.place < told.place {
			told = d
		}
	}
	if agreed >= v.o.Quorum {
		return nil
	}
	p := *told.problem
	if len(v.places) > 1 {
		p.Detail += fmt.Sprintf(" (seen from %s; %d of %d places agree, %d must)", v.places[told.place].name, agreed, len(v.places), v.o.Quorum)
	}
	return &p
}

func (v *Validator) look(ctx context.Context, p *place, t Task) *acme.Problem {
	switch t.Type {
	case acme.HTTP01:
		return p.http01(ctx, t)
	case acme.DNS01:
		return p.dnsText(ctx, t, acme.DNS01Name(t.Identifier.Value))
	case acme.DNSAccount01:
		return p.dnsText(ctx, t, acme.DNSAccount01Name(t.AccountURI, t.Identifier.Value))
	case acme.DNSPersist01:
		return p.dnsPersist(ctx, t, v.o.Identities, v.o.Now())
	case acme.TLSALPN01:
		return p.tlsALPN01(ctx, t)
	}
	return acme.NewProblem(acme.ServerInternal, "challenges of type "+pki.Printable(t.Type)+" cannot be validated")
}

// failed turns an error of connecting or looking up into a problem.
func failed(what string, err error) *acme.Problem {
	var r *resolve.Error
	var d *net.DNSError
	kind := acme.Connection
	if errors.As(err, &r) || errors.As(err, &d) {
		kind = acme.DNS
	}
	text := err.Error()
	if errors.Is(err, context.DeadlineExceeded) {
		text = "no answer in time"
	}
	return acme.NewProblem(kind, what+": "+pki.Printable(text))
}
