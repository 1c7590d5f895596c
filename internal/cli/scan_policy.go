package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/grade/report"
	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/pki"
)

// judgement is how results are judged, and what became of that.
type judgement struct {
	options  grade.Options
	minGrade grade.Letter // "": none is asked for
	policies []string     // names of those that must be kept

	failures []string // the first ones, in words
	count    int
	served   []string // pins of the keys that were served, for --files
}

// What is kept while a fleet is judged.
const (
	maxFailuresKept = 20
	maxServedKept   = 10000
)

// newJudgement reads --min-grade and --policy.
func (a *app) newJudgement(cmd *cobra.Command, o *scanOutputFlags) (judgement, error) {
	j := judgement{}
	if o.minGrade != "" {
		letter, err := grade.ParseLetter(o.minGrade)
		if err != nil || letter == "T" || letter == "M" || letter == "F" {
			f := usagef(cmd, "--min-grade %q is no grade to ask for", o.minGrade)
			f.hint = "known are A+, A, A-, B, C, D and E"
			return j, f
		}
		j.minGrade = letter
		o.minGrade = string(letter)
	}
	for _, name := range o.policies {
		p, err := a.policy(cmd, name)
		if err != nil {
			return j, err
		}
		j.policies = append(j.policies, p.Name)
		if j.options.Policies == nil {
			j.options.Policies = grade.Policies("")
		}
		j.options.Policies = slices.DeleteFunc(j.options.Policies, func(k grade.Policy) bool { return k.Name == p.Name })
		j.options.Policies = append([]grade.Policy{p}, j.options.Policies...)
	}
	return j, nil
}

// policy finds a policy by its name, or reads it from a file.
func (a *app) policy(cmd *cobra.Command, name string) (grade.Policy, error) {
	if p, ok := grade.PolicyByName(name); ok {
		return p, nil
	}
	if !strings.ContainsAny(name, "./\\") {
		f := usagef(cmd, "--policy %q is not one we know", name)
		f.hint = "--policy list shows the names; a file has a dot or a slash in its own"
		return grade.Policy{}, f
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return grade.Policy{}, cannotRun(err, "--policy")
	}
	switch strings.ToLower(filepath.Ext(name)) {
	case ".yaml", ".yml":
		if text, err = config.JSON(text); err != nil {
			return grade.Policy{}, cannotRun(err, "%s", name)
		}
	}
	p, err := grade.ParsePolicy(text)
	if err != nil {
		return grade.Policy{}, cannotRun(err, "%s", name)
	}
	return p, nil
}

// listPolicies is --policy list.
func (a *app) listPolicies() error {
	var b bytes.Buffer
	for _, name := range grade.PolicyNames() {
		fmt.Fprintln(&b, name)
	}
	a.ui.write(&a.ui.out, b.String())
	return nil
}

// judge applies the rules of today.
func (j *judgement) judge(f *grade.Facts) *grade.Result { return grade.Judge(f, j.options) }

// note remembers what of a result counts for the run as a whole.
func (j *judgement) note(r *report.Report) {
	if r.Facts != nil {
		j.noteServed(r.Facts)
	}
	if r.Result == nil || r.Facts == nil || r.Facts.Unreachable != "" {
		return
	}
	name := pki.Printable(r.Name())
	if got := r.Result.Grade; j.minGrade != "" && !got.AtLeast(j.minGrade) {
		j.fail("%s: grade %s, and %s was asked for", name, orWord(string(got), "none"), j.minGrade)
	}
	for _, p := range r.Result.Policies {
		if !slices.Contains(j.policies, p.Policy) {
			continue
		}
		switch {
		case p.Complies == grade.Yes:
		case len(p.Failures) > 0:
			j.fail("%s: %s is not kept: %s", name, p.Policy, pki.Printable(p.Failures[0]))
		default:
			j.fail("%s: whether %s is kept could not be found out", name, p.Policy)
		}
	}
}

func (j *judgement) noteServed(f *grade.Facts) {
	for _, c := range f.Chains {
		for _, one := range c.Sent {
			if len(j.served) < maxServedKept && one.SPKI != "" && !slices.Contains(j.served, one.SPKI) {
				j.served = append(j.served, one.SPKI)
			}
		}
	}
}

// fail notes a failed check.
func (j *judgement) fail(format string, args ...any) {
	j.count++
	if len(j.failures) < maxFailuresKept {
		j.failures = append(j.failures, fmt.Sprintf(format, args...))
	}
}

// failure is the end of a command with failed checks; nil if there are none.
func (j *judgement) failure() *failure {
	switch j.count {
	case 0:
		return nil
	case 1:
		return &failure{kind: kindFinding, text: j.failures[0]}
	}
	return &failure{kind: kindFinding, text: fmt.Sprintf("%s, and %d more", j.failures[0], j.count-1)}
}
