package legacy

import (
	"crypto"

	"github.com/tlswright/tlswright/wire"
)

// Keys are what both directions of a connection are protected with.
type Keys struct{ Client, Server DirectionKeys }

// DirectionKeys are those of one direction. IV is nil where every record carries its own.
type DirectionKeys struct{ MAC, Key, IV []byte }

// Keys takes the master secret apart (RFC 6101, Section 6.2.2, and RFC 5246, Section 6.3), with the extra step of the
// export suites.
func (s *Suite) Keys(v wire.Version, master []byte, r *Randoms) Keys {
	ivLen := s.FixedIV
	if s.Mode == ModeCBC && v < wire.VersionTLS11 {
		ivLen = s.BlockLen // RFC 4346, Section 6.2.3.2: from TLS 1.1 on the record carries it
	}
	n := 2 * (s.MACLen() + s.KeyMaterial + ivLen)
	var block []byte
	if v == wire.VersionSSL30 {
		block = expand30(master, r.serverFirst(), n)
	} else {
		block = PRF(v, s.Hash, master, "key expansion", r.serverFirst(), n)
	}
	take := func(n int) (part []byte) {
		part, block = block[:n:n], block[n:]
		return part
	}
	var k Keys
	k.Client.MAC, k.Server.MAC = take(s.MACLen()), take(s.MACLen())
	k.Client.Key, k.Server.Key = take(s.KeyMaterial), take(s.KeyMaterial)
	k.Client.IV, k.Server.IV = take(ivLen), take(ivLen)
	if s.ExportBits > 0 && s.KeyLen > 0 {
		s.export(v, &k, r, ivLen)
	}
	return k
}

// export stretches the few secret bytes to the key the cipher takes, and makes IVs of public values only (RFC 2246,
// Section 6.3.1; RFC 6101, Section 6.2.2.1).
func (s *Suite) export(v wire.Version, k *Keys, r *Randoms, ivLen int) {
	clientFirst, serverFirst := r.clientFirst(), r.serverFirst()
	if v == wire.VersionSSL30 {
		k.Client.Key = hashOf(crypto.MD5, k.Client.Key, clientFirst)[:s.KeyLen]
		k.Server.Key = hashOf(crypto.MD5, k.Server.Key, serverFirst)[:s.KeyLen]
		k.Client.IV = hashOf(crypto.MD5, clientFirst)[:ivLen]
		k.Server.IV = hashOf(crypto.MD5, serverFirst)[:ivLen]
		return
	}
	k.Client.Key = PRF(v, s.Hash, k.Client.Key, "client write key", clientFirst, s.KeyLen)
	k.Server.Key = PRF(v, s.Hash, k.Server.Key, "server write key", clientFirst, s.KeyLen)
	if ivLen > 0 {
		ivs := PRF(v, s.Hash, nil, "IV block", clientFirst, 2*ivLen)
		k.Client.IV, k.Server.IV = ivs[:ivLen:ivLen], ivs[ivLen:]
	}
}
