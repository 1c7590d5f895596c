package wire

import "strconv"

// The largest values of the 1-, 2- and 3-byte length prefixes.
const (
	max8  = 1<<8 - 1
	max16 = 1<<16 - 1
	max24 = 1<<24 - 1
)

// SizeError is what an encoder panics with when a value is too long for its length prefix, and what TryAppendMessage
// returns.
type SizeError struct {
	Size   int // of the value, in bytes
	Prefix int // of its length, in bytes
}

// Error gives "wire: 66642 bytes do not fit behind a length of 2 bytes".
func (e *SizeError) Error() string {
	return "wire: " + strconv.Itoa(e.Size) + " bytes do not fit behind a length of " + strconv.Itoa(e.Prefix) + " bytes"
}

func appendUint16(b []byte, v uint16) []byte {
	return append(b, byte(v>>8), byte(v))
}

func appendUint24(b []byte, v uint32) []byte {
	if v > max24 {
		panic(&SizeError{Size: int(v), Prefix: 3})
	}
	return append(b, byte(v>>16), byte(v>>8), byte(v))
}

func appendUint32(b []byte, v uint32) []byte {
	return append(b, byte(v>>24), byte(v>>16), byte(v>>8), byte(v))
}

// reserve appends room for a length prefix of that many bytes and returns where its content begins. seal fills it in
// once the content has been appended: nothing has to be measured beforehand.
func reserve(b []byte, prefix int) (out []byte, start int) {
	for range prefix {
		b = append(b, 0)
	}
	return b, len(b)
}

// seal writes the number of bytes appended since start into the prefix in front of start.
func seal(b []byte, start, prefix int) []byte {
	n := len(b) - start
	if n>>(8*prefix) != 0 {
		panic(&SizeError{Size: n, Prefix: prefix})
	}
	for i := range prefix {
		b[start-1-i] = byte(n >> (8 * i))
	}
	return b
}

// appendOpaque appends data behind a length prefix of that many bytes.
func appendOpaque[T []byte | string](b []byte, prefix int, data T) []byte {
	b, start := reserve(b, prefix)
	b = append(b, data...)
	return seal(b, start, prefix)
}

// appendOpaques appends opaque vectors, each behind a prefix of element bytes, behind a prefix of list bytes.
func appendOpaques(b []byte, list, element int, data [][]byte) []byte {
	b, start := reserve(b, list)
	for _, d := range data {
		b = appendOpaque(b, element, d)
	}
	return seal(b, start, list)
}

// appendList16 appends 16-bit numbers behind a length prefix of that many bytes.
func appendList16[T ~uint16](b []byte, prefix int, list []T) []byte {
	b, start := reserve(b, prefix)
	for _, v := range list {
		b = appendUint16(b, uint16(v))
	}
	return seal(b, start, prefix)
}

// appendList8 appends 8-bit numbers behind a one-byte length prefix.
func appendList8[T ~uint8](b []byte, list []T) []byte {
	b, start := reserve(b, 1)
	for _, v := range list {
		b = append(b, byte(v))
	}
	return seal(b, start, 1)
}
