//go:build unix

package relay

import (
	"io"
	"syscall"
)

// canReadLazily says that a descriptor can be read without waiting.
const canReadLazily = true

// lazily copies from a socket, and borrows a buffer only when something has come.
func (c *carrier) lazily(raw syscall.RawConn) error {
	try := c.attempt
	for {
		if err := raw.Read(try); err != nil {
			return err
		}
		switch {
		case c.err != nil:
			return c.err
		case c.n == 0:
			return nil
		}
		err := c.write(c.buf[:c.n])
		c.pool.put(c.buf)
		if err == nil && c.n == largeBuffer {
			err = c.rest()
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// attempt reads if something is there; false asks to be called again when it is.
func (c *carrier) attempt(fd uintptr) bool {
	c.buf = c.pool.get(largeBuffer)
	for {
		c.n, c.err = syscall.Read(int(fd), c.buf)
		switch c.err {
		case nil:
			return true
		case syscall.EINTR:
			continue
		}
		c.pool.put(c.buf)
		return c.err != syscall.EAGAIN && c.err != syscall.EWOULDBLOCK
	}
}

// rest copies in large pieces for as long as they are full.
func (c *carrier) rest() error {
	buf := c.pool.get(bulkBuffer)
	defer c.pool.put(buf)
	for {
		n, err := readOnce(c.src, buf)
		if werr := c.write(buf[:n]); werr != nil {
			return werr
		}
		if err != nil || n < len(buf) {
			return err
		}
	}
}
