package devhttps

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// maxAddresses bounds how many addresses of this machine a certificate is for.
const maxAddresses = 20

// LANAddresses are the addresses under which this machine is reached from its network, IPv4 first. Only private ones are
// among them: the local root certifies no others.
func LANAddresses() []netip.Addr {
	found, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var out []netip.Addr
	for _, a := range found {
		p, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		addr := p.Addr().Unmap()
		if addr.IsLoopback() || addr.IsLinkLocalUnicast() || CheckName(addr.String()) != nil {
			continue
		}
		out = append(out, addr)
	}
	slices.SortStableFunc(out, func(a, b netip.Addr) int {
		if a.Is4() == b.Is4() {
			return 0
		}
		if a.Is4() {
			return -1
		}
		return 1
	})
	return out[:min(len(out), maxAddresses)]
}

// LANNames are the names and addresses by which others reach this machine: those of its network, and its name by multicast
// DNS (RFC 6762).
func LANNames() []string {
	var names []string
	if host, err := os.Hostname(); err == nil {
		if label := Label(strings.Split(host, ".")[0]); label != "" {
			names = append(names, label+".local")
		}
	}
	for _, a := range LANAddresses() {
		names = append(names, a.String())
	}
	return names
}

// MainAddress is the one of [LANAddresses] by which this machine goes out; the zero value: there is none. Nothing is sent to
// find it.
func MainAddress() netip.Addr {
	all := LANAddresses()
	if c, err := net.Dial("udp", "192.0.2.1:9"); err == nil {
		at, ok := c.LocalAddr().(*net.UDPAddr)
		_ = c.Close() // nothing was sent
		if ok && slices.Contains(all, at.AddrPort().Addr().Unmap()) {
			return at.AddrPort().Addr().Unmap()
		}
	}
	if len(all) == 0 {
		return netip.Addr{}
	}
	return all[0]
}
