package lint

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestEveryLintIsWrittenUp(t *testing.T) {
	name := regexp.MustCompile(`^[a-z0-9]+(_[a-z0-9]+)*$`)
	seen := make(map[string]bool)
	for _, l := range All() {
		if !name.MatchString(l.Name) || seen[l.Name] {
			t.Errorf("the name %q is used twice or not well formed", l.Name)
		}
		seen[l.Name] = true
		if l.Severity < Notice || l.Severity > Error || l.Section == "" || len(l.Requirement) < 20 || !strings.HasSuffix(l.Requirement, ".") {
			t.Errorf("%s: severity %v, section %q, requirement %q", l.Name, l.Severity, l.Section, l.Requirement)
		}
		if _, err := time.Parse(time.DateOnly, l.Since); l.Since != "" && err != nil {
			t.Errorf("%s: since %q", l.Name, l.Since)
		}
	}
	if len(seen) < 30 {
		t.Errorf("%d lints", len(seen))
	}
}

func TestEveryLintFiresOnItsFixtureAndNotBeside(t *testing.T) {
	fixtures := allFixtures()
	for _, l := range All() {
		f, ok := fixtures[l.Name]
		if !ok || len(f.wrong) == 0 {
			t.Errorf("%s has no fixture on which it fires", l.Name)
			continue
		}
		for n, b := range f.wrong {
			found := Run(b.der(), b.issuerOf, b.kind)
			if !slices.ContainsFunc(found, func(f Finding) bool { return f.Lint == l.Name && f.Severity == l.Severity && f.Section == l.Section }) {
				t.Errorf("%s does not fire on fixture %d, but %v\n%s", l.Name, n, found, show(b))
			}
		}
		for n, b := range f.right {
			for _, found := range Run(b.der(), b.issuerOf, b.kind) {
				if found.Lint == l.Name {
					t.Errorf("%s fires on fixture %d, which is right: %v\n%s", l.Name, n, found, show(b))
				}
			}
		}
	}
	for name := range fixtures {
		if !slices.ContainsFunc(All(), func(l Lint) bool { return l.Name == name }) {
			t.Errorf("fixtures for %q, which is no lint", name)
		}
	}
}

func TestFindingsComeWithTheWorstFirst(t *testing.T) {
	b := goodServer()
	b.drop(idSubjectKeyID)
	b.serial = []byte{5}
	b.serial[0] = 0x80
	found := Run(b.der(), nil, KindAuto)
	if len(found) < 3 || !slices.IsSortedFunc(found, func(a, b Finding) int { return int(b.Severity) - int(a.Severity) }) || Worst(found) != Error || Worst(nil) != 0 {
		t.Error(found)
	}
	if got := found[0].String(); got != "error: the serial number is negative (serial_positive; RFC 5280, Section 4.1.2.2)" {
		t.Error(got)
	}
	if text, err := Warning.MarshalText(); err != nil || string(text) != "warning" || Severity(9).String() != "severity 9" || Notice.String() != "notice" {
		t.Error(string(text), err)
	}
}

func TestOneLintDoesNotFloodTheReport(t *testing.T) {
	b := goodServer()
	var list [][]byte
	for range 200 {
		list = append(list, dns("-"))
	}
	b.sans(list...)
	count := 0
	for _, f := range Run(b.der(), nil, KindAuto) {
		if f.Lint == "dns_name_form" {
			count++
		}
	}
	if count != maxFindings+1 {
		t.Errorf("%d findings of one lint", count)
	}
}

func TestRequirementsHoldFromTheirDay(t *testing.T) {
	b := goodServer()
	b.from, b.to = utc("190101000000Z"), utc("220101000000Z")
	for _, f := range Run(b.der(), nil, KindAuto) {
		if f.Lint == "lifetime_server" {
			t.Errorf("%v, but that is required since 2020 only", f)
		}
	}
}

func FuzzRun(f *testing.F) {
	for _, b := range good() {
		f.Add(b.der(), byte(0))
	}
	for _, fixtures := range allFixtures() {
		f.Add(fixtures.wrong[0].der(), byte(fixtures.wrong[0].kind))
	}
	issuer := issuerCertificate(nil)
	f.Fuzz(func(t *testing.T, der []byte, kind byte) {
		for _, finding := range Run(der, issuer, Kind(kind)) {
			if finding.Text == "" || finding.Lint == "" || finding.Severity == 0 {
				t.Errorf("%+v", finding)
			}
			for _, r := range finding.Text {
				if r < 0x20 || r == 0x7f || r == 0x1b {
					t.Errorf("%q is not fit to print", finding.Text)
				}
			}
		}
	})
}

func BenchmarkRun(b *testing.B) {
	der := goodServer().der()
	issuer := issuerCertificate(nil)
	b.ReportAllocs()
	for b.Loop() {
		if found := Run(der, issuer, KindAuto); len(found) > 0 {
			b.Fatal(found)
		}
	}
}
