package resolve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/tlswright/tlswright/pki"
)

const (
	// DefaultTimeout is for one question to one server.
	DefaultTimeout = 3 * time.Second
	// MaxRecords is how many records of one answer are looked at.
	MaxRecords = 100

	maxAliases  = 8    // steps of CNAME, or of HTTPS aliases
	maxServers  = 3    // of /etc/resolv.conf, as the system's own resolver has it
	rounds      = 2    // how often each server is asked
	payloadSize = 1232 // bytes of a datagram that no path on the Internet cuts
)

// Options say whom to ask. The zero value asks the system's servers.
type Options struct {
	// Server is the recursive resolver, "address:port" or an address alone; "": those of /etc/resolv.conf.
	Server string
	// Timeout bounds one question to one server; 0: DefaultTimeout.
	Timeout time.Duration
	// Net is "udp" (the default: TCP follows where an answer is cut) or "tcp".
	Net string
}

// Resolver asks. It may be used concurrently.
type Resolver struct {
	servers []string
	system  bool // no server was named: addresses are the system's business, with its hosts file
	timeout time.Duration
	net     string
	err     error // why there is no server
}

// New makes a Resolver. That there is no server, or none that can be understood, is told by every question.
func New(o Options) *Resolver {
	r := &Resolver{timeout: o.Timeout, net: o.Net, system: o.Server == ""}
	if r.timeout <= 0 {
		r.timeout = DefaultTimeout
	}
	if r.net == "" {
		r.net = "udp"
	}
	if o.Server != "" {
		server, err := serverAddress(o.Server)
		r.servers, r.err = []string{server}, err
		return r
	}
	conf, err := dns.ClientConfigFromFile("/etc/resolv.conf")
	if err != nil || len(conf.Servers) == 0 {
		r.err = errors.New("this system names no DNS server")
		return r
	}
	for _, s := range conf.Servers[:min(len(conf.Servers), maxServers)] {
		r.servers = append(r.servers, net.JoinHostPort(s, conf.Port))
	}
	return r
}

// serverAddress reads "address", "address:port" and "[address]:port".
func serverAddress(s string) (string, error) {
	if a, err := netip.ParseAddrPort(s); err == nil && a.Port() != 0 {
		return a.String(), nil
	}
	bare := s
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		bare = s[1 : len(s)-1]
	}
	if a, err := netip.ParseAddr(bare); err == nil {
		return netip.AddrPortFrom(a, 53).String(), nil
	}
	return "", fmt.Errorf("%q is no address of a DNS server", pki.Printable(s))
}

// Error says which question got no answer, and why. All its strings can be shown as they are.
type Error struct {
	Name   string
	Type   string // "CAA"
	Reason string
	// Rcode is what the server answered with, as "SERVFAIL"; "" if nothing came.
	Rcode string
	Err   error // beneath; may be nil
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("%s of %s: %s", e.Type, e.Name, e.Reason) }

// Unwrap gives the error beneath.
func (e *Error) Unwrap() error { return e.Err }

// answer is what a name has of one type.
type answer struct {
	records   []dns.RR
	authentic bool // every step was vouched for
	exists    bool // the name exists, with whatever records
}

// ask finds the records of a type, through aliases. That there are none is no error.
func (r *Resolver) ask(ctx context.Context, name string, kind uint16) (*answer, error) {
	fail := func(reason, rcode string, err error) error {
		return &Error{Name: pki.Printable(name), Type: dns.TypeToString[kind], Reason: pki.Printable(reason), Rcode: rcode, Err: err}
	}
	if r.err != nil {
		return nil, fail(r.err.Error(), "", r.err)
	}
	at, err := canonical(name)
	if err != nil {
		return nil, fail(err.Error(), "", err)
	}
	found := &answer{authentic: true}
	for seen := map[string]bool{}; ; {
		m, err := r.exchange(ctx, at, kind)
		if err != nil {
			return nil, fail(reasonOf(err), "", err)
		}
		if m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
			return nil, fail("the DNS server answers "+rcodeOf(m), rcodeOf(m), nil)
		}
		found.authentic = found.authentic && m.AuthenticatedData
		// RFC 6604, Section 3: the code is about the last name of the chain.
		found.exists = m.Rcode == dns.RcodeSuccess
		end, looped := follow(m.Answer, at, seen)
		if looped {
			return nil, fail("its aliases lead nowhere", "", nil)
		}
		for _, rr := range m.Answer {
			h := rr.Header()
			if h.Rrtype == kind && h.Class == dns.ClassINET && strings.EqualFold(h.Name, end) && len(found.records) < MaxRecords {
				found.records = append(found.records, rr)
			}
		}
		if len(found.records) > 0 || end == at || m.Rcode == dns.RcodeNameError {
			return found, nil
		}
		at = end // the server left the rest to us
	}
}

// follow goes along the CNAME records of an answer, from at to the name that has no other.
func follow(section []dns.RR, at string, seen map[string]bool) (end string, looped bool) {
	aliases := make(map[string]string)
	for _, rr := range section[:min(len(section), 2*MaxRecords)] {
		if c, ok := rr.(*dns.CNAME); ok {
			aliases[strings.ToLower(c.Hdr.Name)] = strings.ToLower(c.Target)
		}
	}
	for {
		seen[at] = true
		next, ok := aliases[at]
		if !ok {
			return at, false
		}
		if seen[next] || len(seen) > maxAliases {
			return at, true
		}
		at = next
	}
}

// canonical is a name as it is asked for: lower case, with the final dot.
func canonical(name string) (string, error) {
	fqdn := strings.ToLower(dns.Fqdn(name))
	if _, ok := dns.IsDomainName(fqdn); !ok || fqdn == "." || strings.ContainsAny(fqdn, " \x00\\") {
		return "", errors.New("is no name of the DNS")
	}
	return fqdn, nil
}

// exchange puts one question to the servers, one after the other, until one has an answer.
func (r *Resolver) exchange(ctx context.Context, name string, kind uint16) (*dns.Msg, error) {
	var last *dns.Msg
	var lastErr error
	for range rounds {
		for _, server := range r.servers {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			m, err := r.exchangeWith(ctx, server, name, kind)
			if err == nil && (m.Rcode == dns.RcodeSuccess || m.Rcode == dns.RcodeNameError) {
				return m, nil
			}
			if err == nil {
				last = m
			} else {
				lastErr = err
			}
		}
		if last != nil { // a server that says it failed says so again
			return last, nil
		}
	}
	return nil, lastErr
}

// exchangeWith asks one server: by datagram, then by TCP if the answer was cut, and without EDNS if it knows none.
func (r *Resolver) exchangeWith(ctx context.Context, server, name string, kind uint16) (*dns.Msg, error) {
	q := question(name, kind)
	m, err := r.roundTrip(ctx, r.net, server, q)
	if err == nil && m.Truncated && r.net != "tcp" {
		m, err = r.roundTrip(ctx, "tcp", server, q)
	}
	if err == nil && (m.Rcode == dns.RcodeFormatError || m.Rcode == dns.RcodeNotImplemented || m.Rcode == dns.RcodeBadVers) && m.IsEdns0() == nil {
		plain := question(name, kind)
		plain.Extra = nil
		m, err = r.roundTrip(ctx, r.net, server, plain)
		if err == nil && m.Truncated && r.net != "tcp" {
			m, err = r.roundTrip(ctx, "tcp", server, plain)
		}
	}
	return m, err
}

// question asks for a recursive answer, with DNSSEC and with the resolver's verdict on it.
func question(name string, kind uint16) *dns.Msg {
	q := new(dns.Msg)
	q.SetQuestion(name, kind)
	// RFC 6840, Section 5.7: a set AD bit in a query says that the sender understands it in the response.
	q.AuthenticatedData = true
	q.SetEdns0(payloadSize, true)
	return q
}

func (r *Resolver) roundTrip(ctx context.Context, network, server string, q *dns.Msg) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	c := dns.Client{Net: network, UDPSize: payloadSize, Timeout: r.timeout}
	conn, err := dial(ctx, c, network, server)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	m, _, err := c.ExchangeWithConnContext(ctx, q, conn)
	if err != nil {
		return nil, err
	}
	if !m.Response || m.Opcode != dns.OpcodeQuery || m.Id != q.Id {
		return nil, errors.New("what came is no answer")
	}
	// An error may come without the question.
	if len(m.Question) == 0 && m.Rcode != dns.RcodeSuccess {
		return m, nil
	}
	if len(m.Question) != 1 || m.Question[0].Qtype != q.Question[0].Qtype || !strings.EqualFold(m.Question[0].Name, q.Question[0].Name) {
		return nil, errors.New("the answer is to another question")
	}
	return m, nil
}

// dial connects. For a datagram to an address nothing has to be waited for, so nobody needs to watch over it.
func dial(ctx context.Context, c dns.Client, network, server string) (*dns.Conn, error) {
	at, err := netip.ParseAddrPort(server)
	if err != nil || network != "udp" {
		return c.DialContext(ctx, server)
	}
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, err
	}
	return &dns.Conn{Conn: conn, UDPSize: c.UDPSize}, nil
}

func rcodeOf(m *dns.Msg) string {
	if s, ok := dns.RcodeToString[m.Rcode]; ok {
		return s
	}
	return fmt.Sprintf("code %d", m.Rcode)
}

// reasonOf puts an error of the network into words.
func reasonOf(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return "given up"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "the DNS server does not answer in time"
	}
	return err.Error()
}
