package ciphers

import "github.com/tlswright/tlswright/wire"

// Profiles are the words for Mozilla's recommendations for servers: modern and intermediate of version 6.0, and old of
// version 5.8, the last that has it (both of April 2026).
func Profiles() []string { return []string{"modern", "intermediate", "old"} }

// suiteList knows the words that stand for a list in an order of its own: Mozilla's profiles, and Suite B (RFC 6460,
// Section 3.1).
func suiteList(text string) []wire.CipherSuite {
	modern := []wire.CipherSuite{
		wire.TLS_AES_128_GCM_SHA256, wire.TLS_AES_256_GCM_SHA384, wire.TLS_CHACHA20_POLY1305_SHA256,
	}
	suiteB := []wire.CipherSuite{
		wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	}
	intermediate := append(modern[:3:3],
		wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		wire.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, wire.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		wire.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, wire.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	)
	switch text {
	case "modern":
		return modern
	case "intermediate":
		return intermediate
	case "old":
		return append(intermediate,
			wire.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, wire.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
			wire.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, wire.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
			wire.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384, wire.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384,
			wire.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, wire.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
			wire.TLS_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_RSA_WITH_AES_256_GCM_SHA384,
			wire.TLS_RSA_WITH_AES_128_CBC_SHA256, wire.TLS_RSA_WITH_AES_256_CBC_SHA256,
			wire.TLS_RSA_WITH_AES_128_CBC_SHA, wire.TLS_RSA_WITH_AES_256_CBC_SHA, wire.TLS_RSA_WITH_3DES_EDE_CBC_SHA,
		)
	case "SUITEB128":
		return suiteB
	case "SUITEB128ONLY":
		return suiteB[:1]
	case "SUITEB192":
		return suiteB[1:]
	}
	return nil
}
