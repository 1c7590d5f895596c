package cli

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/pki"
)

// checkPublic refuses names that nobody can prove to a public CA, before it is asked. RFC 6761 and RFC 9476 keep them out of
// the DNS, as RFC 8375 and ICANN do for home.arpa and internal.
func checkPublic(cmd *cobra.Command, server string, names []string) error {
	if server != "letsencrypt" && server != "staging" {
		return nil
	}
	for _, n := range names {
		last := n[strings.LastIndexByte(n, '.')+1:]
		ip, err := netip.ParseAddr(n)
		isAddress := err == nil
		switch {
		case isAddress && !ip.IsLoopback() && !ip.IsPrivate() && !ip.IsLinkLocalUnicast():
		case !isAddress && strings.Contains(n, ".") && !slices.Contains([]string{"localhost", "local", "test", "example", "invalid", "internal", "alt"}, last) && !strings.HasSuffix(n, "home.arpa"):
		default:
			f := usagef(cmd, "no public CA certifies %s", pki.Printable(n))
			f.hint = "ask the CA of this machine (tlswright up, tlswright ca serve): --server own"
			return f
		}
	}
	return nil
}
