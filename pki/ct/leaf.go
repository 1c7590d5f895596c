package ct

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/tlswright/tlswright/pki/cert"
)

// Bounds on an entry of a log.
const (
	maxChain = 64 // certificates beside an entry
	// TileWidth is how many hashes, or entries, a full tile of the static API has.
	TileWidth = 256
)

var errLeaf = errors.New("not the structure of a log's entry")

// LogEntry is an entry as a log gives it out. Only what the tree is made of is
// proven by it: Entry, Timestamp and Extensions. The rest is the log's word.
type LogEntry struct {
	Entry
	Timestamp  uint64 // milliseconds since 1970
	Extensions []byte // as in an [SCT]
	// Submitted is the precertificate as it was signed, DER; of certificates nil.
	Submitted []byte
	// Chain are the issuers, DER, nearest first, as logs of RFC 6962 give them.
	Chain [][]byte
	// Fingerprints are the SHA-256 of the issuers, as tiled logs give them.
	Fingerprints [][32]byte
}

// Leaf is what the log hashes: a MerkleTreeLeaf (RFC 6962, Section 3.4).
func (e LogEntry) Leaf() ([]byte, error) {
	var b cryptobyte.Builder
	b.AddUint8(0) // version 1
	b.AddUint8(0) // timestamped_entry
	e.timestamped(&b, e.sct())
	return b.Bytes()
}

// Hash is the hash of the leaf, which an inclusion proof begins with (RFC 6962, Section 2.1).
func (e LogEntry) Hash() ([32]byte, error) { return e.LeafHash(e.sct()) }

func (e LogEntry) sct() SCT { return SCT{Timestamp: e.Timestamp, Extensions: e.Extensions} }

// Certificate is the certificate of the entry. Of a precertificate it is made of
// the TBSCertificate in the tree, which no log can forge unnoticed, and has no
// signature.
func (e Entry) Certificate() (*x509.Certificate, error) {
	der, err := e.Unsigned()
	if err != nil {
		return nil, err
	}
	return cert.ParseX509(der)
}

// Unsigned is the DER of the same: a TBSCertificate is made a certificate with its
// own algorithm and a signature of no bits.
func (e Entry) Unsigned() ([]byte, error) {
	if !e.Precertificate {
		return e.Data, nil
	}
	tbs := e.Data
	in, fields, algorithm := cryptobyte.String(tbs), cryptobyte.String(nil), cryptobyte.String(nil)
	version := cbasn1.Tag(0).ContextSpecific().Constructed()
	if !in.ReadASN1(&fields, cbasn1.SEQUENCE) || !in.Empty() || !fields.SkipOptionalASN1(version) ||
		!fields.SkipASN1(cbasn1.INTEGER) || !fields.ReadASN1Element(&algorithm, cbasn1.SEQUENCE) {
		return nil, errors.New("the entry is no certificate")
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(tbs)
		b.AddBytes(algorithm)
		b.AddASN1BitString(nil)
	})
	return b.Bytes()
}

// readTimestamped reads a TimestampedEntry (RFC 6962, Section 3.4).
func (e *LogEntry) readTimestamped(in *cryptobyte.String) bool {
	var kind uint16
	var data, extensions cryptobyte.String
	if !in.ReadUint64(&e.Timestamp) || !in.ReadUint16(&kind) || kind > 1 {
		return false
	}
	if e.Precertificate = kind == 1; e.Precertificate && !in.CopyBytes(e.IssuerKeyHash[:]) {
		return false
	}
	if !in.ReadUint24LengthPrefixed(&data) || data.Empty() || !in.ReadUint16LengthPrefixed(&extensions) {
		return false
	}
	e.Data, e.Extensions = data, extensions
	return true
}

// ParseLogEntry reads what get-entries returns: leaf_input and extra_data (RFC
// 6962, Section 4.6).
func ParseLogEntry(leaf, extra []byte) (LogEntry, error) {
	var e LogEntry
	var version, kind uint8
	in := cryptobyte.String(leaf)
	if !in.ReadUint8(&version) || version != 0 || !in.ReadUint8(&kind) || kind != 0 || !e.readTimestamped(&in) || !in.Empty() {
		return LogEntry{}, errLeaf
	}
	in = cryptobyte.String(extra)
	var submitted, chain cryptobyte.String
	if e.Precertificate {
		if !in.ReadUint24LengthPrefixed(&submitted) || submitted.Empty() {
			return LogEntry{}, errLeaf
		}
		e.Submitted = submitted
	}
	if !in.ReadUint24LengthPrefixed(&chain) || !in.Empty() {
		return LogEntry{}, errLeaf
	}
	for !chain.Empty() {
		var one cryptobyte.String
		if len(e.Chain) == maxChain || !chain.ReadUint24LengthPrefixed(&one) || one.Empty() {
			return LogEntry{}, errLeaf
		}
		e.Chain = append(e.Chain, one)
	}
	return e, nil
}

// Extra is the extra_data of the entry, for logs of our own.
func (e LogEntry) Extra() ([]byte, error) {
	var b cryptobyte.Builder
	if e.Precertificate {
		b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(e.Submitted) })
	}
	b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) {
		for _, c := range e.Chain {
			b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(c) })
		}
	})
	return b.Bytes()
}

// ParseDataTile reads the entries of a data tile of the static API: exactly width
// of them, 1 to 256.
func ParseDataTile(data []byte, width int) ([]LogEntry, error) {
	if width < 1 || width > TileWidth {
		return nil, fmt.Errorf("a data tile of %d entries", width)
	}
	entries := make([]LogEntry, 0, width)
	in := cryptobyte.String(data)
	for range width {
		var e LogEntry
		var submitted, chain cryptobyte.String
		if !e.readTimestamped(&in) {
			return nil, errLeaf
		}
		if e.Precertificate {
			if !in.ReadUint24LengthPrefixed(&submitted) || submitted.Empty() {
				return nil, errLeaf
			}
			e.Submitted = submitted
		}
		if !in.ReadUint16LengthPrefixed(&chain) {
			return nil, errLeaf
		}
		for !chain.Empty() {
			var one [32]byte
			if len(e.Fingerprints) == maxChain || !chain.CopyBytes(one[:]) {
				return nil, errLeaf
			}
			e.Fingerprints = append(e.Fingerprints, one)
		}
		entries = append(entries, e)
	}
	if !in.Empty() {
		return nil, errLeaf
	}
	return entries, nil
}

// AppendDataTile appends the entry as data tiles have it, for logs of our own.
func (e LogEntry) AppendDataTile(to []byte) ([]byte, error) {
	b := cryptobyte.NewBuilder(to)
	e.timestamped(b, e.sct())
	if e.Precertificate {
		b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(e.Submitted) })
	}
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		for _, f := range e.Fingerprints {
			b.AddBytes(f[:])
		}
	})
	return b.Bytes()
}

// LeafIndex is the place in the tree that tiled logs put into the extensions of
// their timestamps; ok is false if there is none, or if the extensions are broken.
func (s SCT) LeafIndex() (index uint64, ok bool) {
	in := cryptobyte.String(s.Extensions)
	for !in.Empty() {
		var kind uint8
		var data cryptobyte.String
		if !in.ReadUint8(&kind) || !in.ReadUint16LengthPrefixed(&data) {
			return 0, false
		}
		if kind != 0 {
			continue
		}
		if ok || len(data) != 5 {
			return 0, false
		}
		for _, b := range data {
			index = index<<8 | uint64(b)
		}
		ok = true
	}
	return index, ok
}

// LeafIndexExtension is the extension that says so, for logs of our own. The index
// has 40 bits.
func LeafIndexExtension(index uint64) []byte {
	return []byte{0, 0, 5, byte(index >> 32), byte(index >> 24), byte(index >> 16), byte(index >> 8), byte(index)}
}

// SameEntry reports whether a precertificate that a log gives out beside an entry
// is the one that the entry is about. Of one that was signed in the issuer's place
// by another key it cannot be told, and the answer is false.
func (e LogEntry) SameEntry() bool {
	if !e.Precertificate {
		return true
	}
	in, outer, tbs := cryptobyte.String(e.Submitted), cryptobyte.String(nil), cryptobyte.String(nil)
	if !in.ReadASN1(&outer, cbasn1.SEQUENCE) || !outer.ReadASN1Element(&tbs, cbasn1.SEQUENCE) {
		return false
	}
	plain, err := precertificateTBS(tbs)
	return err == nil && bytes.Equal(plain, e.Data)
}

// nodeHash is the hash of an inner node of a tree (RFC 6962, Section 2.1).
func nodeHash(left, right [32]byte) [32]byte {
	var b [65]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[33:], right[:])
	return sha256.Sum256(b[:])
}
