package challenge

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/pki"
)

// dnsText looks for the proof in a TXT record (RFC 8555, Section 8.4, and dns-account-01).
func (p *place) dnsText(ctx context.Context, t Task, name string) *acme.Problem {
	texts, err := p.resolver.TXT(ctx, name)
	if err != nil {
		return failed("TXT records of "+name, err)
	}
	want := acme.DNS01Value(t.keyAuthorization())
	if slices.Contains(texts, want) {
		return nil
	}
	if len(texts) == 0 {
		return acme.NewProblem(acme.Unauthorized, fmt.Sprintf("there is no TXT record at %s", name))
	}
	return acme.NewProblem(acme.IncorrectResponse, fmt.Sprintf("none of the %d TXT records at %s is the proof; the first says %q", len(texts), name, pki.Printable(shorten(texts[0]))))
}

// maxParents bounds how far up dns-persist-01 looks.
const maxParents = 8

// dnsPersist looks for a lasting record that names this CA and this account; at the name, or with policy=wildcard at a name
// above it (draft-ietf-acme-dns-persist, Section 5).
func (p *place) dnsPersist(ctx context.Context, t Task, issuers []string, now time.Time) *acme.Problem {
	name := t.Identifier.Value
	var why []string
	for level := 0; level < maxParents && strings.Contains(name, "."); level++ {
		texts, err := p.resolver.TXT(ctx, acme.DNSPersist01Name(name))
		if err != nil {
			return failed("TXT records of "+acme.DNSPersist01Name(name), err)
		}
		for _, text := range texts {
			r, ok := acme.ParsePersistRecord(text)
			reason := refuses(r, ok, t, issuers, level > 0, now)
			if reason == "" {
				return nil
			}
			why = append(why, acme.DNSPersist01Name(name)+": "+reason)
		}
		_, name, _ = strings.Cut(name, ".")
	}
	if len(why) == 0 {
		return acme.NewProblem(acme.Unauthorized, "there is no TXT record at "+acme.DNSPersist01Name(t.Identifier.Value))
	}
	return acme.NewProblem(acme.Unauthorized, strings.Join(why[:min(len(why), 3)], "; "))
}

// refuses says why a record of dns-persist-01 does not count; "" if it does.
func refuses(r acme.PersistRecord, readable bool, t Task, issuers []string, above bool, now time.Time) string {
	switch {
	case !readable:
		return "a record cannot be understood"
	case !slices.Contains(issuers, r.Issuer):
		return "a record is for another CA"
	case r.AccountURI != t.AccountURI:
		return "a record is for another account"
	case r.Until > 0 && now.Unix() >= r.Until:
		return "the record has ended"
	case (t.Wildcard || above) && !r.Wildcard:
		return "the record does not reach wildcards and names below (policy=wildcard)"
	}
	return ""
}
