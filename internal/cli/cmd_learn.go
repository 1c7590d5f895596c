package cli

import "github.com/spf13/cobra"

const learnLong = `Lessons over things that really happen. The simplified TLS is a protocol of its
own, small enough to read in one sitting (docs/learn/minitls.md, and package
minitls): every idea of TLS 1.3 in fifteen steps. It protects nothing that
matters.

"learn demo" plays both sides and shows every value; with --tamper it changes
one message on its way and shows which check notices. "learn certs", "learn
server" and "learn client" do the same over TCP, between two terminals or two
machines.

"learn handshake", "learn keys", "learn ciphers" and "learn chain" are short
lessons on the real TLS, page by page, over a connection that was just made to a
server of their own, or to any host.`

func newLearn(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "learn",
		Short: "Learn TLS by doing: the simplified TLS, and lessons over live data",
		Long:  learnLong,
		Example: "  tlswright learn demo\n  tlswright learn demo --tamper finished\n" +
			"  tlswright learn certs && tlswright learn server\n  tlswright learn client 127.0.0.1:4434 --send hello\n" +
			"  tlswright learn handshake\n  tlswright learn chain example.com",
	}, newLearnDemo(a), newLearnCerts(a), newLearnServer(a), newLearnClient(a),
		newLearnHandshake(a), newLearnKeys(a), newLearnCiphers(a), newLearnChain(a))
}

// lessonSteps are the fifteen steps of the lesson, by number from 1.
func lessonSteps() []string {
	return []string{
		"the CA and the server get keys and certificates, once and offline",
		"a certificate says whose key this is, until when, and who vouches for it",
		"the server listens",
		"the client connects",
		"ClientHello: a random, a fresh public key, what the client can do, whom it looks for",
		"both begin a hash over every line: the transcript",
		"ServerHello: the server's random and its fresh public key",
		"both compute the same shared secret, which no listener can",
		"both derive keys from it",
		"Certificate: the server says who it is",
		"the client verifies the certificate with the CA's public key",
		"CertificateVerify: the server signs the transcript with the certificate's key",
		"the client verifies that signature",
		"Finished: each proves that it saw the same lines and has the same keys",
		"Data: a key for each direction, a number for each record",
	}
}
