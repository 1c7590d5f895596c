package report_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"strings"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/grade/report"
	"github.com/tlswright/tlswright/wire"
)

// One report in the format that a reader wants: here for a person, and a picture for a README.
func ExampleWrite() {
	facts := exampleFacts() // of package scan
	reports := []report.Report{{Facts: facts, Result: grade.Judge(facts, grade.Options{})}}
	var text, badge strings.Builder
	if err := report.Write(&text, report.FormatText, reports, report.Options{Width: 100}); err != nil {
		log.Fatal(err)
	}
	if err := report.Write(&badge, report.FormatBadge, reports, report.Options{}); err != nil {
		log.Fatal(err)
	}
	first, _, _ := strings.Cut(text.String(), "\n")
	fmt.Println(first)
	fmt.Printf("%.4s\n", badge.String())
	fmt.Println(report.Formats())
	// Output:
	// Grade B  www.example.org:443
	// <svg
	// [text json jsonl html csv sarif junit markdown badge]
}

// Reports are stored as JSON lines, one as each scan ends, and read again.
func ExampleReader() {
	facts := exampleFacts()
	var store bytes.Buffer
	if err := report.JSONLine(&store, report.Report{Facts: facts, Result: grade.Judge(facts, grade.Options{})}); err != nil {
		log.Fatal(err)
	}

	reader := report.NewReader(&store)
	for {
		stored, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(stored.Name(), stored.Result.Grade)
	}
	// Output:
	// www.example.org:443 B
}

// exampleFacts are what a scan might find about a server that has seen better days.
func exampleFacts() *grade.Facts {
	return &grade.Facts{Host: "www.example.org", Port: 443, Protocols: []grade.Protocol{
		{Version: wire.VersionTLS10, Name: "TLS 1.0", Offered: grade.Yes},
		{Version: wire.VersionTLS12, Name: "TLS 1.2", Offered: grade.Yes},
	}}
}
