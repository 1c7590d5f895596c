package grade_test

import (
	"fmt"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/wire"
)

// Facts come from package scan, or out of storage; here a few are written by hand. What is not said counts as unknown.
func ExampleJudge() {
	facts := &grade.Facts{Host: "www.example.org", Port: 443, Protocols: []grade.Protocol{
		{Version: wire.VersionTLS10, Name: "TLS 1.0", Offered: grade.Yes},
		{Version: wire.VersionTLS12, Name: "TLS 1.2", Offered: grade.Yes},
	}}
	result := grade.Judge(facts, grade.Options{ServerKind: "nginx", Policies: []grade.Policy{}})
	fmt.Println("grade", result.Grade, "is good enough:", result.Grade.AtLeast("A"))
	for _, f := range result.Findings {
		fmt.Printf("%s (%s): %s\n", f.Severity, f.Rule, f.Title)
	}
	// Output:
	// grade B is good enough: false
	// medium (B7): TLS 1.0 or TLS 1.1 is offered
	// info (hsts-unseen): Whether there is HSTS could not be seen
	// info (incomplete): Some questions have no answer
}

// Two scans of one server: what became better, and what worse.
func ExampleDiff() {
	offers := func(tls10 grade.Answer) *grade.Facts {
		return &grade.Facts{Host: "www.example.org", Port: 443, Protocols: []grade.Protocol{
			{Version: wire.VersionTLS10, Name: "TLS 1.0", Offered: tls10},
			{Version: wire.VersionTLS12, Name: "TLS 1.2", Offered: grade.Yes},
		}}
	}
	for _, c := range grade.Diff(offers(grade.Yes), offers(grade.No)) {
		fmt.Printf("%s: %s\n", c.Direction, c.Text)
	}
	// Output:
	// better: The grade went from B to A.
	// better: The score went from 98.5 to 100.0.
	// better: TLS 1.0 is not offered any more.
	// better: Gone: TLS 1.0 or TLS 1.1 is offered (B7).
}
