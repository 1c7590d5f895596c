package pki

import (
	"crypto/x509"
	"testing"
)

// treeNode is a node of the policy tree as RFC 5280 has it, without the graph of RFC
// 9618: it may grow without bound, so it is for small paths only.
type treeNode struct {
	policy   string
	expected []string
	children []*treeNode
}

func (n *treeNode) atDepth(depth int) []*treeNode {
	if depth == 0 {
		return []*treeNode{n}
	}
	var list []*treeNode
	for _, c := range n.children {
		list = append(list, c.atDepth(depth-1)...)
	}
	return list
}

// prune removes branches that do not reach the depth.
func (n *treeNode) prune(depth int) bool {
	if depth == 0 {
		return true
	}
	var kept []*treeNode
	for _, c := range n.children {
		if c.prune(depth - 1) {
			kept = append(kept, c)
		}
	}
	n.children = kept
	return len(kept) > 0
}

// remove takes leaves of a policy out.
func (n *treeNode) remove(depth int, policy string) {
	var kept []*treeNode
	for _, c := range n.children {
		if depth == 1 && c.policy == policy {
			continue
		}
		if depth > 1 {
			c.remove(depth-1, policy)
		}
		kept = append(kept, c)
	}
	n.children = kept
}

func holds(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}

// grow is steps (d) of RFC 5280, Section 6.1.3.
func (n *treeNode) grow(depth int, c *x509.Certificate, useAny bool) {
	parents := n.atDepth(depth - 1)
	hasAny := false
	for _, oid := range c.Policies {
		p := oid.String()
		if p == anyPolicy {
			hasAny = true
			continue
		}
		matched := false
		for _, parent := range parents {
			if holds(parent.expected, p) {
				parent.children = append(parent.children, &treeNode{policy: p, expected: []string{p}})
				matched = true
			}
		}
		for _, parent := range parents {
			if !matched && parent.policy == anyPolicy {
				parent.children = append(parent.children, &treeNode{policy: p, expected: []string{p}})
			}
		}
	}
	for _, parent := range parents {
		for _, e := range parent.expected {
			there := false
			for _, child := range parent.children {
				there = there || child.policy == e
			}
			if hasAny && useAny && !there {
				parent.children = append(parent.children, &treeNode{policy: e, expected: []string{e}})
			}
		}
	}
}

// mapped is step (b) of RFC 5280, Section 6.1.4.
func (n *treeNode) mapped(depth int, c *x509.Certificate, allowed bool) {
	to := make(map[string][]string)
	for _, m := range c.PolicyMappings {
		from := m.IssuerDomainPolicy.String()
		to[from] = append(to[from], m.SubjectDomainPolicy.String())
	}
	for from, list := range to {
		if !allowed {
			n.remove(depth, from)
			continue
		}
		found := false
		for _, leaf := range n.atDepth(depth) {
			if leaf.policy == from {
				leaf.expected, found = list, true
			}
		}
		for _, parent := range n.atDepth(depth - 1) {
			for _, leaf := range parent.children {
				if !found && leaf.policy == anyPolicy {
					parent.children = append(parent.children, &treeNode{policy: from, expected: list})
					break
				}
			}
		}
	}
}

// byTree is the policy part of RFC 5280, Section 6.1 to the letter.
func byTree(path []*x509.Certificate, o PolicyOptions) bool {
	n := len(path) - 1
	tree := &treeNode{policy: anyPolicy, expected: []string{anyPolicy}}
	explicit, noMapping, noAny := n+1, n+1, n+1
	for flag, counter := range map[*bool]*int{&o.RequireExplicit: &explicit, &o.InhibitMapping: &noMapping, &o.InhibitAny: &noAny} {
		if *flag {
			*counter = 0
		}
	}
	for i := 1; i <= n; i++ {
		c := path[n-i]
		if tree != nil && len(c.Policies) > 0 {
			tree.grow(i, c, noAny > 0 || i < n && selfIssued(c))
			if !tree.prune(i) {
				tree = nil
			}
		} else {
			tree = nil
		}
		if explicit == 0 && tree == nil {
			return false
		}
		if i == n {
			break
		}
		for _, m := range c.PolicyMappings {
			if m.IssuerDomainPolicy.String() == anyPolicy || m.SubjectDomainPolicy.String() == anyPolicy {
				return false
			}
		}
		if tree != nil {
			tree.mapped(i, c, noMapping > 0)
			if !tree.prune(i) {
				tree = nil
			}
		}
		s := &policyState{explicit: explicit, inhibitMapping: noMapping, inhibitA: noAny}
		s.count(c)
		explicit, noMapping, noAny = s.explicit, s.inhibitMapping, s.inhibitA
	}
	if explicit > 0 {
		explicit--
	}
	if path[0].RequireExplicitPolicyZero {
		explicit = 0
	}
	return explicit > 0 || tree != nil && tree.accepted(n, o)
}

// accepted is step (g) of RFC 5280, Section 6.1.5.
func (n *treeNode) accepted(depth int, o PolicyOptions) bool {
	wanted := make(map[string]bool)
	for _, oid := range o.Initial {
		wanted[oid.String()] = true
	}
	if len(wanted) == 0 || wanted[anyPolicy] {
		return true
	}
	for d := 1; d <= depth; d++ {
		for _, parent := range n.atDepth(d - 1) {
			for _, c := range parent.children {
				if parent.policy == anyPolicy && (c.policy != anyPolicy && wanted[c.policy] || c.policy == anyPolicy && d == depth) {
					return true
				}
			}
		}
	}
	return false
}

func testOID(t testing.TB, n byte) x509.OID {
	ints := []uint64{1, 2, 3, uint64(n)}
	if n == 0 {
		ints = []uint64{2, 5, 29, 32, 0}
	}
	oid, err := x509.OIDFromInts(ints)
	if err != nil {
		t.Fatal(err)
	}
	return oid
}

// pathOf draws a path and options from bytes.
func pathOf(t testing.TB, data []byte) ([]*x509.Certificate, PolicyOptions) {
	next := func() byte {
		if len(data) == 0 {
			return 0
		}
		b := data[0]
		data = data[1:]
		return b
	}
	flags := next()
	o := PolicyOptions{RequireExplicit: flags&1 != 0, InhibitMapping: flags&2 != 0, InhibitAny: flags&4 != 0}
	for range flags >> 6 {
		o.Initial = append(o.Initial, testOID(t, next()%4))
	}
	var path []*x509.Certificate
	for range 2 + int(flags>>3&3) {
		c := &x509.Certificate{RawIssuer: []byte{0x30, 0}, RawSubject: []byte{0x30, 0}}
		shape := next()
		if shape&1 != 0 {
			c.RawSubject = []byte{0x30, 1} // not self-issued; neither is a name that is read
		}
		seen := make(map[byte]bool)
		for range shape >> 1 & 3 {
			if p := next() % 4; !seen[p] {
				seen[p] = true
				c.Policies = append(c.Policies, testOID(t, p))
			}
		}
		for range shape >> 3 & 3 {
			m := next()
			c.PolicyMappings = append(c.PolicyMappings, x509.PolicyMapping{IssuerDomainPolicy: testOID(t, m&3), SubjectDomainPolicy: testOID(t, m>>2&3)})
		}
		if shape&32 != 0 {
			c.RequireExplicitPolicy = int(next() % 3)
			c.RequireExplicitPolicyZero = c.RequireExplicitPolicy == 0
		}
		if shape&64 != 0 {
			c.InhibitPolicyMapping = int(next() % 3)
			c.InhibitPolicyMappingZero = c.InhibitPolicyMapping == 0
		}
		if shape&128 != 0 {
			c.InhibitAnyPolicy = int(next() % 3)
			c.InhibitAnyPolicyZero = c.InhibitAnyPolicy == 0
		}
		path = append(path, c)
	}
	return path, o
}

// The graph must say what the tree says that it replaces.
func FuzzPolicies(f *testing.F) {
	f.Add([]byte{0x41, 1, 3, 1, 3, 1})
	f.Add([]byte{0x51, 2, 5, 1, 2, 0x0b, 1, 0x09, 2, 1, 3, 1})
	f.Add([]byte{0x99, 1, 2, 0xff, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})
	f.Fuzz(func(t *testing.T, data []byte) {
		path, o := pathOf(t, data[:min(len(data), 64)])
		_, fault := processPolicies(path, o)
		if want := byTree(path, o); want != (fault == nil) {
			t.Errorf("tree %v, graph %+v", want, fault)
		}
	})
}
