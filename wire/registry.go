package wire

import (
	"fmt"
	"iter"
	"slices"
)

//go:generate go run generate.go

// SSL2CipherKind is a cipher kind of SSL 2.0: three bytes, in a space of its own. Only a scanner meets one.
type SSL2CipherKind uint32

// String returns the name of the SSL 2.0 specification, or "0x012345" for a kind that has none.
func (k SSL2CipherKind) String() string {
	if name, ok := ssl2CipherKindName(k); ok {
		return name
	}
	return fmt.Sprintf("0x%06x", uint32(k))
}

// CipherSuites yields every cipher suite that has a name, ascending. The signalling values
// TLS_EMPTY_RENEGOTIATION_INFO_SCSV and TLS_FALLBACK_SCSV are among them; GREASE values are not.
func CipherSuites() iter.Seq[CipherSuite] {
	return func(yield func(CipherSuite) bool) {
		for _, entry := range cipherSuiteNames[:] {
			if !yield(CipherSuite(entry.code)) {
				return
			}
		}
	}
}

// registryEntry is one named code point. The arrays of zregistry.go are made of these: they are data of the
// binary, laid out by the compiler, so that importing the package costs nothing at start.
type registryEntry struct {
	code uint32
	name string
}

// codePoint is any type that holds a code point, so that a look-up takes the typed value as it is.
type codePoint interface {
	~uint8 | ~uint16 | ~uint32
}

// lookUp finds the name of code in entries, which ascend by code.
func lookUp(entries []registryEntry, code uint32) (name string, ok bool) {
	i, ok := slices.BinarySearchFunc(entries, code, func(e registryEntry, code uint32) int {
		return int(int64(e.code) - int64(code))
	})
	if !ok {
		return "", false
	}
	return entries[i].name, true
}
