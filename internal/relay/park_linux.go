package relay

import (
	"net"
	"os"
	"sync"
	"syscall"
)

// parking is where the pairs of a [Joiner] wait that have no goroutines: in one epoll instance, which is there while
// anything is in it.
type parking struct {
	mu  sync.Mutex
	lot *lot // nil: nobody is parked
}

// lot is one epoll instance. Its own descriptor is in the runtime's, so that no thread is held while it waits.
//
// Sockets wait there level-triggered, so what came before they were parked counts, and for one event. An event carries the
// number of a place and never that of a descriptor: places are used once, so an event that comes too late, or for a
// descriptor that somebody has closed and that has another meaning now, finds nobody.
type lot struct {
	file   *os.File
	fd     int
	next   uint64
	places map[uint64]*Pair // under the lock of the parking
}

// place is where a pair is parked.
type place struct {
	lot    *lot
	number uint64
}

// sockets are the two of a pair.
type sockets [2]syscall.RawConn

// socketsOf returns the sockets beneath two connections; nil: one of them has none.
func socketsOf(a, b net.Conn) *sockets {
	var s sockets
	for i, c := range []net.Conn{a, b} {
		sc, ok := beneath(c).(syscall.Conn)
		if !ok {
			return nil
		}
		raw, err := sc.SyscallConn()
		if err != nil {
			return nil
		}
		s[i] = raw
	}
	return &s
}

// take parks a pair, whose ready is called once one of its sockets has something to read, or an error. The pair is locked.
func (p *parking) take(j *Pair, s *sockets) (place, error) {
	at, err := p.enter(j)
	if err != nil {
		return place{}, err
	}
	event := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLRDHUP | syscall.EPOLLONESHOT,
		Fd: int32(uint32(at.number)), Pad: int32(uint32(at.number >> 32))}
	for _, raw := range s {
		if err := at.lot.control(raw, syscall.EPOLL_CTL_ADD, &event); err != nil {
			p.vacate(at, s)
			return place{}, err
		}
	}
	return at, nil
}

// enter gives a pair a number.
func (p *parking) enter(j *Pair) (place, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lot == nil {
		l, err := newLot()
		if err != nil {
			return place{}, err
		}
		p.lot = l
		go p.attend(l)
	}
	p.lot.next++
	p.lot.places[p.lot.next] = j
	return place{p.lot, p.lot.next}, nil
}

// vacate ends the waiting of a pair, which is locked. Its lot is there until then, because it is in it.
func (p *parking) vacate(at place, s *sockets) {
	for _, raw := range s {
		// It fails where the connection is closed, or was not added. The system forgets a socket that is closed; should a
		// process that is just being started hold a copy of it, there may be one more event, for nobody.
		at.lot.control(raw, syscall.EPOLL_CTL_DEL, nil)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(at.lot.places, at.number)
	if len(at.lot.places) == 0 && p.lot == at.lot {
		p.lot = nil
		at.lot.file.Close() // attend ends
	}
}

// newLot makes an epoll instance that the runtime waits for.
func newLot() (*lot, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		syscall.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	return &lot{file: os.NewFile(uintptr(fd), "epoll"), fd: fd, places: make(map[uint64]*Pair)}, nil
}

// control adds or removes a socket. While it does, nobody closes it.
func (l *lot) control(raw syscall.RawConn, op int, event *syscall.EpollEvent) error {
	var err error
	if cerr := raw.Control(func(fd uintptr) { err = syscall.EpollCtl(l.fd, op, int(fd), event) }); cerr != nil {
		return cerr
	}
	return os.NewSyscallError("epoll_ctl", err)
}

// attend wakes who has something to do, until the lot is empty and closed.
func (p *parking) attend(l *lot) {
	var events [64]syscall.EpollEvent
	for {
		n, err := l.wait(events[:])
		if err != nil {
			p.abandon(l)
			return
		}
		for _, e := range events[:n] {
			number := uint64(uint32(e.Fd)) | uint64(uint32(e.Pad))<<32
			p.mu.Lock()
			j := l.places[number]
			p.mu.Unlock()
			if j != nil {
				j.ready(place{l, number})
			}
		}
	}
}

// wait waits for events.
func (l *lot) wait(events []syscall.EpollEvent) (n int, err error) {
	raw, err := l.file.SyscallConn()
	if err != nil {
		return 0, err
	}
	var werr error
	err = raw.Read(func(fd uintptr) bool {
		for {
			n, werr = syscall.EpollWait(int(fd), events, 0)
			if werr != syscall.EINTR {
				return n > 0 || werr != nil
			}
		}
	})
	if err == nil {
		err = werr
	}
	return n, err
}

// abandon wakes everybody: nobody waits for them any more. The lot is empty, unless the system does what it never should.
func (p *parking) abandon(l *lot) {
	p.mu.Lock()
	left := make(map[uint64]*Pair, len(l.places))
	for number, j := range l.places {
		left[number] = j
	}
	p.mu.Unlock()
	for number, j := range left {
		j.ready(place{l, number})
	}
}
