package scan

import (
	"strings"

	"github.com/tlswright/tlswright/grade"
)

// ROCA: Return of Coppersmith's Attack (Nemec and others, CCS 2017).
//
// Sent: nothing of its own. Concluded: RSA keys of a chip maker's library have a modulus that is a power of 65537 to many
// small primes; the certificate part looks for that fingerprint, which a key of another origin does not have. Such a key can
// be factored.

var roca = attack{"roca", "ROCA", []string{"CVE-2017-15361"}, "https://crocs.fi.muni.cz/public/papers/rsa_ccs17"}

func judgeROCA(f *grade.Facts) grade.Vulnerability {
	leaves, isRSA := rsaLeaves(f)
	switch weak := weakKeys(leaves, "ROCA"); {
	case len(weak) > 0:
		return roca.is(grade.Vulnerable, "The certificate's RSA key was made by the flawed library, and can be computed from its public half.", weak...)
	case len(f.Chains) == 0:
		return roca.unknown("No certificate was seen.")
	case !isRSA:
		return roca.is(grade.NotApplicable, "The server has no RSA key.")
	}
	return roca.is(grade.NotVulnerable, "The RSA key does not have the fingerprint of the flawed library.")
}

// rsaLeaves gives the end-entity certificates; isRSA reports that one has an RSA key.
func rsaLeaves(f *grade.Facts) (leaves []*grade.Certificate, isRSA bool) {
	for i := range f.Chains {
		leaf := f.Chains[i].Leaf()
		if leaf == nil {
			continue
		}
		leaves = append(leaves, leaf)
		isRSA = isRSA || strings.HasPrefix(leaf.Key, "RSA") || strings.HasPrefix(f.Chains[i].KeyType, "RSA")
	}
	return leaves, isRSA
}

// weakKeys gives those whose weakness begins with a word.
func weakKeys(leaves []*grade.Certificate, word string) []string {
	var weak []string
	for _, leaf := range leaves {
		if strings.HasPrefix(leaf.WeakKey, word) {
			weak = append(weak, "SHA-256 "+leaf.SHA256+": "+leaf.WeakKey)
		}
	}
	return weak
}
