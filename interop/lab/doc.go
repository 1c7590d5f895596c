// Package lab starts real TLS servers on loopback, in more than forty configurations, and tells what is true of each:
// the versions, suites and groups by one handshake for each of them, the certificate's defects because it made the
// certificate. Its tests hold our scanner against that truth and against testssl.sh, nmap and sslscan, and keep
// docs/scan-agreement.md, where each difference stands with an explanation.
//
// It knows how to start the servers of others with the settings that a scanner must find out, and how to read what
// other scanners print. It does not know TLS: handshakes are made by OpenSSL's library, Java and crypto/tls, and how our
// scanner comes to its facts is no concern of it.
//
// A program that is not installed is a skip with a reason, and a failure in the ring that needs it: RingCI where CI=true,
// RingAccept in "make accept".
package lab
