package lab

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/wire"
)

// Difference is one thing that a scanner says otherwise than it is.
type Difference struct {
	Server, Scanner string
	Aspect          string // "versions", "suites of TLS 1.2", "groups", "order of TLS 1.2", "certificate", "staple", "alarm", "gap"
	Text            string
}

// String is one line about the difference.
func (d Difference) String() string {
	return fmt.Sprintf("%s | %s | %s: %s", d.Server, d.Scanner, d.Aspect, d.Text)
}

// collector notes the differences of one scanner at one server.
type collector struct {
	server, scanner string
	all             []Difference
}

func (c *collector) add(aspect, format string, args ...any) {
	c.all = append(c.all, Difference{c.server, c.scanner, aspect, fmt.Sprintf(format, args...)})
}

// sets compares two ascending lists.
func sets[T interface {
	comparable
	fmt.Stringer
}](c *collector, aspect string, said, truth []T) {
	var missing, invented []string
	for _, t := range truth {
		if !slices.Contains(said, t) {
			missing = append(missing, t.String())
		}
	}
	for _, s := range said {
		if !slices.Contains(truth, s) {
			invented = append(invented, s.String())
		}
	}
	if len(missing) > 0 {
		c.add(aspect, "misses %s", few(missing, len(truth)))
	}
	if len(invented) > 0 {
		c.add(aspect, "adds %s", few(invented, len(said)))
	}
}

// few shortens a list.
func few(names []string, of int) string {
	if len(names) == of && of > 1 {
		return fmt.Sprintf("all %d", of)
	}
	if len(names) > 4 {
		return fmt.Sprintf("%d of %d: %s …", len(names), of, strings.Join(names[:3], ", "))
	}
	return strings.Join(names, ", ")
}

// Compare holds what a scanner says against the truth, where it has an opinion.
func Compare(scanner string, l *Lab, c *Config, said *Said, t *Truth) []Difference {
	d := &collector{server: c.Name, scanner: scanner}
	if len(said.Versions) == 0 {
		d.add("versions", "says nothing")
		return d.all
	}
	var says []wire.Version
	for v, on := range said.Versions {
		if on {
			says = append(says, v)
		}
	}
	slices.Sort(says)
	var truth []wire.Version
	for _, v := range t.Versions() {
		if _, opinion := said.Versions[v]; opinion {
			truth = append(truth, v)
		}
	}
	sets(d, "versions", says, truth)
	if said.SSL2 != nil && *said.SSL2 {
		d.add("versions", "adds SSL 2.0")
	}
	if said.Suites != nil {
		for _, p := range t.Protocols {
			sets(d, "suites of "+p.Version.String(), said.Suites[p.Version], p.Suites)
		}
	}
	for _, p := range t.Protocols {
		if order := said.Order[p.Version]; order != "" && p.Order != "" && order != p.Order {
			d.add("order of "+p.Version.String(), "says %s", map[string]string{"yes": "the server's counts", "no": "the client's counts"}[order])
		}
	}
	certificate(d, l, c, said)
	return d.all
}

func certificate(d *collector, l *Lab, c *Config, said *Said) {
	if len(c.Identities) == 0 {
		return
	}
	var missing, invented []string
	defects := l.Defects(c)
	for _, judged := range said.Judges {
		is, says := slices.Contains(defects, judged), slices.Contains(said.Defects, judged)
		switch {
		case is && !says:
			missing = append(missing, judged)
		case says && !is:
			invented = append(invented, judged)
		}
	}
	slices.Sort(missing)
	slices.Sort(invented)
	if len(missing) > 0 {
		d.add("certificate", "misses %s", strings.Join(missing, ", "))
	}
	if len(invented) > 0 {
		d.add("certificate", "adds %s", strings.Join(invented, ", "))
	}
	want := c.Staple
	if want == "" {
		want = "none"
	}
	if said.Staple == "offered" && want != "none" {
		want = "offered" // all that it says
	}
	if said.Staple != "" && said.Staple != want {
		d.add("staple", "says %s, and it is %s", said.Staple, want)
	}
}

// CompareOurs is Compare for our scanner, which has to answer more: each group by version, the whole order, every question,
// and no alarm without a cause.
func CompareOurs(l *Lab, c *Config, f *grade.Facts, r *grade.Result, t *Truth) []Difference {
	d := &collector{server: c.Name, scanner: "tlswright"}
	if f.Unreachable != "" {
		d.add("gap", "unreachable: %s", f.Unreachable)
		return d.all
	}
	for _, g := range f.Gaps {
		d.add("gap", "%s: %s", g.Probe, g.Reason)
	}
	for v := wire.VersionSSL30; v <= wire.VersionTLS13; v++ {
		if p := f.Protocol(v); p == nil || p.Offered != grade.Yes && p.Offered != grade.No {
			d.add("versions", "does not know about %v", v)
		}
	}
	if p := f.Protocol(grade.VersionSSL20); p == nil || p.Offered != grade.No {
		d.add("versions", "is not sure that there is no SSL 2.0")
	}
	d.all = append(d.all, Compare(d.scanner, l, c, Ours(f, r), t)...)
	groups(d, c, f, t)
	for _, p := range t.Protocols {
		ours := f.Protocol(p.Version)
		if ours == nil || p.Order != "yes" || ours.Order != grade.Yes {
			continue
		}
		var order []wire.CipherSuite
		for _, s := range ours.Suites {
			if slices.Contains(p.Ranked, s.ID) {
				order = append(order, s.ID)
			}
		}
		if !slices.Equal(order, p.Ranked) {
			d.add("order of "+p.Version.String(), "%v instead of %v", order, p.Ranked)
		}
	}
	var sizes []int
	for _, dh := range f.DH {
		sizes = append(sizes, dh.Bits)
	}
	for _, bits := range t.DH {
		if !slices.Contains(sizes, bits) {
			d.add("DH", "misses parameters of %d bits, has %v", bits, sizes)
		}
	}
	allowed := append(Conditions(t), c.Wrong...)
	for _, v := range f.Vulnerabilities {
		if v.Verdict == grade.Vulnerable && !slices.Contains(allowed, v.ID) {
			d.add("alarm", "%s: %s", v.ID, v.Text)
		}
	}
	for _, wrong := range c.Wrong {
		// "Potential" will do: slapd, for one, lets clients renegotiate until it happens to look elsewhere.
		if v := f.Vulnerability(wrong); v == nil || v.Verdict != grade.Vulnerable && v.Verdict != grade.Potential {
			d.add("alarm", "misses %s", wrong)
		}
	}
	return d.all
}

func groups(d *collector, c *Config, f *grade.Facts, t *Truth) {
	if p := t.Protocol(wire.VersionTLS12); p != nil && (len(t.Groups12) > 0 || !c.Old) {
		sets(d, "groups of TLS 1.2", groupsOf(f, wire.VersionTLS12), t.Groups12)
	}
	if t.Protocol(wire.VersionTLS13) != nil {
		sets(d, "groups of TLS 1.3", groupsOf(f, wire.VersionTLS13), t.Groups13)
	}
}

// Conditions are the vulnerabilities that follow from what a server agrees to.
func Conditions(t *Truth) []string {
	found := map[string]bool{}
	for _, p := range t.Protocols {
		for _, id := range p.Suites {
			name := id.String()
			cbc := strings.Contains(name, "_CBC_")
			found["poodle-ssl"] = found["poodle-ssl"] || p.Version == wire.VersionSSL30 && cbc
			found["beast"] = found["beast"] || p.Version <= wire.VersionTLS10 && cbc
			found["lucky13"] = found["lucky13"] || cbc
			found["rc4"] = found["rc4"] || strings.Contains(name, "RC4")
			found["sweet32"] = found["sweet32"] || strings.Contains(name, "DES") || strings.Contains(name, "IDEA") || strings.Contains(name, "RC2") || strings.Contains(name, "28147")
			found["freak"] = found["freak"] || strings.Contains(name, "RSA_EXPORT")
			found["logjam"] = found["logjam"] || strings.Contains(name, "DH_") && strings.Contains(name, "EXPORT")
		}
	}
	for _, bits := range t.DH {
		found["logjam"] = found["logjam"] || bits <= 1024
		found["weak-dh"] = found["weak-dh"] || bits < 2048
	}
	var all []string
	for id, is := range found {
		if is {
			all = append(all, id)
		}
	}
	slices.Sort(all)
	return all
}
