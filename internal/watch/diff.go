package watch

import (
	"slices"
	"strings"
)

// Change is one difference between two looks at the same place. Texts are fit to print.
type Change struct {
	Field  string `json:"field"` // "certificate", "issuer", "key", "names", "chain", "version", "suite", "group", "grade", "valid until", "outcome"
	Before string `json:"before"`
	After  string `json:"after"`
}

// Diff tells what is different between two observations of one place: certificates are compared with those of the same
// kind of key. What came and went with a failure to connect is one change and not ten.
func Diff(before, after *Observation) []Change {
	var list []Change
	add := func(field, a, b string) {
		if a != b {
			list = append(list, Change{Field: field, Before: a, After: b})
		}
	}
	add("outcome", string(before.Outcome), string(after.Outcome))
	if before.Outcome != Answered || after.Outcome != Answered {
		return list
	}
	if after.Source == Issued || after.Source == Logged {
		return append(list, diffListed(before, after)...)
	}
	kinds := kindsOf(before, after)
	for _, kind := range kinds {
		a, b := leafOf(before, kind), leafOf(after, kind)
		prefix := ""
		if len(kinds) > 1 {
			prefix = kind + " "
		}
		list = append(list, diffLeaf(prefix, a, b)...)
	}
	add("version", before.Version, after.Version)
	add("suite", before.Suite, after.Suite)
	add("group", before.Group, after.Group)
	if before.Grade != "" && after.Grade != "" {
		add("grade", before.Grade, after.Grade)
	}
	return list
}

// diffListed tells which certificates have been added to a list. That old ones leave it is no news.
func diffListed(before, after *Observation) []Change {
	known := make(map[string]bool)
	for i := range before.Leaves {
		if c := before.Leaves[i].Leaf(); c != nil {
			known[c.Identity()] = true
		}
	}
	var list []Change
	for i := range after.Leaves {
		if l := &after.Leaves[i]; l.Leaf() != nil && !known[l.Leaf().Identity()] {
			list = append(list, Change{Field: string(after.Source), After: describe(l) + ", issued by " + l.Leaf().Issuer})
		}
	}
	return list
}

// diffLeaf compares what is known of one kind of key; nil: there is none.
func diffLeaf(prefix string, a, b *Leaf) []Change {
	if a == nil || b == nil {
		return []Change{{Field: prefix + "certificate", Before: describe(a), After: describe(b)}}
	}
	x, y := a.Leaf(), b.Leaf()
	var list []Change
	add := func(field, v, w string) {
		if v != w {
			list = append(list, Change{Field: prefix + field, Before: v, After: w})
		}
	}
	add("certificate", x.Fingerprint, y.Fingerprint)
	add("issuer", x.Issuer, y.Issuer)
	if x.Pin != y.Pin {
		add("key", x.Key+", pin "+x.Pin, y.Key+", pin "+y.Pin)
	}
	add("names", names(x), names(y))
	add("valid until", x.NotAfter.UTC().Format("2006-01-02 15:04 MST"), y.NotAfter.UTC().Format("2006-01-02 15:04 MST"))
	add("chain", above(a), above(b))
	return list
}

func describe(l *Leaf) string {
	if l == nil {
		return "none"
	}
	return l.Leaf().Key + ", " + title(l.Leaf()) + ", " + l.Leaf().Fingerprint
}

func names(c *Certificate) string {
	list := slices.Clone(c.Names)
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// above lists the certificates that were sent behind the leaf.
func above(l *Leaf) string {
	var list []string
	for _, c := range l.Chain[1:] {
		list = append(list, c.Subject+" ("+c.Fingerprint[:min(16, len(c.Fingerprint))]+")")
	}
	return strings.Join(list, ", ")
}

// kindsOf lists the kinds of keys of both: "ECDSA" of "ECDSA P-256".
func kindsOf(observations ...*Observation) []string {
	var kinds []string
	for _, o := range observations {
		for i := range o.Leaves {
			if k := kind(&o.Leaves[i]); k != "" && !slices.Contains(kinds, k) {
				kinds = append(kinds, k)
			}
		}
	}
	slices.Sort(kinds)
	return kinds
}

func kind(l *Leaf) string {
	if l.Leaf() == nil {
		return ""
	}
	word, _, _ := strings.Cut(l.Leaf().Key, " ")
	return word
}

func leafOf(o *Observation, k string) *Leaf {
	for i := range o.Leaves {
		if kind(&o.Leaves[i]) == k {
			return &o.Leaves[i]
		}
	}
	return nil
}
