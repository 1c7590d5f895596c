package cli

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/acmeserver"
	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/estate"
	"github.com/tlswright/tlswright/pki"
)

// caServeFlags are the flags of `ca serve`.
type caServeFlags struct {
	secret    secretFlags
	file      string
	set       config.CA // by flags
	networks  []string  // of --allow-network
	addresses []string  // of --allow-address
	chaos     string
	isQuiet   bool
	asJSON    bool
}

// caFlag is a flag that has a key in the section "ca" of a file.
type caFlag struct {
	flag, key string
	take      func(to, from *config.CA)
}

// caFlagTable are all of them.
func caFlagTable() []caFlag {
	return []caFlag{
		{"listen", "listen", func(to, from *config.CA) { to.Listen = from.Listen }},
		{"http", "http", func(to, from *config.CA) { to.HTTP = from.HTTP }},
		{"url", "url", func(to, from *config.CA) { to.URL = from.URL }},
		{"http-url", "http-url", func(to, from *config.CA) { to.HTTPURL = from.HTTPURL }},
		{"name", "names", func(to, from *config.CA) { to.Names = from.Names }},
		{"issuer", "issuers", func(to, from *config.CA) { to.Issuers = from.Issuers }},
		{"database", "database", func(to, from *config.CA) { to.Database = from.Database }},
		{"cert", "cert", func(to, from *config.CA) { to.Certificate, to.Key = from.Certificate, from.Key }},
		{"key", "key", func(to, from *config.CA) { to.Key = from.Key }},
		{"http01-port", "http01-port", func(to, from *config.CA) { to.HTTP01Port = from.HTTP01Port }},
		{"tls-alpn01-port", "tls-alpn01-port", func(to, from *config.CA) { to.TLSALPN01Port = from.TLSALPN01Port }},
		{"allow-network", "allow-networks", func(to, from *config.CA) { to.AllowNetworks = from.AllowNetworks }},
		{"resolver", "resolvers", func(to, from *config.CA) { to.Resolvers = from.Resolvers }},
		{"quorum", "quorum", func(to, from *config.CA) { to.Quorum = from.Quorum }},
		{"no-caa", "no-caa", func(to, from *config.CA) { to.NoCAA = from.NoCAA }},
		{"caa-identity", "caa-identities", func(to, from *config.CA) { to.CAAIdentities = from.CAAIdentities }},
		{"allow-name", "allow-names", func(to, from *config.CA) { to.AllowNames = from.AllowNames }},
		{"deny-name", "deny-names", func(to, from *config.CA) { to.DenyNames = from.DenyNames }},
		{"allow-address", "allow-addresses", func(to, from *config.CA) { to.AllowAddresses = from.AllowAddresses }},
		{"no-wildcards", "no-wildcards", func(to, from *config.CA) { to.NoWildcards = from.NoWildcards }},
		{"no-addresses", "no-addresses", func(to, from *config.CA) { to.NoAddresses = from.NoAddresses }},
		{"challenge", "challenges", func(to, from *config.CA) { to.Challenges = from.Challenges }},
		{"key-type", "key-types", func(to, from *config.CA) { to.KeyTypes = from.KeyTypes }},
		{"lifetime", "lifetime", func(to, from *config.CA) { to.Lifetime = from.Lifetime }},
		{"authorization-lifetime", "authorization-lifetime", func(to, from *config.CA) { to.Reuse = from.Reuse }},
		{"ct-logs", "ct-logs", func(to, from *config.CA) { to.CTLogs, to.CTMinimum = from.CTLogs, from.CTMinimum }},
		{"ct-minimum", "ct-minimum", func(to, from *config.CA) { to.CTMinimum = from.CTMinimum }},
		{"admin", "admin", func(to, from *config.CA) { to.Admin = from.Admin }},
		{"metrics", "metrics", func(to, from *config.CA) { to.Metrics = from.Metrics }},
		{"require-binding", "require-binding", func(to, from *config.CA) { to.NeedsBinding = from.NeedsBinding }},
		{"alternate-chain", "alternate-chains", func(to, from *config.CA) { to.Chains = from.Chains }},
		{"terms", "terms", func(to, from *config.CA) { to.Terms = from.Terms }},
	}
}

// caFlagOf is the flag that stands for a key of the section.
func caFlagOf(key string) string {
	for _, f := range caFlagTable() {
		if f.key == key {
			return f.flag
		}
	}
	return key
}

func (o *caServeFlags) register(cmd *cobra.Command, a *app) {
	f, set, usual := cmd.Flags(), &o.set, config.DefaultCA()
	f.StringVarP(&o.file, "config", "c", "", "a `FILE` with the section ca; flags that are given win (default: no file)")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
	f.StringVar(&set.Listen, "listen", usual.Listen, "`ADDRESS` for ACME over https; port 0 is any free one")
	f.StringVar(&set.HTTP, "http", usual.HTTP, "`ADDRESS` for OCSP, CRLs and roots over plain http; empty: none")
	f.StringVar(&set.URL, "url", "", "how clients see the https side, as `URL` without a path (default: as each request says)")
	f.StringVar(&set.HTTPURL, "http-url", "", "how relying parties see the http side, as `URL` (default: http:// and its address)")
	f.StringSliceVar(&set.Names, "name", nil, "`NAME` or address that the service's own certificate is for as well")
	f.StringSliceVar(&set.Issuers, "issuer", nil, "`NAME` of a further intermediate to issue by, with a directory of its own; may be repeated")
	_ = cmd.RegisterFlagCompletionFunc("issuer", a.completeIssuers)
	f.StringVar(&set.Database, "database", "", "`URL` of a PostgreSQL database for the records, which several nodes may share (default: the one that the home remembers, or a file in it)")
	registerPassphrase(cmd, &o.secret, "the passphrase of the CA's key")
	f.StringVar(&set.Certificate, "cert", "", "the service's certificate and its chain, PEM `FILE`")
	f.StringVar(&set.Key, "key", "", "private key of --cert, PEM `FILE` (default: the file of --cert)")
	_ = cmd.MarkFlagFilename("cert", "pem", "crt", "cer")
	_ = cmd.MarkFlagFilename("key", "pem", "key")
	o.registerValidation(cmd, usual)
	o.registerPolicy(cmd)
	f.StringVar(&set.CTLogs, "ct-logs", "", ctLogsUsage)
	f.IntVar(&set.CTMinimum, "ct-minimum", 0, ctMinimumUsage)
	_ = cmd.MarkFlagFilename("ct-logs", "json")
	f.StringVar(&set.Admin, "admin", "", "`ADDRESS` for the admin API over https, for client certificates of \"ca admin issue\" (default: none)")
	f.StringVar(&set.Metrics, "metrics", "", "`ADDRESS` for metrics and health over plain http, such as 127.0.0.1:9464 (default: none)")
	f.BoolVar(&set.NeedsBinding, "require-binding", false, "only take accounts that are bound to a key of \"ca binding\" (EAB)")
	f.StringSliceVar(&set.Chains, "alternate-chain", nil, "offer ACME clients the chain in this PEM `FILE`, too; may be repeated")
	_ = cmd.MarkFlagFilename("alternate-chain", "pem", "crt", "cer")
	f.StringVar(&set.Terms, "terms", "", "`URL` of terms of service that clients must agree to")
	f.StringVar(&o.chaos, "chaos", "", "misbehave as `HOW`: mild, wild, or a list (see above)")
	f.BoolVarP(&o.isQuiet, "quiet", "q", false, "tell refusals only, not every request")
	f.BoolVar(&o.asJSON, "json", false, "tell what happens as JSON, a line each")
	complete(cmd, "chaos", []string{"mild", "wild"})
}

// registerValidation adds the flags that say how names are validated.
func (o *caServeFlags) registerValidation(cmd *cobra.Command, usual *config.CA) {
	f, set := cmd.Flags(), &o.set
	f.IntVar(&set.HTTP01Port, "http01-port", usual.HTTP01Port, "`PORT` to ask for proofs by http-01, for closed networks and tests")
	f.IntVar(&set.TLSALPN01Port, "tls-alpn01-port", usual.TLSALPN01Port, "`PORT` to ask for proofs by tls-alpn-01, likewise")
	f.StringSliceVar(&o.networks, "allow-network", nil, "connect to addresses of this `CIDR`, too, when names are validated; may be repeated")
	f.StringSliceVar(&set.Resolvers, "resolver", nil, "`ADDRESS` of a DNS server to ask; several look from several places (default: the system's)")
	f.IntVar(&set.Quorum, "quorum", 0, "how many of several resolvers must agree, as a `NUMBER` (default: all but one of three and more)")
	f.BoolVar(&set.NoCAA, "no-caa", false, "do not ask for CAA records: for names that no DNS knows")
	f.StringSliceVar(&set.CAAIdentities, "caa-identity", nil, "`NAME` by which CAA and dns-persist-01 records call this CA")
}

// registerPolicy adds the flags that say what may be had.
func (o *caServeFlags) registerPolicy(cmd *cobra.Command) {
	f, set := cmd.Flags(), &o.set
	f.StringSliceVar(&set.AllowNames, "allow-name", nil, "issue for this `NAME` and those below only (\"=NAME\": for it alone); may be repeated")
	f.StringSliceVar(&set.DenyNames, "deny-name", nil, "never issue for this `NAME` and those below")
	f.StringSliceVar(&o.addresses, "allow-address", nil, "issue for addresses of this `CIDR` only")
	f.BoolVar(&set.NoWildcards, "no-wildcards", false, "issue no wildcard certificates")
	f.BoolVar(&set.NoAddresses, "no-addresses", false, "issue no certificates for IP addresses")
	f.StringSliceVar(&set.Challenges, "challenge", nil, "offer this `TYPE` of challenge only; may be repeated")
	complete(cmd, "challenge", config.ChallengeTypes())
	f.StringSliceVar(&set.KeyTypes, "key-type", nil, "take certificate keys of this `TYPE` only, such as \"ECDSA P-256\" or RSA")
	f.DurationVar(&set.Lifetime, "lifetime", 0, "how long certificates live (default: 90 days; the profile shortlived: 6 days)")
	f.DurationVar(&set.Reuse, "authorization-lifetime", 30*24*time.Hour, "how long a name that was proven need not be proven again")
}

// settings are those of the file, if one is named, and of the flags.
func (o *caServeFlags) settings(cmd *cobra.Command, a *app) (*config.CA, error) {
	if err := o.read(cmd); err != nil {
		return nil, err
	}
	if o.file == "" {
		c := o.set
		return &c, nil
	}
	c, err := a.readCASection(o.file)
	if err != nil {
		return nil, err
	}
	for _, f := range caFlagTable() {
		if cmd.Flags().Changed(f.flag) {
			f.take(c, &o.set)
		}
	}
	return c, nil
}

// read takes what flags say that is more than a word, and refuses nonsense before anything starts.
func (o *caServeFlags) read(cmd *cobra.Command) (err error) {
	set := &o.set
	for flag, c := range map[string]struct{ text, scheme string }{"url": {set.URL, "https"}, "http-url": {set.HTTPURL, "http"}} {
		if c.text != "" && !config.IsBaseURL(c.text, c.scheme) {
			f := usagef(cmd, "--%s %q is no %s URL without a path", flag, c.text, c.scheme)
			f.hint = "write it like " + c.scheme + "://ca.example"
			return f
		}
	}
	if cmd.Flags().Changed("database") && !config.IsDatabase(set.Database) {
		return notADatabase(cmd)
	}
	if set.AllowNetworks, err = prefixes(cmd, "allow-network", o.networks); err != nil {
		return err
	}
	if set.AllowAddresses, err = prefixes(cmd, "allow-address", o.addresses); err != nil {
		return err
	}
	known := config.ChallengeTypes()
	for _, c := range set.Challenges {
		if !slices.Contains(known, c) {
			u := usagef(cmd, "--challenge %q is not known", c)
			u.hint = "known are " + strings.Join(known, ", ")
			return u
		}
	}
	switch {
	case set.Key != "" && set.Certificate == "" && o.file == "":
		return usagef(cmd, "--key without --cert: the certificate is missing")
	case set.CTMinimum < 0 || set.CTMinimum > maxMinimum:
		return usagef(cmd, "--ct-minimum %d is not between 0 and %d", set.CTMinimum, maxMinimum)
	case set.CTMinimum != 0 && (set.CTLogs == "" || set.CTLogs == config.NoLogs) && o.file == "":
		return usagef(cmd, "--ct-minimum without --ct-logs: which logs?")
	case set.Lifetime < 0:
		return usagef(cmd, "--lifetime %v is no time", set.Lifetime)
	case set.Reuse <= 0:
		set.Reuse = -1
	}
	return nil
}

// prefixes reads networks.
func prefixes(cmd *cobra.Command, flag string, texts []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range texts {
		n, err := netip.ParsePrefix(text)
		if err != nil {
			u := usagef(cmd, "--%s %q is no network", flag, text)
			u.hint = "write it like 10.0.0.0/8, or 192.0.2.7/32 for one address"
			return nil, u
		}
		all = append(all, n.Masked())
	}
	return all, nil
}

// readCASection reads the section "ca" of a file. What is wrong is shown where it stands.
func (a *app) readCASection(name string) (*config.CA, error) {
	text, _, err := a.readBytes(name)
	if err != nil {
		return nil, err
	}
	c, err := estate.ReadCA(text)
	var wrong *config.Error
	if errors.As(err, &wrong) {
		if wrong.Line > 0 {
			a.ui.write(&a.ui.err, wrong.Excerpt(text))
		}
		return nil, &failure{kind: kindUsage, text: pki.Printable(name) + ": " + wrong.Error(), hint: wrong.Hint, err: wrong}
	}
	if err != nil {
		return nil, cannotRun(err, "%s", pki.Printable(name))
	}
	dir, err := filepath.Abs(filepath.Dir(name))
	if err != nil {
		return nil, cannotRun(err, "")
	}
	c.RelativeTo(dir)
	return c, nil
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
