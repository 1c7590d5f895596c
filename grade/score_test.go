package grade

import (
	"math"
	"testing"

	"github.com/tlswright/tlswright/wire"
)

// scored judges the good server with a change and gives its scores.
func scored(change func(*Facts)) *Result {
	f := goodFacts()
	change(f)
	return Judge(f, Options{NoSnippets: true, Policies: []Policy{}})
}

func TestProtocolScoreIsTheMeanOfBestAndWorst(t *testing.T) {
	versions := []wire.Version{VersionSSL20, wire.VersionSSL30, wire.VersionTLS10, wire.VersionTLS11, wire.VersionTLS12, wire.VersionTLS13}
	points := []float64{0, 80, 90, 95, 100, 100}
	for i := range versions {
		for j := i; j < len(versions); j++ {
			r := scored(func(f *Facts) {
				for k, v := range versions {
					f.setProtocol(refused(v))
					if k == i || k == j {
						f.setProtocol(offered(v, wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256))
					}
				}
			})
			if want := (points[i] + points[j]) / 2; r.Protocol != want {
				t.Errorf("%s to %s: %v, want %v", versionName(versions[i]), versionName(versions[j]), r.Protocol, want)
			}
		}
	}
}

func TestKeyExchangeScoreFollowsTheTable(t *testing.T) {
	for bits, want := range map[int]float64{
		1: 20, 511: 20, 512: 40, 1023: 40, 1024: 80, 2047: 80, 2048: 90, 3072: 90, 4095: 90, 4096: 100, 15360: 100,
	} {
		ofKey := scored(func(f *Facts) {
			f.leaf().KeyStrength = bits
			for i := range f.Protocols {
				for j := range f.Protocols[i].Suites {
					f.Protocols[i].Suites[j].Group = wire.GroupSecp521r1
				}
			}
		})
		if ofKey.KeyExchange != want {
			t.Errorf("a key of %d bits: %v, want %v", bits, ofKey.KeyExchange, want)
		}
		ofDH := scored(func(f *Facts) {
			f.leaf().KeyStrength = 16384
			f.setProtocol(refused(wire.VersionTLS13))
			f.setProtocol(Protocol{Version: wire.VersionTLS12, Offered: Yes, Complete: true, Suites: []Suite{{ID: wire.TLS_DHE_RSA_WITH_AES_128_GCM_SHA256, DHBits: bits}}})
		})
		if ofDH.KeyExchange != want {
			t.Errorf("parameters of %d bits: %v, want %v", bits, ofDH.KeyExchange, want)
		}
	}
}

func TestKeyExchangeScoreOfWhatIsBroken(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Facts)
		want   float64
	}{
		"an anonymous suite":              {addSuite(wire.VersionTLS12, Suite{ID: wire.TLS_ECDH_anon_WITH_AES_128_CBC_SHA}), 0},
		"a computable key":                {func(f *Facts) { f.leaf().WeakKey = "Debian OpenSSL flaw" }, 0},
		"Debian by verdict":               {func(f *Facts) { f.setVerdict("debian-weak-key", Vulnerable) }, 0},
		"an export suite":                 {addSuite(wire.VersionTLS12, Suite{ID: wire.TLS_RSA_EXPORT_WITH_RC4_40_MD5}), 40},
		"a temporary RSA key of 512 bits": {addSuite(wire.VersionTLS12, Suite{ID: wire.TLS_RSA_EXPORT_WITH_RC4_40_MD5, RSABits: 512}), 40},
		"a temporary RSA key of 500 bits": {addSuite(wire.VersionTLS12, Suite{ID: wire.TLS_RSA_EXPORT_WITH_RC4_40_MD5, RSABits: 500}), 20},
		"SSL 2.0 with an export kind": {func(f *Facts) {
			f.setProtocol(Protocol{Version: VersionSSL20, Offered: Yes})
			f.SSL2Kinds = []Numbered{{ID: 0x020080}}
		}, 40},
		"SSL 2.0 with RC4": {func(f *Facts) {
			f.setProtocol(Protocol{Version: VersionSSL20, Offered: Yes})
			f.SSL2Kinds = []Numbered{{ID: 0x010080}}
		}, 90},
		"DHE, sizes known by parameters": {func(f *Facts) {
			addSuite(wire.VersionTLS12, Suite{ID: wire.TLS_DHE_RSA_WITH_AES_128_GCM_SHA256})(f)
			f.DH = []DH{{Bits: 1024}}
		}, 80},
		"a suite with a pre-shared key": {addSuite(wire.VersionTLS12, Suite{ID: wire.TLS_PSK_WITH_AES_128_GCM_SHA256}), 90},
		"the second, weaker certificate": {func(f *Facts) {
			c := goodChain()
			c.KeyType, c.Sent[0].KeyStrength = "ECDSA", 1536
			f.Chains = append(f.Chains, c)
		}, 80},
		"a certificate only without SNI": {func(f *Facts) {
			c := goodChain()
			c.SNI, c.Sent[0].KeyStrength = false, 512
			f.Chains = append(f.Chains, c)
		}, 90},
		"a weak group that was negotiated": {addSuite(wire.VersionTLS12, Suite{ID: wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, Group: wire.GroupSecp192r1}), 80},
	} {
		if r := scored(c.change); r.KeyExchange != c.want {
			t.Errorf("%s: %v, want %v", name, r.KeyExchange, c.want)
		}
	}
}

func TestGroupsHaveTheStrengthOfTheDecision(t *testing.T) {
	for g, want := range map[wire.Group]int{
		wire.GroupX25519: 3072, wire.GroupSecp256r1: 3072, wire.GroupSecp384r1: 7680, wire.GroupSecp521r1: 15360, wire.GroupX448: 7680,
		wire.GroupSecp224r1: 2048, wire.GroupSecp192r1: 1536, 16: 1024, 1: 1024, 9: 3072, 14: 15360, wire.GroupX25519MLKEM768: 3072,
		wire.GroupSecp256r1MLKEM768: 3072, wire.GroupSecp384r1MLKEM1024: 7680, wire.GroupBrainpoolP256r1: 3072, wire.GroupBrainpoolP384r1TLS13: 7680,
		wire.GroupBrainpoolP512r1: 15360, wire.GroupFFDHE2048: 2048, wire.GroupFFDHE8192: 8192, wire.GroupMLKEM768: 7680, 34: 3072, 38: 15360, 0xff01: 0, 0xfefe: 0,
	} {
		if got := groupStrength(g); got != want {
			t.Errorf("%s: %d, want %d", g, got, want)
		}
	}
}

func TestCipherScoreIsTheMeanOfStrongestAndWeakest(t *testing.T) {
	const aes128, aes256, des3 = wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, wire.TLS_RSA_WITH_3DES_EDE_CBC_SHA
	for name, c := range map[string]struct {
		suites []wire.CipherSuite
		want   float64
	}{
		"256": {[]wire.CipherSuite{aes256}, 100}, "128": {[]wire.CipherSuite{aes128}, 80}, "128 and 256": {[]wire.CipherSuite{aes256, aes128}, 90},
		"3DES": {[]wire.CipherSuite{des3}, 20}, "3DES and 256": {[]wire.CipherSuite{aes256, des3}, 60}, "DES": {[]wire.CipherSuite{wire.TLS_RSA_WITH_DES_CBC_SHA}, 20},
		"NULL and 256": {[]wire.CipherSuite{aes256, wire.TLS_RSA_WITH_NULL_SHA}, 50}, "NULL": {[]wire.CipherSuite{wire.TLS_RSA_WITH_NULL_SHA}, 0},
		"RC4 and export": {[]wire.CipherSuite{wire.TLS_RSA_WITH_RC4_128_SHA, wire.TLS_RSA_EXPORT_WITH_RC4_40_MD5}, 50},
	} {
		r := scored(func(f *Facts) {
			f.setProtocol(refused(wire.VersionTLS13))
			f.setProtocol(offered(wire.VersionTLS12, c.suites...))
		})
		if r.Cipher != c.want {
			t.Errorf("%s: %v, want %v", name, r.Cipher, c.want)
		}
		if (r.Cipher == 0) != (r.Score == 0) {
			t.Errorf("%s: a zero in one score, and the total is %v", name, r.Score)
		}
	}
}

func TestTheTotalIsExactAndALetterBeginsAtItsScore(t *testing.T) {
	r := scored(func(f *Facts) { f.setProtocol(offered(wire.VersionTLS10, wire.TLS_RSA_WITH_3DES_EDE_CBC_SHA)) })
	if want := 0.3*95 + 0.3*90 + 0.4*60; math.Abs(r.Score-want) > 1e-9 {
		t.Errorf("%v, want %v", r.Score, want)
	}
	for score, want := range map[float64]Letter{
		100: "A", 80: "A", 79.999: "B", 65: "B", 64.9: "C", 50: "C", 49.9: "D", 35: "D", 34.9: "E", 20: "E", 19.9: "F", 0: "F",
	} {
		if got := letterOf(score); got != want {
			t.Errorf("%v: %s, want %s", score, got, want)
		}
	}
}

func TestLettersAreReadAndCompared(t *testing.T) {
	for text, want := range map[string]Letter{"a+": "A+", " B ": "B", "A-": "A-", "t": "T"} {
		if got, err := ParseLetter(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "A++", "G", "AB"} {
		if _, err := ParseLetter(text); err == nil {
			t.Errorf("%q is read", text)
		}
	}
	for _, c := range []struct {
		is, least Letter
		want      bool
	}{{"A+", "A", true}, {"A", "A", true}, {"A-", "A", false}, {"T", "F", false}, {"M", "F", false}, {"F", "F", true}, {"", "F", false}} {
		if got := c.is.AtLeast(c.least); got != c.want {
			t.Errorf("%q at least %q: %v", c.is, c.least, got)
		}
	}
}
