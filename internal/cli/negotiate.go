package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// negotiationFlags are the flags by which either role narrows what it is willing to negotiate.
type negotiationFlags struct {
	alpn, groups, ciphers []string
	min, max              string
	keyLog                string
	timeout               time.Duration
}

func (n *negotiationFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSliceVar(&n.alpn, "alpn", nil, "`LIST` of application protocols, best first, such as h2,http/1.1")
	f.StringSliceVar(&n.groups, "groups", nil, "`LIST` of key exchange groups, best first, such as X25519MLKEM768,x25519,P-256")
	f.StringSliceVar(&n.ciphers, "ciphers", nil, "`LIST` of cipher suites, best first, such as TLS_AES_128_GCM_SHA256")
	f.StringVar(&n.min, "min", "", "lowest TLS `VERSION` to accept, such as 1.2 (default 1.3)")
	f.StringVar(&n.max, "max", "", "highest TLS `VERSION` to accept (default 1.3)")
	f.StringVar(&n.keyLog, "keylog", "", "append the secrets of every connection to `FILE`, for Wireshark: whoever has them can read the traffic")
	f.DurationVar(&n.timeout, "timeout", 10*time.Second, "how long a handshake may take, as a `TIME` such as 10s")
	complete(cmd, "groups", names(suite.DefaultGroups()))
	complete(cmd, "ciphers", names(suite.Defaults()))
	complete(cmd, "min", []string{"1.2", "1.3"})
	complete(cmd, "max", []string{"1.3"})
	complete(cmd, "alpn", []string{"h2", "http/1.1"})
}

// complete offers fixed words for a flag.
func complete(cmd *cobra.Command, flag string, words []string) {
	// The only possible error is a flag that does not exist, which would show in every test of the command.
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// core turns the flags into a configuration of the machine.
func (n *negotiationFlags) core(cmd *cobra.Command) (tlscore.Config, error) {
	var c tlscore.Config
	var err error
	if c.CipherSuites, err = choose(cmd, "--ciphers", n.ciphers, suite.Defaults(), nil); err != nil {
		return c, err
	}
	if c.Groups, err = choose(cmd, "--groups", n.groups, suite.DefaultGroups(), groupNicknames()); err != nil {
		return c, err
	}
	for _, p := range n.alpn {
		if p == "" || len(p) > 255 {
			return c, usagef(cmd, "--alpn: %q is no protocol name (1 to 255 bytes)", p)
		}
	}
	c.ALPN = n.alpn
	if n.timeout <= 0 {
		return c, usagef(cmd, "--timeout %v is not a time to wait", n.timeout)
	}
	return c, n.checkVersions(cmd)
}

// checkVersions holds --min and --max against the one version there is.
func (n *negotiationFlags) checkVersions(cmd *cobra.Command) error {
	lowest, err := parseVersion(cmd, "--min", n.min, wire.VersionTLS13)
	if err != nil {
		return err
	}
	highest, err := parseVersion(cmd, "--max", n.max, wire.VersionTLS13)
	if err != nil {
		return err
	}
	if lowest > highest && n.min != "" && n.max != "" {
		return usagef(cmd, "--min %s is above --max %s", n.min, n.max)
	}
	if highest < wire.VersionTLS13 {
		f := usagef(cmd, "--max %s leaves no version: only TLS 1.3 is spoken here", n.max)
		f.hint = "leave --max out, or raise it to 1.3"
		return f
	}
	return nil
}

// parseVersion reads 1.2, tls1.2, TLSv1.2 and their kin.
func parseVersion(cmd *cobra.Command, flag, text string, absent wire.Version) (wire.Version, error) {
	if text == "" {
		return absent, nil
	}
	number := strings.TrimLeft(strings.TrimPrefix(strings.ToLower(text), "tls"), "v ")
	for _, v := range []wire.Version{wire.VersionTLS10, wire.VersionTLS11, wire.VersionTLS12, wire.VersionTLS13} {
		if v.String() == "TLS "+number {
			return v, nil
		}
	}
	f := usagef(cmd, "%s: %q is no version of TLS", flag, text)
	f.hint = "write 1.2 or 1.3"
	return 0, f
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
