package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

// loop waits for all descriptors at once. Everything it calls is called in the one goroutine that runs it.
type loop struct {
	epoll int
	conns []*conn // by descriptor: the kernel gives out the smallest that is free, so that this has few holes
	count int
	out   io.Writer

	// The two buffers that all connections share: what has just come, and what is to be sent.
	arrived [64 << 10]byte
	sealed  []byte

	special  map[int]func() error // descriptors that are no connections
	handlers                      // what becomes of the connections
	reported int                  // connections, at the last report
}

// handlers is what a server and a client do each in their own way.
type handlers struct {
	answer func(c *conn, question *question) answer
	ready  func(c *conn) error              // the handshake is done
	data   func(c *conn, data []byte) error // data valid until it returns
	gone   func(c *conn, err error)         // the connection is over; nil: in good order
}

func newLoop(out io.Writer) (*loop, error) {
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	return &loop{epoll: epoll, out: out, special: make(map[int]func() error)}, nil
}

func (l *loop) close() {
	for fd := range l.special {
		syscall.Close(fd)
	}
	for _, c := range l.conns {
		if c != nil {
			syscall.Close(c.fd)
		}
	}
	syscall.Close(l.epoll)
}

// watch waits for events of a descriptor: of one that is new to the loop with syscall.EPOLL_CTL_ADD.
func (l *loop) watch(op, fd int, events uint32) error {
	event := syscall.EpollEvent{Events: events, Fd: int32(fd)}
	return os.NewSyscallError("epoll_ctl", syscall.EpollCtl(l.epoll, op, fd, &event))
}

// add takes a connection in. Its handshake begins when the first bytes come, or for a client when it is connected.
func (l *loop) add(c *conn, events uint32) error {
	if err := l.watch(syscall.EPOLL_CTL_ADD, c.fd, events); err != nil {
		return err
	}
	for len(l.conns) <= c.fd {
		l.conns = append(l.conns, nil)
	}
	l.conns[c.fd], c.events = c, events
	l.count++
	return nil
}

// drop ends a connection.
func (l *loop) drop(c *conn, err error) {
	l.conns[c.fd] = nil
	l.count--
	syscall.Close(c.fd) // epoll forgets it with that
	c.machine.Wipe()
	l.gone(c, err)
}

// run waits and hands out, until done says so.
func (l *loop) run(done func() bool) error {
	events := make([]syscall.EpollEvent, 512)
	for !done() {
		n, err := syscall.EpollWait(l.epoll, events, 1000)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return os.NewSyscallError("epoll_wait", err)
		}
		if n == 0 {
			l.report()
		}
		for _, e := range events[:n] {
			if err := l.dispatch(int(e.Fd), e.Events); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *loop) dispatch(fd int, events uint32) error {
	if f := l.special[fd]; f != nil {
		return f()
	}
	c := l.conns[fd]
	if c == nil {
		return nil // dropped by an event before this one
	}
	if err := c.happened(l, events); err != nil {
		if err == io.EOF {
			err = nil
		}
		l.drop(c, err)
	}
	return nil
}

// report says what the connections cost, once nothing has happened for a second.
func (l *loop) report() {
	if l.count == l.reported {
		return
	}
	l.reported, l.sealed = l.count, nil
	debug.FreeOSMemory() // collects first
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Fprintf(l.out, "connections=%d goroutines=%d heap=%d resident=%d cpu=%v\n",
		l.count, runtime.NumGoroutine(), m.HeapAlloc, resident(), cpu().Round(time.Millisecond))
}

// resident is how many bytes of memory the process has of the machine.
func resident() int {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, pages int
	if _, err := fmt.Fscan(strings.NewReader(string(text)), &size, &pages); err != nil {
		return 0
	}
	return pages * os.Getpagesize()
}

// cpu is what the process has worked.
func cpu() time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
