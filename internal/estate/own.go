package estate

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/watch"
)

// served is something that an estate serves over TLS.
type served struct {
	name       string // "site app", "CA"
	at         *net.TCPAddr
	serverName string // "": the address
	labels     map[string]string
}

// ownTargets are what a monitor watches without being told: every name that the estate serves over TLS, over the root of
// the own CA and those of the system. What the file says of the same names is beside these, for it may judge by other rules.
func ownTargets(b *Base, list []served) []config.Watched {
	var all []config.Watched
	for _, s := range list {
		name := "own: " + s.name
		for n := 2; slices.ContainsFunc(all, func(w config.Watched) bool { return w.Name == name }); n++ {
			name = fmt.Sprintf("own: %s #%d", s.name, n)
		}
		w := config.Watched{Name: name, Address: reachable(s.at), ServerName: s.serverName, CA: []string{b.RootPath()}, System: true, Labels: s.labels}
		// Our own parts renew when a third of a life is left: what is older than that should have been renewed.
		w.Policy = watch.Policy{Warning: watch.Span{Share: 0.25}, Critical: watch.Span{Share: 0.1}}
		all = append(all, w)
	}
	return all
}

// OwnTargets are what the monitor of a file watches without being told, as far as the file says where it is: beside an estate
// that runs, or to run the monitor by itself.
func OwnTargets(b *Base, c *config.Estate) []config.Watched {
	if c.Monitor != nil && c.Monitor.NotOwn {
		return nil
	}
	var list []served
	if c.CA != nil {
		list = append(list, servedByCA(c.CA, fixed(c.CA.Listen), fixed(c.CA.Admin))...)
	}
	if c.Gateway != nil {
		list = append(list, servedBySites(c.Gateway, func(l *config.Listener) *net.TCPAddr { return fixed(l.Address) })...)
	}
	return ownTargets(b, list)
}

// fixed is an address as it is written; nil where that does not say which it will be.
func fixed(address string) *net.TCPAddr {
	host, port, err := net.SplitHostPort(address)
	if err != nil || port == "0" || strings.Contains(host, "/") {
		return nil
	}
	at, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil
	}
	if at.IP == nil {
		at.IP = net.IPv6unspecified
	}
	return at
}

// servedBySites are the names of a gateway, at each listener that speaks TLS; at says where that is bound.
func servedBySites(c *config.Gateway, at func(*config.Listener) *net.TCPAddr) (list []served) {
	for i := range c.Listeners {
		l := &c.Listeners[i]
		if l.Protocol != config.ProtocolHTTPS && l.Protocol != config.ProtocolTLS {
			continue
		}
		bound := at(l)
		if bound == nil {
			continue
		}
		for _, name := range l.Sites {
			if s := siteOf(c, name); s != nil {
				list = append(list, served{"site " + name, bound, tryName(s, bound.IP.String()), map[string]string{"part": "gateway", "site": name}})
			}
		}
	}
	return list
}

// servedByCA are the sides of a CA that speak TLS.
func servedByCA(c *config.CA, acme, admin *net.TCPAddr) (list []served) {
	name := nameOfCA(c)
	if acme != nil {
		list = append(list, served{"CA", acme, name, map[string]string{"part": "ca"}})
	}
	if admin != nil {
		list = append(list, served{"admin API", admin, name, map[string]string{"part": "ca"}})
	}
	return list
}

// inForce are the settings of a CA that runs.
func (p *caPart) inForce() *config.CA {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.settings
}

// nameOfCA is a name that the service's certificate is for; "": it is for the address.
func nameOfCA(c *config.CA) string {
	if c.Certificate == "" {
		return ""
	}
	chain, err := keystore.ReadCertificates(c.Certificate)
	if err != nil || len(chain) == 0 || len(chain[0].DNSNames) == 0 {
		return ""
	}
	name := chain[0].DNSNames[0]
	if rest, isWildcard := strings.CutPrefix(name, "*."); isWildcard {
		name = anyHost + "." + rest
	}
	return name
}

// reachable is an address to connect to from this machine.
func reachable(at *net.TCPAddr) string {
	ip, _ := netip.AddrFromSlice(at.IP)
	if ip.Unmap().IsUnspecified() {
		ip = netip.AddrFrom4([4]byte{127, 0, 0, 1}) // a socket for all addresses takes those of IPv4, too
	}
	return netip.AddrPortFrom(ip.Unmap(), uint16(at.Port)).String()
}

func portOf(at *net.TCPAddr) string { return strconv.Itoa(at.Port) }

// anyHost stands for any name below a wildcard.
const anyHost = "any"

// tryName is a name under which a site can be tried: one of its own, or else one that a wildcard stands for. address is an
// address that is tried anyway, and needs no name.
func tryName(s *config.Site, address string) string {
	wildcard, ip := "", ""
	for _, h := range s.Hosts {
		_, err := netip.ParseAddr(strings.Trim(h, "[]"))
		rest, isWildcard := strings.CutPrefix(h, "*.")
		switch {
		case err == nil && ip == "":
			ip = h
		case err == nil:
		case !isWildcard:
			return h
		case wildcard == "":
			wildcard = anyHost + "." + rest
		}
	}
	switch {
	case wildcard != "":
		return wildcard
	case ip == address && ip != "":
		return ""
	case ip != "":
		return ip
	}
	return "localhost"
}

func siteOf(c *config.Gateway, name string) *config.Site {
	for i := range c.Sites {
		if c.Sites[i].Name == name {
			return &c.Sites[i]
		}
	}
	return nil
}
