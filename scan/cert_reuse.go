package scan

import (
	"fmt"
	"slices"

	"github.com/tlswright/tlswright/grade"
)

// maxSharers is how many other hosts are named with one certificate.
const maxSharers = 50

// Sharing finds out which hosts of a run share a certificate or a key: who breaks into one of them has the others' key, too.
// The zero value is ready. It is not safe for concurrent use.
type Sharing struct {
	hosts map[string][]string // by the pin of the leaf's key, in the order of Add
	leafs map[string]string   // by host and pin: the certificate's fingerprint
	drown map[string]string   // by pin: a host with this key whose SSL 2.0 makes it an oracle
}

// Add takes in what a scan found.
func (s *Sharing) Add(f *grade.Facts) {
	if s.hosts == nil {
		s.hosts, s.leafs = make(map[string][]string), make(map[string]string)
		s.drown = make(map[string]string)
	}
	host := endpoint(f)
	v := f.Vulnerability(drown.id)
	isOracle := v != nil && v.Verdict == grade.Vulnerable && v.Text != drownElsewhere
	for i := range f.Chains {
		leaf := f.Chains[i].Leaf()
		if isOracle && leaf != nil && leaf.SPKI != "" && f.Chains[i].KeyType == "RSA" && s.drown[leaf.SPKI] == "" {
			s.drown[leaf.SPKI] = host
		}
		if leaf == nil || leaf.SPKI == "" || slices.Contains(s.hosts[leaf.SPKI], host) {
			continue
		}
		s.hosts[leaf.SPKI] = append(s.hosts[leaf.SPKI], host)
		s.leafs[host+" "+leaf.SPKI] = leaf.SHA256
	}
}

// Fill writes into the chains of f which of the hosts that were added have the same certificate, or the same key in another,
// and that the key is exposed by DROWN where one of them speaks SSL 2.0. It reports whether that is news to f.
func (s *Sharing) Fill(f *grade.Facts) (isNews bool) {
	host := endpoint(f)
	isNews = s.fillDROWN(f, host)
	for i := range f.Chains {
		c := &f.Chains[i]
		before := c.SharedWith
		c.SharedWith = nil
		leaf := c.Leaf()
		if leaf == nil {
			continue
		}
		others := 0
		for _, other := range s.hosts[leaf.SPKI] {
			if other == host {
				continue
			}
			if others++; others > maxSharers {
				continue
			}
			if s.leafs[other+" "+leaf.SPKI] != leaf.SHA256 {
				other += " (the key alone)"
			}
			c.SharedWith = append(c.SharedWith, other)
		}
		if others > maxSharers {
			c.SharedWith = append(c.SharedWith, fmt.Sprintf("and %d more", others-maxSharers))
		}
		isNews = isNews || !slices.Equal(before, c.SharedWith)
	}
	return isNews
}

// drownElsewhere is what is said of a host whose key another one exposes.
const drownElsewhere = "Another host with this key speaks SSL 2.0 in a way by which recorded connections to this one can be decrypted, too."

// fillDROWN says so where another host of the run is the oracle for a key of this one (Aviram and others, Section 2).
func (s *Sharing) fillDROWN(f *grade.Facts, host string) (isNews bool) {
	for i := range f.Chains {
		leaf := f.Chains[i].Leaf()
		if leaf == nil || leaf.SPKI == "" {
			continue
		}
		other := s.drown[leaf.SPKI]
		if v := f.Vulnerability(drown.id); other == "" || other == host || v != nil && v.Verdict == grade.Vulnerable {
			continue
		}
		row := drown.is(grade.Vulnerable, drownElsewhere, other)
		f.Vulnerabilities = slices.DeleteFunc(slices.Clone(f.Vulnerabilities), func(v grade.Vulnerability) bool { return v.ID == drown.id })
		f.Vulnerabilities = append(f.Vulnerabilities, row)
		isNews = true
	}
	return isNews
}

// FillSharedWith fills Chain.SharedWith of all facts of a run.
func FillSharedWith(all []*grade.Facts) {
	var s Sharing
	for _, f := range all {
		s.Add(f)
	}
	for _, f := range all {
		s.Fill(f)
	}
}

// endpoint names a host of a run: the addresses of one name count as one.
func endpoint(f *grade.Facts) string {
	t := Target{Host: f.Host, Port: f.Port, StartTLS: f.StartTLS}
	return t.String()
}
