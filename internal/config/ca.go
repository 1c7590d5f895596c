package config

import (
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tlswright/tlswright/acme"
)

// CA is the section "ca" of a file: where the CA is served, and what may be had of it. The keys are the words of the flags
// of `ca serve`.
type CA struct {
	Listen  string // ACME over https
	HTTP    string // OCSP, CRLs and roots; "": none
	URL     string // how clients see the https side; "": as each request says
	HTTPURL string // how relying parties see the http side; "": http:// and its address

	Names       []string // that the service's own certificate is for as well
	Certificate string   // file with the service's certificate and chain; "": the CA issues one
	Key         string   // file or token; "": in the file of the certificate
	Issuers     []string // further intermediates, each with a directory of its own
	Database    string   // URL of a PostgreSQL database; "": as the home says
	Admin       string   // address of the admin API; "": none
	Metrics     string   // address of metrics and health; "": none

	Terms        string // URL
	NeedsBinding bool
	Chains       []string // files with alternate chains
	CTLogs       string   // file with a list of logs; NoLogs: none; "": as the home says
	CTMinimum    int      // logs that must take a certificate; 0: as browsers demand

	HTTP01Port, TLSALPN01Port int
	AllowNetworks             []netip.Prefix // that are connected to when names are validated, beside public addresses
	Resolvers                 []string       // DNS servers; none: the system's
	Quorum                    int            // resolvers that must agree; 0: all but one of three and more
	NoCAA                     bool
	CAAIdentities             []string

	AllowNames, DenyNames []string // "corp.example": that and all below; "=www.corp.example": that alone
	AllowAddresses        []netip.Prefix
	NoWildcards           bool
	NoAddresses           bool
	Challenges            []string      // types on offer; none: all
	KeyTypes              []string      // none: all that are sound
	Lifetime              time.Duration // of certificates; 0: as the profile says
	Reuse                 time.Duration // of proofs; -1: each is good for one order
}

// NoLogs is what CTLogs says for none.
const NoLogs = "none"

// DefaultCA is what a section means that is present and empty, and `ca serve` without flags.
func DefaultCA() *CA {
	return &CA{Listen: "127.0.0.1:9443", HTTP: "127.0.0.1:9080", HTTP01Port: 80, TLSALPN01Port: 443, Reuse: 30 * 24 * time.Hour}
}

// ChallengeTypes are the types of challenges that can be offered.
func ChallengeTypes() []string {
	return []string{acme.HTTP01, acme.DNS01, acme.TLSALPN01, acme.DNSAccount01, acme.DNSPersist01}
}

// RelativeTo makes every file name absolute: names that are not are below dir, which is the folder of the file they stand in.
func (c *CA) RelativeTo(dir string) {
	fix := func(names ...*string) {
		for _, n := range names {
			if scheme, _, _ := strings.Cut(*n, ":"); *n != "" && !filepath.IsAbs(*n) && !strings.EqualFold(scheme, "pkcs11") {
				*n = filepath.Join(dir, *n)
			}
		}
	}
	fix(&c.Certificate, &c.Key)
	if c.CTLogs != NoLogs {
		fix(&c.CTLogs)
	}
	for i := range c.Chains {
		fix(&c.Chains[i])
	}
}

// spanText writes a time as it stands in files; "" for none that was given.
func spanText(d time.Duration) string {
	if d < 0 {
		return "none"
	}
	for _, unit := range []struct {
		of   time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if d > 0 && d%unit.of == 0 {
			return strconv.FormatInt(int64(d/unit.of), 10) + unit.name
		}
	}
	if d == 0 {
		return ""
	}
	return d.String()
}

// IsDatabase reports whether a text is the address of a PostgreSQL database.
func IsDatabase(address string) bool {
	scheme, rest, ok := strings.Cut(address, "://")
	return ok && rest != "" && slices.Contains([]string{"postgres", "postgresql"}, scheme)
}
