package scan

import (
	"slices"
	"strings"

	"github.com/tlswright/tlswright/grade"
)

// Debian weak keys (Debian Security Advisory 1571-1, 2008).
//
// Sent: nothing of its own. Concluded: Debian's OpenSSL of 2006 to 2008 drew its keys from 32,767 seeds. To know such a key one
// needs the list of them all, which is not part of this program: it is an option of the scan. Without it the verdict stays
// open rather than good.

var debianKey = attack{"debian-weak-key", "Debian weak keys", []string{"CVE-2008-0166"}, "https://www.debian.org/security/2008/dsa-1571"}

func judgeDebianKey(f *grade.Facts) grade.Vulnerability {
	leaves, isRSA := rsaLeaves(f)
	switch weak := weakKeys(leaves, "Debian"); {
	case len(weak) > 0:
		return debianKey.is(grade.Vulnerable, "The certificate's key is one of the 32,767 that Debian's OpenSSL could make, and known to everybody.", weak...)
	case slices.ContainsFunc(leaves, func(leaf *grade.Certificate) bool { return leaf.KeyListed == grade.Yes }):
		return debianKey.is(grade.Vulnerable, "The certificate's key is in the list of keys that are known to everybody.", "the private key is published")
	case len(f.Chains) == 0:
		return debianKey.unknown("No certificate was seen.")
	case !isRSA:
		return debianKey.is(grade.NotApplicable, "The server has no RSA key.")
	}
	for _, leaf := range leaves {
		if strings.HasPrefix(leaf.Key, "RSA") && leaf.KeyListed != grade.No {
			return debianKey.unknown("Not looked for: the list of these keys is not part of this program, and none was given.")
		}
	}
	return debianKey.is(grade.NotVulnerable, "The key is not in the list of weak keys that was given.")
}
