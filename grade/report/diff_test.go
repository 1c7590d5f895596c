package report

import (
	"bytes"
	"testing"

	"github.com/tlswright/tlswright/grade"
)

// someChanges stands for grade.Diff.
func someChanges(old, new *grade.Facts) []grade.Change {
	if len(old.Vulnerabilities) == len(new.Vulnerabilities) {
		return nil
	}
	return []grade.Change{
		{Area: "grade", Direction: grade.Worse, Text: "The grade went from A+ to F.", Old: "A+", New: "F"},
		{Area: "http", Direction: grade.Neutral, Text: "the server calls itself otherwise", Old: old.Software, New: new.Software},
		{Area: "protocols", Direction: grade.Better, Text: "TLS 1.1 could not be asked about", Old: "no", New: "unknown"},
		{Area: "protocols", Direction: grade.Worse, Text: "SSL 2.0 is offered now", Old: "no", New: "yes"},
	}
}

func TestChangesAreToldTheWorstFirst(t *testing.T) {
	was, is := good(), old()
	is.Facts.Host, is.Facts.ServerName = was.Facts.Host, was.Facts.ServerName
	added, gone := mismatch(), untrusted()
	diffs := Pair([]Report{was, gone, unreachable()}, []Report{is, added, unreachable()}, someChanges)
	if !Worsened(diffs) || Worsened(diffs[1:]) {
		t.Error("worsened for the wrong reason")
	}
	var short, long bytes.Buffer
	if err := DiffText(&short, diffs, Options{}); err != nil {
		t.Fatal(err)
	}
	if err := DiffText(&long, diffs, Options{Verbose: 1}); err != nil {
		t.Fatal(err)
	}
	checkGolden(t, "diff.txt", short.Bytes())
	checkGolden(t, "diff.v.txt", long.Bytes())
	short.Reset()
	if err := DiffText(&short, diffs[2:3], Options{}); err != nil || short.String() != "Nothing changed on 1 server.\n" {
		t.Errorf("%q, %v", short.String(), err)
	}
}

func TestPartnersAreFoundByAddress(t *testing.T) {
	at := func(address string) Report {
		r := good()
		r.Facts.Address = address
		return r
	}
	for _, c := range []struct {
		old, new []string
		want     []string
	}{
		{[]string{"a", "b"}, []string{"b", "a"}, []string{"b-b", "a-a"}},
		{[]string{"a"}, []string{"b"}, []string{"a-b"}}, // it moved
		{[]string{"a"}, []string{"a", "b"}, []string{"a-a", "-b"}},
		{[]string{"a"}, []string{"b", "c"}, []string{"-b", "-c", "a-"}},
		{[]string{"a", "b"}, []string{"c"}, []string{"-c", "a-", "b-"}},
		{nil, []string{"a"}, []string{"-a"}},
	} {
		var before, after []Report
		for _, a := range c.old {
			before = append(before, at(a))
		}
		for _, a := range c.new {
			after = append(after, at(a))
		}
		var got []string
		for _, d := range Pair(before, after, func(_, _ *grade.Facts) []grade.Change { return nil }) {
			text := "-"
			if d.Old != nil {
				text = d.Old.Facts.Address + text
			}
			if d.New != nil {
				text += d.New.Facts.Address
			}
			got = append(got, text)
		}
		if len(got) != len(c.want) {
			t.Fatalf("%v to %v: %v", c.old, c.new, got)
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%v to %v: %v, want %v", c.old, c.new, got, c.want)
			}
		}
	}
}
