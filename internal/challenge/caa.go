package challenge

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/internal/resolve"
	"github.com/tlswright/tlswright/pki"
)

// CheckCAA asks whether the CAA records of a name let us issue (RFC 8659): for this account and by this way of validation,
// where they say so (RFC 8657). Addresses have none. A failed look-up forbids.
func (v *Validator) CheckCAA(ctx context.Context, t Task) *acme.Problem {
	if v.o.NoCAA || t.Identifier.Type != acme.TypeDNS {
		return nil
	}
	return v.fromAll(ctx, func(ctx context.Context, p *place) *acme.Problem {
		records, at, err := p.resolver.CAA(ctx, t.Identifier.Value)
		if err != nil {
			return failed("CAA records of "+t.Identifier.Value, err)
		}
		if reason := forbids(records, t, v.o.Identities); reason != "" {
			return acme.NewProblem(acme.CAA, fmt.Sprintf("CAA records at %s %s", at, reason))
		}
		return nil
	})
}

// forbids says why records do not allow issuance; "" if they do.
func forbids(records []resolve.CAA, t Task, identities []string) string {
	var issue, issueWild []string
	for _, r := range records {
		switch strings.ToLower(r.Tag) {
		case "issue":
			issue = append(issue, r.Value)
		case "issuewild":
			issueWild = append(issueWild, r.Value)
		case "iodef", "contactemail", "contactphone", "issuemail", "issuevmc":
		default:
			if r.Critical {
				return fmt.Sprintf("have the critical property %q, which is not understood here", pki.Printable(shorten(r.Tag)))
			}
		}
	}
	relevant := issue
	if t.Wildcard && len(issueWild) > 0 {
		relevant = issueWild
	}
	if len(relevant) == 0 {
		return ""
	}
	why := "let other CAs issue, and not this one"
	for _, value := range relevant {
		domain, parameters, ok := parseIssue(value)
		if !ok || domain == "" || !slices.Contains(identities, domain) {
			continue
		}
		if uri, has := parameters["accounturi"]; has && uri != t.AccountURI {
			why = "let this CA issue for another account only (RFC 8657)"
			continue
		}
		if methods, has := parameters["validationmethods"]; has && !slices.Contains(strings.Split(methods, ","), t.Type) {
			why = "do not let this CA issue after a validation by " + t.Type + " (RFC 8657)"
			continue
		}
		return ""
	}
	return why
}

// parseIssue reads the value of an issue or issuewild property (RFC 8659, Section 4.2). What does not follow the grammar
// allows nobody.
func parseIssue(value string) (domain string, parameters map[string]string, ok bool) {
	parts := strings.Split(value, ";")
	domain = strings.ToLower(strings.Trim(parts[0], " \t"))
	parameters = make(map[string]string)
	for i, p := range parts[1:] {
		p = strings.Trim(p, " \t")
		if p == "" && i == len(parts)-2 {
			continue
		}
		key, val, found := strings.Cut(p, "=")
		key = strings.ToLower(strings.TrimRight(key, " \t"))
		if _, twice := parameters[key]; !found || key == "" || twice {
			return "", nil, false
		}
		parameters[key] = strings.Trim(val, " \t")
	}
	if strings.ContainsAny(domain, " \t") {
		return "", nil, false
	}
	return strings.TrimSuffix(domain, "."), parameters, true
}
