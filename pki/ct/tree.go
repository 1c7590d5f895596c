package ct

import (
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/mod/sumdb/tlog"
)

// maxProof bounds a Merkle proof, in hashes: twice the depth of any tree.
const maxProof = 128

// ErrProof is returned for a Merkle proof that does not prove what it should.
var ErrProof = errors.New("the proof does not lead to the tree's root")

// TreeHead is what a log says its tree is at one moment (RFC 6962, Section 3.5).
type TreeHead struct {
	Size            uint64 // leaves
	Timestamp       uint64 // milliseconds since 1970
	Root            [32]byte
	Hash, Algorithm uint8 // as in an [SCT]
	Signature       []byte
}

func (h TreeHead) signedData() ([]byte, error) {
	var b cryptobyte.Builder
	b.AddUint8(0) // version 1
	b.AddUint8(1) // tree_hash
	b.AddUint64(h.Timestamp)
	b.AddUint64(h.Size)
	b.AddBytes(h.Root[:])
	return b.Bytes()
}

// CheckSignature checks the log's signature over the tree head. The error is
// [ErrSignature] where it does not fit.
func (h TreeHead) CheckSignature(key crypto.PublicKey) error {
	data, err := h.signedData()
	if err != nil {
		return err
	}
	return checkDigitallySigned(data, h.Hash, h.Algorithm, h.Signature, key)
}

// SetSignature reads a digitally-signed structure, as logs return it in
// "tree_head_signature".
func (h *TreeHead) SetSignature(data []byte) error {
	in, signature := cryptobyte.String(data), cryptobyte.String(nil)
	if !in.ReadUint8(&h.Hash) || !in.ReadUint8(&h.Algorithm) || !in.ReadUint16LengthPrefixed(&signature) || !in.Empty() {
		return errors.New("not the structure of a signature")
	}
	h.Signature = signature
	return nil
}

// Sign signs the tree head as a log does, for logs of our own.
func (h *TreeHead) Sign(key crypto.Signer) error {
	data, err := h.signedData()
	if err != nil {
		return err
	}
	h.Hash, h.Algorithm, h.Signature, err = digitallySign(data, key)
	return err
}

// CheckInclusion checks that a tree of size leaves with this root has the leaf at
// index; the proof is the audit path, from the leaf upwards (RFC 6962,
// Section 2.1.1). The error is [ErrProof] where it does not.
func CheckInclusion(leaf [32]byte, index, size uint64, proof [][32]byte, root [32]byte) error {
	if size == 0 || size > math.MaxInt64 || index >= size {
		return fmt.Errorf("a tree of %d leaves has none at %d", size, index)
	}
	if len(proof) > maxProof {
		return fmt.Errorf("a proof of %d hashes", len(proof))
	}
	if tlog.CheckRecord(hashes[tlog.RecordProof](proof), int64(size), tlog.Hash(root), int64(index), tlog.Hash(leaf)) != nil {
		return ErrProof
	}
	return nil
}

// CheckConsistency checks that a tree has grown from an older one without a leaf
// of that being changed (RFC 6962, Section 2.1.2). The error is [ErrProof] where
// that is not proven.
func CheckConsistency(older, newer uint64, proof [][32]byte, olderRoot, newerRoot [32]byte) error {
	switch {
	case newer > math.MaxInt64 || older > newer:
		return fmt.Errorf("a tree of %d leaves cannot have grown to %d", older, newer)
	case len(proof) > maxProof:
		return fmt.Errorf("a proof of %d hashes", len(proof))
	case older == 0: // every tree has grown from the empty one
		if len(proof) > 0 || olderRoot != sha256.Sum256(nil) || newer == 0 && newerRoot != olderRoot {
			return ErrProof
		}
		return nil
	case older == newer:
		if len(proof) > 0 || olderRoot != newerRoot {
			return ErrProof
		}
		return nil
	}
	if tlog.CheckTree(hashes[tlog.TreeProof](proof), int64(newer), tlog.Hash(newerRoot), int64(older), tlog.Hash(olderRoot)) != nil {
		return ErrProof
	}
	return nil
}

// hashes turns our list of hashes into the library's.
func hashes[T ~[]tlog.Hash](list [][32]byte) T {
	out := make(T, len(list))
	for i, h := range list {
		out[i] = h
	}
	return out
}
