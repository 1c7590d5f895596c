package wire

import (
	"errors"
	"strconv"
)

// defaultMaxMessage bounds the body of a handshake message where nothing else was asked for.
const defaultMaxMessage = 1 << 16

// ErrMessageTooLong is what errors.Is finds in the error of Joiner.Next when a message exceeds the limit.
var ErrMessageTooLong = errors.New("handshake message too long")

// MessageTooLongError says which message was too long.
type MessageTooLongError struct {
	Type   HandshakeType
	Length int // of the body, as its header announces it, in bytes
	Limit  int // in bytes
}

// Error gives "handshake message too long: certificate of 70000 bytes exceeds the limit of 65536".
func (e *MessageTooLongError) Error() string {
	return ErrMessageTooLong.Error() + ": " + e.Type.String() + " of " + strconv.Itoa(e.Length) +
		" bytes exceeds the limit of " + strconv.Itoa(e.Limit)
}

// Unwrap gives ErrMessageTooLong.
func (e *MessageTooLongError) Unwrap() error { return ErrMessageTooLong }

// Joiner puts handshake messages back together from the fragments that records carry: a message may span records and a
// record may hold several messages (RFC 8446, Section 5.1). The zero value is ready.
//
// Its memory is bounded by Max and one fragment, and is given up whenever no byte waits.
type Joiner struct {
	// Max is the longest body of a message, in bytes; 0 means 65,536.
	Max int

	buf   []byte
	taken int   // bytes of buf that Next has handed out
	err   error // sticky
}

// Add copies a fragment behind what waits. The messages that are complete by now should be taken with Next before
// more is added. After an error, and when more than a whole message already waits untaken, the fragment is dropped
// and Next reports the error.
func (j *Joiner) Add(fragment []byte) {
	if j.err != nil || len(fragment) == 0 {
		return
	}
	if j.taken > 0 { // what was handed out is not ours any more
		waits := j.buf[j.taken:]
		j.buf, j.taken = append(make([]byte, 0, len(waits)+len(fragment)), waits...), 0
	}
	if len(j.buf) > j.limit()+handshakeHeaderLen {
		j.refuse(errors.New("handshake messages were added but not taken"))
		return
	}
	j.buf = append(j.buf, fragment...)
}

// Next takes the first complete message: header and body, in memory that the joiner never touches again. ok is false when
// more bytes are needed. A message longer than Max is refused as soon as its header is there, with a *MessageTooLongError
// (ErrMessageTooLong); an error is final and releases the memory.
func (j *Joiner) Next() (raw []byte, ok bool, err error) {
	if j.err != nil {
		return nil, false, j.err
	}
	wait := j.buf[j.taken:]
	if len(wait) < handshakeHeaderLen {
		return nil, false, nil
	}
	n := int(wait[1])<<16 | int(wait[2])<<8 | int(wait[3])
	if n > j.limit() {
		j.refuse(&MessageTooLongError{Type: HandshakeType(wait[0]), Length: n, Limit: j.limit()})
		return nil, false, j.err
	}
	end := handshakeHeaderLen + n
	if len(wait) < end {
		return nil, false, nil
	}
	raw = wait[:end:end]
	j.taken += end
	if j.taken == len(j.buf) {
		j.Release()
	}
	return raw, true, nil
}

// Empty reports whether no byte waits. RFC 8446, Section 5.1: handshake messages MUST NOT span key changes, so the
// joiner must be empty whenever keys change.
func (j *Joiner) Empty() bool { return j.Buffered() == 0 }

// Buffered is the number of bytes that wait.
func (j *Joiner) Buffered() int { return len(j.buf) - j.taken }

// Waiting returns the bytes that wait, valid until the next call of any other method.
func (j *Joiner) Waiting() []byte { return j.buf[j.taken:] }

// Release gives up the memory and with it the bytes that wait. An error stays.
func (j *Joiner) Release() { j.buf, j.taken = nil, 0 }

func (j *Joiner) limit() int {
	if j.Max > 0 {
		return j.Max
	}
	return defaultMaxMessage
}

func (j *Joiner) refuse(err error) {
	j.err = err
	j.Release()
}
