package record

import "errors"

// ErrBackwards is returned by Skip for a record whose number has been used.
var ErrBackwards = errors.New("record: the sequence number has been used")

// Skip goes on with the record of the given number, for an epoch whose records before that were sealed elsewhere. A
// Sealer never goes back: a nonce is used once.
func (s *Sealer) Skip(to uint64) error { return s.skip(to) }

// Skip goes on with the record of the given number, for an epoch whose records before that were opened elsewhere.
func (o *Opener) Skip(to uint64) error { return o.skip(to) }

func (e *epoch) skip(to uint64) error {
	if e.aead == nil {
		return ErrWiped
	}
	if to < e.seq {
		return ErrBackwards
	}
	e.seq = to
	return nil
}
