package relay

import (
	"bytes"
	"errors"
	"io"
	"os"
)

// content reads the content of a message as its head frames it. The error io.EOF is its end in order; what is cut off
// is io.ErrUnexpectedEOF.
type content struct {
	in        *input
	left      int64 // of the content, or of the chunk; -1: all until the connection ends
	chunked   bool
	inChunk   bool        // a chunk has begun, and its line end must follow
	inTrailer bool        // the last chunk has come
	err       error       // final
	trailer   []fieldSpan // in raw
	raw       []byte      // the trailer section, whole
	fields    int         // that a trailer may have
	full      bool        // the last piece was as large as could be
	overhead  int         // bytes that were spent on framing beyond what the content is worth
}

// maxChunkLine bounds the line before a chunk, in bytes; extensions are in it.
const maxChunkLine = 256

// maxChunkDigits bounds the digits of a chunk's size: 15 are less than 2⁶⁰.
const maxChunkDigits = 15

// maxTrailer bounds a trailer section, in bytes.
const maxTrailer = 8 << 10

// maxOverhead bounds what framing may cost more than content: a byte of content must not cost a line of its own for ever.
const maxOverhead = 64 << 10

// untilEnd is the length of content that lasts until the connection ends.
const untilEnd = -1

func (c *content) start(in *input, h *head, maxFields int) {
	*c = content{in: in, chunked: h.chunked, left: h.length, fields: maxFields}
	if c.chunked {
		c.left = 0
	}
	if c.left == 0 && !c.chunked {
		c.err = io.EOF
	}
}

// done reports whether all of it was read, to its end in order.
func (c *content) done() bool { return c.err == io.EOF }

// read reads content into p.
func (c *content) read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if c.chunked && c.left == 0 {
		last, err := c.nextChunk()
		switch {
		case err != nil:
			return 0, c.failed(err)
		case last:
			c.err = io.EOF
			return 0, io.EOF
		}
	}
	if c.left >= 0 && int64(len(p)) > c.left {
		p = p[:c.left]
	}
	var n int
	var err error
	if c.chunked && len(p) < largeBuffer || c.in.r < c.in.w || c.in.has {
		n, err = c.readBuffered(p)
	} else {
		n, err = c.in.read(p)
	}
	return n, c.advance(n, err)
}

// readBuffered reads through the buffer: many chunks come in one piece.
func (c *content) readBuffered(p []byte) (int, error) {
	if c.in.r == c.in.w {
		if err := c.in.fill(min(len(p), largeBuffer)); err != nil {
			return 0, err
		}
	}
	return c.in.read(p)
}

// advance counts what was read. At the end of the content the error is kept for the next call.
func (c *content) advance(n int, err error) error {
	if err != nil {
		return c.failed(err)
	}
	if c.left > 0 {
		c.left -= int64(n)
		if c.left == 0 && !c.chunked {
			c.err = io.EOF
		}
	}
	if c.chunked {
		c.overhead = max(c.overhead-n, 0)
	}
	return nil
}

// failed judges an error of the connection.
func (c *content) failed(err error) error {
	switch {
	case isTimeout(err):
		return err // may pass
	case errors.Is(err, io.EOF) && c.left == untilEnd:
		c.err = io.EOF
	case errors.Is(err, io.EOF):
		c.err = io.ErrUnexpectedEOF
	default:
		c.err = err
	}
	return c.err
}

// nextChunk reads the line before the next chunk, and behind the last one the trailer section (RFC 9112, Section 7.1).
// Its pieces are taken whole, so that it can be called again after a time-out.
func (c *content) nextChunk() (last bool, err error) {
	if c.inChunk {
		if err := c.chunkEnd(); err != nil {
			return false, err
		}
		c.inChunk = false
	}
	if !c.inTrailer {
		size, err := c.chunkSize()
		if err != nil {
			return false, err
		}
		c.left, c.inChunk, c.inTrailer = size, size > 0, size == 0
	}
	if c.inTrailer {
		return true, c.readTrailer()
	}
	return false, nil
}

// chunkEnd reads the line end behind a chunk.
func (c *content) chunkEnd() error {
	for {
		b := c.in.buffered()
		switch {
		case len(b) >= 1 && b[0] != '\r', len(b) >= 2 && b[1] != '\n':
			return bad(ReasonChunk, "a chunk is longer than it says")
		case len(b) >= 2:
			c.in.take(2)
			return nil
		}
		if err := c.fillLine(len(b), 2); err != nil {
			return err
		}
	}
}

// fillLine reads more of a line that is not whole; have says how much of it there is.
func (c *content) fillLine(have, need int) error {
	return c.in.fill(max(need, have+1))
}

// chunkSize reads the line before a chunk.
func (c *content) chunkSize() (int64, error) {
	for seen := 0; ; {
		b := c.in.buffered()
		end, err := scanLine(b, seen)
		seen = len(b)
		switch {
		case err != nil:
			return 0, err
		case end > maxChunkLine, end == 0 && len(b) >= maxChunkLine:
			return 0, bad(ReasonChunk, "the line before a chunk is too long")
		case end > 0:
			size, err := parseChunkSize(b[:end-2])
			c.in.take(end)
			if c.overhead += end + 2; c.overhead > maxOverhead && err == nil {
				err = bad(ReasonChunk, "there is more framing than content")
			}
			return size, err
		}
		if err := c.fillLine(len(b), maxChunkLine); err != nil {
			return 0, err
		}
	}
}

// scanLine looks for the end of the first line, from a place on, and returns the place behind it; 0: it has not come.
func scanLine(b []byte, from int) (int, error) {
	i := bytes.IndexByte(b[from:], '\n') + from
	switch {
	case i < from:
		return 0, nil
	case i == 0 || b[i-1] != '\r':
		return 0, bad(ReasonLine, "a line before a chunk ends in a line feed alone")
	}
	return i + 1, nil
}

// parseChunkSize reads "1a" or "1a;name=value", without the line end. Extensions say nothing to us and are not passed on.
func parseChunkSize(l []byte) (size int64, err error) {
	i := 0
	for i < len(l) && classes[l[i]]&isHex != 0 {
		if i == maxChunkDigits {
			return 0, bad(ReasonChunk, "the size of a chunk is too large")
		}
		size = size<<4 | int64(unhex(l[i]))
		i++
	}
	if i == 0 {
		return 0, bad(ReasonChunk, "the size of a chunk is not a number")
	}
	// RFC 9112, Section 7.1.1: extensions follow a semicolon. Space before it is bad grammar that we need not take.
	if i < len(l) && (l[i] != ';' || !isValue(l[i:])) {
		return 0, bad(ReasonChunk, "the size of a chunk is followed by something else")
	}
	return size, nil
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return lower(c) - 'a' + 10
}

// readTrailer reads the trailer section.
func (c *content) readTrailer() error {
	n, err := c.in.readHead(maxTrailer, 0)
	if err != nil {
		return err
	}
	if n > 2 {
		c.raw = append([]byte(nil), c.in.buffered()[:n]...)
	}
	c.in.take(n)
	if n == 2 {
		return nil
	}
	var h head
	if err := h.parseFields(c.raw, 0, c.fields); err != nil {
		return err
	}
	for _, f := range h.fields {
		// RFC 9110, Section 6.5.1: a sender MUST NOT generate a trailer field that is about framing or routing.
		if f.kind != otherField && f.kind != fieldDate {
			return bad(ReasonTrailer, "a field behind the content is about framing or the connection")
		}
	}
	c.trailer = h.fields
	return nil
}

// next returns content as it lies in the buffer, or reads some into scratch, which is lent where it is needed. What it
// returns is good until the next call.
func (c *content) next(scratch *[]byte, pool *buffers) ([]byte, error) {
	if c.err != nil {
		return nil, c.err
	}
	if c.chunked && c.left == 0 {
		last, err := c.nextChunk()
		switch {
		case err != nil:
			return nil, c.failed(err)
		case last:
			c.err = io.EOF
			return nil, io.EOF
		}
	}
	c.in.unpend()
	if len(c.in.buffered()) == 0 {
		if c.left < 0 || c.left >= largeBuffer {
			return c.nextLarge(scratch, pool)
		}
		if err := c.in.fill(1); err != nil {
			return nil, c.failed(err)
		}
	}
	p := c.in.buffered()
	if c.left >= 0 && int64(len(p)) > c.left {
		p = p[:c.left]
	}
	c.in.take(len(p))
	return p, c.advance(len(p), nil)
}

// nextLarge reads past the buffer, in larger pieces when the first was full.
func (c *content) nextLarge(scratch *[]byte, pool *buffers) ([]byte, error) {
	switch {
	case c.in.dry:
		return nil, os.ErrDeadlineExceeded
	case *scratch == nil:
		*scratch = pool.get(largeBuffer)
	case c.full && len(*scratch) == largeBuffer:
		pool.put(*scratch)
		*scratch = pool.get(bulkBuffer)
	}
	p := *scratch
	if c.left >= 0 && int64(len(p)) > c.left {
		p = p[:c.left]
	}
	n, err := readOnce(c.in.conn, p)
	c.full = n == len(*scratch)
	return p[:n], c.advance(n, err)
}
