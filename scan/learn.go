package scan

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/wire"
)

// knowledge is what answers showed by the way, beside what they were asked for.
type knowledge struct {
	suites  map[versionSuite]grade.Suite
	groups  map[wire.Version][]wire.Group           // in the order in which they were seen
	schemes map[wire.Version][]wire.SignatureScheme // "
	publics map[[32]byte]bool                       // ephemeral public keys
	dh      map[string]int                          // prime and generator: index in Facts.DH
	// noCommon are alerts that turned out to be the server's way to say that there is no common suite.
	noCommon map[wire.AlertCode]bool
}

type versionSuite struct {
	version wire.Version
	suite   wire.CipherSuite
}

func newKnowledge() knowledge {
	return knowledge{
		suites: make(map[versionSuite]grade.Suite), groups: make(map[wire.Version][]wire.Group),
		schemes: make(map[wire.Version][]wire.SignatureScheme), publics: make(map[[32]byte]bool), dh: make(map[string]int),
		noCommon: make(map[wire.AlertCode]bool),
	}
}

// maxChains bounds the chains that are kept, maxPublics the ephemeral keys.
const (
	maxChains  = 32
	maxPublics = 4096
)

// learn takes out of an answer what it shows beside what it was asked for. Every probe hands its answers over.
func (h *host) learn(o *offer, a *answer) {
	if a == nil || a.Outcome != accepted || a.Hello == nil || o.Raw != nil {
		return
	}
	var keyType string
	if len(a.Chain) > 0 && o.Server == "" && !o.RawPublicKeys {
		keyType = h.keyTypeOf(a.Chain)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if keyType != "" {
		h.learnChain(a, keyType)
	}
	h.learnExtensions(o, a)
	h.learnExchange(a)
	key := versionSuite{a.Version, a.Suite}
	if have, ok := h.known.suites[key]; !ok || have.Group == 0 && a.Group != 0 {
		h.known.suites[key] = h.suiteFact(a)
	}
	if a.Group != 0 && !slices.Contains(h.known.groups[a.Version], a.Group) {
		h.known.groups[a.Version] = append(h.known.groups[a.Version], a.Group)
	}
	if a.Scheme != 0 && !slices.Contains(h.known.schemes[a.Version], a.Scheme) {
		h.known.schemes[a.Version] = append(h.known.schemes[a.Version], a.Scheme)
	}
}

// suiteFact is what is known about the suite that an answer chose.
func (h *host) suiteFact(a *answer) grade.Suite {
	s := grade.Suite{ID: a.Suite, Name: a.Suite.String(), Group: a.Group}
	if k := a.KeyExchange; k != nil {
		s.DHBits, s.RSABits = bits(k.Prime), bits(k.RSAModulus)
	}
	return s
}

// keyTypeOf names the kind of key of a chain's leaf; chains that are known are not taken apart again.
func (h *host) keyTypeOf(chain [][]byte) string {
	h.mu.Lock()
	for _, c := range h.chain {
		if sameChain(c.DER, chain) {
			h.mu.Unlock()
			return c.KeyType
		}
	}
	h.mu.Unlock()
	return keyTypeOf(chain[0])
}

// keyTypeOf names the kind of key of a certificate: "RSA", "RSA-PSS", "ECDSA", "Ed25519", "Ed448", "DSS", "DH", "GOST", "SM2", or
// the object identifier.
func keyTypeOf(der []byte) string {
	leaf, err := cert.Parse(der)
	if err != nil {
		return "unreadable"
	}
	oid := leaf.SPKIAlgorithm.String()
	switch oid {
	case "1.2.840.113549.1.1.1":
		if leaf.PSSOnly {
			return "RSA-PSS"
		}
		return "RSA"
	case "1.2.840.113549.1.1.10":
		return "RSA-PSS"
	case "1.2.840.10045.2.1":
		return "ECDSA"
	case "1.3.101.112":
		return "Ed25519"
	case "1.3.101.113":
		return "Ed448"
	case "1.2.840.10040.4.1":
		return "DSS"
	case "1.2.840.10046.2.1", "1.2.840.113549.1.3.1":
		return "DH"
	case "1.2.643.2.2.19", "1.2.643.2.2.20", "1.2.643.7.1.1.1.1", "1.2.643.7.1.1.1.2":
		return "GOST"
	case "2.16.840.1.101.3.4.3.17", "2.16.840.1.101.3.4.3.18", "2.16.840.1.101.3.4.3.19":
		return "ML-DSA"
	}
	return oid
}

func sameChain(a, b [][]byte) bool { return slices.EqualFunc(a, b, bytes.Equal) }

// learnChain keeps a chain, or notes where else it was seen. The lock is held.
func (h *host) learnChain(a *answer, keyType string) {
	i := slices.IndexFunc(h.chain, func(c *sentChain) bool { return sameChain(c.DER, a.Chain) })
	if i < 0 {
		if len(h.chain) == maxChains {
			return
		}
		i = len(h.chain)
		h.chain = append(h.chain, &sentChain{DER: a.Chain, KeyType: keyType})
	}
	c := *h.chain[i] // the old one may be in somebody's hands
	if a.Sent != nil && a.Sent.Name != "" || h.target.name() == "" {
		c.SNI = true
	} else {
		c.NoSNI = true
	}
	if !slices.Contains(c.Versions, a.Version) {
		c.Versions = append(slices.Clone(c.Versions), a.Version)
		slices.Sort(c.Versions)
	}
	if c.Staple == nil {
		c.Staple = a.Staple
	}
	if c.SCTs == nil {
		c.SCTs = a.SCTs
	}
	h.chain[i] = &c
}

// either sets an answer; yes wins over no.
func either(have *grade.Answer, is bool) {
	if is {
		*have = grade.Yes
	} else if *have != grade.Yes {
		*have = grade.No
	}
}

// learnExtensions notes which of the extensions that were offered were answered. The lock is held.
func (h *host) learnExtensions(o *offer, a *answer) {
	f := &h.f.Features
	for _, es := range []wire.Extensions{a.Hello.Extensions, a.EncryptedExtensions} {
		for _, e := range es {
			n := grade.Numbered{ID: uint32(e.Type), Name: e.Type.String()}
			if len(f.ServerIDs) < 64 && !slices.Contains(f.ServerIDs, n) {
				f.ServerIDs = append(f.ServerIDs, n)
			}
		}
	}
	whole := o.Until == untilFlight && a.Err == nil && !a.Resumed
	if whole && o.Status && len(a.Chain) > 0 {
		either(&f.Staple, a.Staple != nil)
	}
	if whole && len(a.Chain) > 0 {
		either(&f.ClientAuth, a.ClientAuth)
	}
	if whole && o.RecordLimit != 0 || a.Version < wire.VersionTLS13 && o.RecordLimit != 0 {
		_, is := a.ext(wire.ExtRecordSizeLimit)
		either(&f.RecordSizeLimit, is)
	}
	if a.Version >= wire.VersionTLS13 {
		h.learnCompressed(o, a, whole)
		return
	}
	h.learnOldExtensions(o, a)
}

// learnCompressed notes whether and how the certificate was compressed. The lock is held.
func (h *host) learnCompressed(o *offer, a *answer, whole bool) {
	f := &h.f.Features
	if whole && a.Compressed != 0 && !slices.Contains(f.CertCompression, int(a.Compressed)) {
		f.CertCompression = append(f.CertCompression, int(a.Compressed))
	}
	if whole && o.RawPublicKeys {
		data, is := a.ext(wire.ExtServerCertificateType)
		either(&f.RawPublicKeys, is && len(data) == 1 && data[0] == byte(wire.CertificateTypeRawPublicKey))
	}
}

// learnOldExtensions is learnExtensions for what is before TLS 1.3 only. The lock is held.
func (h *host) learnOldExtensions(o *offer, a *answer) {
	f := &h.f.Features
	has := func(t wire.ExtensionType) bool { _, ok := a.Hello.Extensions.Find(t); return ok }
	for _, q := range []struct {
		asked bool
		t     wire.ExtensionType
		fact  *grade.Answer
	}{
		{o.EMS, wire.ExtExtendedMasterSecret, &f.ExtendedMasterSecret},
		{o.RenegotiationInfo || slices.Contains(o.Suites, wire.TLS_EMPTY_RENEGOTIATION_INFO_SCSV), wire.ExtRenegotiationInfo, &f.SecureRenegotiation},
		{o.Heartbeat, wire.ExtHeartbeat, &f.Heartbeat},
		{o.MaxFragment != 0, wire.ExtMaxFragmentLength, &f.MaxFragmentLength},
		{o.TruncatedHMAC, wire.ExtTruncatedHMAC, &f.TruncatedHMAC},
		{o.NPN, wire.ExtNextProtocolNegotiation, &f.NextProtocol},
		{o.RawPublicKeys, wire.ExtServerCertificateType, &f.RawPublicKeys},
		// RFC 7366, Section 3: the server MUST NOT answer with a suite that is not CBC.
		{o.EncryptThenMAC && h.scanner.parts[a.Suite].Mode == "CBC", wire.ExtEncryptThenMAC, &f.EncryptThenMAC},
	} {
		if q.asked {
			either(q.fact, has(q.t))
		}
	}
	if len(o.Compression) > 1 {
		either(&f.Compression, a.Hello.CompressionMethod != 0)
		if m := int(a.Hello.CompressionMethod); m != 0 && !slices.Contains(f.CompressionMethods, m) {
			f.CompressionMethods = append(f.CompressionMethods, m)
		}
	}
	if data, ok := a.Hello.Extensions.Find(wire.ExtECPointFormats); ok && len(data) > 1 && int(data[0]) == len(data)-1 {
		for _, kind := range data[1:] {
			if !slices.Contains(f.PointKinds, int(kind)) {
				f.PointKinds = append(f.PointKinds, int(kind))
			}
		}
	}
	h.learnDowngrade(o, a)
}

// learnDowngrade looks for the signal of RFC 8446, Section 4.1.3: a server of TLS 1.3 that negotiates less ends its random
// with DOWNGRD and 1 for TLS 1.2, 0 for less; one of TLS 1.2 SHOULD do the latter. The lock is held.
func (h *host) learnDowngrade(o *offer, a *answer) {
	if o.Version != a.Version || a.Version < wire.VersionTLS10 {
		return
	}
	best := wire.Version(0)
	for _, p := range h.f.Protocols {
		if p.Offered == grade.Yes {
			best = max(best, p.Version)
		}
	}
	if best < wire.VersionTLS13 {
		return // nothing MUST be signalled
	}
	signal := []byte("DOWNGRD\x01")
	if a.Version < wire.VersionTLS12 {
		signal[7] = 0
	}
	is := bytes.Equal(a.Hello.Random[24:], signal)
	switch {
	case !is:
		h.f.Features.DowngradeSignals = grade.No // one that lacks it is enough
	case h.f.Features.DowngradeSignals == grade.Unasked:
		h.f.Features.DowngradeSignals = grade.Yes
	}
}

// learnExchange notes Diffie-Hellman parameters and whether ephemeral keys come twice. The lock is held.
func (h *host) learnExchange(a *answer) {
	public := []byte(nil)
	if k := a.KeyExchange; k != nil {
		public = k.Public
	} else if a.Version >= wire.VersionTLS13 {
		var share wire.KeyShareHello
		if present, err := a.Hello.Ext(&share); err == nil && present && !a.Hello.IsHelloRetryRequest() {
			public = share.Entry.KeyExchange
		}
	}
	if len(public) == 0 {
		return
	}
	id := sha256.Sum256(public)
	again := h.known.publics[id]
	if len(h.known.publics) < maxPublics {
		h.known.publics[id] = true
	}
	if k := a.KeyExchange; k != nil && len(k.Prime) > 0 {
		h.learnDH(k, again, h.scanner.parts[a.Suite].IsExport)
		return
	}
	if len(h.known.publics) > 1 || again {
		either(&h.f.Features.ECDHReuse, again)
	}
}

// maxDHBits bounds the primes that are looked at.
const maxDHBits = 1 << 14

// learnDH notes parameters of finite-field Diffie-Hellman. Whether the prime is one is asked later. The lock is held.
func (h *host) learnDH(k *keyExchange, again, export bool) {
	const maxSets = 32
	if bits(k.Prime) > maxDHBits || bits(k.Generator) > maxDHBits {
		return
	}
	key := string(k.Prime) + "|" + string(k.Generator)
	i, ok := h.known.dh[key]
	if !ok {
		if len(h.f.DH) == maxSets {
			return
		}
		i = len(h.f.DH)
		h.known.dh[key] = i
		h.f.DH = append(h.f.DH, grade.DH{Bits: bits(k.Prime), Prime: hex.EncodeToString(k.Prime), Generator: hex.EncodeToString(k.Generator)})
		h.f.DH[i].Export = export
		return
	}
	either(&h.f.DH[i].Reused, again)
	h.f.DH[i].Export = h.f.DH[i].Export || export
}
