// Package pkitest makes small CAs for tests: a root, an intermediate and leaves of
// every key type that TLS 1.3 knows, good ones and each kind of bad one, as values
// and as PEM files for other programs.
//
// It knows package pki, the clock and the test's temporary folder. It does NOT know
// TLS, and nothing but tests may import it: its RSA keys are shared by all
// certificates of a process and its CAs issue what they are told.
package pkitest
