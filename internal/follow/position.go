package follow

import (
	"errors"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/ct"
)

// Position is how far a log has been read. What was read up to there has given the hashes; the head is the newest one
// that was proven to have grown from those before.
type Position struct {
	Log       string   `json:"log"` // its name, for people
	Size      uint64   `json:"tree_size"`
	Timestamp uint64   `json:"timestamp"` // milliseconds since 1970, as the log has it
	Root      []byte   `json:"root"`
	Signature []byte   `json:"signature"`
	Read      uint64   `json:"read"` // entries
	Hashes    [][]byte `json:"hashes"`
}

// newPosition notes how far a log was read.
func newPosition(l *ct.Log, head ct.TreeHead, f ct.Frontier) *Position {
	p := &Position{Log: Name(l), Size: head.Size, Timestamp: head.Timestamp, Root: head.Root[:], Signature: head.AppendSignature(nil), Read: f.Size, Hashes: [][]byte{}}
	for _, h := range f.Hashes {
		p.Hashes = append(p.Hashes, h[:])
	}
	return p
}

// Resume gives head and frontier back; the error says that they are not those of a log.
func (p *Position) Resume() (head ct.TreeHead, f ct.Frontier, err error) {
	broken := errors.New("the position in a log cannot be read")
	if len(p.Root) != 32 || p.Read > p.Size {
		return head, f, broken
	}
	head = ct.TreeHead{Size: p.Size, Timestamp: p.Timestamp, Root: [32]byte(p.Root)}
	if err := head.SetSignature(p.Signature); err != nil {
		return head, f, err
	}
	f = ct.Frontier{Size: p.Read}
	for _, h := range p.Hashes {
		if len(h) != 32 {
			return head, f, broken
		}
		f.Hashes = append(f.Hashes, [32]byte(h))
	}
	return head, f, f.Check()
}

// Name is how a log is shown, fit to print.
func Name(l *ct.Log) string {
	if l.Description != "" {
		return pki.Printable(l.Description)
	}
	return pki.Printable(l.URL)
}

// IsGrowing reports whether a log may get certificates that count today, or has them still.
func IsGrowing(l *ct.Log) bool {
	return l.State == ct.Usable || l.State == ct.Qualified || l.State == ct.ReadOnly
}
