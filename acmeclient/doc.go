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
//	backups/SERVER/TIME/                           files of a web server as they were before an installer changed them
//
// Everything of a generation is on disk before the first link is turned to it; a crash in between leaves links of two
// generations, which the next use of the folder turns to the newer one. The protocol is acmez's; challenges are answered
// by solvers: a web server or a TLS server of its own, a folder of a running web server, DNS by RFC 2136, a hook, or a
// person.
//
// The installer for nginx reads its configuration as nginx does, changes the server blocks for the names of a certificate,
// and takes that back where nginx or a handshake does not agree. What it is about to change is in a journal first.
//
// It does NOT know other servers that are to use a certificate; hooks do.
package acmeclient
