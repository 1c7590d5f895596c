package ciphers

import (
	"strconv"
	"strings"

	"github.com/tlswright/tlswright/wire"
)

// openSSLName derives the name that OpenSSL gives a suite. It names most by a rule; what follows none is in oddNames.
func (p *Parts) openSSLName() string {
	if name, ok := oddName(p.Suite); ok {
		return name
	}
	if p.KeyExchange == "any" {
		if p.MAC == "AEAD" && p.Encryption != "AEGIS" && p.Encryption != "SM4" {
			return p.Suite.String()
		}
		return ""
	}
	prefix, ok := p.openSSLExchange()
	cipher := p.openSSLCipher()
	if !ok || cipher == "" {
		return ""
	}
	if p.IsExport {
		prefix = "EXP-" + strings.Replace(prefix, "DHE-", "EDH-", 1)
	}
	return prefix + cipher
}

// openSSLExchange is the beginning of OpenSSL's name; for key exchange and signature by RSA it is empty.
func (p *Parts) openSSLExchange() (prefix string, ok bool) {
	switch p.KeyExchange {
	case "RSA":
		return "", p.Authentication == "RSA"
	case "PSK", "DHE_PSK", "ECDHE_PSK", "RSA_PSK":
		return strings.ReplaceAll(p.KeyExchange, "_", "-") + "-", true
	case "SRP":
		if p.Authentication == "SRP" {
			return "SRP-", true
		}
		return "SRP-" + p.Authentication + "-", true
	case "DHE", "ECDHE":
		if p.Authentication == "none" {
			return "A" + strings.TrimSuffix(p.KeyExchange, "E") + "-", true
		}
		return p.KeyExchange + "-" + p.Authentication + "-", p.Authentication != "SM2"
	case "DH", "ECDH":
		return p.KeyExchange + "-" + p.Authentication + "-", true
	case "KRB5":
		return "KRB5-", true
	}
	return "", false
}

// openSSLCipher is the end of OpenSSL's name: cipher and hash. Those with a pre-shared key or SRP spell it differently.
func (p *Parts) openSSLCipher() string {
	hash := strings.Replace(p.MAC, "SHA1", "SHA", 1)
	isPSK := strings.HasSuffix(p.KeyExchange, "PSK")
	if p.Encryption == "ARIA" && (p.isStatic() || p.Authentication == "none") || p.Encryption == "CAMELLIA" && p.isStatic() && p.MAC != "SHA1" {
		return "" // came after OpenSSL had dropped these ways of exchanging keys
	}
	switch p.Encryption + " " + p.Mode {
	case "AES GCM", "ARIA GCM":
		return p.Encryption + strconv.Itoa(p.Bits) + "-GCM-" + p.Hash
	case "AES CCM", "AES CCM_8":
		if p.KeyExchange == "ECDHE_PSK" {
			return "" // RFC 8442's, which OpenSSL has not
		}
		return "AES" + strconv.Itoa(p.Bits) + "-" + strings.ReplaceAll(p.Mode, "_", "")
	case "AES CBC":
		switch {
		case isPSK:
			return "AES" + strconv.Itoa(p.Bits) + "-CBC-" + hash
		case p.KeyExchange == "SRP":
			return "AES-" + strconv.Itoa(p.Bits) + "-CBC-" + hash
		}
		return "AES" + strconv.Itoa(p.Bits) + "-" + hash
	case "CAMELLIA CBC":
		return "CAMELLIA" + strconv.Itoa(p.Bits) + "-" + hash
	case "CHACHA20 POLY1305":
		if strings.HasSuffix(p.Suite.String(), "_OLD") {
			return ""
		}
		return "CHACHA20-POLY1305"
	case "SEED CBC", "RC4 stream":
		return p.Encryption + "-" + hash
	case "IDEA CBC", "DES CBC", "RC2 CBC":
		return p.Encryption + "-CBC-" + hash
	case "3DES CBC":
		if isPSK || p.KeyExchange == "SRP" {
			return "3DES-EDE-CBC-" + hash
		}
		return "DES-CBC3-" + hash
	case "NULL none":
		return "NULL-" + hash
	}
	return ""
}

// oddName knows the names that follow no rule; an empty one is of a suite that OpenSSL does not have.
func oddName(id wire.CipherSuite) (string, bool) {
	switch id {
	case wire.TLS_NULL_WITH_NULL_NULL,
		wire.TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256,
		wire.TLS_ECDHE_PSK_WITH_AES_256_GCM_SHA384,
		wire.SSL_RSA_FIPS_WITH_DES_CBC_SHA,
		wire.SSL_RSA_FIPS_WITH_3DES_EDE_CBC_SHA,
		wire.SSL_RSA_OLDFIPS_WITH_DES_CBC_SHA,
		wire.SSL_RSA_OLDFIPS_WITH_3DES_EDE_CBC_SHA:
		return "", true
	case wire.TLS_ECDHE_RSA_WITH_ARIA_128_GCM_SHA256:
		return "ECDHE-ARIA128-GCM-SHA256", true
	case wire.TLS_ECDHE_RSA_WITH_ARIA_256_GCM_SHA384:
		return "ECDHE-ARIA256-GCM-SHA384", true
	case wire.TLS_RSA_EXPORT1024_WITH_DES_CBC_SHA:
		return "EXP1024-DES-CBC-SHA", true
	case wire.TLS_RSA_EXPORT1024_WITH_RC4_56_SHA:
		return "EXP1024-RC4-SHA", true
	case wire.TLS_RSA_EXPORT1024_WITH_RC4_56_MD5:
		return "EXP1024-RC4-MD5", true
	case wire.TLS_RSA_EXPORT1024_WITH_RC2_CBC_56_MD5:
		return "EXP1024-RC2-CBC-MD5", true
	case wire.TLS_DHE_DSS_EXPORT1024_WITH_DES_CBC_SHA:
		return "EXP1024-DHE-DSS-DES-CBC-SHA", true
	case wire.TLS_DHE_DSS_EXPORT1024_WITH_RC4_56_SHA:
		return "EXP1024-DHE-DSS-RC4-SHA", true
	case wire.TLS_DHE_RSA_WITH_DES_CBC_SHA:
		return "EDH-RSA-DES-CBC-SHA", true
	case wire.TLS_DHE_DSS_WITH_DES_CBC_SHA:
		return "EDH-DSS-DES-CBC-SHA", true
	case wire.TLS_GOSTR341094_WITH_28147_CNT_IMIT:
		return "GOST94-GOST89-GOST89", true
	case wire.TLS_GOSTR341001_WITH_28147_CNT_IMIT:
		return "GOST2001-GOST89-GOST89", true
	case wire.TLS_GOSTR341094_WITH_NULL_GOSTR3411:
		return "GOST94-NULL-GOST94", true
	case wire.TLS_GOSTR341001_WITH_NULL_GOSTR3411:
		return "GOST2001-NULL-GOST94", true
	case wire.TLS_GOSTR341112_256_WITH_28147_CNT_IMIT:
		return "IANA-GOST2012-GOST8912-GOST8912", true
	case wire.TLS_GOSTR341112_256_WITH_28147_CNT_IMIT_OLD:
		return "LEGACY-GOST2012-GOST8912-GOST8912", true
	case wire.TLS_GOSTR341112_256_WITH_NULL_GOSTR3411:
		return "GOST2012-NULL-GOST12", true
	case wire.TLS_GOSTR341112_256_WITH_MAGMA_CTR_OMAC:
		return "GOST2012-MAGMA-MAGMAOMAC", true
	case wire.TLS_GOSTR341112_256_WITH_KUZNYECHIK_CTR_OMAC:
		return "GOST2012-KUZNYECHIK-KUZNYECHIKOMAC", true
	}
	return "", false
}
