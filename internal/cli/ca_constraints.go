package cli

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/pki"
)

// constraintFlags say for which names a CA may issue (RFC 5280, Section 4.2.1.10).
type constraintFlags struct {
	permitDNS, excludeDNS     []string
	permitIP, excludeIP       []string
	permitEmail, excludeEmail []string
	permitURI, excludeURI     []string
}

// constraintHelp is the paragraph of the help texts about these flags.
const constraintHelp = `--permit-dns and --permit-ip confine the CA to names and addresses: whoever
steals its key can forge certificates for these and for no others. As soon as
one of the two is given, what the other would permit is excluded as a whole, for
clients take a kind of which nothing is said as free. E-mail addresses and URIs
stay free unless they are named too. "test" means that name and all below it.`

func (f *constraintFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringSliceVar(&f.permitDNS, "permit-dns", nil, "certify only hosts in these `DOMAINS`")
	flags.StringSliceVar(&f.permitIP, "permit-ip", nil, "certify only addresses in these `RANGES`, such as 127.0.0.0/8")
	flags.StringSliceVar(&f.permitEmail, "permit-email", nil, "certify only these e-mail `ADDRESSES` or hosts")
	flags.StringSliceVar(&f.permitURI, "permit-uri", nil, "certify only URIs at these `HOSTS`")
	flags.StringSliceVar(&f.excludeDNS, "exclude-dns", nil, "never certify hosts in these `DOMAINS`")
	flags.StringSliceVar(&f.excludeIP, "exclude-ip", nil, "never certify addresses in these `RANGES`")
	flags.StringSliceVar(&f.excludeEmail, "exclude-email", nil, "never certify these e-mail `ADDRESSES` or hosts")
	flags.StringSliceVar(&f.excludeURI, "exclude-uri", nil, "never certify URIs at these `HOSTS`")
}

// constraints turns the flags into name constraints; nil where nothing is limited.
func (f *constraintFlags) constraints(cmd *cobra.Command) (*pki.NameConstraints, error) {
	n := &pki.NameConstraints{
		PermittedDNS: lowered(f.permitDNS), ExcludedDNS: lowered(f.excludeDNS), PermittedEmail: f.permitEmail, ExcludedEmail: f.excludeEmail,
		PermittedURI: lowered(f.permitURI), ExcludedURI: lowered(f.excludeURI),
	}
	var err error
	if n.PermittedIP, err = ranges(cmd, "--permit-ip", f.permitIP); err != nil {
		return nil, err
	}
	if n.ExcludedIP, err = ranges(cmd, "--exclude-ip", f.excludeIP); err != nil {
		return nil, err
	}
	if !f.isSet() {
		return nil, nil
	}
	closeOthers(n)
	if _, err := n.Marshal(); err != nil {
		return nil, usagef(cmd, "the name constraints cannot be: %v", err)
	}
	return n, nil
}

func (f *constraintFlags) isSet() bool {
	return slices.ContainsFunc([][]string{
		f.permitDNS, f.excludeDNS, f.permitIP, f.excludeIP, f.permitEmail, f.excludeEmail, f.permitURI, f.excludeURI,
	}, func(list []string) bool { return len(list) > 0 })
}

// closeOthers excludes addresses where only hosts are permitted, and the other way round: RFC 5280, Section 4.2.1.10 leaves
// a kind of which nothing is permitted free, and a CA for .test that may certify any address would be no prison at all.
func closeOthers(n *pki.NameConstraints) {
	any4, any6 := netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")
	switch {
	case len(n.PermittedDNS) > 0 && len(n.PermittedIP) == 0:
		n.ExcludedIP = []netip.Prefix{any4, any6}
	case len(n.PermittedIP) > 0:
		if len(n.PermittedDNS) == 0 {
			n.ExcludedDNS = []string{""}
		}
		// The two families are one kind (iPAddress): permitting ranges of one shuts out the other.
	}
}

func lowered(list []string) []string {
	var out []string
	for _, s := range list {
		out = append(out, strings.ToLower(strings.TrimPrefix(strings.TrimSpace(s), "*")))
	}
	return out
}

// ranges reads address ranges; one address is a range of its own.
func ranges(cmd *cobra.Command, flag string, list []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, text := range list {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			addr, addrErr := netip.ParseAddr(text)
			if addrErr != nil || addr.Zone() != "" {
				f := usagef(cmd, "%s %q is no range of addresses", flag, text)
				f.hint = "write it as 10.0.0.0/8 or fd00::/8"
				return nil, f
			}
			p = netip.PrefixFrom(addr, addr.BitLen())
		}
		if p != p.Masked() {
			f := usagef(cmd, "%s %q has bits outside of its mask", flag, text)
			f.hint = fmt.Sprintf("write it as %s", p.Masked())
			return nil, f
		}
		out = append(out, p)
	}
	return out, nil
}
