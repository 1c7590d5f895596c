package ciphers

import (
	"strings"

	"github.com/tlswright/tlswright/wire"
)

// Parts is what the name of a cipher suite says. The words are those of the registry: KeyExchange "ECDHE",
// Authentication "ECDSA", Encryption "AES", Mode "GCM".
type Parts struct {
	Suite wire.CipherSuite
	// OpenSSLName is the name in OpenSSL, of any release; empty where OpenSSL never had the suite.
	OpenSSLName string
	// Since is the lowest version that the suite can be used with.
	Since wire.Version
	// KeyExchange is "any" in TLS 1.3, where the suite does not say it (RFC 8446, Section 1.2), and ends in "_PSK" where
	// a pre-shared key goes into it as well.
	KeyExchange string
	// Authentication of the server: "ECDSA", "RSA", "DSS", "PSK" …, "none", or "any" in TLS 1.3.
	Authentication string
	Encryption     string // "AES", "CHACHA20", "NULL"
	Bits           int    // strength of the encryption, which is less than the key of 3DES has; 0: none
	Mode           string // "GCM", "CCM", "CCM_8", "CBC", "POLY1305", "stream" …, "none" without encryption
	MAC            string // "AEAD", or the hash of the HMAC: "SHA1", "SHA256"
	// Hash of the key schedule or, in TLS 1.2, of the PRF. Before TLS 1.2 that is MD5 with SHA-1 for every suite.
	Hash string
	// HasForwardSecrecy reports that keys are ephemeral: who steals the server's key later cannot read what was recorded.
	HasForwardSecrecy bool
	// IsExport marks the suites made weak on purpose for the export rules of the 1990s.
	IsExport bool
}

// Apart takes the name of a suite apart. False: the number has no name, or is no suite but a signal
// (TLS_FALLBACK_SCSV).
func Apart(id wire.CipherSuite) (Parts, bool) {
	name := id.String()
	if strings.HasPrefix(name, "0x") || wire.IsGREASE(uint16(id)) || strings.HasSuffix(name, "_SCSV") {
		return Parts{}, false
	}
	p := Parts{Suite: id}
	bare := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(name, "TLS_"), "SSL_"), "_OLD")
	exchange, cipher, hasExchange := strings.Cut(bare, "_WITH_")
	switch {
	case hasExchange:
		p.readExchange(exchange)
	case strings.HasPrefix(name, "TLS_"):
		p.KeyExchange, p.Authentication, p.HasForwardSecrecy = "any", "any", true
		cipher = bare
	default: // GM/T 0024: ECDHE_SM4_CBC_SM3
		exchange, cipher, _ = strings.Cut(bare, "_")
		p.readChineseExchange(exchange)
	}
	p.readCipher(cipher)
	p.Since = p.since()
	p.OpenSSLName = p.openSSLName()
	return p, true
}

// All takes every suite that has a name apart, in ascending order of number.
func All() []Parts {
	var all []Parts
	for id := range wire.CipherSuites() {
		if p, ok := Apart(id); ok {
			all = append(all, p)
		}
	}
	return all
}

// readExchange reads what stands before WITH: "ECDHE_ECDSA", "RSA_EXPORT", "DHE_PSK", "DH_anon".
func (p *Parts) readExchange(s string) {
	for _, suffix := range []string{"_EXPORT1024", "_EXPORT"} {
		if rest, ok := strings.CutSuffix(s, suffix); ok {
			s, p.IsExport = rest, true
		}
	}
	switch s {
	case "RSA", "RSA_FIPS", "RSA_OLDFIPS":
		p.KeyExchange, p.Authentication = "RSA", "RSA"
	case "DH_anon", "ECDH_anon": // ephemeral in truth, whatever the name says
		p.KeyExchange, p.Authentication = strings.TrimSuffix(s, "_anon")+"E", "none"
	case "PSK_DHE":
		p.KeyExchange, p.Authentication = "DHE_PSK", "PSK"
	case "RSA_PSK":
		p.KeyExchange, p.Authentication = "RSA_PSK", "RSA"
	case "PSK", "DHE_PSK", "ECDHE_PSK":
		p.KeyExchange, p.Authentication = s, "PSK"
	case "SRP_SHA", "SRP_SHA_RSA", "SRP_SHA_DSS":
		p.KeyExchange, p.Authentication = "SRP", "SRP"
		if auth := strings.TrimPrefix(s, "SRP_SHA_"); auth != s {
			p.Authentication = auth
		}
	case "NULL":
		p.KeyExchange, p.Authentication = "none", "none"
	case "KRB5", "ECCPWD", "ECJPAKE", "FORTEZZA_KEA":
		p.KeyExchange, p.Authentication = s, s
	default:
		if strings.HasPrefix(s, "GOST") {
			p.KeyExchange, p.Authentication = "VKO", s
			break
		}
		p.KeyExchange, p.Authentication, _ = strings.Cut(s, "_")
	}
	switch p.KeyExchange {
	case "DHE", "ECDHE", "DHE_PSK", "ECDHE_PSK", "CECPQ1", "SRP", "ECCPWD", "ECJPAKE":
		p.HasForwardSecrecy = true
	}
}

// readChineseExchange reads the first word of a suite of GM/T 0024.
func (p *Parts) readChineseExchange(s string) {
	p.KeyExchange, p.Authentication = s, "SM2"
	switch s {
	case "RSA":
		p.Authentication = "RSA"
	case "IBC", "IBSDH":
		p.Authentication = "SM9"
	}
	p.HasForwardSecrecy = s == "ECDHE" || s == "IBSDH"
}

// readCipher reads what stands behind WITH: "AES_128_GCM_SHA256", "3DES_EDE_CBC_SHA", "AES_256_CCM_8".
func (p *Parts) readCipher(s string) {
	words := strings.Split(s, "_")
	p.Encryption, p.Bits = cipherStrength(words)
	p.Mode = cipherMode(words)
	hash := hashOf(words[len(words)-1])
	switch p.Mode {
	case "GCM", "CCM", "CCM_8", "POLY1305", "AEGIS", "MGM":
		p.MAC, p.Hash = "AEAD", hash
		if hash == "" {
			p.Hash = "SHA256" // RFC 6655, Section 3, and RFC 7251, Section 2: the default of TLS 1.2
		}
	default:
		p.MAC, p.Hash = hash, hash
		switch {
		case words[len(words)-1] == "IMIT" || words[len(words)-1] == "OMAC":
			p.MAC, p.Hash = words[len(words)-1], "GOSTR3411"
		case hash == "SHA1" || hash == "MD5":
			p.Hash = "SHA256" // RFC 5246, Section 5
		case hash == "":
			p.MAC, p.Hash = "none", "none"
		}
	}
	if p.Mode == "MGM" {
		p.Hash = "GOSTR3411"
	}
}

// cipherStrength gives the name of a cipher and how many bits of strength it has.
func cipherStrength(words []string) (name string, bits int) {
	name = words[0]
	switch name {
	case "28147":
		name, bits = "GOST28147", 256
	case "CHACHA20", "SALSA20", "KUZNYECHIK", "MAGMA":
		bits = 256
	case "ESTREAM":
		name, bits = "SALSA20", 256
	case "IDEA", "SEED", "SM1", "SM4":
		bits = 128
	case "3DES":
		bits = 112
	case "FORTEZZA":
		bits = 80
	case "DES":
		bits = 56
	case "DES40":
		name, bits = "DES", 40
	case "SHA256", "SHA384": // RFC 9150: integrity without encryption, in TLS 1.3
		name = "NULL"
	}
	for _, w := range words[1:] {
		switch w {
		case "40", "56", "128", "256":
			bits = number(w)
		case "128L":
			bits = 128
		}
	}
	return name, bits
}

func number(s string) int {
	n := 0
	for _, c := range s {
		n = 10*n + int(c-'0')
	}
	return n
}

func cipherMode(words []string) string {
	for i, w := range words {
		switch w {
		case "CCM":
			if i+1 < len(words) && words[i+1] == "8" {
				return "CCM_8"
			}
			return w
		case "GCM", "CBC", "POLY1305", "MGM", "CTR", "CNT", "AEGIS":
			return w
		case "RC4", "SALSA20":
			return "stream"
		case "NULL":
			return "none"
		case "SM1":
			return "CBC"
		}
	}
	return "none"
}

func hashOf(word string) string {
	switch word {
	case "SHA":
		return "SHA1"
	case "MD5", "SHA1", "SHA256", "SHA384", "SHA512", "SM3", "GOSTR3411":
		return word
	}
	return ""
}

// since is the lowest version of a suite, as OpenSSL sees it: what only names AES, SHA-1 and the like goes with SSL 3.0,
// elliptic curves came with TLS 1.0, AEAD and the larger hashes with TLS 1.2, except for those with a pre-shared key
// (RFC 5487, Section 1.1).
func (p *Parts) since() wire.Version {
	isPSK := strings.HasSuffix(p.KeyExchange, "PSK")
	switch {
	case p.KeyExchange == "any":
		return wire.VersionTLS13
	case p.MAC == "AEAD", p.MAC == "OMAC":
		return wire.VersionTLS12
	case p.Encryption == "ARIA":
		return wire.VersionTLS12
	case p.MAC == "SHA256" || p.MAC == "SHA384":
		if isPSK {
			return wire.VersionTLS10
		}
		return wire.VersionTLS12
	case strings.HasPrefix(p.KeyExchange, "EC"), p.KeyExchange == "VKO":
		return wire.VersionTLS10
	}
	return wire.VersionSSL30
}

// Is64Bit reports a block cipher with blocks of 64 bits, which Sweet32 is about.
func (p *Parts) Is64Bit() bool {
	switch p.Encryption {
	case "3DES", "DES", "IDEA", "RC2", "GOST28147", "MAGMA":
		return true
	}
	return false
}
