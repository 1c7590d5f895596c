package lint

// lints are all but [lintReadable], in the order in which a certificate has the
// fields they look at.
var lints = []*Lint{
	&lintVersion3,
	&lintSerialPositive,
}
