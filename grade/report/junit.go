package report

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/tlswright/tlswright/grade"
)

// The parts of JUnit's XML.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Skipped  int          `xml:"skipped,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name      string      `xml:"name,attr"`
		Tests     int         `xml:"tests,attr"`
		Failures  int         `xml:"failures,attr"`
		Errors    int         `xml:"errors,attr"`
		Skipped   int         `xml:"skipped,attr"`
		Time      string      `xml:"time,attr"`
		Timestamp string      `xml:"timestamp,attr,omitempty"`
		Hostname  string      `xml:"hostname,attr,omitempty"`
		Cases     []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string       `xml:"name,attr"`
		Class   string       `xml:"classname,attr"`
		Time    string       `xml:"time,attr"`
		Failure *junitReason `xml:"failure"`
		Error   *junitReason `xml:"error"`
		Skipped *junitReason `xml:"skipped"`
		Output  *junitText   `xml:"system-out"`
	}
	junitReason struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",cdata"` // clean: no control character is left, which XML could not carry
	}
	junitText struct {
		Text string `xml:",cdata"`
	}
)

// JUnit writes XML as test runners do: a suite for each server, and in it a case for the grade, for each finding, each
// attack and each policy. A finding fails when it keeps the grade below Options.MinGrade; where nothing is asked for, when
// it costs more than an A. A policy fails if it is in Options.Policies. What got no answer is skipped, a server that could not be reached is an error.
func JUnit(w io.Writer, reports []Report, o Options) error {
	return writeJUnit(w, cleanAll(reports), o)
}

func writeJUnit(w io.Writer, reports []Report, o Options) error {
	all := junitSuites{Name: "tlswright scan"}
	for _, r := range reports {
		s := junitSuiteOf(&r, o)
		all.Tests, all.Failures, all.Errors, all.Skipped = all.Tests+s.Tests, all.Failures+s.Failures, all.Errors+s.Errors, all.Skipped+s.Skipped
		all.Suites = append(all.Suites, s)
	}
	return joined(w, func(b *bytes.Buffer) error {
		b.WriteString(xml.Header)
		enc := xml.NewEncoder(b)
		enc.Indent("", "  ")
		if err := enc.Encode(all); err != nil {
			return fmt.Errorf("report: %w", err)
		}
		b.WriteByte('\n')
		return nil
	})
}

func junitSuiteOf(r *Report, o Options) junitSuite {
	s := junitSuite{Name: r.Name(), Time: "0"}
	if r.Facts != nil {
		s.Name += at(r)
		s.Time, s.Timestamp, s.Hostname = fmt.Sprintf("%.3f", r.Facts.Seconds), r.Facts.Time.UTC().Format("2006-01-02T15:04:05"), r.Facts.Host
	}
	add := func(c junitCase) {
		c.Class, c.Time = r.Name(), "0"
		s.Tests++
		switch {
		case c.Failure != nil:
			s.Failures++
		case c.Error != nil:
			s.Errors++
		case c.Skipped != nil:
			s.Skipped++
		}
		s.Cases = append(s.Cases, c)
	}
	add(junitGrade(r, o))
	if r.Result != nil {
		for i := range r.Result.Findings {
			add(junitFinding(&r.Result.Findings[i], o))
		}
	}
	if r.Facts != nil {
		for i := range r.Facts.Vulnerabilities {
			add(junitAttack(&r.Facts.Vulnerabilities[i]))
		}
	}
	if r.Result != nil {
		for i := range r.Result.Policies {
			add(junitPolicy(&r.Result.Policies[i], o))
		}
	}
	return s
}

func junitGrade(r *Report, o Options) junitCase {
	c := junitCase{Name: "grade"}
	l := letterOf(r)
	switch {
	case r.Facts == nil:
		c.Name = "files"
	case l == "":
		c.Error = &junitReason{Message: verdictOf(r), Type: "unreachable"}
	case o.MinGrade != "" && rank(l) > rank(o.MinGrade):
		c.Failure = &junitReason{Message: fmt.Sprintf("grade %s, at least %s is asked for", l, o.MinGrade), Type: "grade", Text: strings.Join(r.Result.Missing, "\n")}
	default:
		c.Output = &junitText{"grade " + string(l) + ": " + verdictOf(r)}
	}
	return c
}

func junitFinding(f *grade.Finding, o Options) junitCase {
	c := junitCase{Name: f.Rule + ": " + f.Title}
	text := f.Reason
	if len(f.Evidence) > 0 {
		text += "\n" + strings.Join(f.Evidence, "\n")
	}
	if f.Fix != nil {
		text += "\nFix: " + f.Fix.Text
		for _, s := range f.Fix.Snippets[:min(1, len(f.Fix.Snippets))] {
			text += "\n" + s.Server + ", " + s.File + ":\n" + s.Text
		}
	}
	if findingFails(f, o.MinGrade) {
		c.Failure = &junitReason{Message: f.Title, Type: string(f.Severity), Text: text}
	} else {
		c.Output = &junitText{text}
	}
	return c
}

// findingFails reports whether a finding keeps the grade below what is asked for.
func findingFails(f *grade.Finding, least grade.Letter) bool {
	switch {
	case f.Severity == grade.Info || f.Severity == grade.Good:
		return false
	case f.Severity == grade.Critical:
		return true
	case least != "" && f.Cap != "":
		return rank(f.Cap) > rank(least)
	case least == "A+":
		return true
	}
	return least == "" && f.Severity != grade.Low
}

func junitAttack(v *grade.Vulnerability) junitCase {
	c := junitCase{Name: "attack " + v.ID + ": " + v.Name}
	text := v.Text
	if len(v.Evidence) > 0 {
		text += "\n" + strings.Join(v.Evidence, "\n")
	}
	switch v.Verdict {
	case grade.Vulnerable:
		c.Failure = &junitReason{Message: v.Name + " succeeds", Type: "vulnerable", Text: text}
	case grade.Inconclusive:
		c.Skipped = &junitReason{Message: "no verdict: " + v.Text}
	default:
		c.Output = &junitText{string(v.Verdict) + ": " + text}
	}
	return c
}

func junitPolicy(p *grade.PolicyResult, o Options) junitCase {
	c := junitCase{Name: "policy " + p.Policy}
	isAsked := slices.Contains(o.Policies, p.Policy)
	switch {
	case p.Complies == grade.No && isAsked:
		c.Failure = &junitReason{Message: "not complied with", Type: "policy", Text: strings.Join(p.Failures, "\n")}
	case p.Complies == grade.No:
		c.Output = &junitText{"not complied with, and not asked for:\n" + strings.Join(p.Failures, "\n")}
	case p.Complies == grade.Yes:
		c.Output = &junitText{"complied with"}
	default:
		c.Skipped = &junitReason{Message: "unknown: " + strings.Join(p.Uncertain, "; ")}
	}
	return c
}
