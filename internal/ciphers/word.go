package ciphers

import (
	"strconv"
	"strings"

	"github.com/tlswright/tlswright/wire"
)

// aspect is what a word of an expression speaks of.
type aspect uint8

const (
	ofWhole    aspect = iota // a suite by its name, or a class of whole suites
	ofExchange               // key exchange or authentication, which a suite of TLS 1.3 leaves open
	ofCipher                 // encryption, mode, hash
)

// word is the meaning of one word.
type word struct {
	aspect aspect
	match  func(*Parts) bool
	// names is set for words that stand for a list of suites in an order of their own.
	names []wire.CipherSuite
	// isOfTLS13 marks words of key exchange and authentication that go with every suite of TLS 1.3, whose handshake
	// always makes ephemeral keys and signs.
	isOfTLS13 bool
}

// matches reports whether a suite is meant. A word about key exchange or authentication adds suites of TLS 1.3 where
// they can be used in that way, but never takes them away, for they can be used in another.
func (w *word) matches(p *Parts, isTakingAway bool) bool {
	if w.aspect == ofExchange && p.Since == wire.VersionTLS13 {
		return w.isOfTLS13 && !isTakingAway
	}
	return w.match(p)
}

// lookUp finds the meaning of a word: the number or a name of a suite, a profile, or a class.
func lookUp(text string) (word, bool) {
	if ids := suiteList(text); ids != nil {
		return listWord(ids), true
	}
	if id, ok := byName(text); ok {
		return word{match: func(p *Parts) bool { return p.Suite == id }}, true
	}
	for _, find := range []func(string) (word, bool){exchangeWord, authenticationWord, cipherWord, macWord, classWord} {
		if w, ok := find(text); ok {
			return w, true
		}
	}
	return word{}, false
}

func listWord(ids []wire.CipherSuite) word {
	return word{names: ids, match: func(p *Parts) bool {
		for _, id := range ids {
			if p.Suite == id {
				return true
			}
		}
		return false
	}}
}

// byName finds a suite by its registered name, its OpenSSL name, old or new, or its number (0xc02f).
func byName(text string) (wire.CipherSuite, bool) {
	if digits, ok := strings.CutPrefix(strings.ToLower(text), "0x"); ok {
		n, err := strconv.ParseUint(digits, 16, 16)
		if _, isSuite := Apart(wire.CipherSuite(n)); err == nil && isSuite {
			return wire.CipherSuite(n), true
		}
		return 0, false
	}
	isName := strings.ContainsAny(text, "-_")
	if !isName {
		return 0, false
	}
	current := text
	if rest, ok := strings.CutPrefix(text, "EDH-"); ok { // as OpenSSL before 1.1.0 spelled DHE
		current = "DHE-" + rest
	}
	for id := range wire.CipherSuites() {
		if strings.EqualFold(id.String(), text) {
			_, ok := Apart(id)
			return id, ok
		}
	}
	for _, p := range All() {
		if p.OpenSSLName != "" && (strings.EqualFold(p.OpenSSLName, text) || strings.EqualFold(p.OpenSSLName, current)) {
			return p.Suite, true
		}
	}
	return 0, false
}

func oneOf(get func(*Parts) string, values ...string) func(*Parts) bool {
	return func(p *Parts) bool {
		for _, v := range values {
			if get(p) == v {
				return true
			}
		}
		return false
	}
}

func byExchange(p *Parts) string       { return p.KeyExchange }
func byAuthentication(p *Parts) string { return p.Authentication }
func byEncryption(p *Parts) string     { return p.Encryption }

// exchangeWord knows the words for key exchange, those of old releases too. As in OpenSSL, "ECDHE" and "DHE" leave out
// what is anonymous, and "ECDH" and "DH" mean the ephemeral kinds.
func exchangeWord(text string) (word, bool) {
	signed := func(values ...string) word {
		kind := oneOf(byExchange, values...)
		return word{ofExchange, func(p *Parts) bool { return kind(p) && p.Authentication != "none" }, nil, true}
	}
	kinds := map[string][]string{
		"kRSA": {"RSA"}, "kPSK": {"PSK"}, "kRSAPSK": {"RSA_PSK"}, "kECDHEPSK": {"ECDHE_PSK"}, "kDHEPSK": {"DHE_PSK"},
		"kEDH": {"DHE"}, "kDHE": {"DHE"}, "DH": {"DHE"}, "kEECDH": {"ECDHE"}, "kECDHE": {"ECDHE"}, "ECDH": {"ECDHE"},
		"PSK": {"PSK", "RSA_PSK", "DHE_PSK", "ECDHE_PSK"}, "kSRP": {"SRP"}, "SRP": {"SRP"}, "kGOST": {"VKO"},
		"kGOST18": {"VKO"}, "kDH": {"DH"}, "kECDH": {"ECDH"}, "kKRB5": {"KRB5"}, "KRB5": {"KRB5"}, "kFZA": {"FORTEZZA_KEA"},
	}
	if values, ok := kinds[text]; ok {
		isOfTLS13 := values[0] == "ECDHE" || values[0] == "DHE"
		return word{ofExchange, oneOf(byExchange, values...), nil, isOfTLS13}, true
	}
	both := func(exchange, auth string) word {
		return word{ofExchange, func(p *Parts) bool { return p.KeyExchange == exchange && p.Authentication == auth }, nil, false}
	}
	switch text {
	case "EDH", "DHE":
		return signed("DHE"), true
	case "EECDH", "ECDHE":
		return signed("ECDHE"), true
	case "RSA":
		return both("RSA", "RSA"), true
	case "ADH":
		return both("DHE", "none"), true
	case "AECDH":
		return both("ECDHE", "none"), true
	case "kDHr":
		return both("DH", "RSA"), true
	case "kDHd":
		return both("DH", "DSS"), true
	case "kECDHr":
		return both("ECDH", "RSA"), true
	case "kECDHe":
		return both("ECDH", "ECDSA"), true
	}
	return word{}, false
}

// authenticationWord knows the words for the server's key.
func authenticationWord(text string) (word, bool) {
	kinds := map[string][]string{
		"aRSA": {"RSA"}, "aDSS": {"DSS"}, "DSS": {"DSS"}, "aECDSA": {"ECDSA"}, "ECDSA": {"ECDSA"}, "aNULL": {"none"},
		"aPSK": {"PSK"}, "aSRP": {"SRP"}, "aKRB5": {"KRB5"}, "aFZA": {"FORTEZZA_KEA"},
		"aGOST": {"GOSTR341001", "GOSTR341112_256"}, "aGOST01": {"GOSTR341001"}, "aGOST12": {"GOSTR341112_256"},
	}
	if values, ok := kinds[text]; ok {
		match := oneOf(byAuthentication, values...)
		isOfTLS13 := values[0] == "RSA" || values[0] == "ECDSA"
		return word{ofExchange, func(p *Parts) bool { return match(p) && !p.isStatic() }, nil, isOfTLS13}, true
	}
	switch text {
	case "aDH", "aECDH": // a certificate whose key exchanges keys
		static := strings.TrimPrefix(text, "a")
		return word{ofExchange, oneOf(byExchange, static), nil, false}, true
	}
	return word{}, false
}

// isStatic reports that the key of the certificate itself exchanges keys, so that nothing is signed.
func (p *Parts) isStatic() bool { return p.KeyExchange == "DH" || p.KeyExchange == "ECDH" }
