package lint

// lintReadable is what [Run] says of bytes that are no certificate.
var lintReadable = Lint{
	Name:        "readable",
	Severity:    Error,
	Requirement: "A certificate is one SEQUENCE of three parts in DER, with every field in its place and nothing after it.",
	Section:     "RFC 5280, Section 4.1",
}
