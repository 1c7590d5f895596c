package revset

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"
)

// MaxSize is the largest set that [Parse] reads, in bytes: enough for about 20 million revoked certificates.
const MaxSize = 16 << 20

// maxSignature is the room for a signature and its algorithm.
const maxSignature = 2048

// MaxSerial is the longest serial number in octets.
const MaxSerial = 64

// maxKeys bounds the certificates of one issuer: the numbers of the format have 32 bits, and the bits of a filter must be
// counted in them, too.
const maxKeys = 1 << 28

// Key names a certificate for [Build]: the SHA-256 of its issuer's SubjectPublicKeyInfo and its serial number (big endian,
// unsigned).
func Key(issuerKeyHash [32]byte, serial []byte) []byte {
	return append(issuerKeyHash[:len(issuerKeyHash):len(issuerKeyHash)], bytes.TrimLeft(serial, "\x00")...)
}

// Options say what a set stands for. All times are kept to the second.
type Options struct {
	Created time.Time // when the list of certificates was complete
	// Covers says which certificates are in the set: all that the issuers issued whose validity starts then or earlier. It is
	// Created less the time by which an issuer dates back. Zero: Created.
	Covers  time.Time
	Expires time.Time // the set must not be relied on later
}

// Set is a packed set of revocations. It may be used by several goroutines at once, except for [Set.Sign].
type Set struct {
	Created time.Time
	Covers  time.Time // see [Options]
	Expires time.Time

	blocks    []*block // ascending by issuer
	signed    []byte   // what the signature is over; nil: as it would be marshalled
	algorithm []byte   // AlgorithmIdentifier, DER; empty: not signed
	signature []byte
}

// Issuer is what a set says about one issuer.
type Issuer struct {
	KeyHash [32]byte // SHA-256 of its SubjectPublicKeyInfo
	Revoked int
	Known   int // all certificates, the revoked ones included
	Size    int // bytes of the set that are for it
}

// Build makes a set of keys as [Key] gives them: the revoked ones, and all others that are known. A key that is in both is
// revoked. Both are walked once; about 32 bytes of memory are needed for each key while building. The same keys, in any order,
// give the same set.
func Build(revoked, valid iter.Seq[[]byte], o Options) (*Set, error) {
	if o.Covers.IsZero() {
		o.Covers = o.Created
	}
	s := &Set{Created: toSecond(o.Created), Covers: toSecond(o.Covers), Expires: toSecond(o.Expires)}
	if o.Created.Unix() < 0 || o.Covers.After(o.Created) || !o.Expires.After(o.Created) {
		return nil, errors.New("a set needs the time of its creation, one not later that it covers, and a later one at which it expires")
	}
	byIssuer := make(map[[32]byte]*[2][]digest)
	for i, keys := range [...]iter.Seq[[]byte]{revoked, valid} {
		if keys == nil {
			continue
		}
		for k := range keys {
			if len(k) < 32 || len(k) > 32+MaxSerial {
				return nil, fmt.Errorf("a key of %d octets is none: 32 for the issuer, and a serial number", len(k))
			}
			issuer := [32]byte(k)
			lists := byIssuer[issuer]
			if lists == nil {
				lists = new([2][]digest)
				byIssuer[issuer] = lists
			}
			if len(lists[i]) == maxKeys {
				return nil, fmt.Errorf("more than %d certificates of one issuer", maxKeys)
			}
			lists[i] = append(lists[i], digestOf(issuer, k[32:]))
		}
	}
	for issuer, lists := range byIssuer {
		bad, good := sortDigests(lists[0]), sortDigests(lists[1])
		good = slices.DeleteFunc(good, func(d digest) bool { return contains(bad, d) })
		b, err := build(issuer, bad, good)
		if err != nil {
			return nil, err
		}
		s.blocks = append(s.blocks, b)
	}
	slices.SortFunc(s.blocks, func(a, b *block) int { return bytes.Compare(a.issuer[:], b.issuer[:]) })
	if n := s.Size(); n > MaxSize-maxSignature {
		return nil, fmt.Errorf("a set of %d bytes is too large: make one per issuer", n)
	}
	return s, nil
}

func toSecond(t time.Time) time.Time { return time.Unix(t.Unix(), 0).UTC() }

// digestOf is SHA-256 over the issuer's key hash and the serial number without zeros in front.
func digestOf(issuer [32]byte, serial []byte) digest {
	var buffer [32 + MaxSerial]byte
	b := append(buffer[:0], issuer[:]...)
	return sha256.Sum256(append(b, bytes.TrimLeft(serial, "\x00")...))
}

func compareDigests(a, b *digest) int { return bytes.Compare(a[:], b[:]) }

func contains(sorted []digest, d digest) bool {
	_, found := slices.BinarySearchFunc(sorted, d, func(a, b digest) int { return compareDigests(&a, &b) })
	return found
}

// Revoked asks about the certificate with a serial number (big endian, unsigned) of an issuer, by the SHA-256 of its
// SubjectPublicKeyInfo. known is false for an issuer that is not in the set; then nothing is said. For a certificate of a known issuer
// that was not in the set, one issued later, revoked is a guess: compare the start of its validity with [Set.Covers] first.
func (s *Set) Revoked(issuerKeyHash [32]byte, serial []byte) (revoked, known bool) {
	i, found := slices.BinarySearchFunc(s.blocks, issuerKeyHash, func(b *block, h [32]byte) int { return bytes.Compare(b.issuer[:], h[:]) })
	if !found || len(serial) > MaxSerial {
		return false, false
	}
	d := digestOf(issuerKeyHash, serial)
	return s.blocks[i].isRevoked(&d), true
}

// Issuers lists the issuers, ascending by their key's hash.
func (s *Set) Issuers() []Issuer {
	var list []Issuer
	for _, b := range s.blocks {
		list = append(list, Issuer{b.issuer, b.revoked, b.total, b.size()})
	}
	return list
}

// Size is the set's size in bytes, as [Set.Marshal] gives it.
func (s *Set) Size() int {
	n := setHeader + 4 + len(s.algorithm) + len(s.signature)
	for _, b := range s.blocks {
		n += b.size()
	}
	return n
}
