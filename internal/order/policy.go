package order

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/pki"
)

// Policy is what a CA grants over ACME. Zero fields mean what [Policy.WithDefaults] fills in.
type Policy struct {
	// AllowDNS are the names that may be had: "corp.example" is that name and all below, "=www.corp.example" that one
	// alone. Empty: every name.
	AllowDNS []string
	// DenyDNS, in the same form, win over AllowDNS.
	DenyDNS []string
	// AllowIP are the networks of which addresses may be had. Empty: every address.
	AllowIP     []netip.Prefix
	NoIP        bool // no addresses at all
	NoWildcards bool
	// MaxIdentifiers is how many an order may have; 0: 100.
	MaxIdentifiers int
	// Challenges are the types on offer, in this order; nil: all.
	Challenges []string
	// KeyTypes are the certificate keys that are taken, as [pki.DescribeKey] begins them: "ECDSA P-256", "RSA". Empty: all
	// that a certificate of ours can have.
	KeyTypes []string
	// Profiles by name; an order without one gets Default.
	Profiles map[string]Profile
	Default  string

	OrderLifetime   time.Duration // of an order that is not yet valid; 0: 7 days
	PendingLifetime time.Duration // of an authorization until it is valid; 0: as OrderLifetime
	ValidLifetime   time.Duration // of a valid authorization, which later orders use again; 0: 30 days, below 0: never used again
	Star            StarPolicy
}

// Profile is a kind of certificate on offer.
type Profile struct {
	Description string
	Lifetime    time.Duration // of the certificate; what orders may ask for at most
	MaxNames    int           // 0: as the policy
	NoCommon    bool          // the subject stays empty
	NoIP        bool
}

// Bounds that hold whatever a policy says.
const (
	defaultIdentifiers = 100
	hardIdentifiers    = 1000
	defaultLifetime    = 7 * 24 * time.Hour
	defaultReuse       = 30 * 24 * time.Hour
)

// WithDefaults returns the policy with its zero fields filled in.
func (p Policy) WithDefaults() Policy {
	if p.MaxIdentifiers <= 0 {
		p.MaxIdentifiers = defaultIdentifiers
	}
	p.MaxIdentifiers = min(p.MaxIdentifiers, hardIdentifiers)
	if p.OrderLifetime <= 0 {
		p.OrderLifetime = defaultLifetime
	}
	if p.PendingLifetime <= 0 {
		p.PendingLifetime = p.OrderLifetime
	}
	if p.ValidLifetime == 0 {
		p.ValidLifetime = defaultReuse
	}
	if len(p.Challenges) == 0 {
		p.Challenges = []string{acme.HTTP01, acme.DNS01, acme.TLSALPN01, acme.DNSAccount01, acme.DNSPersist01}
	}
	return p
}

// Narrow returns the policy with an account's own bounds on top: what both allow.
func (p Policy) Narrow(allowDNS []string, allowIP []netip.Prefix) Limits {
	return Limits{policy: p, allowDNS: allowDNS, allowIP: allowIP}
}

// Limits are a policy as one account feels it.
type Limits struct {
	policy   Policy
	allowDNS []string
	allowIP  []netip.Prefix
}

// matchesName reports whether a pattern of AllowDNS means a name in lower case.
func matchesName(pattern, name string) bool {
	pattern = strings.ToLower(pattern)
	if exact, ok := strings.CutPrefix(pattern, "="); ok {
		return name == exact
	}
	pattern = strings.TrimPrefix(strings.TrimPrefix(pattern, "*"), ".")
	return name == pattern || strings.HasSuffix(name, "."+pattern)
}

func anyName(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matchesName(p, name) })
}

func anyNetwork(networks []netip.Prefix, addr netip.Addr) bool {
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(addr) })
}

// Check says why an identifier, in its normal form, is not granted; nil: it may be proven.
func (l Limits) Check(id acme.Identifier) *acme.Problem {
	refuse := func(format string, args ...any) *acme.Problem {
		return acme.NewProblem(acme.RejectedIdentifier, fmt.Sprintf(format, args...))
	}
	p := l.policy
	if id.Type == acme.TypeIP {
		addr, err := netip.ParseAddr(id.Value)
		switch {
		case err != nil:
			return acme.NewProblem(acme.Malformed, fmt.Sprintf("%q is no IP address", id.Value))
		case p.NoIP:
			return refuse("this CA has no certificates for IP addresses")
		case len(p.AllowIP) > 0 && !anyNetwork(p.AllowIP, addr), len(l.allowIP) > 0 && !anyNetwork(l.allowIP, addr):
			return refuse("%s is in none of the networks that are allowed here", id.Value)
		}
		return nil
	}
	base, isWildcard := id.Wildcard()
	switch {
	case isWildcard && p.NoWildcards:
		return refuse("this CA has no wildcard certificates")
	case anyName(p.DenyDNS, base.Value):
		return refuse("%s is not to be had here", base.Value)
	case len(p.AllowDNS) > 0 && !anyName(p.AllowDNS, base.Value), len(l.allowDNS) > 0 && !anyName(l.allowDNS, base.Value):
		return refuse("%s is not among the names that are allowed here", base.Value)
	case isWildcard && (onlyExact(p.AllowDNS, base.Value) || onlyExact(l.allowDNS, base.Value)):
		return refuse("only %s itself is allowed here, not the names below", base.Value)
	}
	return nil
}

// onlyExact reports that a name is allowed, but none below it.
func onlyExact(patterns []string, name string) bool {
	return len(patterns) > 0 && !anyName(patterns, "a."+name)
}

// CheckKey says why a certificate key is not taken; nil: it is. description is that of [pki.DescribeKey].
func (l Limits) CheckKey(description string) *acme.Problem {
	if len(l.policy.KeyTypes) == 0 {
		return nil
	}
	for _, k := range l.policy.KeyTypes {
		if description == k || strings.HasPrefix(description, k+" ") {
			return nil
		}
	}
	return acme.NewProblem(acme.BadCSR, fmt.Sprintf("keys of type %s are not taken here, only %s", pki.Printable(description), strings.Join(l.policy.KeyTypes, ", ")))
}

// profile finds the profile that an order asks for, with its name.
func (p Policy) profile(name string) (string, Profile, *acme.Problem) {
	if name == "" {
		name = p.Default
	}
	prof, ok := p.Profiles[name]
	switch {
	case ok:
		return name, prof, nil
	case name == "" || len(p.Profiles) == 0 && name == p.Default:
		return name, Profile{}, nil
	}
	return "", Profile{}, acme.NewProblem(acme.InvalidProfile, fmt.Sprintf("there is no profile %q here; the directory lists them", name))
}

// challengesFor lists the types that can prove an identifier.
func (p Policy) challengesFor(id acme.Identifier, isWildcard bool) []string {
	var types []string
	for _, t := range p.Challenges {
		onlyDNS := t == acme.DNS01 || t == acme.DNSAccount01 || t == acme.DNSPersist01
		switch {
		case id.Type == acme.TypeIP && onlyDNS: // RFC 8738, Section 7: dns-01 MUST NOT be used
			continue
		case isWildcard && !onlyDNS:
			continue
		}
		types = append(types, t)
	}
	return types
}
