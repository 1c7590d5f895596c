package wire

import "strconv"

// cursor reads fields one after another. The first error sticks: later reads return zero values and report nothing, so
// that decoders read straight through and ask once, at the end.
//
// It lives on its caller's stack. For that, nothing may call it through an interface or keep it (see decodeView).
type cursor struct {
	b        []byte
	pos, end int // the next byte, and the end of the innermost open vector
	base     int // what to add to pos for the offset that people see
	place    place
	err      *ParseError
	absent   bool // the extension that was asked for is not there: reads as after an error

	seek bool       // at is to look for an extension
	list Extensions // where it looks

	visit    Visitor
	reported int         // the leaves up to here have been reported
	first    *ParseError // the first error inside an extension body that the visit went past
}

// begin sets the cursor on a whole structure of that name.
func (c *cursor) begin(b []byte, name string, v Visitor) {
	*c = cursor{b: b, end: len(b), visit: v}
	c.place.root = name
}

// finish refuses bytes left over and returns the first error as an error value. A visitor is shown whatever could not
// be parsed as one last leaf.
func (c *cursor) finish() error {
	c.noRest()
	if c.err != nil && c.visit != nil {
		c.malformed(c.err.Path, len(c.b))
	}
	if c.first != nil {
		return c.first
	}
	if c.err != nil {
		return c.err
	}
	return nil
}

// stopped: there is nothing to read any more, for an error or for want of an extension.
func (c *cursor) stopped() bool { return c.err != nil || c.absent }

// more reports whether the innermost vector holds another element.
func (c *cursor) more() bool { return c.pos < c.end && !c.stopped() }

// rest is the number of bytes left in the innermost vector.
func (c *cursor) rest() int { return c.end - c.pos }

// fail records the first error, at the named field of the current place.
func (c *cursor) fail(field, reason string) {
	if !c.stopped() {
		c.err = &ParseError{Path: c.place.path(field), Offset: c.base + c.pos, Reason: reason}
	}
}

// noRest refuses bytes behind the last field of the innermost vector.
func (c *cursor) noRest() {
	if c.pos != c.end && !c.stopped() {
		reason := " trailing bytes"
		if c.rest() == 1 {
			reason = " trailing byte"
		}
		c.fail("", strconv.Itoa(c.rest())+reason)
	}
}

// take reads n bytes as one leaf. The slice borrows from the input.
func (c *cursor) take(field string, n int, k Kind) []byte {
	if c.stopped() {
		return nil
	}
	if n > c.rest() {
		c.fail(field, "truncated")
		return nil
	}
	s := c.b[c.pos : c.pos+n : c.pos+n]
	c.pos += n
	if c.visit != nil && n > 0 {
		c.visit(c.place.path(field), c.base+c.pos-n, n, k)
		c.reported = c.pos
	}
	return s
}

// number reads an integer of n bytes as one leaf.
func (c *cursor) number(field string, n int, k Kind) uint32 {
	var v uint32
	for _, x := range c.take(field, n, k) {
		v = v<<8 | uint32(x)
	}
	return v
}

func (c *cursor) uint8(field string, k Kind) uint8   { return uint8(c.number(field, 1, k)) }
func (c *cursor) uint16(field string, k Kind) uint16 { return uint16(c.number(field, 2, k)) }
func (c *cursor) uint24(field string, k Kind) uint32 { return c.number(field, 3, k) }
func (c *cursor) uint32(field string, k Kind) uint32 { return c.number(field, 4, k) }

// bounds are those of a vector in the presentation language, opaque x<least..most>, with the bytes of its prefix.
type bounds struct {
	prefix, least, most int
}

// length reads a length prefix and checks it against what is left and against the bounds.
func (c *cursor) length(field string, v bounds) int {
	n := int(c.number(field, v.prefix, KindLength))
	switch {
	case c.stopped():
		return 0
	case n > c.rest():
		c.fail(field, "truncated")
	case n < v.least:
		c.fail(field, "length "+strconv.Itoa(n)+" is below the minimum of "+strconv.Itoa(v.least))
	case n > v.most:
		c.fail(field, "length "+strconv.Itoa(n)+" is above the maximum of "+strconv.Itoa(v.most))
	default:
		return n
	}
	return 0
}

// opaque reads a length prefix and that many bytes.
func (c *cursor) opaque(field string, v bounds, k Kind) []byte {
	n := c.length(field, v)
	return c.take(field, n, k)
}

// open reads a length prefix and narrows the cursor to the vector behind it; close widens it again. Elements are read
// while more, each after item has numbered it.
func (c *cursor) open(field string, v bounds) (outer int) {
	n := c.length(field, v)
	outer = c.end
	c.end = c.pos + n
	c.place.enter(field)
	return outer
}

// close leaves the vector that open entered.
func (c *cursor) close(outer int) {
	c.noRest()
	c.place.leave()
	c.end = outer
}

// item says which element of the open vector is read next.
func (c *cursor) item(i int) { c.place.index(i) }

// tally counts the elements left in the open vector, where each is head bytes, an opaque vector behind a length
// prefix, and tail bytes. It only sizes the slice that takes them, so a malformed rest does not matter.
func (c *cursor) tally(head, prefix, tail int) int {
	count := 0
	for p := c.pos; p < c.end && !c.stopped(); count++ {
		p += head
		n := 0
		for range prefix {
			if p < c.end {
				n = n<<8 | int(c.b[p])
			}
			p++
		}
		p += n + tail
	}
	return count
}

// list16 reads a vector of 16-bit numbers, one leaf each.
func list16[T ~uint16](c *cursor, field string, v bounds, k Kind) []T {
	outer := c.open(field, v)
	if c.rest()%2 != 0 {
		c.fail("", "length "+strconv.Itoa(c.rest())+" is not a multiple of 2")
	}
	list := make([]T, 0, c.rest()/2)
	for i := 0; c.more(); i++ {
		c.item(i)
		list = append(list, T(c.uint16("", k)))
	}
	c.close(outer)
	return list
}

// list8 reads a vector of 8-bit numbers, one leaf each.
func list8[T ~uint8](c *cursor, field string, v bounds, k Kind) []T {
	outer := c.open(field, v)
	list := make([]T, 0, c.rest())
	for i := 0; c.more(); i++ {
		c.item(i)
		list = append(list, T(c.uint8("", k)))
	}
	c.close(outer)
	return list
}

// opaques reads a vector of opaque vectors.
func (c *cursor) opaques(field string, list, element bounds, k Kind) [][]byte {
	outer := c.open(field, list)
	out := make([][]byte, 0, c.tally(0, element.prefix, 0))
	for i := 0; c.more(); i++ {
		c.item(i)
		out = append(out, c.opaque("", element, k))
	}
	c.close(outer)
	return out
}
