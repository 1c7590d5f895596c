package resolve

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/tlswright/tlswright/pki"
)

// Addresses are those of a host, IPv4 first, each once. Without a server of one's own the system is asked, with its hosts
// file. A name without an address is an *[Error], or the system's own error.
func (r *Resolver) Addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a.Unmap()}, nil
	}
	var found []netip.Addr
	if name := strings.ToLower(strings.TrimSuffix(host, ".")); !r.system && (name == "localhost" || strings.HasSuffix(name, ".localhost")) {
		// RFC 6761, Section 6.3: resolvers SHOULD answer such queries themselves, with the loopback address.
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}, nil
	}
	if r.system {
		list, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		if err != nil {
			return nil, err
		}
		found = list
	} else {
		// Both at once: the second answer is there when the first one is.
		var six *answer
		var failedSix error
		done := make(chan struct{})
		go func() {
			defer close(done)
			six, failedSix = r.ask(ctx, host, dns.TypeAAAA)
		}()
		four, failed := r.ask(ctx, host, dns.TypeA)
		<-done
		if failed == nil {
			found = addressesOf(four.records)
		}
		if failedSix == nil {
			found = append(found, addressesOf(six.records)...)
		}
		if failed = cmp.Or(failedSix, failed); len(found) == 0 && failed != nil {
			return nil, failed
		}
	}
	for i, a := range found {
		found[i] = a.Unmap()
	}
	slices.SortStableFunc(found, func(a, b netip.Addr) int { return cmp.Compare(a.BitLen(), b.BitLen()) })
	var distinct []netip.Addr
	for _, a := range found {
		if !slices.Contains(distinct, a) {
			distinct = append(distinct, a)
		}
	}
	if len(distinct) == 0 {
		return nil, &Error{Name: pki.Printable(host), Type: "A", Reason: "the name has no address"}
	}
	return distinct, nil
}

// Addresses4 is Addresses for who is content with IPv4 where a host has it: with a server of one's own that is one question
// and not two. Without such a server, and for an address or "localhost", it is Addresses.
func (r *Resolver) Addresses4(ctx context.Context, host string) ([]netip.Addr, error) {
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	if _, err := netip.ParseAddr(host); err == nil || r.system || name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return r.Addresses(ctx, host)
	}
	a, err := r.ask(ctx, host, dns.TypeA)
	if err != nil {
		return nil, err
	}
	found := addressesOf(a.records)
	if len(found) == 0 {
		return nil, &Error{Name: pki.Printable(host), Type: "A", Reason: "the name has no address"}
	}
	return found, nil
}

func addressesOf(records []dns.RR) []netip.Addr {
	var found []netip.Addr
	for _, rr := range records {
		var ip net.IP
		switch rr := rr.(type) {
		case *dns.A:
			ip = rr.A
		case *dns.AAAA:
			ip = rr.AAAA
		}
		if a, ok := netip.AddrFromSlice(ip); ok {
			found = append(found, a)
		}
	}
	return found
}

// CAA is a certification authority authorization record (RFC 8659, Section 4.1). Its strings are the zone's: pass them
// through pki.Printable before showing them.
type CAA struct {
	Critical bool
	Tag      string // lower case: "issue", "issuewild", "iodef" …
	Value    string
}

// CAA finds the records that count for a name, which may begin with "*.": its own, or those of the nearest name above
// that has any (RFC 8659, Section 3). at is that name, without the final dot; "" if there are none. An error means that
// it is not known: a CA must not issue then.
func (r *Resolver) CAA(ctx context.Context, name string) (records []CAA, at string, err error) {
	records, at, _, err = r.AuthenticCAA(ctx, name)
	return records, at, err
}

// AuthenticCAA is CAA, and tells besides whether the resolver vouches for every answer on the way up (AD bit).
func (r *Resolver) AuthenticCAA(ctx context.Context, name string) (records []CAA, at string, authentic bool, err error) {
	at = strings.TrimSuffix(strings.TrimPrefix(name, "*."), ".")
	authentic = true
	for at != "" {
		a, err := r.ask(ctx, at, dns.TypeCAA)
		if err != nil {
			return nil, "", false, err
		}
		authentic = authentic && a.authentic
		for _, rr := range a.records {
			if c, ok := rr.(*dns.CAA); ok {
				records = append(records, CAA{Critical: c.Flag&0x80 != 0, Tag: strings.ToLower(c.Tag), Value: c.Value})
			}
		}
		if len(records) > 0 {
			return records, at, authentic, nil
		}
		_, at, _ = strings.Cut(at, ".")
	}
	return nil, "", authentic, nil
}

// TLSA says which certificate a service has (RFC 6698, Section 2.1).
type TLSA struct {
	Usage, Selector, Matching int
	Data                      []byte
}

// String writes a record as zone files do: "3 1 1 0123…".
func (t TLSA) String() string {
	return fmt.Sprintf("%d %d %d %s", t.Usage, t.Selector, t.Matching, hex.EncodeToString(t.Data))
}

// TLSA finds the records of a service: port 443 and protocol "tcp" of a host, for instance. They count only if they are
// authentic: the resolver vouches for them (AD bit). No record at all is no error.
func (r *Resolver) TLSA(ctx context.Context, port int, proto, name string) (records []TLSA, authentic bool, err error) {
	a, err := r.ask(ctx, fmt.Sprintf("_%d._%s.%s", port, proto, strings.TrimSuffix(name, ".")), dns.TypeTLSA)
	if err != nil {
		return nil, false, err
	}
	for _, rr := range a.records {
		t, ok := rr.(*dns.TLSA)
		if !ok {
			continue
		}
		data, err := hex.DecodeString(t.Certificate)
		if err != nil {
			continue
		}
		records = append(records, TLSA{Usage: int(t.Usage), Selector: int(t.Selector), Matching: int(t.MatchingType), Data: data})
	}
	return records, a.authentic, nil
}

// Service is an HTTPS record in service mode (RFC 9460, Section 2.4.3).
type Service struct {
	Priority int
	Target   string   // without the final dot; the owner's own name where the record says "."
	ALPN     []string // further protocols; http/1.1 goes without saying unless NoDefault
	NoALPN   bool     // no-default-alpn
	Port     int      // 0: that of the URL
	ECH      []byte   // an ECHConfigList, not looked into
	Hints    []netip.Addr
}

// HTTPS finds how an origin is to be reached, the best first; aliases are followed. port other than 443 has a name of its
// own (RFC 9460, Section 9.1). No record at all is no error.
func (r *Resolver) HTTPS(ctx context.Context, name string, port int) (services []Service, authentic bool, err error) {
	at := strings.TrimSuffix(name, ".")
	if port != 443 && port != 0 {
		at = fmt.Sprintf("_%d._https.%s", port, at)
	}
	authentic = true
	for range maxAliases {
		a, err := r.ask(ctx, at, dns.TypeHTTPS)
		if err != nil {
			return nil, false, err
		}
		authentic = authentic && a.authentic
		alias := ""
		for _, rr := range a.records {
			h, ok := rr.(*dns.HTTPS)
			switch {
			case !ok:
			case h.Priority == 0:
				alias = strings.TrimSuffix(h.Target, ".")
			default:
				services = append(services, newService(h, at))
			}
		}
		// RFC 9460, Section 2.4.1: records in alias mode win over those in service mode, which are ignored then.
		if alias == "" {
			slices.SortStableFunc(services, func(a, b Service) int { return cmp.Compare(a.Priority, b.Priority) })
			return services, authentic, nil
		}
		services, at = nil, alias
	}
	return nil, false, &Error{Name: pki.Printable(name), Type: "HTTPS", Reason: "its aliases lead nowhere"}
}

func newService(h *dns.HTTPS, owner string) Service {
	s := Service{Priority: int(h.Priority), Target: strings.ToLower(strings.TrimSuffix(h.Target, "."))}
	if s.Target == "" {
		s.Target = strings.ToLower(owner)
	}
	for _, v := range h.Value {
		switch v := v.(type) {
		case *dns.SVCBAlpn:
			s.ALPN = slices.Clone(v.Alpn)
		case *dns.SVCBNoDefaultAlpn:
			s.NoALPN = true
		case *dns.SVCBPort:
			s.Port = int(v.Port)
		case *dns.SVCBECHConfig:
			s.ECH = slices.Clone(v.ECH)
		case *dns.SVCBIPv4Hint:
			s.Hints = append(s.Hints, addresses(v.Hint)...)
		case *dns.SVCBIPv6Hint:
			s.Hints = append(s.Hints, addresses(v.Hint)...)
		}
	}
	return s
}

func addresses(ips []net.IP) []netip.Addr {
	var list []netip.Addr
	for _, ip := range ips {
		if a, ok := netip.AddrFromSlice(ip); ok {
			list = append(list, a.Unmap())
		}
	}
	return list
}

// TXT finds the texts of a name, each joined of its parts. They are the zone's, not made safe to show. None is no error.
func (r *Resolver) TXT(ctx context.Context, name string) ([]string, error) {
	a, err := r.ask(ctx, name, dns.TypeTXT)
	if err != nil {
		return nil, err
	}
	var texts []string
	for _, rr := range a.records {
		if t, ok := rr.(*dns.TXT); ok {
			texts = append(texts, unescape(strings.Join(t.Txt, "")))
		}
	}
	return texts, nil
}

// unescape takes back what the codec has escaped as zone files do: \" and \\ and \DDD.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '\\' || i+1 == len(s):
			b.WriteByte(s[i])
		case i+3 < len(s) && isDigits(s[i+1:i+4]):
			n := int(s[i+1]-'0')*100 + int(s[i+2]-'0')*10 + int(s[i+3]-'0')
			b.WriteByte(byte(n))
			i += 3
		default:
			i++
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func isDigits(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) < 0
}

// MX is a mail exchanger (RFC 5321, Section 5.1).
type MX struct {
	Preference int
	Host       string // without the final dot; "" for a null MX (RFC 7505)
}

// MX finds the mail exchangers of a domain, the preferred first. None is no error.
func (r *Resolver) MX(ctx context.Context, domain string) ([]MX, error) {
	a, err := r.ask(ctx, domain, dns.TypeMX)
	if err != nil {
		return nil, err
	}
	var list []MX
	for _, rr := range a.records {
		if m, ok := rr.(*dns.MX); ok {
			list = append(list, MX{Preference: int(m.Preference), Host: strings.ToLower(strings.TrimSuffix(m.Mx, "."))})
		}
	}
	slices.SortStableFunc(list, func(a, b MX) int { return cmp.Compare(a.Preference, b.Preference) })
	return list, nil
}
