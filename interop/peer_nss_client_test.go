package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"

	"github.com/tlswright/tlswright/wire"
)

// nssClient is a tstclnt that runs, for one connection after the other.
type nssClient struct {
	*program
	packets
	asks asks
}

// packets is tstclnt's stdin: a socket on which every write is one read of tstclnt's, and an empty one is an end, behind which
// more can follow: for its next connection. With a pipe it would not stop at the end, but run in circles.
type packets struct{ sock *os.File }

const nssBuffer = 4000 // bytes that tstclnt reads at once

func (p packets) Write(b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var m int
		m, err = p.sock.Write(b[n:min(len(b), n+nssBuffer)])
		n += m
	}
	return n, err
}

// end says that there is no more for this connection. (An empty Write does not wait until there is room.)
func (p packets) end() error {
	raw, err := p.sock.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	err = raw.Write(func(fd uintptr) bool {
		_, sent = syscall.Write(int(fd), nil)
		return sent != syscall.EAGAIN
	})
	return errors.Join(err, sent)
}

// newPackets returns our end, and that for the program.
func newPackets() (packets, *os.File, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return packets{}, nil, err
	}
	if err := syscall.SetNonblock(fds[0], true); err != nil { // so that closing it ends a Write
		syscall.Close(fds[0])
		syscall.Close(fds[1])
		return packets{}, nil, err
	}
	return packets{os.NewFile(uintptr(fds[0]), "tstclnt's stdin")}, os.NewFile(uintptr(fds[1]), "stdin"), nil
}

// nssConnects is tstclnt's command line.
func nssConnects(ctx context.Context, p *pki, addr string, a asks) ([]string, error) {
	db, err := p.nssDatabase(ctx, nssHolds{id: a.identity})
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	args := append([]string{"-h", host, "-p", port}, nssTerms(db, a)...)
	if a.name != "" {
		args = append(args, "-a", a.name)
	}
	if a.theirKind == rsaE {
		args = append(args, "-o") // it wants keyEncipherment in the certificate of any RSA key, which ours are not for
	}
	return args, nil
}

func nssDial(ctx context.Context, p *pki, addr string, a asks) told {
	return nssRun(ctx, p, addr, a, (*nssClient).move)
}

// nssRun starts tstclnt, lets talk move what is to be moved, and waits for the end.
func nssRun(ctx context.Context, p *pki, addr string, a asks, talk func(*nssClient) error) told {
	args, err := nssConnects(ctx, p, addr, a)
	if err != nil {
		return told{err: err}
	}
	in, theirs, err := newPackets()
	if err != nil {
		return told{err: err}
	}
	defer in.sock.Close()
	prog, err := startOn(ctx, theirs, true, "tstclnt", args...)
	theirs.Close()
	if err != nil {
		return told{err: err}
	}
	defer prog.stop()
	err = talk(&nssClient{prog, in, a})
	if err != nil {
		in.sock.Close()
	}
	rest, _ := io.Copy(io.Discard, prog.stdout)
	if err == nil && rest != 0 {
		err = fmt.Errorf("%d bytes more than were sent", rest)
	}
	select {
	case <-prog.done:
		if err == nil {
			err = prog.err
		}
	case <-ctx.Done():
		err = fmt.Errorf("it did not end: %w", ctx.Err())
	}
	return told{err: err, log: prog.log.String()}
}

// move is one connection with the payloads.
func (c *nssClient) move() error { return c.moveBehind(nil) }

// moveBehind is move where a part of what we get was read already.
func (c *nssClient) moveBehind(read []byte) error {
	out := io.MultiReader(bytes.NewReader(read), c.stdout)
	if err := c.asks.pumper()(stream{in: c.packets, out: out}, c.asks.up(), c.asks.down(), "us to client"); err != nil {
		return err
	}
	return c.end()
}

// nssSendsEarly makes a connection for the ticket and one with early data. The payload of the second waits until our server
// was heard, that is until the handshake is done: before, tstclnt would send it early, too. The file's line is earlyLine.
func nssSendsEarly(ctx context.Context, p *pki, addr string, a asks, file string, _ int) told {
	early, err := os.ReadFile(file)
	if err != nil {
		return told{err: err}
	}
	addr, stop, err := holdAnswers(ctx, addr)
	if err != nil {
		return told{err: err}
	}
	defer stop()
	a.extra = []string{"-L", "2", "-Z"}
	return nssRun(ctx, p, addr, a, func(c *nssClient) error {
		if err := c.move(); err != nil {
			return err
		}
		if _, err := c.packets.Write(early); err != nil {
			return err
		}
		first := make([]byte, 1)
		if _, err := io.ReadFull(c.stdout, first); err != nil {
			return err
		}
		return c.moveBehind(first)
	})
}

// nssGlance lets tstclnt end behind the handshake (-Q). It must print want. Where the certificate is not checked at once (-O), the
// handshake may end in a place where tstclnt goes on to wait for data, and there is none.
func nssGlance(ctx context.Context, p *pki, addr string, a asks, want string) told {
	a.extra = append(a.extra, "-Q", "-O")
	args, err := nssConnects(ctx, p, addr, a)
	if err != nil {
		return told{err: err}
	}
	return glance(ctx, "tstclnt", append(args, "-A", os.DevNull), strings.ToLower(want))
}

// holdAnswers relays connections to a server. In all but the first, what the server says waits until the client has sent its second
// record: tstclnt looks for an answer between its ClientHello and its early data, and where the server was quicker, none of its
// data is early.
func holdAnswers(ctx context.Context, addr string) (relay string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	var all sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	context.AfterFunc(ctx, func() { l.Close() })
	all.Go(func() {
		for first := true; ; first = false {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { holdAnswer(ctx, c.(*net.TCPConn), addr, !first) })
		}
	})
	return l.Addr().String(), func() { cancel(); all.Wait() }, nil
}

func holdAnswer(ctx context.Context, client *net.TCPConn, addr string, hold bool) {
	defer client.Close()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	server := nc.(*net.TCPConn)
	defer server.Close()
	defer context.AfterFunc(ctx, func() { client.Close(); server.Close() })()
	second, up := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(up)
		if hold {
			passTwo(server, client)
		}
		close(second)
		io.Copy(server, client)
		server.CloseWrite()
	}()
	<-second
	io.Copy(client, server)
	client.CloseWrite()
	<-up
}

// passTwo passes on two records.
func passTwo(to io.Writer, from io.Reader) {
	for range 2 {
		var head [wire.RecordHeaderLen]byte
		if _, err := io.ReadFull(from, head[:]); err != nil {
			return
		}
		h, _ := wire.ParseRecordHeader(head[:])
		if _, err := io.Copy(to, io.MultiReader(bytes.NewReader(head[:]), io.LimitReader(from, int64(h.Length)))); err != nil {
			return
		}
	}
}
