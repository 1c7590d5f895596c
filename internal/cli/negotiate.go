package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/ciphers"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// negotiationFlags are the flags by which either role narrows what it is willing to negotiate.
type negotiationFlags struct {
	alpn, groups, ciphers []string
	min, max              string
	compression           []string // of certificates
	records               recordSizeFlags
	variety               varietyFlags
	keyLog                string
	kernelTLS             bool
	timeout               time.Duration
}

func (n *negotiationFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSliceVar(&n.alpn, "alpn", nil, "`LIST` of application protocols, best first, such as h2,http/1.1")
	f.StringSliceVar(&n.groups, "groups", nil, "`LIST` of key exchange groups, best first, such as X25519MLKEM768,x25519,P-256")
	f.StringArrayVar(&n.ciphers, "ciphers", nil, "cipher suites, best first, as an `EXPRESSION`: names, or as in OpenSSL, such as 'ECDHE+AESGCM:!aNULL' (see tlswright ciphers)")
	f.StringVar(&n.min, "min", "", "lowest TLS `VERSION` to accept (default 1.2)")
	f.StringVar(&n.max, "max", "", "highest TLS `VERSION` to accept (default 1.3)")
	f.StringSliceVar(&n.compression, "cert-compression", nil, "`LIST` of algorithms that certificates may be compressed with, best first: brotli, zstd, zlib (RFC 8879)")
	complete(cmd, "cert-compression", names(tlsnet.CertificateCompressions()))
	n.records.register(cmd)
	n.variety.register(cmd)
	f.StringVar(&n.keyLog, "keylog", "", "append the secrets of every connection to `FILE`, for Wireshark: whoever has them can read the traffic")
	f.BoolVar(&n.kernelTLS, "kernel-tls", false, "have Linux protect the records after the handshake, where it can (module tls)")
	f.DurationVar(&n.timeout, "timeout", 10*time.Second, "how long a handshake may take, as a `TIME` such as 10s")
	complete(cmd, "groups", names(suite.AllGroups()))
	complete(cmd, "ciphers", append([]string{"modern", "intermediate"}, names(append(suite.All(), suite.All12()...))...))
	complete(cmd, "min", []string{"1.2", "1.3"})
	complete(cmd, "max", []string{"1.2", "1.3"})
	complete(cmd, "alpn", []string{"h2", "http/1.1"})
}

// complete offers fixed words for a flag.
func complete(cmd *cobra.Command, flag string, words []string) {
	// The only possible error is a flag that does not exist, which would show in every test of the command.
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// negotiation is what the flags of negotiationFlags mean.
type negotiation struct {
	core tlscore.Config
	// unspoken is set where what was asked for is nothing that we speak: a client can only show it to a server and look
	// at the answer.
	unspoken *probe
	// The suites that --ciphers means beyond those we speak, and whether it leaves TLS 1.3 out.
	left    int
	not13   bool
	offered int
}

// negotiation turns the flags into a configuration of the machine.
func (n *negotiationFlags) negotiation(cmd *cobra.Command) (negotiation, error) {
	var g negotiation
	var err error
	if g.core.Groups, err = choose(cmd, "--groups", n.groups, suite.AllGroups(), groupNicknames()); err != nil {
		return g, err
	}
	for _, p := range n.alpn {
		if p == "" || len(p) > 255 {
			return g, usagef(cmd, "--alpn: %q is no protocol name (1 to 255 bytes)", p)
		}
	}
	g.core.ALPN = n.alpn
	n.variety.apply(&g.core)
	if err := n.records.apply(cmd, &g.core); err != nil {
		return g, err
	}
	if n.timeout <= 0 {
		return g, usagef(cmd, "--timeout %v is not a time to wait", n.timeout)
	}
	lowest, highest, err := n.versions(cmd)
	if err != nil {
		return g, err
	}
	return g, n.suites(cmd, &g, lowest, highest)
}

// versions reads --min and --max.
func (n *negotiationFlags) versions(cmd *cobra.Command) (lowest, highest wire.Version, err error) {
	if lowest, err = parseVersion(cmd, "--min", n.min, wire.VersionTLS12); err != nil {
		return 0, 0, err
	}
	if highest, err = parseVersion(cmd, "--max", n.max, wire.VersionTLS13); err != nil {
		return 0, 0, err
	}
	if n.min == "" && highest < lowest {
		lowest = highest
	}
	if lowest > highest {
		return 0, 0, usagef(cmd, "--min %s is above --max %s", lowest, highest)
	}
	if lowest < wire.VersionTLS12 && highest >= wire.VersionTLS12 {
		f := usagef(cmd, "--min %s: nothing below TLS 1.2 is spoken here", n.min)
		f.hint = "connect --max 1.1 shows what a server says to an old client"
		return 0, 0, f
	}
	return lowest, highest, nil
}

// parseVersion reads 1.2, tls1.2, TLSv1.2, ssl3 and their kin.
func parseVersion(cmd *cobra.Command, flag, text string, absent wire.Version) (wire.Version, error) {
	if text == "" {
		return absent, nil
	}
	lower := strings.ToLower(text)
	if lower == "ssl3" || lower == "sslv3" || lower == "ssl3.0" {
		return wire.VersionSSL30, nil
	}
	number := strings.ReplaceAll(strings.TrimLeft(strings.TrimPrefix(lower, "tls"), "v "), "_", ".")
	if number == "1" {
		number = "1.0"
	}
	for _, v := range []wire.Version{wire.VersionTLS10, wire.VersionTLS11, wire.VersionTLS12, wire.VersionTLS13} {
		if v.String() == "TLS "+number {
			return v, nil
		}
	}
	f := usagef(cmd, "%s: %q is no version of TLS", flag, text)
	f.hint = "write 1.2 or 1.3"
	return 0, f
}

// suites settles --ciphers together with the versions.
func (n *negotiationFlags) suites(cmd *cobra.Command, g *negotiation, lowest, highest wire.Version) error {
	g.core.MinVersion, g.core.MaxVersion = lowest, highest
	isOld := highest < wire.VersionTLS12
	if len(n.ciphers) == 0 {
		if isOld {
			g.unspoken = &probe{lowest: lowest, highest: highest, suites: oldSuites(highest)}
		}
		return nil
	}
	expression := strings.Join(n.ciphers, ":")
	s, err := evaluate(cmd, "--ciphers", expression)
	if err != nil {
		return err
	}
	var meant, spoken []wire.CipherSuite
	for _, id := range s.Suites {
		if !isUsable(id, lowest, highest) {
			continue
		}
		meant = append(meant, id)
		switch p, _ := ciphers.Apart(id); {
		case isSpoken(id) && !isOld:
			spoken = append(spoken, id)
		case p.OpenSSLName != "": // others are hardly ever met
			g.left++
		}
	}
	switch {
	case len(s.Suites) == 0:
		return usagef(cmd, "--ciphers %q means no suite at all", expression)
	case len(meant) == 0:
		return usagef(cmd, "--ciphers %q means no suite of %s", expression, rangeText(lowest, highest))
	case len(spoken) == 0:
		if !slices.ContainsFunc(meant, isOfTLS13) {
			highest = min(highest, wire.VersionTLS12)
		}
		g.unspoken, g.left = &probe{lowest: lowest, highest: highest, suites: meant}, 0
		return nil
	}
	g.core.CipherSuites = spoken
	g.offered = len(spoken)
	if !slices.ContainsFunc(spoken, isOfTLS13) {
		g.not13 = highest == wire.VersionTLS13
		g.core.MaxVersion = wire.VersionTLS12
	} else if !slices.ContainsFunc(spoken, func(id wire.CipherSuite) bool { return !isOfTLS13(id) }) {
		g.core.MinVersion = wire.VersionTLS13
	}
	return nil
}

// isOfTLS13 reports whether a suite belongs to TLS 1.3, and so to no other version.
func isOfTLS13(id wire.CipherSuite) bool {
	p, _ := ciphers.Apart(id)
	return p.Since == wire.VersionTLS13
}

// isUsable reports whether a suite goes with some version of a range.
func isUsable(id wire.CipherSuite, lowest, highest wire.Version) bool {
	p, _ := ciphers.Apart(id)
	if p.Since == wire.VersionTLS13 {
		return highest == wire.VersionTLS13
	}
	return p.Since <= highest && lowest <= wire.VersionTLS12
}

func rangeText(lowest, highest wire.Version) string {
	if lowest == highest {
		return highest.String()
	}
	return lowest.String() + " to " + highest.String()
}

// note tells what --ciphers leaves out, where the reader may not expect it.
func (g *negotiation) note(u *ui) {
	switch {
	case g.not13 && g.left > 0:
		u.notef("--ciphers: %s offered, of TLS 1.2 alone; %d more that it means are not spoken here", countOf(g.offered, "suite"), g.left)
	case g.not13:
		u.notef("--ciphers: %s offered, of TLS 1.2 alone", countOf(g.offered, "suite"))
	case g.left > 0:
		u.notef("--ciphers: %s offered; %d more that it means are not spoken here", countOf(g.offered, "suite"), g.left)
	}
}

// choose finds the values named by a flag among those that are known.
func choose[T interface {
	~uint16
	fmt.Stringer
}](cmd *cobra.Command, flag string, words []string, known []T, nicknames map[string]T) ([]T, error) {
	var chosen []T
	for _, list := range words {
		for _, word := range strings.FieldsFunc(list, func(r rune) bool { return r == ':' || r == ' ' }) {
			at := slices.IndexFunc(known, func(v T) bool { return strings.EqualFold(v.String(), word) })
			v, isNickname := nicknames[strings.ToLower(word)]
			switch {
			case at >= 0:
				v = known[at]
			case !isNickname:
				f := usagef(cmd, "%s: %q is not one we know", flag, word)
				f.hint = "known are " + strings.Join(names(known), ", ")
				return nil, f
			}
			if slices.Contains(chosen, v) {
				return nil, usagef(cmd, "%s: %q is named twice", flag, word)
			}
			chosen = append(chosen, v)
		}
	}
	return chosen, nil
}

// groupNicknames are the other names that people know the curves by.
func groupNicknames() map[string]wire.Group {
	return map[string]wire.Group{
		"p-256": wire.GroupSecp256r1, "p256": wire.GroupSecp256r1, "prime256v1": wire.GroupSecp256r1,
		"p-384": wire.GroupSecp384r1, "p384": wire.GroupSecp384r1,
		"p-521": wire.GroupSecp521r1, "p521": wire.GroupSecp521r1,
	}
}

func names[T fmt.Stringer](values []T) []string {
	var all []string
	for _, v := range values {
		all = append(all, v.String())
	}
	return all
}
