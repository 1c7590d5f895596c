// Package scan finds out what a TLS server does, down to SSL 2.0, by asking it: each probe is a connection with a hello
// of its own and a look at what comes back. What is found goes into grade.Facts.
//
// # How to begin
//
//	target, err := scan.ParseTarget("www.example.org") // or "smtp://mail.example.org", "[2001:db8::1]:8443" …
//	if err != nil {
//		return err
//	}
//	found, err := scan.New(scan.Options{Stores: stores}).Scan(ctx, target)
//	if err != nil {
//		return err
//	}
//	for _, facts := range found { // one for each address
//		fmt.Println(facts.Address, grade.Judge(facts, grade.Options{}).Grade)
//	}
//
// Package grade/report writes it down. A fleet is scanned by [Scanner.Fleet], which keeps nothing in memory.
//
// # What matters
//
// [Options] is how to ask; its zero value asks everything, politely: some sixty connections, four at once, in a second
// or two. Quick asks what one handshake tells. A [Store] is a set of roots to judge chains by; without any nobody is
// trusted and the grade says so. A [Target] is host, port and the protocol that STARTTLS is spoken in.
//
// # What it does not do
//
// It knows how to ask: which hello tells what, how to tell a refusal from silence, how to be gentle with a server that
// pushes back, and how to finish handshakes that no other part of this program would touch. It does NOT know what the
// facts are worth (that is package grade), nor how they are shown, and it never uses the TLS machine of package
// tlscore, which would refuse to speak most of what is asked about here.
//
// # What is safe, and what is not
//
// Ask about servers of your own, or with leave: probes for vulnerabilities look like attacks in a log. Without Offline
// a scan also asks the DNS, port 80, and the addresses in certificates; private ones of these only with AllowPrivate.
// Strings in facts are the server's, fit to print only where their field says so.
//
// # Errors
//
// A server that does not answer is no error: its facts say why in Unreachable. Errors are of the look-up
// ([ErrNoAddress]) and of the input ([ErrTarget], [ErrWeakKeys]). A "no" in facts stands only where the server answered
// in a way that means no. Where it did not answer, the fact is unknown and the question is listed among the Gaps.
package scan
