// Package acmeclient gets certificates from ACME servers (RFC 8555), keeps them where servers find them, and renews them
// in time.
//
// It owns a folder in the layout that certbot made known:
//
//	live/NAME/{cert,chain,fullchain,privkey}.pem   links to the newest generation
//	archive/NAME/{cert,chain,fullchain,privkey}N.pem
//	archive/NAME/nextkey.pem                       a key for the next generation, made in advance (pins, DANE)
//	renewal/NAME.json                              how it was obtained, so that it can be renewed
//	accounts/SERVER/account.json, key.pem
//
// Everything of a generation is on disk before the first link is turned to it; a crash in between leaves links of two
// generations, which the next use of the folder turns to the newer one. The protocol is acmez's; challenges are answered
// by solvers: a web server or a TLS server of its own, a folder of a running web server, DNS by RFC 2136, a hook, or a
// person.
//
// It does NOT know which server is to use the certificate; hooks and installers do.
package acmeclient
