package lint

import "strings"

// Kind is what a certificate is for.
type Kind uint8

// The kinds.
const (
	KindAuto         Kind = iota // told from the certificate
	KindRoot                     // a CA that signs itself
	KindIntermediate             // a CA that another one signs
	KindServer                   // a TLS server, or server and client
	KindClient                   // a TLS client
	KindEmail                    // S/MIME
	KindCode                     // signs programs
	KindOCSP                     // signs OCSP answers
	KindLeaf                     // any other end entity
)

// String gives "root", "intermediate", "server" and so on.
func (k Kind) String() string {
	names := [...]string{"auto", "root", "intermediate", "server", "client", "email", "code", "ocsp", "leaf"}
	if int(k) < len(names) {
		return names[k]
	}
	return "unknown"
}

// Kinds is a set of kinds.
type Kinds uint16

// Has reports whether k is in the set.
func (s Kinds) Has(k Kind) bool { return s&(1<<k) != 0 }

// String lists the kinds.
func (s Kinds) String() string {
	var names []string
	for k := KindRoot; k <= KindLeaf; k++ {
		if s.Has(k) {
			names = append(names, k.String())
		}
	}
	return strings.Join(names, ", ")
}

// The sets that lints apply to.
const (
	cas    = Kinds(1<<KindRoot | 1<<KindIntermediate)
	leaves = Kinds(1<<KindServer | 1<<KindClient | 1<<KindEmail | 1<<KindCode | 1<<KindOCSP | 1<<KindLeaf)
	server = Kinds(1 << KindServer)
)

// kindOf tells the kind from basic constraints and extended key usage. A server
// among the purposes makes a server.
func kindOf(c *certificate) Kind {
	if bc, _ := c.basicConstraints(); bc.ca {
		if string(c.subject) == string(c.issuerName) {
			return KindRoot
		}
		return KindIntermediate
	}
	purposes, present := c.purposes()
	has := func(id string) bool {
		for _, p := range purposes {
			if p == id {
				return true
			}
		}
		return false
	}
	switch {
	case !present:
		if names, _ := c.altNames(); hasHost(names) {
			return KindServer
		}
		return KindLeaf
	case has(purposeServer), has(purposeAny):
		return KindServer
	case has(purposeClient):
		return KindClient
	case has(purposeEmail):
		return KindEmail
	case has(purposeCode):
		return KindCode
	case has(purposeOCSP):
		return KindOCSP
	}
	return KindLeaf
}

// hasHost reports whether a host is among the names.
func hasHost(names []generalName) bool {
	for _, n := range names {
		if n.kind == nameDNS || n.kind == nameIP {
			return true
		}
	}
	return false
}
