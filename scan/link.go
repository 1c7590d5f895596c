package scan

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tlswright/tlswright/internal/record"
	"github.com/tlswright/tlswright/internal/starttls"
	"github.com/tlswright/tlswright/wire"
)

// link is a connection to the server, past STARTTLS. It belongs to one goroutine. Close frees its place at the door.
type link struct {
	net.Conn
	host     *host
	greeting starttls.Upgrade
	hello    *sentHello     // the last one that was sent
	early    *record.Sealer // of 0-RTT data; nil: none was sent

	buf    []byte // buf[at:] was received and not yet taken
	at     int
	left   int // bytes that may still come
	joiner wire.Joiner
	stop   func() bool
	once   sync.Once
	aside  atomic.Bool // its place at the door was given back
	end    time.Time   // the whole connection's deadline
}

// What a server may send.
const (
	maxConnection  = 4 << 20 // bytes on one connection
	maxMessage     = 1 << 20 // bytes of a handshake message: a chain with a certificate of ten thousand names has 400 K
	maxMessages    = 64      // of one flight
	maxEmptyInRow  = 32      // records without content, one after the other
	readSize       = 4096
	lifetimeFactor = 6 // steps that a connection may take in all
)

var (
	errNotTLS    = errors.New("what came is not TLS")
	errTooMuch   = errors.New("the server sends without end")
	errTooLong   = errors.New("a message is longer than any server has use for")
	errEncrypted = errors.New("an encrypted record where a plain one was due")
)

// alertError is an alert that came instead of a message.
type alertError struct{ wire.Alert }

func (e *alertError) Error() string {
	return "the server sent " + e.Level.String() + " " + e.Code.String()
}

// What dial does when a server pushes back.
const (
	dialTries    = 6
	firstBackOff = 40 * time.Millisecond // doubled each time
)

// dial connects and goes over to TLS by STARTTLS where that is due. It waits for the pace and for a place, and where a
// server that has answered before refuses, or says that it is busy, it tries again, later and with fewer connections at once.
func (h *host) dial(ctx context.Context) (*link, error) {
	backOff := firstBackOff
	for try := 1; ; try++ {
		l, err := h.dialOnce(ctx)
		if err == nil {
			return l, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if try == dialTries || !pushesBack(err) || !h.seen.hasAnswered() && !isBusy(err) {
			return nil, err
		}
		h.door.slow()
		if err := wait(ctx, backOff); err != nil {
			return nil, err
		}
		backOff *= 2
	}
}

// pushesBack reports whether an error is that of a server with too many connections.
func pushesBack(err error) bool {
	var upgrade *starttls.Error
	if errors.As(err, &upgrade) {
		return upgrade.Kind == starttls.Broken || upgrade.Kind == starttls.Refused || upgrade.Kind == starttls.Malformed
	}
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) ||
		errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EMFILE)
}

// isBusy reports whether the server itself has said that it is to be asked again later.
func isBusy(err error) bool {
	var upgrade *starttls.Error
	return errors.As(err, &upgrade) && upgrade.IsTemporary()
}

func (h *host) dialOnce(ctx context.Context) (*link, error) {
	if err := h.door.enter(ctx); err != nil {
		return nil, err
	}
	dialing, cancel := context.WithTimeout(ctx, h.o.Timeout)
	nc, err := h.o.Dial(dialing, "tcp", netip.AddrPortFrom(h.addr, uint16(h.target.Port)).String())
	cancel()
	if err != nil {
		h.door.leave()
		return nil, err
	}
	l := &link{Conn: nc, host: h, left: maxConnection, joiner: wire.Joiner{Max: maxMessage}}
	l.end = time.Now().Add(lifetimeFactor * h.o.Timeout)
	l.stop = context.AfterFunc(ctx, func() { nc.Close() })
	if err := l.upgrade(); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// upgrade goes over to TLS where the protocol begins in plain text.
func (l *link) upgrade() error {
	if l.host.target.StartTLS == "" {
		return nil
	}
	p, ok := starttls.Parse(l.host.target.StartTLS)
	if !ok {
		return fmt.Errorf("%q is no protocol that can go over to TLS", l.host.target.StartTLS)
	}
	if err := l.step(); err != nil {
		return err
	}
	u, err := starttls.NegotiateFor(l.Conn, p, ownName(l.Conn), l.host.target.name())
	if err != nil {
		return err
	}
	l.greeting = u
	return nil
}

// ownName is how a client without a name of its own calls itself (RFC 5321, Section 4.1.3).
func ownName(nc net.Conn) string {
	addr, err := netip.ParseAddrPort(nc.LocalAddr().String())
	if err != nil {
		return "localhost"
	}
	ip := addr.Addr().Unmap().WithZone("")
	if ip.Is4() {
		return "[" + ip.String() + "]"
	}
	return "[IPv6:" + ip.String() + "]"
}

// step begins a step of the connection: reads and writes from here on share one timeout.
func (l *link) step() error {
	at := time.Now().Add(l.host.o.Timeout)
	if at.After(l.end) {
		at = l.end
	}
	return l.SetDeadline(at)
}

// patience begins a step that is over after d already, or at the usual time if that is sooner.
func (l *link) patience(d time.Duration) error {
	return l.SetDeadline(time.Now().Add(min(d, l.host.o.Timeout)))
}

// Close closes the connection and frees its place. It may be called more than once.
func (l *link) Close() error {
	var err error
	l.once.Do(func() {
		l.stop()
		err = l.Conn.Close()
		l.stepAside()
	})
	return err
}

// stepAside gives the place at the door back while the connection stays open, for one that is kept to the end of the scan:
// else it would bar the door where one connection at once is all there may be.
func (l *link) stepAside() {
	if l.aside.CompareAndSwap(false, true) {
		l.host.door.leave()
	}
}

// writeRecord sends a record, or several if the payload needs them.
func (l *link) writeRecord(typ wire.ContentType, v wire.Version, payload []byte) error {
	return l.writeRecords(typ, v, payload, wire.MaxPlaintext)
}

// writeRecords sends the payload in records of at most size bytes.
func (l *link) writeRecords(typ wire.ContentType, v wire.Version, payload []byte, size int) error {
	out := make([]byte, 0, len(payload)+wire.RecordHeaderLen*(len(payload)/size+1))
	for first := true; first || len(payload) > 0; first = false {
		n := min(size, len(payload))
		out = wire.AppendRecordHeader(out, wire.RecordHeader{Type: typ, Version: v, Length: n})
		out = append(out, payload[:n]...)
		payload = payload[n:]
	}
	_, err := l.Write(out)
	return err
}

// fill makes sure that n bytes wait in the buffer.
func (l *link) fill(n int) error {
	for len(l.buf)-l.at < n {
		if l.at == len(l.buf) {
			l.buf, l.at = l.buf[:0], 0
		}
		if cap(l.buf)-l.at < n || cap(l.buf) == len(l.buf) {
			grown := make([]byte, len(l.buf)-l.at, max(n, readSize))
			copy(grown, l.buf[l.at:])
			l.buf, l.at = grown, 0
		}
		got, err := l.Read(l.buf[len(l.buf):cap(l.buf)])
		l.buf = l.buf[:len(l.buf)+got]
		l.left -= got
		if l.left < 0 {
			return errTooMuch
		}
		if got == 0 && err != nil {
			if errors.Is(err, io.EOF) && len(l.buf) > l.at {
				return io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

// waiting gives what was received and not yet taken. It is for evidence and for formats other than records.
func (l *link) waiting() []byte { return l.buf[l.at:] }

// skip takes n bytes that fill has made sure of.
func (l *link) skip(n int) []byte {
	b := l.buf[l.at : l.at+n]
	l.at += n
	return b
}

// hasRecord reports whether a whole record waits in the buffer.
func (l *link) hasRecord() bool {
	rec, _, err := wire.Deframe(l.waiting(), wire.MaxCiphertext12)
	return rec != nil && err == nil
}

// readRecord takes the next record as it stands. The payload is valid until the next call. The error is io.EOF where the
// server closed between two records, errNotTLS where it speaks something else, or that of the connection.
func (l *link) readRecord() (wire.ContentType, wire.Version, []byte, error) {
	typ, v, n, err := l.peekRecord()
	if err != nil {
		return 0, 0, nil, err
	}
	if err := l.fill(wire.RecordHeaderLen + n); err != nil {
		return 0, 0, nil, err
	}
	return typ, v, l.skip(wire.RecordHeaderLen + n)[wire.RecordHeaderLen:], nil
}

// peekRecord looks at the header of the next record without taking it.
func (l *link) peekRecord() (typ wire.ContentType, v wire.Version, length int, err error) {
	for {
		_, need, err := wire.Deframe(l.waiting(), wire.MaxCiphertext12)
		if err != nil {
			return 0, 0, 0, fmt.Errorf("%w: %w", errNotTLS, err)
		}
		if h, ok := wire.ParseRecordHeader(l.waiting()); ok {
			return h.Type, h.Version, h.Length, nil
		}
		if err := l.fill(len(l.waiting()) + need); err != nil {
			return 0, 0, 0, err
		}
	}
}

// sendHello makes and sends a ClientHello, and begins the step in which the answer is due.
func (l *link) sendHello(o *offer) error {
	sent, err := l.host.hello(o)
	if err != nil {
		return err
	}
	if err := l.step(); err != nil {
		return err
	}
	l.hello = sent
	v := o.RecordVersion
	if v == 0 {
		v = max(min(o.Version, wire.VersionTLS10), wire.VersionSSL30)
	}
	size := wire.MaxPlaintext
	if o.Split > 0 {
		size = o.Split
	}
	if err := l.writeRecords(wire.ContentHandshake, v, sent.Raw, size); err != nil {
		return err
	}
	return l.sendEarlyData(o)
}

// readMessage takes the next whole handshake message in the clear; it is valid until the next call. The error is an
// *alertError for an alert, and one of readRecord's. Warnings that change nothing are kept and passed over.
func (l *link) readMessage() ([]byte, error) {
	for empty := 0; ; {
		raw, ok, err := l.joiner.Next()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errTooLong, err)
		}
		if ok {
			return raw, nil
		}
		typ, _, payload, err := l.readRecord()
		if err != nil {
			return nil, err
		}
		switch typ {
		case wire.ContentHandshake:
			if len(payload) == 0 {
				if empty++; empty > maxEmptyInRow {
					return nil, errTooMuch
				}
				continue
			}
			empty = 0
			l.joiner.Add(payload)
		case wire.ContentAlert:
			a, err := wire.ParseAlert(payload)
			if err != nil {
				return nil, errEncrypted
			}
			return nil, &alertError{a}
		default:
			return nil, fmt.Errorf("%w: a record of type %s", errEncrypted, strconv.Itoa(int(typ)))
		}
	}
}
