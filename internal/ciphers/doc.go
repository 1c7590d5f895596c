// Package ciphers knows what the names of cipher suites say, and which suites an expression means: it takes every suite
// ever registered apart into key exchange, authentication, encryption, mode and hash, and it reads the cipher lists of
// OpenSSL ("ECDHE+AESGCM:!aNULL"), registered and OpenSSL's names, and Mozilla's profiles. It does not know which suites
// this program speaks, and it holds no cryptography: that is package suite.
package ciphers
