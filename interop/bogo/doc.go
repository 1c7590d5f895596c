// Package bogo lets BoringSSL's own TLS test suite judge tlscore. Its runner is a TLS stack that can be told to break
// every rule; it drives the program in the folder shim, one process per test, and knows for each test what must happen.
//
// The runner stays outside the repository: fetch.sh brings the one in Debian's source package of BoringSSL into the
// cache, and `make bogo BORINGSSL=path` takes any other checkout. It runs in its strict mode: the shim must name the
// error by BoringSSL's word for it, and the alert on the wire must be the one that BoringSSL sends.
//
// What tlswright does not have (yet), the shim answers with "unimplemented", flag by flag. config.json holds the rest:
// tests switched off, each with a sentence that says why - out of scope, waiting for a feature by its name, or the RFC
// demands another answer - and the words for errors that BoringSSL tells apart and we do not. A test that fails without
// standing there fails TestBogo.
//
// The package knows how to build and run the two programs and to read the runner's report. It does not know the tests.
package bogo
