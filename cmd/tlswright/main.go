// Command tlswright is TLS and PKI done right in one binary: a TLS client and server on a TLS stack of its own, and
// a private CA. Everything it does is decided in internal/cli; this file knows nothing but how to start and to end.
package main

import (
	"os"

	"github.com/tlswright/tlswright/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
