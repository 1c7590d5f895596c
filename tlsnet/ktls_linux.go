package tlsnet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"net"
	"os"
	"syscall"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// What package syscall does not name (linux/tcp.h, linux/tls.h).
const (
	tcpULP        = 31
	solTLS        = 282
	tlsTX         = 1
	tlsRX         = 2
	setRecordType = 1
	getRecordType = 2
)

// socket is a TCP socket of this kernel.
type socket struct{ raw syscall.RawConn }

// kernelSocket returns the socket beneath a connection.
func kernelSocket(c *Conn) (kernel, error) {
	if _, ok := c.nc.(*net.TCPConn); !ok || c.raw == nil {
		return nil, errors.New("the connection beneath is no TCP connection of this machine")
	}
	return socket{c.raw}, nil
}

func (s socket) set(level, option int, value, what string) error {
	var err error
	cerr := s.raw.Control(func(fd uintptr) { err = syscall.SetsockoptString(int(fd), level, option, value) })
	if cerr != nil {
		return cerr
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, os.NewSyscallError("setsockopt", err))
	}
	return nil
}

// enable fails on a kernel without TLS, or whose module is not loaded.
func (s socket) enable() error {
	return s.set(syscall.IPPROTO_TCP, tcpULP, "tls", "this kernel has no TLS (module tls)")
}

func (s socket) install(d tlscore.Direction, info []byte) error {
	if d == tlscore.Sent {
		return s.set(solTLS, tlsTX, string(info), "keys for what is sent")
	}
	return s.set(solTLS, tlsRX, string(info), "keys for what is received")
}

// sendRecord has the kernel send content as one record, whole.
func (c *Conn) sendRecord(kind wire.ContentType, content []byte) (int, error) {
	if kind == wire.ContentApplicationData {
		return c.nc.Write(content)
	}
	oob := recordTypeMessage(kind)
	var err error
	werr := c.raw.Write(func(fd uintptr) bool {
		var n int
		n, err = syscall.SendmsgN(int(fd), content, oob, nil, 0)
		if err == nil && n < len(content) {
			err = io.ErrShortWrite
		}
		return err != syscall.EAGAIN
	})
	return 0, errors.Join(werr, err)
}

// recordTypeMessage is the control message that tells the type of a record: struct cmsghdr, and a byte.
func recordTypeMessage(kind wire.ContentType) []byte {
	b := make([]byte, 0, syscall.CmsgSpace(1))
	if n := syscall.CmsgLen(1); bits.UintSize == 64 {
		b = binary.NativeEndian.AppendUint64(b, uint64(n))
	} else {
		b = binary.NativeEndian.AppendUint32(b, uint32(n))
	}
	b = binary.NativeEndian.AppendUint32(b, solTLS)
	b = binary.NativeEndian.AppendUint32(b, setRecordType)
	b = append(b, byte(kind))
	return b[:cap(b)]
}

// receiveRecord waits for content of one record, up to the length of b, and its type. The type is zero at the end of the
// stream.
func (c *Conn) receiveRecord(b []byte) (kind wire.ContentType, n int, err error) {
	oob := make([]byte, syscall.CmsgSpace(1))
	oobn := 0
	rerr := c.raw.Read(func(fd uintptr) bool {
		for {
			n, oobn, _, _, err = syscall.Recvmsg(int(fd), b, oob, 0)
			if err != syscall.EINTR {
				return err != syscall.EAGAIN
			}
		}
	})
	if rerr != nil {
		return 0, 0, asRead(c.nc, rerr)
	}
	if err == syscall.EBADMSG {
		return 0, 0, errForged
	}
	if err != nil {
		return 0, 0, asRead(c.nc, err)
	}
	messages, err := syscall.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		return 0, 0, err
	}
	for _, m := range messages {
		if m.Header.Level == solTLS && m.Header.Type == getRecordType && len(m.Data) > 0 {
			return wire.ContentType(m.Data[0]), n, nil
		}
	}
	return 0, n, nil
}
