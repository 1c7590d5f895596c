package ciphers

import (
	"strconv"
	"strings"

	"github.com/tlswright/tlswright/wire"
)

// cipherWord knows the words for the encryption and its mode.
func cipherWord(text string) (word, bool) {
	kinds := map[string]string{
		"3DES": "3DES", "DES": "DES", "RC4": "RC4", "RC2": "RC2", "IDEA": "IDEA", "SEED": "SEED", "eNULL": "NULL",
		"NULL": "NULL", "CHACHA20": "CHACHA20", "GOST89": "GOST28147", "eFZA": "FORTEZZA", "AES": "AES",
		"CAMELLIA": "CAMELLIA", "ARIA": "ARIA",
	}
	if name, ok := kinds[text]; ok {
		return word{aspect: ofCipher, match: oneOf(byEncryption, name)}, true
	}
	if text == "CBC" {
		return word{aspect: ofCipher, match: func(p *Parts) bool { return p.Mode == "CBC" }}, true
	}
	for _, name := range []string{"AES", "CAMELLIA", "ARIA"} {
		rest, ok := strings.CutPrefix(text, name)
		if !ok {
			continue
		}
		match := modeOrSize(rest)
		if match == nil {
			return word{}, false
		}
		return word{aspect: ofCipher, match: func(p *Parts) bool { return p.Encryption == name && match(p) }}, true
	}
	return word{}, false
}

// modeOrSize is what may follow the name of a cipher: AESGCM, AESCCM, AESCCM8, AES128, AES256. AESCCM means both kinds of
// CCM.
func modeOrSize(text string) func(*Parts) bool {
	switch text {
	case "GCM":
		return func(p *Parts) bool { return p.Mode == "GCM" }
	case "CCM":
		return func(p *Parts) bool { return p.Mode == "CCM" || p.Mode == "CCM_8" }
	case "CCM8":
		return func(p *Parts) bool { return p.Mode == "CCM_8" }
	case "128", "256":
		bits, _ := strconv.Atoi(text)
		return func(p *Parts) bool { return p.Bits == bits }
	}
	return nil
}

// macWord knows the words for the hash of the HMAC, which a suite with AEAD has none of, and for versions.
func macWord(text string) (word, bool) {
	macs := map[string]string{
		"MD5": "MD5", "SHA1": "SHA1", "SHA": "SHA1", "SHA256": "SHA256", "SHA384": "SHA384", "GOST94": "GOSTR3411",
		"GOST89MAC": "IMIT", "AEAD": "AEAD",
	}
	if mac, ok := macs[text]; ok {
		return word{aspect: ofCipher, match: func(p *Parts) bool { return p.MAC == mac }}, true
	}
	versions := map[string]wire.Version{
		"SSLv2": wire.VersionSSL30 - 1, "SSLv3": wire.VersionSSL30, "TLSv1": wire.VersionTLS10, "TLSv1.0": wire.VersionTLS10,
		"TLSv1.2": wire.VersionTLS12, "TLSv1.3": wire.VersionTLS13,
	}
	if v, ok := versions[text]; ok {
		return word{match: func(p *Parts) bool { return p.Since == v }}, true
	}
	return word{}, false
}

// classWord knows the words for whole classes of suites.
func classWord(text string) (word, bool) {
	var match func(*Parts) bool
	switch text {
	case "ALL":
		match = func(p *Parts) bool { return p.Encryption != "NULL" }
	case "COMPLEMENTOFALL":
		match = func(p *Parts) bool { return p.Encryption == "NULL" }
	case "COMPLEMENTOFDEFAULT":
		match = func(p *Parts) bool { return p.Encryption != "NULL" && !p.isDefault() }
	case "HIGH", "MEDIUM", "LOW":
		match = func(p *Parts) bool { return p.class() == text }
	case "EXP", "EXPORT":
		match = func(p *Parts) bool { return p.IsExport }
	case "EXPORT40":
		match = func(p *Parts) bool { return p.IsExport && p.Bits == 40 }
	case "EXPORT56":
		match = func(p *Parts) bool { return p.IsExport && p.Bits == 56 }
	case "FIPS":
		match = func(p *Parts) bool {
			return p.KeyExchange != "SRP" && (p.Encryption == "AES" && (p.Mode == "CBC" || p.Mode == "GCM") || p.Encryption == "3DES")
		}
	default:
		return word{}, false
	}
	return word{match: match}, true
}

// class is the class of strength: HIGH, MEDIUM or LOW; empty without encryption.
func (p *Parts) class() string {
	switch p.Encryption {
	case "NULL":
		return ""
	case "3DES", "RC4", "IDEA", "SEED", "RC2", "DES", "FORTEZZA":
		if p.Bits < 80 {
			return "LOW"
		}
		return "MEDIUM"
	}
	return "HIGH"
}

// isDefault reports whether OpenSSL offers a suite unasked: AES but for CCM, and ChaCha20, with a server that proves who it
// is by more than DSS.
func (p *Parts) isDefault() bool {
	if p.OpenSSLName == "" || p.Authentication == "none" || p.Authentication == "DSS" || p.isStatic() {
		return false
	}
	switch p.Encryption {
	case "AES":
		return p.Mode == "GCM" || p.Mode == "CBC"
	case "CHACHA20":
		return true
	}
	return false
}

// fits reports whether a suite is allowed at a security level of OpenSSL, 0 to 5.
func (p *Parts) fits(level int) bool {
	if level <= 0 {
		return true
	}
	minimum := [...]int{0, 80, 112, 128, 192, 256}[level]
	switch {
	case p.Bits < minimum, p.Authentication == "none", p.MAC == "MD5":
		return false
	case minimum > 160 && p.MAC == "SHA1", level >= 2 && p.Encryption == "RC4":
		return false
	}
	return level < 3 || p.KeyExchange == "any" || strings.HasPrefix(p.KeyExchange, "DHE") || strings.HasPrefix(p.KeyExchange, "ECDHE")
}
