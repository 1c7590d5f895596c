package report

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/tlswright/tlswright/grade"
)

// The parts of a SARIF log that we write (OASIS, Static Analysis Results Interchange Format 2.1.0).
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool         `json:"tool"`
		Invocations []sarifInvocation `json:"invocations"`
		Results     []sarifResult     `json:"results"`
		ColumnKind  string            `json:"columnKind"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		Version        string      `json:"version,omitempty"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifText struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown,omitempty"`
	}
	sarifRule struct {
		ID            string         `json:"id"`
		Name          string         `json:"name"`
		Short         sarifText      `json:"shortDescription"`
		Full          sarifText      `json:"fullDescription"`
		Help          sarifText      `json:"help"`
		HelpURI       string         `json:"helpUri,omitempty"`
		Configuration sarifLevel     `json:"defaultConfiguration"`
		Properties    map[string]any `json:"properties"`
	}
	sarifLevel struct {
		Level string `json:"level"`
	}
	sarifInvocation struct {
		Successful    bool                `json:"executionSuccessful"`
		Notifications []sarifNotification `json:"toolExecutionNotifications,omitempty"`
	}
	sarifNotification struct {
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifResult struct {
		RuleID       string            `json:"ruleId"`
		RuleIndex    int               `json:"ruleIndex"`
		Level        string            `json:"level"`
		Message      sarifText         `json:"message"`
		Locations    []sarifLocation   `json:"locations"`
		Fingerprints map[string]string `json:"partialFingerprints"`
		Properties   map[string]any    `json:"properties"`
	}
	sarifLocation struct {
		Physical *sarifPhysical `json:"physicalLocation,omitempty"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   sarifRegion   `json:"region"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine int `json:"startLine"`
	}
	sarifLogical struct {
		Name string `json:"fullyQualifiedName"`
		Kind string `json:"kind"`
	}
)

// SARIF writes a log of version 2.1.0, as code scanning services read it: a rule for each kind of finding, with the ways
// to mend it as its help, and a result for each finding at each server. A server that could not be reached, and a question
// without an answer, are notifications of the run.
func SARIF(w io.Writer, reports []Report, o Options) error {
	return writeSARIF(w, cleanAll(reports), o)
}

func writeSARIF(w io.Writer, reports []Report, o Options) error {
	s := sarifWriter{index: make(map[string]int)}
	s.run.Tool.Driver = sarifDriver{Name: "tlswright", Version: o.Tool, InformationURI: "https://github.com/tlswright/tlswright", Rules: []sarifRule{}}
	s.run.Results, s.run.ColumnKind = []sarifResult{}, "utf16CodeUnits"
	invocation := sarifInvocation{Successful: true}
	for _, r := range reports {
		invocation.Notifications = append(invocation.Notifications, sarifGaps(&r)...)
		if r.Result == nil {
			continue
		}
		for i := range r.Result.Findings {
			if f := &r.Result.Findings[i]; f.Severity != grade.Good {
				s.add(&r, f)
			}
		}
	}
	s.run.Invocations = []sarifInvocation{invocation}
	return writeJSON(w, sarifLog{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []sarifRun{s.run}}, "  ")
}

type sarifWriter struct {
	run   sarifRun
	index map[string]int // of the rules, by id
}

func (s *sarifWriter) add(r *Report, f *grade.Finding) {
	i, ok := s.index[f.Rule]
	if !ok {
		i = len(s.run.Tool.Driver.Rules)
		s.index[f.Rule] = i
		s.run.Tool.Driver.Rules = append(s.run.Tool.Driver.Rules, sarifRuleOf(f))
	}
	text := f.Title + ". " + f.Reason
	if f.Fix != nil {
		text += " Fix: " + f.Fix.Text
	}
	properties := map[string]any{"target": r.Name(), "evidence": orEmpty(f.Evidence)}
	if l := letterOf(r); l != "" {
		properties["grade"] = l
	}
	if f.Cap != "" {
		properties["cap"] = f.Cap
	}
	s.run.Results = append(s.run.Results, sarifResult{
		RuleID: f.Rule, RuleIndex: i, Level: sarifLevelOf(f.Severity), Message: sarifText{Text: text}, Locations: sarifPlaces(r),
		Fingerprints: map[string]string{"targetRule/v1": fingerprint(r.Name(), f.Rule)}, Properties: properties,
	})
}

// fingerprint tells a result of one run to be that of another.
func fingerprint(target, rule string) string {
	sum := sha256.Sum256([]byte(target + "\x00" + rule))
	return hex.EncodeToString(sum[:16])
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func sarifRuleOf(f *grade.Finding) sarifRule {
	help, markdown := f.Reason, escapeMarkdown(f.Reason)
	if f.Fix != nil {
		help += "\n\nFix: " + f.Fix.Text
		markdown += "\n\n**Fix:** " + escapeMarkdown(f.Fix.Text)
		for _, s := range f.Fix.Snippets {
			help += "\n\n" + s.Server + ", " + s.File + ":\n" + s.Text
			markdown += "\n\n" + escapeMarkdown(s.Server+", "+s.File) + ":\n\n" + fenced(s.Text)
		}
	}
	rule := sarifRule{
		ID: f.Rule, Name: sarifName(f.Title), Short: sarifText{Text: f.Title}, Full: sarifText{Text: f.Reason}, Help: sarifText{Text: help, Markdown: markdown},
		Configuration: sarifLevel{sarifLevelOf(f.Severity)},
		Properties:    map[string]any{"tags": []string{"security", "tls", string(f.Severity)}, "problem.severity": sarifProblem(f.Severity), "security-severity": securitySeverity(f.Severity), "references": orEmpty(f.Reference)},
	}
	if i := slices.IndexFunc(f.Reference, isLink); i >= 0 {
		rule.HelpURI = f.Reference[i]
	}
	return rule
}

// isLink reports an address that is safe to follow.
func isLink(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}

// sarifName makes one word of a title: "SSL20IsOffered".
func sarifName(title string) string {
	var b strings.Builder
	for word := range strings.FieldsFuncSeq(title, func(r rune) bool { return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') }) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	if b.Len() == 0 {
		return "Finding"
	}
	return b.String()
}

func sarifLevelOf(s grade.Severity) string {
	switch s {
	case grade.Critical, grade.High:
		return "error"
	case grade.Medium, grade.Low:
		return "warning"
	case grade.Info:
		return "note"
	}
	return "none"
}

func sarifProblem(s grade.Severity) string {
	switch s {
	case grade.Critical, grade.High:
		return "error"
	case grade.Medium, grade.Low:
		return "warning"
	}
	return "recommendation"
}

// securitySeverity is the number that code scanning services sort by, 0 to 10.
func securitySeverity(s grade.Severity) string {
	switch s {
	case grade.Critical:
		return "9.5"
	case grade.High:
		return "8.0"
	case grade.Medium:
		return "5.5"
	case grade.Low:
		return "3.0"
	}
	return "0.0"
}

// sarifPlaces says where a finding is: a server has an address for its place, files their paths.
func sarifPlaces(r *Report) []sarifLocation {
	if r.Facts == nil {
		var places []sarifLocation
		for _, f := range r.Files {
			if len(f.Problems) > 0 {
				places = append(places, sarifLocation{Physical: &sarifPhysical{sarifArtifact{(&url.URL{Scheme: "file", Path: "/" + strings.TrimLeft(f.Path, "/")}).String()}, sarifRegion{1}}})
			}
		}
		if len(places) == 0 {
			places = []sarifLocation{{Logical: []sarifLogical{{"files", "resource"}}}}
		}
		return places
	}
	scheme := "https"
	if r.Facts.StartTLS != "" {
		scheme = r.Facts.StartTLS
	}
	uri := fmt.Sprintf("%s://%s:%d/", sarifScheme(scheme), sarifHost(r.Facts.Host), r.Facts.Port)
	return []sarifLocation{{Physical: &sarifPhysical{sarifArtifact{uri}, sarifRegion{1}}, Logical: []sarifLogical{{r.Name(), "resource"}}}}
}

// sarifHost writes a host as it may stand in an address (RFC 3986, Section 3.2.2).
func sarifHost(host string) string {
	if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
		return "[" + strings.ReplaceAll(host, "%", "%25") + "]"
	}
	var b strings.Builder
	for _, c := range []byte(host) {
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_':
			b.WriteByte(c)
		case c >= 0x80:
			fmt.Fprintf(&b, "%%%02X", c)
		default: // no name of a host has this; the name as it is stands beside the address
			b.WriteByte('-')
		}
	}
	return b.String()
}

// sarifScheme keeps what may stand in a scheme (RFC 3986, Section 3.1).
func sarifScheme(s string) string {
	for i, c := range s {
		if !(c >= 'a' && c <= 'z') && (i == 0 || c != '-' && (c < '0' || c > '9')) {
			return "tls"
		}
	}
	return s
}

// sarifGaps are the questions without an answer.
func sarifGaps(r *Report) []sarifNotification {
	if r.Facts == nil {
		return nil
	}
	var all []sarifNotification
	add := func(format string, args ...any) {
		all = append(all, sarifNotification{"warning", sarifText{Text: r.Name() + ": " + fmt.Sprintf(format, args...)}, sarifPlaces(r)})
	}
	if r.Facts.Unreachable != "" {
		add("nothing could be examined: %s", r.Facts.Unreachable)
	}
	for _, g := range r.Facts.Gaps {
		add("no answer to %s: %s", g.Probe, g.Reason)
	}
	return all
}
