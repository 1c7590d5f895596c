package scan

import (
	"context"
	"crypto/x509"
	"net"
	"net/netip"
	"time"

	"github.com/tlswright/tlswright/pki/ct"
)

// Options say how to scan. The zero value asks everything, politely.
type Options struct {
	// Quick asks only what one handshake and one small request tell: version, chain, dates, HSTS.
	Quick bool
	// AllKeys makes a quick scan ask for certificates with each kind of key that servers commonly have, one connection for
	// each that was not seen. A full scan finds them anyway.
	AllKeys bool
	// TLSOnly makes no request in the connections of a quick scan: they end with the handshake.
	TLSOnly bool
	// Concurrency is how many connections may be open to one address at once; 0: 4. It is halved where a server refuses.
	Concurrency int
	// Pace is the least time between the beginnings of two connections to one address; 0: none.
	Pace time.Duration
	// Timeout bounds one step of a connection: connecting, the answer to a hello, one read; 0: 5 s.
	Timeout time.Duration
	// HostTimeout bounds the scan of one address; 0: 2 minutes.
	HostTimeout time.Duration
	// Addresses is how many addresses of a name are scanned at most; 0: all, up to 16.
	Addresses int
	// IPv4 and IPv6 narrow the addresses to one family. Both or neither: no difference is made.
	IPv4, IPv6 bool
	// Offline asks the address itself and nobody else: no DNS records, no AIA, CRL or OCSP, no port 80.
	Offline bool
	// Stores are the trust stores that chains are judged by.
	Stores []Store
	// CT is the list of logs that SCTs are checked with; nil: they are not.
	CT *ct.LogList
	// Client is shown to servers that ask for a certificate, in TLS 1.2 and 1.3; nil: there is none.
	Client *Identity
	// WeakKeys is a list of keys that are known to everybody, as those of Debian's OpenSSL; nil: none is at hand.
	WeakKeys *WeakKeys
	// HTTPPort is where plain HTTP is looked for; 0: 80.
	HTTPPort int
	// Resolver is a DNS server as "address:port"; "": the system's.
	Resolver string
	// AllowPrivate lets AIA, CRL and OCSP be fetched from private addresses.
	AllowPrivate bool
	// Simulate sends the hellos of well-known clients, too.
	Simulate bool
	// AllClients adds, with Simulate, the clients that the default leaves out because others are like them.
	AllClients bool
	// Dial opens connections; nil: the net package's dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// LookUp finds the addresses of a name; nil: the system's resolver, or Resolver.
	LookUp func(ctx context.Context, host string) ([]netip.Addr, error)
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// Progress is told after every probe, from several goroutines; nil: nobody is.
	Progress func(Progress)
}

// Store is a trust store.
type Store struct {
	Name string
	// Own says that these are private CAs, which the stores of others are not expected to know.
	Own bool
	// Roots are trusted. Those that another one of them has signed count as Intermediates: a file with a whole chain says which
	// root is trusted, and not that servers may leave the rest out.
	Roots []*x509.Certificate
	// System is a pool whose certificates cannot be listed; nil: Roots are all there is.
	System *x509.CertPool
	// Intermediates are known without being trusted: they stand in for those that a server leaves out, as in browsers that
	// know all public ones.
	Intermediates []*x509.Certificate
}

// Progress is how far the scan of an address is.
type Progress struct {
	Target      Target
	Address     string // without the port
	Probe       string // that has just ended
	Done, Total int    // probes; Total can shrink as it becomes clear which do not apply
	Connections int    // made so far
}

// What is used where an option is zero.
const (
	defaultConcurrency = 4
	defaultTimeout     = 5 * time.Second
	defaultHostTimeout = 2 * time.Minute
	defaultAddresses   = 16
	defaultHTTPPort    = 80
)

// filled gives o with its defaults in place.
func (o Options) filled() Options {
	if o.Concurrency <= 0 {
		o.Concurrency = defaultConcurrency
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.HostTimeout <= 0 {
		o.HostTimeout = defaultHostTimeout
	}
	if o.Addresses <= 0 || o.Addresses > defaultAddresses {
		o.Addresses = defaultAddresses
	}
	if o.HTTPPort == 0 {
		o.HTTPPort = defaultHTTPPort
	}
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}
