package config

import (
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/tlswright/tlswright/pki"
)

// issuerName is what an intermediate may be called that is served: it stands in URLs.
var issuerName = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)

// minLifetime is the shortest life of certificates that clients can keep up with.
const minLifetime = time.Minute

// ReadCA reads the section "ca" of a file, YAML or JSON. Other sections are not looked at. Keys that are not written have
// the values of [DefaultCA]; a section that is there and empty is usual, if that is not nil. File names are as they were
// written: see [CA.RelativeTo]. What is wrong is an [*Error] with line and column.
func ReadCA(text []byte, usual *CA) (*CA, error) {
	root, ok, err := parseWithin(text, maxMonitorFile, maxMonitorEntries)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, &Error{Text: "the file is empty", Hint: "begin with ca:"}
	}
	top, err := root.fields(sections())
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(top, func(f field) bool { return f.name == "ca" })
	if i < 0 {
		return nil, fail(root.ast, "begin with ca:", "there is no section ca in the file")
	}
	if usual != nil && isEmpty(top[i].value) {
		c := *usual
		return &c, nil
	}
	return readCA(top[i].value)
}

// readCA reads the section, which may be empty.
func readCA(n node) (*CA, error) {
	c := DefaultCA()
	if _, isEmpty := n.ast.(*ast.NullNode); isEmpty {
		return c, nil
	}
	err := eachOf(n, map[string]func(node) error{
		"listen":   setServed(&c.Listen, false),
		"http":     setServed(&c.HTTP, true),
		"url":      setBase(&c.URL, "https"),
		"http-url": setBase(&c.HTTPURL, "http"),
		"names":    setHosts(&c.Names),
		"cert":     setText(&c.Certificate),
		"key":      setText(&c.Key),
		"issuers":  setIssuers(&c.Issuers),
		"database": setDatabase(&c.Database),
		"admin":    setServed(&c.Admin, true),
		"metrics":  setServed(&c.Metrics, true),

		"terms":            func(n node) error { return setURL(n, &c.Terms, "https", "http") },
		"require-binding":  setTruth(&c.NeedsBinding),
		"alternate-chains": setTexts(&c.Chains),
		"ct-logs":          setText(&c.CTLogs),
		"ct-minimum":       setNumber(&c.CTMinimum, 16),

		"http01-port":     setNumber(&c.HTTP01Port, 65535),
		"tls-alpn01-port": setNumber(&c.TLSALPN01Port, 65535),
		"allow-networks":  setNetworks(&c.AllowNetworks),
		"resolvers":       setTexts(&c.Resolvers),
		"quorum":          setNumber(&c.Quorum, 16),
		"no-caa":          setTruth(&c.NoCAA),
		"caa-identities":  setHosts(&c.CAAIdentities),

		"allow-names":            setNamePatterns(&c.AllowNames),
		"deny-names":             setNamePatterns(&c.DenyNames),
		"allow-addresses":        setNetworks(&c.AllowAddresses),
		"no-wildcards":           setTruth(&c.NoWildcards),
		"no-addresses":           setTruth(&c.NoAddresses),
		"challenges":             setChallenges(&c.Challenges),
		"key-types":              setTexts(&c.KeyTypes),
		"lifetime":               setLifetime(&c.Lifetime),
		"authorization-lifetime": setSpan(&c.Reuse),
	})
	if err != nil {
		return nil, err
	}
	return c, c.contradictions(n)
}

// contradictions finds settings that are right by themselves, and not together.
func (c *CA) contradictions(n node) error {
	switch {
	case c.Key != "" && c.Certificate == "":
		return fail(n.ast, "name both: cert: service.pem, key: service.key", "%s has a key, and no cert", n.label())
	case c.CTMinimum != 0 && (c.CTLogs == "" || c.CTLogs == NoLogs):
		return fail(n.ast, "add ct-logs: log_list.json", "%s has ct-minimum, and no ct-logs", n.label())
	case c.Quorum > max(len(c.Resolvers), 1):
		return fail(n.ast, "name as many resolvers", "%s: a quorum of %d cannot be had from %d resolvers", n.label(), c.Quorum, len(c.Resolvers))
	case c.NoAddresses && len(c.AllowAddresses) > 0:
		return fail(n.ast, "keep one of them", "%s has both no-addresses and allow-addresses", n.label())
	}
	return nil
}

// setServed reads an address to listen on, or none where that goes.
func setServed(to *string, maybeNone bool) func(node) error {
	return func(n node) error {
		text, err := plainText(n)
		if err != nil {
			return err
		}
		if maybeNone && text == "none" {
			*to = ""
			return nil
		}
		*to = text
		_, err = hostPort(n, text)
		return err
	}
}

// IsBaseURL reports whether a text is an address of that scheme to which paths can be added.
func IsBaseURL(text, scheme string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Scheme == scheme && u.Hostname() != "" && u.Path == "" && u.RawQuery == "" && u.Fragment == "" && u.User == nil && !strings.ContainsAny(text, "?#")
}

// setBase reads how others see a service.
func setBase(to *string, scheme string) func(node) error {
	return func(n node) error {
		text, err := plainText(n)
		if err != nil {
			return err
		}
		if !IsBaseURL(text, scheme) {
			return fail(n.ast, "write it like "+scheme+"://ca.example", "%s: %q is no %s URL without a path", n.label(), text, scheme)
		}
		*to = text
		return nil
	}
}

// setEach reads a list of values, each once and right by itself.
func setEach(to *[]string, check func(e node, text string) error) func(node) error {
	return func(n node) error {
		if err := setTexts(to)(n); err != nil {
			return err
		}
		list, err := n.list()
		if err != nil {
			return err
		}
		for i, e := range list {
			if err := check(e, (*to)[i]); err != nil {
				return err
			}
		}
		return nil
	}
}

func setIssuers(to *[]string) func(node) error {
	return setEach(to, func(e node, text string) error {
		if !issuerName.MatchString(text) {
			return fail(e.ast, "see: tlswright ca show", "%s: %q is no name of an intermediate", e.label(), text)
		}
		return nil
	})
}

func setDatabase(to *string) func(node) error {
	return func(n node) error {
		text, err := plainText(n)
		if err != nil {
			return err
		}
		if !IsDatabase(text) {
			return fail(n.ast, "write it like postgres://user@db.example/name; passwords are better kept in ~/.pgpass", "%s is no address of a PostgreSQL database", n.label())
		}
		*to = text
		return nil
	}
}

// setNetworks reads networks.
func setNetworks(to *[]netip.Prefix) func(node) error {
	return func(n node) error {
		var list []string
		return setEach(&list, func(e node, text string) error {
			p, err := netip.ParsePrefix(text)
			if err != nil {
				return fail(e.ast, "write it like 10.0.0.0/8, or 192.0.2.7/32 for one address", "%s: %q is no network", e.label(), text)
			}
			*to = append(*to, p.Masked())
			return nil
		})(n)
	}
}

// setNamePatterns reads names that stand for themselves and what is below, or with a = before for themselves alone.
func setNamePatterns(to *[]string) func(node) error {
	return setEach(to, func(e node, text string) error {
		name := strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(text, "="), "*"), ".")
		if problem := nameProblem(strings.ToLower(name)); problem != "" {
			return fail(e.ast, "write it as corp.example, or =www.corp.example for that name alone", "%s: %q is no name: %s", e.label(), text, problem)
		}
		return nil
	})
}

func setChallenges(to *[]string) func(node) error {
	known := ChallengeTypes()
	return setEach(to, func(e node, text string) error {
		if !slices.Contains(known, text) {
			return fail(e.ast, nearest(text, known), "%s: %q is not known", e.label(), text)
		}
		return nil
	})
}

// setLifetime reads how long certificates live.
func setLifetime(to *time.Duration) func(node) error {
	return func(n node) error {
		if err := setTime(to)(n); err != nil {
			return err
		}
		if *to < minLifetime || *to > pki.MaxLeafLifetime {
			return fail(n.ast, "write a time from 1m to 398d", "%s: %s is too short or too long", n.label(), spanText(*to))
		}
		return nil
	}
}
