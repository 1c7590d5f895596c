package tlsnet

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
)

// lazyRead is one read of a connection of the operating system that holds no buffer while it waits: one is borrowed when
// something has come. Reading into a small array and on into a buffer would cost a second system call each time.
type lazyRead struct {
	pool *buffers

	limit int           // bytes
	buf   *recordBuffer // what has come lies in its front; nil: nothing
	n     int
	err   error
	try   func(fd uintptr) bool // r.attempt, made once for all reads that r is used for
}

// lazyReads are those that wait for nobody.
type lazyReads struct{ pool sync.Pool }

func (l *lazyReads) get() *lazyRead {
	if r, ok := l.pool.Get().(*lazyRead); ok {
		return r
	}
	r := new(lazyRead)
	r.try = r.attempt
	return r
}

// beneath is implemented by connections that wrap another one and let it be read in their place, as they would: nil, if
// it may not be.
type beneath interface{ ReadsBeneath() net.Conn }

// rawConn returns what a lazyRead needs of nc, nil if it is no connection of the operating system itself. Types that wrap
// one are left alone, unless they allow it: their Read is not ours to go around.
func rawConn(nc any) syscall.RawConn {
	if b, ok := nc.(beneath); ok {
		nc = b.ReadsBeneath()
	}
	var c syscall.Conn
	switch nc := nc.(type) {
	case *net.TCPConn:
		c = nc
	case *net.UnixConn:
		c = nc
	}
	if c == nil || !canReadLazily {
		return nil
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil // it is closed, which Read says better
	}
	return raw
}

// readLazily waits until something has come on nc, whose raw this is, and returns up to limit bytes of it in a buffer of
// the pool, which is then the caller's to give back. The error is like that of nc.Read; there is a buffer only without one.
func (p *buffers) readLazily(nc net.Conn, raw syscall.RawConn, limit int) (*recordBuffer, int, error) {
	r := p.lazy.get()
	r.pool, r.limit = p, limit
	err := raw.Read(r.try)
	buf, n := r.buf, r.n
	if err == nil {
		err = r.err
	}
	r.pool, r.buf, r.n, r.err = nil, nil, 0, nil
	p.lazy.pool.Put(r)
	if err != nil {
		p.giveRecord(buf)
		return nil, 0, asRead(nc, err)
	}
	return buf, n, nil
}

// attempt reads if something is there; false asks to be called again when it is.
func (r *lazyRead) attempt(fd uintptr) bool {
	buf := r.pool.record()
	n, again, err := readDescriptor(fd, buf[:r.limit])
	if again {
		r.pool.giveRecord(buf)
		return false
	}
	if n <= 0 && err == nil {
		err = io.EOF
	}
	r.buf, r.n, r.err = buf, n, err
	return true
}

// asRead makes the error of a raw read look like that of Read.
func asRead(nc net.Conn, err error) error {
	if op, ok := err.(*net.OpError); ok && op.Op == "raw-read" {
		of := *op
		of.Op = "read"
		return &of
	}
	if _, ok := err.(syscall.Errno); ok {
		local := nc.LocalAddr()
		return &net.OpError{Op: "read", Net: local.Network(), Source: local, Addr: nc.RemoteAddr(), Err: os.NewSyscallError("read", err)}
	}
	return err
}
