package cli

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/internal/acmeserver"
	"github.com/tlswright/tlswright/internal/challenge"
	"github.com/tlswright/tlswright/internal/order"
	"github.com/tlswright/tlswright/internal/resolve"
)

// caValidationFlags say how names are validated.
type caValidationFlags struct {
	http01, tlsALPN int
	networks        []string
	resolvers       []string
	quorum          int
	noCAA           bool
	identities      []string
}

func (f *caValidationFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.IntVar(&f.http01, "http01-port", 80, "`PORT` to ask for proofs by http-01, for closed networks and tests")
	flags.IntVar(&f.tlsALPN, "tls-alpn01-port", 443, "`PORT` to ask for proofs by tls-alpn-01, likewise")
	flags.StringSliceVar(&f.networks, "allow-network", nil, "connect to addresses of this `CIDR`, too, when names are validated; may be repeated")
	flags.StringSliceVar(&f.resolvers, "resolver", nil, "`ADDRESS` of a DNS server to ask; several look from several places (default: the system's)")
	flags.IntVar(&f.quorum, "quorum", 0, "how many of several resolvers must agree, as a `NUMBER` (default: all but one of three and more)")
	flags.BoolVar(&f.noCAA, "no-caa", false, "do not ask for CAA records: for names that no DNS knows")
	flags.StringSliceVar(&f.identities, "caa-identity", nil, "`NAME` by which CAA and dns-persist-01 records call this CA")
}

func (f *caValidationFlags) validator(cmd *cobra.Command, a *app) (*challenge.Validator, error) {
	o := challenge.Options{HTTPPort: f.http01, TLSPort: f.tlsALPN, Quorum: f.quorum, NoCAA: f.noCAA, Identities: f.identities, Now: a.now}
	for _, text := range f.networks {
		n, err := netip.ParsePrefix(text)
		if err != nil {
			u := usagef(cmd, "--allow-network %q is no network", text)
			u.hint = "write it like 10.0.0.0/8, or 192.0.2.7/32 for one address"
			return nil, u
		}
		o.Gate.Allow = append(o.Gate.Allow, n.Masked())
	}
	for _, r := range f.resolvers {
		o.Perspectives = append(o.Perspectives, challenge.Perspective{Name: r, Resolver: resolve.New(resolve.Options{Server: r})})
	}
	if len(o.Gate.Allow) == 0 {
		a.ui.notef("names are validated at public addresses only; --allow-network opens others")
	}
	v, err := challenge.New(o)
	if err != nil {
		return nil, usagef(cmd, "%v", err)
	}
	return v, nil
}

// caPolicyFlags say what may be had.
type caPolicyFlags struct {
	names, denied []string
	networks      []string
	noWildcards   bool
	noIP          bool
	challenges    []string
	keyTypes      []string
	lifetime      time.Duration
	reuse         time.Duration
}

func (f *caPolicyFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringSliceVar(&f.names, "allow-name", nil, "issue for this `NAME` and those below only (\"=NAME\": for it alone); may be repeated")
	flags.StringSliceVar(&f.denied, "deny-name", nil, "never issue for this `NAME` and those below")
	flags.StringSliceVar(&f.networks, "allow-address", nil, "issue for addresses of this `CIDR` only")
	flags.BoolVar(&f.noWildcards, "no-wildcards", false, "issue no wildcard certificates")
	flags.BoolVar(&f.noIP, "no-addresses", false, "issue no certificates for IP addresses")
	flags.StringSliceVar(&f.challenges, "challenge", nil, "offer this `TYPE` of challenge only; may be repeated")
	complete(cmd, "challenge", challengeTypes())
	flags.StringSliceVar(&f.keyTypes, "key-type", nil, "take certificate keys of this `TYPE` only, such as \"ECDSA P-256\" or RSA")
	flags.DurationVar(&f.lifetime, "lifetime", 0, "how long certificates live (default: 90 days; the profile shortlived: 6 days)")
	flags.DurationVar(&f.reuse, "authorization-lifetime", 30*24*time.Hour, "how long a name that was proven need not be proven again")
}

func challengeTypes() []string {
	return []string{acme.HTTP01, acme.DNS01, acme.TLSALPN01, acme.DNSAccount01, acme.DNSPersist01}
}

func (f *caPolicyFlags) policy(cmd *cobra.Command) (order.Policy, error) {
	p := order.Policy{AllowDNS: f.names, DenyDNS: f.denied, NoWildcards: f.noWildcards, NoIP: f.noIP, KeyTypes: f.keyTypes, ValidLifetime: f.reuse, Default: "classic",
		Profiles: map[string]order.Profile{
			"classic":    {Description: "server authentication, " + lifetimeText(f.lifetime, 90*day), Lifetime: f.lifetime},
			"shortlived": {Description: "server authentication, 6 days, no common name", Lifetime: 6 * day, NoCommon: true},
		},
		Star: order.StarPolicy{MinLifetime: time.Hour, MaxDuration: 365 * day, AllowGet: true}}
	if f.reuse == 0 {
		p.ValidLifetime = -1
	}
	for _, text := range f.networks {
		n, err := netip.ParsePrefix(text)
		if err != nil {
			return p, usagef(cmd, "--allow-address %q is no network, such as 10.0.0.0/8", text)
		}
		p.AllowIP = append(p.AllowIP, n.Masked())
	}
	known := challengeTypes()
	for _, c := range f.challenges {
		if !slices.Contains(known, c) {
			u := usagef(cmd, "--challenge %q is not known", c)
			u.hint = "known are " + strings.Join(known, ", ")
			return p, u
		}
	}
	p.Challenges = f.challenges
	return p, nil
}

func lifetimeText(d, usual time.Duration) string {
	if d <= 0 {
		d = usual
	}
	if d%day == 0 {
		return countOf(int(d/day), "day")
	}
	return d.String()
}

// parseChaos reads --chaos.
func parseChaos(cmd *cobra.Command, text string) (c acmeserver.Chaos, err error) {
	switch text {
	case "":
		return c, nil
	case "mild":
		return acmeserver.Chaos{RejectNonces: 10, Unavailable: 2, Slow: 100 * time.Millisecond, ValidationDelay: 2 * time.Second, IssueDelay: time.Second}, nil
	case "wild":
		return acmeserver.Chaos{RejectNonces: 30, Unavailable: 10, TooMany: 5, Drop: 5, Slow: time.Second, ValidationDelay: 10 * time.Second, FailValidations: 5,
			IssueDelay: 5 * time.Second, RetryDates: true, FreshAuthz: true}, nil
	}
	for _, part := range strings.Split(text, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if err := setChaos(&c, key, value); err != nil {
			f := usagef(cmd, "--chaos: %v", err)
			f.hint = "mild, wild, or of nonces=%, unavailable=%, too-many=%, drop=%, fail=%, slow=TIME, validation=TIME, issue=TIME, dates, fresh-authz"
			return c, f
		}
	}
	return c, nil
}

func setChaos(c *acmeserver.Chaos, key, value string) error {
	percent := map[string]*int{"nonces": &c.RejectNonces, "unavailable": &c.Unavailable, "too-many": &c.TooMany, "drop": &c.Drop, "fail": &c.FailValidations}
	wait := map[string]*time.Duration{"slow": &c.Slow, "validation": &c.ValidationDelay, "issue": &c.IssueDelay}
	if p := percent[key]; p != nil {
		n, err := strconv.Atoi(strings.TrimSuffix(value, "%"))
		if err != nil || n < 0 || n > 100 {
			return fmt.Errorf("%s wants a number from 0 to 100, not %q", key, value)
		}
		*p = n
		return nil
	}
	if d := wait[key]; d != nil {
		t, err := time.ParseDuration(value)
		if err != nil || t < 0 || t > time.Hour {
			return fmt.Errorf("%s wants a time such as 300ms, not %q", key, value)
		}
		*d = t
		return nil
	}
	switch key {
	case "dates":
		c.RetryDates = true
	case "fresh-authz":
		c.FreshAuthz = true
	default:
		return fmt.Errorf("%q is not known", key)
	}
	return nil
}
