package crl

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
)

// ShardOf says which of a number of partitions, 0 to shards-1, a serial number (big endian, unsigned) belongs to. It spreads
// evenly whatever the numbers are, and the answer never changes: it is written into certificates, as the distribution point of
// their partition. It is the first eight octets of SHA-256 over the number without zeros in front, modulo shards.
func ShardOf(serial []byte, shards int) int {
	if shards <= 1 {
		return 0
	}
	sum := sha256.Sum256(bytes.TrimLeft(serial, "\x00"))
	return int(binary.BigEndian.Uint64(sum[:8]) % uint64(shards))
}
