package relics

import (
	"math/big"
	"testing"

	"github.com/tlswright/tlswright/wire"
)

// Case is a flaw and a server that has it; the same server without it is the healthy twin.
type Case struct {
	ID    string // of the vulnerability, as in the facts: "heartbleed"
	Name  string // tells apart several servers with one flaw
	Start func(t testing.TB, sick bool) *Server
	// StartTLS is the protocol that has to be spoken first; empty: TLS begins with the first byte.
	StartTLS string
	// Potential: the flaw is no proof, the verdict is "potential".
	Potential bool
}

// Cases are the flaws that need nothing but the first flight of an old server.
func Cases() []Case {
	return []Case{
		scripted("heartbleed", "", false, Heartbleed),
		scripted("ccs-injection", "", false, CCSInjection),
		scripted("ccs-injection", "exploitable", false, CCSExploitable),
		scripted("poodle-ssl", "", false, POODLE),
		scripted("freak", "", false, FREAK),
		scripted("logjam", "export", false, Logjam),
		scripted("logjam", "512 bits", false, func(sick bool) *Script { return DH(sick, Prime512(), nil) }),
		scripted("logjam", "1024 bits in common use", true, func(sick bool) *Script { return DH(sick, Modp1024(), nil) }),
		scripted("weak-dh", "768 bits", false, func(sick bool) *Script { return DH(sick, Prime768(), nil) }),
		scripted("weak-dh", "composite", false, func(sick bool) *Script { return DH(sick, Composite2048(), nil) }),
		scripted("weak-dh", "1024 bits", true, func(sick bool) *Script { return DH(sick, Prime1024(), nil) }),
		scripted("weak-dh", "generator of order 2", false, smallSubgroup),
		scripted("shared-dh", "", true, func(sick bool) *Script { return DH(sick, Modp1024(), Prime1024()) }),
		scripted("raccoon", "", true, ReusedDH),
		scripted("drown", "40 bits", false, DROWN),
		scripted("drown", "strong kinds alone", true, SSL2Beside),
		scripted("drown", "a kind that is not listed", false, func(sick bool) *Script {
			s := SSL2Beside(sick)
			s.SSL2Unlisted = true
			return s
		}),
		scripted("drown", "bytes in the clear", false, func(sick bool) *Script {
			s := SSL2Beside(sick)
			s.SSL2ExtraClear = true
			return s
		}),
		scripted("sweet32", "", true, SWEET32),
		scripted("beast", "", true, BEAST),
		scripted("crime", "", false, CRIME),
		scripted("lucky13", "", true, Lucky13),
		scripted("rc4", "", false, RC4),
		scripted("fallback-scsv", "", true, NoFallbackSCSV),
		scripted("alpaca", "", true, ALPACA),
	}
}

func scripted(id, name string, potential bool, make func(sick bool) *Script) Case {
	return Case{ID: id, Name: name, Potential: potential, Start: func(t testing.TB, sick bool) *Server { return make(sick).Start(t) }}
}

// Heartbleed answers a heartbeat with more than it was sent, as OpenSSL 1.0.1 to 1.0.1f (CVE-2014-0160); its twin knows
// heartbeats, and passes over one that is too short.
func Heartbleed(sick bool) *Script {
	s := Sound()
	s.Heartbeat, s.Heartbleed = true, sick
	return s
}

// CCSInjection takes change_cipher_spec before there are keys, as OpenSSL before 1.0.1h (CVE-2014-0224).
func CCSInjection(sick bool) *Script {
	s := Sound()
	s.EarlyCCS = sick
	return s
}

// POODLE offers SSL 3.0 with CBC; its twin offers SSL 3.0, too, with RC4 alone.
func POODLE(sick bool) *Script {
	s := Sound()
	s.Versions = append([]wire.Version{wire.VersionSSL30}, s.Versions...)
	s.Only = map[wire.Version][]wire.CipherSuite{wire.VersionSSL30: {wire.TLS_RSA_WITH_RC4_128_SHA}}
	if sick {
		s.Only[wire.VersionSSL30] = []wire.CipherSuite{wire.TLS_RSA_WITH_RC4_128_SHA, wire.TLS_RSA_WITH_AES_128_CBC_SHA, wire.TLS_RSA_WITH_3DES_EDE_CBC_SHA}
	}
	return s
}

// FREAK offers export suites with temporary RSA keys.
func FREAK(sick bool) *Script {
	return with(Sound(), sick, wire.TLS_RSA_EXPORT_WITH_RC4_40_MD5, wire.TLS_RSA_EXPORT_WITH_DES40_CBC_SHA)
}

// Logjam offers export suites with DHE of 512 bits.
func Logjam(sick bool) *Script {
	return with(Sound(), sick, wire.TLS_DHE_RSA_EXPORT_WITH_DES40_CBC_SHA)
}

// DH sends the one prime or, if it is well, the other; nil is that of RFC 3526, group 14.
func DH(sick bool, prime, twin *big.Int) *Script {
	s := Sound()
	s.Prime = twin
	if sick {
		s.Prime = prime
	}
	return s
}

// smallSubgroup has a generator that gives only two different keys.
func smallSubgroup(sick bool) *Script {
	s := Sound()
	s.Prime = Modp2048()
	if sick {
		s.Generator = new(big.Int).Sub(s.Prime, big.NewInt(1))
	}
	return s
}

// ReusedDH sends the same public value whenever DHE is negotiated.
func ReusedDH(sick bool) *Script {
	s := Sound()
	s.FixedDH = sick
	return s
}

// DROWN speaks SSL 2.0 with export kinds beside TLS; its twin speaks TLS alone.
func DROWN(sick bool) *Script {
	s := Sound()
	if sick {
		s.SSL2 = append(SSL2Strong(), SSL2Weak()...)
	}
	return s
}

// SSL2Beside speaks SSL 2.0 without export kinds beside TLS.
func SSL2Beside(sick bool) *Script {
	s := Sound()
	if sick {
		s.SSL2 = SSL2Strong()
	}
	return s
}

// SSL2Only speaks nothing but SSL 2.0. It has no twin.
func SSL2Only() *Script { return &Script{SSL2: append(SSL2Strong(), SSL2Weak()...)} }

// SWEET32 offers 3DES.
func SWEET32(sick bool) *Script {
	return with(Sound(), sick, wire.TLS_RSA_WITH_3DES_EDE_CBC_SHA, wire.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA)
}

// BEAST offers CBC in TLS 1.0; its twin has no TLS 1.0.
func BEAST(sick bool) *Script {
	s := Sound()
	if !sick {
		s.Versions = []wire.Version{wire.VersionTLS11, wire.VersionTLS12}
	}
	return s
}

// CRIME takes DEFLATE when it is offered.
func CRIME(sick bool) *Script {
	s := Sound()
	if sick {
		s.Compression = []byte{1}
	}
	return s
}

// Lucky13 offers CBC; its twin has AEAD alone.
func Lucky13(sick bool) *Script {
	s := Sound()
	if !sick {
		s.Versions = []wire.Version{wire.VersionTLS12}
		s.Suites = []wire.CipherSuite{wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384}
	}
	return s
}

// RC4 offers RC4.
func RC4(sick bool) *Script {
	return with(Sound(), sick, wire.TLS_RSA_WITH_RC4_128_SHA, wire.TLS_RSA_WITH_RC4_128_MD5, wire.TLS_ECDHE_RSA_WITH_RC4_128_SHA)
}

// NULL offers suites without encryption.
func NULL(sick bool) *Script {
	return with(Sound(), sick, wire.TLS_RSA_WITH_NULL_SHA, wire.TLS_RSA_WITH_NULL_MD5, wire.TLS_RSA_WITH_NULL_SHA256)
}

// Anonymous offers suites without authentication.
func Anonymous(sick bool) *Script {
	return with(Sound(), sick, wire.TLS_DH_anon_WITH_AES_128_CBC_SHA, wire.TLS_ECDH_anon_WITH_AES_128_CBC_SHA, wire.TLS_DH_anon_WITH_RC4_128_MD5)
}

// NoFallbackSCSV passes over the signal that says that the client has tried a higher version (RFC 7507).
func NoFallbackSCSV(sick bool) *Script {
	s := Sound()
	s.NoSCSV = sick
	return s
}

// ALPACA answers for any name and any protocol; its twin refuses protocols that it does not speak.
func ALPACA(sick bool) *Script {
	s := Sound()
	s.LaxALPN = sick
	return s
}

// Rotten has all the flaws at once that one old server can have.
func Rotten() *Script {
	s := with(Sound(), true, wire.TLS_RSA_WITH_RC4_128_SHA, wire.TLS_RSA_WITH_3DES_EDE_CBC_SHA, wire.TLS_RSA_WITH_NULL_SHA,
		wire.TLS_RSA_EXPORT_WITH_RC4_40_MD5, wire.TLS_DHE_RSA_EXPORT_WITH_DES40_CBC_SHA, wire.TLS_DH_anon_WITH_AES_128_CBC_SHA)
	s.Versions = append([]wire.Version{wire.VersionSSL30}, s.Versions...)
	s.SSL2 = append(SSL2Strong(), SSL2Weak()...)
	s.Prime, s.FixedDH, s.Compression = Modp1024(), true, []byte{1}
	s.Heartbeat, s.Heartbleed, s.EarlyCCS, s.NoSCSV, s.NoSecureRenego, s.NoEMS, s.LaxALPN = true, true, true, true, true, true, true
	return s
}

// with adds suites to a script that is to be sick.
func with(s *Script, sick bool, suites ...wire.CipherSuite) *Script {
	if sick {
		s.Suites = append(s.Suites, suites...)
	}
	return s
}
