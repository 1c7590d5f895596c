package tlscore

import (
	"encoding/binary"
)

// coder writes a format, or reads it. The same calls in the same order do the one or the other, so that the two cannot
// differ, and there is one form for each value. What is read is bounded by the input; after an error all values are
// zero, and bad stays.
type coder struct {
	reading bool
	bytes   []byte // written, or left to be read
	bad     bool
}

// add appends to what is written, and leaves no copy of it behind where it has to move: there are secrets in it.
func (c *coder) add(b []byte) {
	if old := c.bytes; cap(old)-len(old) < len(b) {
		c.bytes = append(make([]byte, 0, 2*cap(old)+len(b)+leastState), old...)
		clear(old)
	}
	c.bytes = append(c.bytes, b...)
}

// leastState is room for the state of a connection without long names and certificates, in bytes.
const leastState = 1 << 10

// take returns the next n bytes of the input.
func (c *coder) take(n int) []byte {
	if c.bad || n < 0 || n > len(c.bytes) {
		c.bad = true
		return nil
	}
	b := c.bytes[:n:n]
	c.bytes = c.bytes[n:]
	return b
}

// number codes an integer that is not negative.
func number[T ~int | ~uint8 | ~uint16 | ~uint32 | ~uint64](c *coder, v *T) {
	if !c.reading {
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], uint64(*v))
		c.add(b[:])
		return
	}
	*v = 0
	if b := c.take(8); b != nil {
		n := binary.BigEndian.Uint64(b)
		if *v = T(n); *v < 0 || uint64(*v) != n {
			c.bad, *v = true, 0
		}
	}
}

// flag codes a bool.
func (c *coder) flag(v *bool) {
	n := uint8(0)
	if *v {
		n = 1
	}
	number(c, &n)
	c.bad = c.bad || n > 1
	*v = n == 1
}

// text codes bytes. Those that are read are a copy; an empty slice becomes nil.
func text[T ~string | ~[]byte](c *coder, v *T) {
	n := len(*v)
	number(c, &n)
	if !c.reading {
		c.add([]byte(*v))
		return
	}
	var none T
	*v = none
	if b := c.take(n); len(b) > 0 {
		*v = T(append([]byte(nil), b...))
	}
}

// list codes a list of bytes. An empty one becomes nil.
func (c *coder) list(v *[][]byte) {
	n := len(*v)
	number(c, &n)
	if c.reading {
		*v = nil
		if n > len(c.bytes)/8 { // each has its length in front
			c.bad = true
		}
		if c.bad || n == 0 {
			return
		}
		*v = make([][]byte, n)
	}
	for i := range *v {
		text(c, &(*v)[i])
	}
}
