package grade

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tlswright/tlswright/pki"
)

// fileRule is a point of judgement about a file.
type fileRule struct {
	id        string
	severity  Severity
	title     string
	reference []string
	number    int
	fix       string
	command   string // FILE stands for the path; "" none
	check     func(*FileFact) (reason string, evidence []string)
}

// fileRules judge keys, certificates and pin sets on disk: the lesson's misconfigurations 8 and 12, and what else a look at
// the files tells.
var fileRules = []fileRule{
	{id: "file-key-open", severity: Critical, title: "Everybody on the machine can read the private key", reference: []string{lesson12}, number: 8,
		fix: "Take all rights from group and others, and think of the key as known if strangers have been on the machine.", command: "chmod 600 FILE", check: checkKeyWorld},
	{id: "file-key-group", severity: Medium, title: "A group can read the private key, or write it", reference: []string{lesson12}, number: 8,
		fix: "Take all rights from the group, unless it is there for nothing but this key.", command: "chmod 600 FILE", check: checkKeyGroup},
	{id: "file-writable", severity: High, title: "Others can change the file", reference: []string{lesson12},
		fix: "Take the right to write from everybody but the owner: who can change a certificate or a pin decides whom clients trust.", command: "chmod go-w FILE", check: checkWritable},
	{id: "file-pins-no-backup", severity: High, title: "Pins without a backup", reference: []string{lesson12, "RFC 7469, Section 4.3"}, number: 12,
		fix: "Add the pin of a key that is kept apart and not in use, or rely on certificate transparency instead of pins.", check: checkBackup},
}

// fileProblem is what is said of a file whose problems no rule has a name for.
var fileProblem = fileRule{id: "file-problem", severity: Low, title: "Something is wrong with the file", reference: []string{ourRule}, fix: "Mend what is named here."}

// keyProblem is the same for a key: whoever can replace it, or its folder, can do what he could with it.
var keyProblem = fileRule{id: "file-key-exposed", severity: Medium, title: "The private key is not kept as it should be", reference: []string{lesson12}, number: 8,
	fix: "Mend what is named here: only root, or the user the server runs as, may read or replace a key."}

// JudgeFiles judges what a look at files found. It returns findings in the order of the files, each with the path as its
// first evidence; nil: nothing to complain about. What the look itself called a problem is evidence of the first finding
// about the file.
func JudgeFiles(files []FileFact) []Finding {
	var findings []Finding
	for i := range files {
		f := &files[i]
		named := false
		for j := range fileRules {
			reason, evidence := fileRules[j].check(f)
			if reason == "" {
				continue
			}
			if !named {
				evidence = append(evidence, f.Problems...)
			}
			named = true
			findings = append(findings, fileRules[j].finding(f, reason, evidence))
		}
		if !named && len(f.Problems) > 0 {
			r := &fileProblem
			if f.isKey() {
				r = &keyProblem
			}
			findings = append(findings, r.finding(f, orElse(f.Text, "A look at the file found this."), f.Problems))
		}
	}
	return findings
}

// finding words what a rule says about a file.
func (r *fileRule) finding(f *FileFact, reason string, evidence []string) Finding {
	path := pki.Printable(f.Path)
	finding := Finding{
		Rule: r.id, Severity: r.severity, Title: r.title, Reason: pki.Printable(reason), Evidence: []string{path},
		Reference: r.reference, Misconfiguration: r.number, Fix: &Fix{Text: r.fix},
	}
	for _, line := range evidence[:min(len(evidence), maxEvidence)] {
		finding.Evidence = append(finding.Evidence, shorten(pki.Printable(line)))
	}
	if r.command != "" {
		finding.Fix.Snippets = []Snippet{{Server: "shell", File: shell, Text: strings.ReplaceAll(r.command, "FILE", quote(path)) + "\n"}}
	}
	return finding
}

// FileMisconfigurations are the lesson's numbers 8 and 12 as files tell them, to be put in the place of those of a scan.
func FileMisconfigurations(files []FileFact) []Misconfiguration {
	findings := JudgeFiles(files)
	var list []Misconfiguration
	for _, number := range []int{8, 12} {
		row := misconfigurations12[number-1]
		m := Misconfiguration{Number: number, Name: row.name, Fix: row.fix}
		kind := "private key"
		if number == 12 {
			kind = "pin set"
		}
		for i := range files {
			if files[i].Kind == kind || number == 8 && files[i].isKey() {
				m.Found = No
			}
		}
		for i := range findings {
			if findings[i].Misconfiguration == number {
				m.Found, m.Text = Yes, findings[i].Title+": "+findings[i].Evidence[0]
				break
			}
		}
		list = append(list, m)
	}
	return list
}

// quote writes a path so that a shell takes it as it is.
func quote(path string) string {
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

// mode reads the permissions of a file, "0644"; false: not known.
func (f *FileFact) mode() (int64, bool) {
	m, err := strconv.ParseInt(f.Mode, 8, 32)
	return m, err == nil && m >= 0
}

// isKey includes the keys of session tickets: who has one reads the TLS 1.2 connections made with them.
func (f *FileFact) isKey() bool { return f.Kind == "private key" || f.Kind == "ticket key" }

func (f *FileFact) rights() []string {
	return []string{fmt.Sprintf("mode %s, owner %s, group %s", f.Mode, orElse(f.Owner, "unknown"), orElse(f.Group, "unknown"))}
}

func checkKeyWorld(f *FileFact) (string, []string) {
	m, ok := f.mode()
	if !ok || !f.isKey() || m&0o007 == 0 {
		return "", nil
	}
	return "Who has the key can play the server, and read what was recorded without forward secrecy.", f.rights()
}

// checkKeyGroup leaves it to the look at the files which groups are harmless, as a user's own.
func checkKeyGroup(f *FileFact) (string, []string) {
	m, ok := f.mode()
	speaks := slices.ContainsFunc(f.Problems, func(p string) bool { return strings.Contains(p, "group") })
	if !ok || !f.isKey() || m&0o007 != 0 || m&0o070 == 0 || !speaks {
		return "", nil
	}
	return "Every member of the group can play the server.", f.rights()
}

func checkWritable(f *FileFact) (string, []string) {
	m, ok := f.mode()
	if !ok || f.isKey() || f.Kind == "other" || m&0o022 == 0 {
		return "", nil
	}
	return "What it says about whom to trust is not only its owner's word.", f.rights()
}

func checkBackup(f *FileFact) (string, []string) {
	if f.Kind != "pin set" || f.Backup != No && (f.Backup != Unasked || f.Pins != 1) {
		return "", nil
	}
	return "If the key is lost or has to be replaced, every client with these pins is locked out until it is updated.",
		[]string{count(f.Pins, "pin", "pins") + ", none outside the chain that is served"}
}
