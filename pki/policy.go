package pki

import (
	"bytes"
	"crypto/x509"
	"maps"
	"slices"
	"strings"

	"github.com/tlswright/tlswright/pki/cert"
)

// anyPolicy stands for every policy (RFC 5280, Section 4.2.1.4).
const anyPolicy = "2.5.29.32.0"

// policyNode is a policy that is valid at one certificate of the path. Nodes of one
// certificate form a level of the policy graph of RFC 9618, Section 5; it replaces
// the tree of RFC 5280, whose size can grow without bound.
type policyNode struct {
	policy   string
	expected []string // what the next certificate must say to carry on with it
	parents  []*policyNode
}

// policyState walks from the root's child down to the leaf.
type policyState struct {
	level                              map[string]*policyNode // of the certificate above; nil: no policy is valid
	explicit, inhibitMapping, inhibitA int                    // certificates until the rule takes effect
}

// policyFault is why policies refuse a path, and the place in it, 0 the leaf.
type policyFault struct {
	depth int
	text  string
	rule  string
}

// processPolicies runs the policy part of RFC 5280, Section 6.1 (with RFC 9618)
// over a path, leaf first, anchor last. It gives the policies that the path is
// valid for and that the user accepts, sorted.
func processPolicies(path []*x509.Certificate, o PolicyOptions) ([]string, *policyFault) {
	n := len(path) - 1 // certificates, the anchor not counted
	if n < 1 {
		return nil, nil
	}
	start := func(now bool) int {
		if now {
			return 0
		}
		return n + 1
	}
	s := &policyState{
		level:    map[string]*policyNode{anyPolicy: {policy: anyPolicy, expected: []string{anyPolicy}}},
		explicit: start(o.RequireExplicit), inhibitMapping: start(o.InhibitMapping), inhibitA: start(o.InhibitAny),
	}
	for depth := n - 1; depth >= 0; depth-- {
		c := path[depth]
		s.descend(c, depth)
		if s.explicit == 0 && s.level == nil {
			return nil, &policyFault{depth, "carries no policy that all CAs above it allow, and the path demands one", "RFC 5280, Section 6.1.3"}
		}
		if depth == 0 {
			break
		}
		if !s.mapPolicies(c) {
			return nil, &policyFault{depth, "maps anyPolicy, which stands for all", "RFC 5280, Section 6.1.4"}
		}
		s.count(c)
	}
	if s.explicit > 0 {
		s.explicit--
	}
	if path[0].RequireExplicitPolicyZero {
		s.explicit = 0
	}
	valid := s.valid(o.Initial)
	if s.explicit == 0 && len(valid) == 0 {
		return nil, &policyFault{0, "is valid for none of the policies that are accepted", "RFC 5280, Section 6.1.5"}
	}
	return valid, nil
}

// descend makes the level of the next certificate (RFC 9618, Section 5.2, for steps
// (d) and (e) of RFC 5280, Section 6.1.3).
func (s *policyState) descend(c *x509.Certificate, depth int) {
	if len(c.Policies) == 0 || s.level == nil {
		s.level = nil
		return
	}
	expecting := make(map[string][]*policyNode)
	for _, policy := range sortedKeys(s.level) {
		for _, e := range s.level[policy].expected {
			expecting[e] = append(expecting[e], s.level[policy])
		}
	}
	next, hasAny := make(map[string]*policyNode), false
	add := func(policy string, parents ...*policyNode) {
		next[policy] = &policyNode{policy: policy, expected: []string{policy}, parents: parents}
	}
	for _, oid := range c.Policies {
		policy := oid.String()
		switch {
		case policy == anyPolicy:
			hasAny = true
		case len(expecting[policy]) > 0:
			add(policy, expecting[policy]...)
		case s.level[anyPolicy] != nil:
			add(policy, s.level[anyPolicy])
		}
	}
	if hasAny && (s.inhibitA > 0 || depth > 0 && selfIssued(c)) {
		for _, policy := range sortedKeys(expecting) {
			if next[policy] == nil {
				add(policy, expecting[policy]...)
			}
		}
	}
	s.level = nil
	if len(next) > 0 {
		s.level = next
	}
}

// mapPolicies applies a CA's policy mappings (RFC 5280, Section 6.1.4, steps (a)
// and (b)); false: they map anyPolicy.
func (s *policyState) mapPolicies(c *x509.Certificate) bool {
	subjects := make(map[string][]string)
	for _, m := range c.PolicyMappings {
		from, to := m.IssuerDomainPolicy.String(), m.SubjectDomainPolicy.String()
		if from == anyPolicy || to == anyPolicy {
			return false
		}
		subjects[from] = append(subjects[from], to)
	}
	for _, from := range sortedKeys(subjects) {
		node, any := s.level[from], s.level[anyPolicy]
		switch {
		case s.inhibitMapping == 0:
			delete(s.level, from)
		case node != nil:
			node.expected = distinct(subjects[from])
		case any != nil:
			s.level[from] = &policyNode{policy: from, expected: distinct(subjects[from]), parents: any.parents}
		}
	}
	if len(s.level) == 0 {
		s.level = nil
	}
	return true
}

// count moves the three counters on (RFC 5280, Section 6.1.4, steps (h) to (j)).
func (s *policyState) count(c *x509.Certificate) {
	for _, counter := range []struct {
		at    *int
		limit int
		zero  bool
	}{
		{&s.explicit, c.RequireExplicitPolicy, c.RequireExplicitPolicyZero},
		{&s.inhibitMapping, c.InhibitPolicyMapping, c.InhibitPolicyMappingZero},
		{&s.inhibitA, c.InhibitAnyPolicy, c.InhibitAnyPolicyZero},
	} {
		if *counter.at > 0 && !selfIssued(c) {
			*counter.at--
		}
		if (counter.limit != 0 || counter.zero) && counter.limit < *counter.at {
			*counter.at = max(counter.limit, 0)
		}
	}
}

// valid gives the user-constrained policy set (RFC 9618, Section 5.4, for RFC 5280,
// Section 6.1.5, step (g)).
func (s *policyState) valid(initial []x509.OID) []string {
	authority := make(map[string]bool)
	seen := make(map[*policyNode]bool)
	todo := slices.Collect(maps.Values(s.level))
	for len(todo) > 0 {
		node := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[node] {
			continue
		}
		seen[node] = true
		for _, p := range node.parents {
			if p.policy == anyPolicy && node.policy != anyPolicy {
				authority[node.policy] = true
			}
		}
		todo = append(todo, node.parents...)
	}
	if s.level[anyPolicy] != nil {
		authority[anyPolicy] = true
	}
	accepted := make(map[string]bool)
	for _, oid := range initial {
		accepted[oid.String()] = true
	}
	if len(accepted) == 0 || accepted[anyPolicy] {
		return sortedKeys(authority)
	}
	user := make(map[string]bool)
	for policy := range accepted {
		if authority[policy] || authority[anyPolicy] {
			user[policy] = true
		}
	}
	return sortedKeys(user)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func distinct(list []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(list)))
}

// selfIssued reports whether a certificate's subject is its issuer: a CA that
// changes its key certifies itself so (RFC 5280, Section 6.1).
func selfIssued(c *x509.Certificate) bool {
	return bytes.Equal(c.RawIssuer, c.RawSubject) || cert.SameName(c.RawIssuer, c.RawSubject)
}

// constrainsPolicies reports whether a path puts constraints on policies.
func constrainsPolicies(path []*x509.Certificate) bool {
	for _, c := range path[:max(len(path)-1, 0)] {
		if c.RequireExplicitPolicy != 0 || c.RequireExplicitPolicyZero || c.InhibitPolicyMapping != 0 || c.InhibitPolicyMappingZero ||
			c.InhibitAnyPolicy != 0 || c.InhibitAnyPolicyZero || len(c.PolicyMappings) > 0 {
			return true
		}
	}
	return false
}

// policyNames lists policies for people.
func policyNames(list []string) string {
	const most = 5
	named := make([]string, 0, most)
	for i, p := range list {
		if i == most {
			return strings.Join(named, ", ") + " and more"
		}
		if p == anyPolicy {
			p = "any policy"
		}
		named = append(named, p)
	}
	return strings.Join(named, ", ")
}
