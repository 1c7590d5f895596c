package fetch

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
)

// maxAddresses bounds how many addresses of one name are tried.
const maxAddresses = 4

// Gate says which addresses may be connected to. The zero value: public ones.
type Gate struct {
	// AllowPrivate opens every address that is one: loopback, private, link-local.
	AllowPrivate bool
	// Allow opens these networks although they are not public.
	Allow []netip.Prefix
	// LookUp turns a host name into addresses; nil: the system's resolver.
	LookUp func(ctx context.Context, host string) ([]netip.Addr, error)
	// Local is the address to connect from; the zero value leaves it to the system.
	Local netip.Addr
}

// Dial looks a name up, keeps the addresses that may be asked, and connects to the first of them that answers, in the
// order of the look-up; at most four are tried. The address is judged here and nowhere earlier: a name that is judged
// first and looked up later could change its mind between. A refused address is an *Error.
func (g Gate) Dial(ctx context.Context, network, hostport string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, err
	}
	addresses, err := g.addresses(ctx, host)
	if err != nil {
		return nil, err
	}
	var refused error
	tried := 0
	for _, a := range addresses {
		if why := g.Refuses(a); why != "" {
			refused = &Error{Reason: fmt.Sprintf("leads to %s, %s, which is not asked", a, why)}
			continue
		}
		if tried++; tried > maxAddresses {
			break
		}
		dialer := net.Dialer{}
		if g.Local.IsValid() && g.Local.Is4() == a.Is4() {
			dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(g.Local, 0))
		}
		c, err := dialer.DialContext(ctx, network, net.JoinHostPort(a.String(), port))
		if err == nil {
			return c, nil
		}
		refused = err
		if ctx.Err() != nil {
			break
		}
	}
	if refused == nil {
		refused = &Error{Reason: "has no address"}
	}
	return nil, refused
}

// Refuses says why an address is not connected to; "" if it may be.
func (g Gate) Refuses(a netip.Addr) string {
	why := forbidden(a)
	if why == "" || !a.IsValid() {
		return why
	}
	if g.AllowPrivate || slices.ContainsFunc(g.Allow, func(n netip.Prefix) bool { return n.Contains(a.Unmap()) }) {
		return ""
	}
	return why
}

func (g Gate) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a.Unmap()}, nil
	}
	lookUp := g.LookUp
	if lookUp == nil {
		lookUp = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	found, err := lookUp(ctx, host)
	if err != nil {
		return nil, err
	}
	for i, a := range found {
		found[i] = a.Unmap()
	}
	return found, nil
}

// special are ranges that are not the public Internet and that net/netip has no word for (the IANA registries of special
// addresses, RFC 6890). A range that carries an IPv4 address inside is closed whole.
func special() map[string]string {
	return map[string]string{
		"0.0.0.0/8":       "an address of this network",
		"100.64.0.0/10":   "a shared address (RFC 6598)",
		"192.0.0.0/24":    "a protocol's own address",
		"192.0.2.0/24":    "an address of documentation",
		"192.88.99.0/24":  "a relay's address",
		"198.18.0.0/15":   "an address of measurements",
		"198.51.100.0/24": "an address of documentation",
		"203.0.113.0/24":  "an address of documentation",
		"240.0.0.0/4":     "a reserved address",
		"64:ff9b::/96":    "a translated address (RFC 6052)",
		"64:ff9b:1::/48":  "a translated address (RFC 8215)",
		"100::/64":        "a discarded address",
		"2001::/23":       "a protocol's own address",
		"2001:db8::/32":   "an address of documentation",
		"2002::/16":       "a translated address (6to4)",
		"3fff::/20":       "an address of documentation",
		"fec0::/10":       "a site-local address",
	}
}

// forbidden says why an address is not asked unless private ones are allowed; "" if it is public.
func forbidden(a netip.Addr) string {
	a = a.Unmap()
	switch {
	case !a.IsValid() || a.IsUnspecified():
		return "no address"
	case a.IsLoopback():
		return "a loopback address"
	case a.IsPrivate():
		return "a private address"
	case a.IsLinkLocalUnicast(), a.IsLinkLocalMulticast(), a.IsInterfaceLocalMulticast():
		return "a link-local address"
	case a.IsMulticast():
		return "a multicast address"
	case a.Zone() != "":
		return "an address of one link"
	}
	for text, what := range special() {
		if netip.MustParsePrefix(text).Contains(a) {
			return what
		}
	}
	return ""
}
