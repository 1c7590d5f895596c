package lab

import "github.com/tlswright/tlswright/wire"

// explanations are the differences that are known, the more particular ones first. A difference that none of them matches
// fails the comparison, and so does an explanation that nothing needs any more.
func explanations() []explanation {
	return []explanation{
		{scanner: "tlswright", server: "s_server: (X448 alone|ffdhe2048 alone|brainpool|binary curves|PSK)|nginx: (weak curves|P-192)", aspect: "gap",
			text: "(?s)(sessions of TLS|HTTP|padding oracles|robot|early-data).*",
			why:  "a handshake in a group, or with a key, that tlswright cannot compute is not finished. What needs a finished one is reported as a gap, and not guessed."},
		{scanner: "nmap", server: "nginx: Ed25519", aspect: "(versions|suites of TLS 1.2)", text: "misses .*",
			why:     "its hello does not name ed25519 in signature_algorithms, so that a server with such a key alone refuses it.",
			witness: "nginx: Ed25519", version: wire.VersionTLS12, suite: wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, group: wire.GroupX25519},
		{scanner: "nmap", server: "nginx: P-384", aspect: "(versions|suites of TLS 1.3)", text: "misses .*",
			why:     "its hello of TLS 1.3 does not name ecdsa_secp384r1_sha384.",
			witness: "nginx: P-384", version: wire.VersionTLS13, suite: wire.TLS_AES_128_GCM_SHA256, group: wire.GroupSecp384r1},
		{scanner: "nmap", server: "nginx: P-192", aspect: "versions", text: "says nothing",
			why:     "its hello does not name the certificate's curve.",
			witness: "nginx: P-192", version: wire.VersionTLS12, suite: wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, group: wire.GroupSecp192r1},
		{scanner: "nmap", server: "Caddy 2.6|crypto/tls: .*|tlswright serve|HAProxy: .*|Apache: .*", aspect: "order of TLS 1.[23]", text: "says the client's counts",
			why: "the server's order counts, but it puts ChaCha20 first for a client that does; nmap takes that for the client's order."},
		{scanner: "nmap|testssl.sh", server: "crypto/tls: (X25519MLKEM768 alone|three hybrids)", aspect: "versions", text: "says nothing|misses TLS 1.3",
			why:     "it knows no group with ML-KEM, and takes the server for one without TLS 1.3.",
			witness: "crypto/tls: X25519MLKEM768 alone", version: wire.VersionTLS13, suite: wire.TLS_AES_128_GCM_SHA256, group: wire.GroupX25519MLKEM768},
		{scanner: "sslscan", server: "crypto/tls: (X25519MLKEM768 alone|three hybrids)", aspect: "(versions|suites of TLS 1.3)", text: "misses .*",
			why: "as before: TLS 1.3 with ML-KEM alone is no TLS 1.3 to it."},
		{scanner: "sslscan", server: "nginx: (P-192|weak curves)|s_server: (brainpool|binary curves)", aspect: "(versions|suites of TLS 1.2)", text: "misses .*",
			why:     "it finds out versions with the usual curves alone, and does not look at the suites of a version that it takes for absent.",
			witness: "nginx: weak curves", version: wire.VersionTLS12, suite: wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, group: wire.GroupSecp224r1},
		{scanner: "sslscan", server: "JSSE: .*|selfserv: .*", aspect: "suites of SSL 3.0", text: "misses all .*",
			why:     "it says that SSLv3 is there, and tries none of its suites, because its OpenSSL has no SSLv3.",
			witness: "JSSE: everything", version: wire.VersionSSL30, suite: wire.TLS_RSA_WITH_AES_128_CBC_SHA, group: 0},
		{scanner: "sslscan", server: "Dovecot: .*", aspect: "suites of TLS 1.[012]", text: "misses .*",
			why:     "Dovecot without Diffie-Hellman parameters chooses a DHE suite where the client prefers it, and then gives up; sslscan takes that for the end of the list.",
			witness: "Dovecot: imaps", version: wire.VersionTLS12, suite: wire.TLS_RSA_WITH_AES_128_CBC_SHA256, group: wire.GroupX25519},
		{scanner: "sslscan|testssl.sh", server: "slapd: ldap", aspect: "versions", text: "says nothing",
			why: "its StartTLS request is not what slapd understands."},
		{scanner: "testssl.sh", server: "nginx: RSA-512", aspect: "versions", text: "adds TLS 1.3",
			why:     "512 bits are too few for RSA-PSS, without which there is no TLS 1.3 with such a key: the server refuses.",
			witness: "nginx: RSA-512", version: wire.VersionTLS13, suite: wire.TLS_AES_128_GCM_SHA256, group: wire.GroupX25519},
		{scanner: "testssl.sh", server: "nginx: P-192", aspect: "versions", text: "says nothing",
			why: "its helper OpenSSL makes no handshake with the server, and it gives up (see the bytes above)."},
		{scanner: "testssl.sh", server: "nginx: (SHA-1|MD5)", aspect: "certificate", text: "misses untrusted",
			why: "it names the hash as a defect of its own, and still calls the chain trusted."},
	}
}
