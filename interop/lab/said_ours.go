package lab

import (
	"slices"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/wire"
)

// Ours brings our scanner's facts and their judgement to common words.
func Ours(f *grade.Facts, r *grade.Result) *Said {
	s := newSaid()
	for _, p := range f.Protocols {
		if p.Version == grade.VersionSSL20 {
			on := p.Offered == grade.Yes
			s.SSL2 = &on
			continue
		}
		s.Versions[p.Version] = p.Offered == grade.Yes
		for _, suite := range p.Suites {
			s.addSuite(p.Version, suite.ID)
		}
		if (p.Order == grade.Yes || p.Order == grade.No) && len(p.Suites) > 1 {
			s.Order[p.Version] = string(p.Order)
		}
	}
	for _, g := range f.Groups {
		s.addGroup(g.ID)
	}
	rules := map[string]string{"T-expired": Expired, "T-not-yet-valid": NotYetValid, "T-self-signed": SelfSigned, "B3": Incomplete, "root-sent": RootSent,
		"chain-order": OutOfOrder, "chain-surplus": Surplus, "M-name": WrongName, "T-sha1": SHA1, "F4": MD5}
	for _, defect := range rules {
		s.judge(defect, false)
	}
	for _, finding := range r.Findings {
		if defect := rules[finding.Rule]; defect != "" {
			s.judge(defect, true)
		}
	}
	s.Staple = "none"
	for i := range f.Chains {
		c := &f.Chains[i]
		s.judge(Untrusted, c.Trusted == grade.No)
		if leaf := c.Leaf(); leaf != nil {
			s.judge(WeakKey, leaf.KeyStrength < 2048)
			s.judge(MustStaple, leaf.MustStaple)
		}
		if c.Staple != nil {
			s.Staple = c.Staple.Status
			if !c.Staple.Valid && c.Staple.Status == "good" {
				s.Staple = "good, but invalid"
			}
		}
	}
	for _, v := range f.Vulnerabilities {
		if v.Verdict == grade.Vulnerable {
			s.Alarms = append(s.Alarms, v.ID)
		}
	}
	slices.Sort(s.Defects)
	return s
}

// groupsOf are the groups that the facts give for a version, ascending; without those of finite fields before TLS 1.3, for
// which there is no truth.
func groupsOf(f *grade.Facts, v wire.Version) []wire.Group {
	var all []wire.Group
	for _, g := range f.Groups {
		if slices.Contains(g.Versions, v) && (v == wire.VersionTLS13 || g.ID < wire.GroupFFDHE2048) {
			all = append(all, g.ID)
		}
	}
	slices.Sort(all)
	return all
}
