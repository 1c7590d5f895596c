package ct

import (
	"crypto/sha256"
	"fmt"
	"math/bits"
)

// Frontier is what one must remember of a tree to go on with it: the roots of its
// complete subtrees, the largest first, one for each bit that is set in its size.
// With it a watcher computes the root of the grown tree from the new leaves alone.
// The zero value is the empty tree.
type Frontier struct {
	Size   uint64
	Hashes [][32]byte
}

// Check tells whether the frontier has as many hashes as its size demands.
func (f *Frontier) Check() error {
	if len(f.Hashes) != bits.OnesCount64(f.Size) {
		return fmt.Errorf("%d hashes for a tree of %d leaves", len(f.Hashes), f.Size)
	}
	return nil
}

// Add puts a leaf behind the last one. The frontier must be sound.
func (f *Frontier) Add(leaf [32]byte) {
	// Each complete subtree of the same size is joined with what comes: adding one carries in the same way.
	for size := f.Size; size&1 == 1 && len(f.Hashes) > 0; size >>= 1 {
		last := len(f.Hashes) - 1
		leaf = nodeHash(f.Hashes[last], leaf)
		f.Hashes = f.Hashes[:last]
	}
	f.Hashes = append(f.Hashes, leaf)
	f.Size++
}

// Root is the root of the tree.
func (f *Frontier) Root() [32]byte {
	if len(f.Hashes) == 0 {
		return sha256.Sum256(nil)
	}
	root := f.Hashes[len(f.Hashes)-1]
	for i := len(f.Hashes) - 2; i >= 0; i-- {
		root = nodeHash(f.Hashes[i], root)
	}
	return root
}

// Clone makes a copy that shares nothing.
func (f *Frontier) Clone() Frontier {
	return Frontier{Size: f.Size, Hashes: append([][32]byte(nil), f.Hashes...)}
}

// FrontierOf makes the frontier of a tree of its last leaf and that leaf's audit
// path. It is as true as its root: compare that with a tree head.
func FrontierOf(size uint64, last [32]byte, path [][32]byte) (Frontier, error) {
	joined := bits.TrailingZeros64(size)
	if size == 0 || len(path) != joined+bits.OnesCount64(size)-1 {
		return Frontier{}, ErrProof
	}
	for _, left := range path[:joined] {
		last = nodeHash(left, last)
	}
	f := Frontier{Size: size}
	for i := len(path) - 1; i >= joined; i-- {
		f.Hashes = append(f.Hashes, path[i])
	}
	f.Hashes = append(f.Hashes, last)
	return f, nil
}
