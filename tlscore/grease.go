package tlscore

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/tlswright/tlswright/wire"
)

// variety is what differs by chance from one ClientHello to the next: the reserved values in it (RFC 8701) and the order
// of its extensions. A second ClientHello, after HelloRetryRequest, has those of the first.
type variety struct {
	grease, permute bool
	seed            [16]byte
}

// greasePlace is a place in a message where a reserved value goes.
type greasePlace int

const (
	greaseSuite greasePlace = iota
	greaseGroup
	greaseFirst // extension
	greaseLast  // extension, but for pre_shared_key
	greaseVersion
	greaseScheme
	greaseALPN
	greaseMode
)

// newVariety draws a seed, if the configuration has a use for one.
func newVariety(c *Config) variety {
	v := variety{grease: c.Grease, permute: c.PermuteExtensions}
	if v.grease || v.permute {
		randomBytes(v.seed[:])
	}
	return v
}

// value is the reserved value for a place: one of 0x0a0a, 0x1a1a, … 0xfafa (RFC 8701, Section 2). Two extensions of one
// message must not be the same.
func (v *variety) value(p greasePlace) uint16 {
	n := v.seed[p] >> 4
	if p == greaseLast && n == v.seed[greaseFirst]>>4 {
		n ^= 1
	}
	b := uint16(n<<4 | 0x0a)
	return b<<8 | b
}

// suites puts a reserved cipher suite before those of a hello.
func (v *variety) suites(all []wire.CipherSuite) []wire.CipherSuite {
	if !v.grease {
		return all
	}
	return append([]wire.CipherSuite{wire.CipherSuite(v.value(greaseSuite))}, all...)
}

// extensions varies those of a ClientHello. first says that none was refused yet: a share that nobody asked for goes along.
func (v *variety) extensions(es wire.Extensions, first bool) wire.Extensions {
	if v.permute {
		slices.SortStableFunc(es, func(a, b wire.Extension) int { return cmp.Compare(v.rank(a.Type), v.rank(b.Type)) })
	}
	if !v.grease {
		return es
	}
	for i := range es {
		v.fill(&es[i], first)
	}
	es = slices.Insert(es, 0, wire.Extension{Type: wire.ExtensionType(v.value(greaseFirst))})
	return append(es, wire.Extension{Type: wire.ExtensionType(v.value(greaseLast)), Data: []byte{0}})
}

// rank orders the types of extensions by chance: a mixing function of 64 bits over seed and type.
func (v *variety) rank(kind wire.ExtensionType) uint64 {
	x := binary.BigEndian.Uint64(v.seed[8:]) ^ uint64(kind)*0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// fill puts a reserved value into the list that an extension consists of (RFC 8701, Section 3.1). Bodies are shared with
// other connections, and not written to.
func (v *variety) fill(e *wire.Extension, first bool) {
	two := func(p greasePlace) []byte { return binary.BigEndian.AppendUint16(nil, v.value(p)) }
	switch e.Type {
	case wire.ExtSupportedGroups:
		e.Data = withFirst(e.Data, 2, two(greaseGroup))
	case wire.ExtKeyShare:
		if first { // a share of one byte
			e.Data = withFirst(e.Data, 2, append(two(greaseGroup), 0, 1, 0))
		}
	case wire.ExtSupportedVersions:
		e.Data = withFirst(e.Data, 1, two(greaseVersion))
	case wire.ExtSignatureAlgorithms:
		e.Data = withFirst(e.Data, 2, two(greaseScheme))
	case wire.ExtALPN:
		e.Data = withFirst(e.Data, 2, append([]byte{2}, two(greaseALPN)...))
	case wire.ExtPSKKeyExchangeModes: // 0x0b, 0x2a, … 0xe4
		e.Data = withFirst(e.Data, 1, []byte{0x0b + v.seed[greaseMode]>>5*0x1f})
	}
}

// withFirst is a list with an element more, before the others. The length of the list takes n bytes.
func withFirst(list []byte, n int, element []byte) []byte {
	length := len(list) - n + len(element)
	out := make([]byte, 0, len(list)+len(element))
	if n == 2 {
		out = append(out, byte(length>>8))
	}
	out = append(out, byte(length))
	out = append(out, element...)
	return append(out, list[n:]...)
}

// greaseExtension adds a reserved extension to a message of a server, where the configuration wants that (RFC 8701,
// Section 4.1).
func (c *Config) greaseExtension(es *wire.Extensions) {
	if c.Grease {
		v := newVariety(c)
		*es = append(*es, wire.Extension{Type: wire.ExtensionType(v.value(greaseFirst))})
	}
}

// greaseRequest adds reserved values to the extensions of a CertificateRequest (RFC 8701, Section 4.1).
func (c *Config) greaseRequest(es *wire.Extensions) {
	if !c.Grease {
		return
	}
	v := newVariety(c)
	for i := range *es {
		v.fill(&(*es)[i], false)
	}
	c.greaseExtension(es)
}
