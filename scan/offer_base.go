package scan

import (
	"cmp"
	"slices"

	"github.com/tlswright/tlswright/internal/ciphers"
	"github.com/tlswright/tlswright/wire"
)

// suites12 lists every suite of SSL 3.0 to TLS 1.2 that has a name, the better ones first: where the client's order counts,
// probes that just need a connection get a suite that can be finished.
func suites12(parts map[wire.CipherSuite]ciphers.Parts) []wire.CipherSuite {
	var list []wire.CipherSuite
	for id := range wire.CipherSuites() {
		p, known := parts[id]
		if !known || p.Since >= wire.VersionTLS13 || id == wire.TLS_NULL_WITH_NULL_NULL {
			continue
		}
		list = append(list, id)
	}
	slices.SortStableFunc(list, func(a, b wire.CipherSuite) int {
		return cmp.Compare(unusual(parts[a]), unusual(parts[b]))
	})
	return list
}

// unusual is a number that is higher the further a suite is from what servers mostly do.
func unusual(p ciphers.Parts) int {
	n := 0
	switch {
	case p.Encryption == "AES" && p.Mode == "GCM":
	case p.Encryption == "CHACHA20":
		n = 1 // never first: servers that put it first for those who do would show the wrong order
	case p.Encryption == "AES":
		n = 2
	case p.Encryption == "CAMELLIA", p.Encryption == "3DES":
		n = 3
	case p.Encryption == "ARIA", p.Encryption == "RC4", p.Encryption == "SEED", p.Encryption == "DES":
		n = 4
	case p.Encryption == "NULL":
		n = 6
	default:
		n = 5
	}
	n *= 10
	switch p.KeyExchange {
	case "ECDHE":
	case "DHE":
		n++
	case "RSA":
		n += 2
	case "ECDH", "DH":
		n += 4
	default:
		n += 8
	}
	if p.Authentication == "none" || p.IsExport {
		n += 35
	}
	return n
}

// suites13 lists every suite of TLS 1.3. The MGM suites of GOST are registered for TLS 1.3 (RFC 9367), too.
func suites13() []wire.CipherSuite {
	return []wire.CipherSuite{
		wire.TLS_AES_128_GCM_SHA256, wire.TLS_AES_256_GCM_SHA384, wire.TLS_CHACHA20_POLY1305_SHA256,
		wire.TLS_AES_128_CCM_SHA256, wire.TLS_AES_128_CCM_8_SHA256, wire.TLS_AEGIS_256_SHA512, wire.TLS_AEGIS_128L_SHA256,
		wire.TLS_SM4_GCM_SM3, wire.TLS_SM4_CCM_SM3,
		wire.TLS_GOSTR341112_256_WITH_KUZNYECHIK_MGM_L, wire.TLS_GOSTR341112_256_WITH_MAGMA_MGM_L,
		wire.TLS_GOSTR341112_256_WITH_KUZNYECHIK_MGM_S, wire.TLS_GOSTR341112_256_WITH_MAGMA_MGM_S,
		wire.TLS_SHA256_SHA256, wire.TLS_SHA384_SHA384,
	}
}

// usualSuites13 are those that can be finished here.
func usualSuites13() []wire.CipherSuite { return suites13()[:5] }

// curves lists the groups that a version before TLS 1.3 can use, the usual ones first. ffdhe groups are not among them:
// with them, a server must not use parameters of its own any more (RFC 7919, Section 4), and these are asked about.
func curves() []wire.Group {
	list := []wire.Group{
		wire.GroupX25519, wire.GroupSecp256r1, wire.GroupSecp384r1, wire.GroupSecp521r1, wire.GroupX448,
		wire.GroupBrainpoolP256r1, wire.GroupBrainpoolP384r1, wire.GroupBrainpoolP512r1,
	}
	for g := wire.Group(25); g >= 1; g-- {
		if !slices.Contains(list, g) {
			list = append(list, g)
		}
	}
	for g := wire.Group(34); g <= 41; g++ { // GOST, SM2
		list = append(list, g)
	}
	return list
}

// ffdheGroups are the groups of RFC 7919, as they are used before TLS 1.3.
func ffdheGroups() []wire.Group {
	return []wire.Group{wire.GroupFFDHE2048, wire.GroupFFDHE3072, wire.GroupFFDHE4096, wire.GroupFFDHE6144, wire.GroupFFDHE8192}
}

// groups13 lists the groups that TLS 1.3 can use, the hybrids and plain KEMs included; the usual ones first.
func groups13() []wire.Group {
	list := []wire.Group{
		wire.GroupX25519, wire.GroupSecp256r1, wire.GroupX25519MLKEM768, wire.GroupSecp384r1, wire.GroupSecp521r1, wire.GroupX448,
		wire.GroupSecp256r1MLKEM768, wire.GroupSecp384r1MLKEM1024, wire.GroupCurveSM2MLKEM768,
		wire.GroupMLKEM512, wire.GroupMLKEM768, wire.GroupMLKEM1024,
		wire.GroupFFDHE2048, wire.GroupFFDHE3072, wire.GroupFFDHE4096, wire.GroupFFDHE6144, wire.GroupFFDHE8192,
		wire.GroupBrainpoolP256r1TLS13, wire.GroupBrainpoolP384r1TLS13, wire.GroupBrainpoolP512r1TLS13,
		wire.GroupX25519Kyber768Draft, 0x639a, 0xfe30, 0xfe31, 0xfe32, 0x4138,
		wire.GroupBrainpoolP256r1, wire.GroupBrainpoolP384r1, wire.GroupBrainpoolP512r1,
		wire.GroupSecp256k1, wire.GroupSecp224r1, wire.GroupSecp192r1,
	}
	for g := wire.Group(34); g <= 41; g++ { // GOST, SM2
		list = append(list, g)
	}
	for _, span := range [][2]wire.Group{{0x0203, 0x0205}, {0x0214, 0x0222}, {0x022c, 0x0234}, {0x0238, 0x0246}, {0x2f00, 0x2f05},
		{0x2f14, 0x2f22}, {0x2f2c, 0x2f46}} { // experiments with post-quantum KEMs
		for g := span[0]; g <= span[1]; g++ {
			if isNamed(g.String()) {
				list = append(list, g)
			}
		}
	}
	return list
}

// isNamed reports whether the registry has a name for a number that calls itself s.
func isNamed(s string) bool { return len(s) < 2 || s[:2] != "0x" }

// schemes lists the signature schemes, the usual ones first: those of GOST before they were registered are among them.
func schemes() []wire.SignatureScheme {
	return []wire.SignatureScheme{
		wire.SchemeECDSASecp256r1SHA256, wire.SchemeRSAPSSRSAESHA256, wire.SchemeRSAPKCS1SHA256, wire.SchemeEd25519,
		wire.SchemeECDSASecp384r1SHA384, wire.SchemeRSAPSSRSAESHA384, wire.SchemeRSAPKCS1SHA384,
		wire.SchemeECDSASecp521r1SHA512, wire.SchemeRSAPSSRSAESHA512, wire.SchemeRSAPKCS1SHA512,
		wire.SchemeRSAPSSPSSSHA256, wire.SchemeRSAPSSPSSSHA384, wire.SchemeRSAPSSPSSSHA512, wire.SchemeEd448,
		wire.SchemeECDSASHA224, wire.SchemeRSAPKCS1SHA224, wire.SchemeECDSASHA1, wire.SchemeRSAPKCS1SHA1,
		0x0402, 0x0502, 0x0602, 0x0302, 0x0202, // DSA
		0x0103, 0x0101, 0x0102, // MD5
		wire.SchemeECDSABrainpoolP256r1TLS13SHA256, wire.SchemeECDSABrainpoolP384r1TLS13SHA384, wire.SchemeECDSABrainpoolP512r1TLS13SHA512,
		wire.SchemeMLDSA44, wire.SchemeMLDSA65, wire.SchemeMLDSA87, wire.SchemeSM2SigSM3,
		0x0709, 0x070a, 0x070b, 0x070c, 0x070d, 0x070e, 0x070f, // GOST (RFC 9367)
		0x0840, 0x0841, 0xeeee, 0xefef, 0xeded, // GOST in TLS 1.2 (RFC 9189, and as OpenSSL's engine has it)
		wire.SchemeRSAPKCS1SHA256Legacy, wire.SchemeRSAPKCS1SHA384Legacy, wire.SchemeRSAPKCS1SHA512Legacy,
	}
}

// rich is a hello of an old version that asks about as much as can be asked at once: all suites and curves, compression, and
// every extension whose answer is visible in the first flight.
func (s *Scanner) rich(v wire.Version) *offer {
	o := s.lean(v)
	if v >= wire.VersionTLS13 {
		o.RecordLimit = 16385
		o.Suites, o.Groups = suites13(), groups13()
		return o
	}
	o.Suites = slices.Clone(s.old)
	o.Compression = []byte{1, 64, 0}
	if v == wire.VersionSSL30 {
		o.Suites = append(o.Suites, wire.TLS_EMPTY_RENEGOTIATION_INFO_SCSV)
		return o
	}
	o.Heartbeat, o.EncryptThenMAC, o.TruncatedHMAC, o.NPN, o.MaxFragment = true, true, true, true, 4
	return o
}

// lean is a hello as a client would send it: nothing in it gets in the way of a finished handshake.
func (s *Scanner) lean(v wire.Version) *offer {
	o := &offer{Version: v, Until: untilFlight}
	if v >= wire.VersionTLS13 {
		o.Suites, o.Groups, o.Schemes = usualSuites13(), groups13()[:17], schemes()
		o.Status, o.SCT, o.PSKModes = true, true, true
		return o
	}
	o.Suites = slices.Clone(s.old[:min(len(s.old), shortList)])
	if v == wire.VersionSSL30 {
		return o
	}
	o.Groups, o.PointFormats = curves(), []byte{0}
	if v == wire.VersionTLS12 {
		o.Schemes = schemes()
	}
	o.EMS, o.Tickets, o.Status, o.SCT, o.RenegotiationInfo = true, true, true, true, true
	return o
}

// shortList is how many suites every server can read: with as many a plain hello stays below 256 bytes, beyond which some
// hang.
const shortList = 36

// plain is the least that a server can be asked with: for those that choke on what they do not know.
func (s *Scanner) plain(v wire.Version) *offer {
	o := s.lean(v)
	o.Status, o.SCT, o.EMS, o.Tickets = false, false, false, false
	if v <= wire.VersionTLS12 {
		o.Groups = o.Groups[:min(len(o.Groups), 4)]
		o.Schemes = o.Schemes[:min(len(o.Schemes), 10)]
	}
	return o
}
