package tlsnet

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// ErrDetached is what Read and Write return after Detach: the connection is somebody else's.
var ErrDetached = errors.New("tlsnet: the connection was handed over")

// ErrNotDetached is returned by Attach for bytes that Detach of this version has not made.
var ErrNotDetached = errors.New("tlsnet: not the state of a connection that was handed over")

// detachedFormat is the first byte of the state of a detached connection; another layout gets another one.
const detachedFormat = 1

// Detach ends c without a word to the peer, and returns the connection beneath and the state with which [Attach] goes on,
// in this process or another: keys, sequence numbers, what was agreed on, and what has come but was not read, the
// beginning of a record included. How the connection beneath goes to another process is for the caller: on Unix systems
// its descriptor travels over a Unix socket (SCM_RIGHTS).
//
// A blocked Read returns with a time-out; a Write under way is waited for. Afterwards c does nothing any more, and the
// connection beneath is open and without deadlines. On error c is as it was, but for its read deadline, which is gone.
// The handshake must be done; what a server still owes in tickets is handed over, too.
//
// The state is a secret: whoever has it reads and writes what this end does. Send it over what only the two processes
// see, attach it once, and wipe it.
func (c *Conn) Detach() (net.Conn, []byte, error) {
	if !c.shake.done.Load() {
		return nil, nil, errors.New("tlsnet: only a connection whose handshake is done can be handed over")
	}
	if c.closed.Load() {
		return nil, nil, net.ErrClosed
	}
	if err := c.Flush(); err != nil { // while somebody may still read, for which the peer may wait
		return nil, nil, err
	}
	c.nc.SetReadDeadline(time.Unix(1, 0)) // a blocked Read lets go of the lock
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	c.nc.SetReadDeadline(time.Time{})
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if err := c.detachable(); err != nil {
		return nil, nil, err
	}
	if err := c.sendHeld(); err != nil {
		return nil, nil, err
	}
	// Whoever is first: a Close that has begun ends the connection, and one that comes now finds it gone.
	if c.closed.Swap(true) {
		return nil, nil, net.ErrClosed
	}
	state, err := c.detachedState()
	if err != nil {
		c.closed.Store(false)
		return nil, nil, err
	}
	if c.out.patience != nil {
		c.out.patience.Stop()
		c.out.patience = nil
	}
	c.out.owed.Store(0)
	c.in.plain = nil
	c.in.stop(c.pool, ErrDetached)
	c.out.err = ErrDetached
	c.nc.SetDeadline(time.Time{})
	return c.nc, state, nil
}

// detachable says why the connection cannot be handed over. Both locks are held.
func (c *Conn) detachable() error {
	switch {
	case c.closed.Load():
		return net.ErrClosed
	case c.in.err != nil && c.in.err != io.EOF:
		return c.in.err
	case c.out.err != nil:
		return c.out.err
	case c.failed.Load():
		return errWriteClosed
	case c.late != nil && len(c.late.ahead) > 0:
		return errors.New("tlsnet: read what was read ahead of a certificate before the connection is handed over")
	}
	if alert := c.heard.Load(); alert != nil {
		return alert
	}
	return nil
}

// detachedState suspends the machine and writes down all that is known. Both locks are held.
func (c *Conn) detachedState() ([]byte, error) {
	machine, err := c.machine.Suspend()
	if err != nil {
		return nil, err
	}
	defer clear(machine)
	size := len(machine) + len(c.name) + len(c.in.plain) + len(c.in.unread())
	b := cryptobyte.NewBuilder(make([]byte, 0, size+64)) // with room for all, so that no copy is left behind
	b.AddUint8(detachedFormat)
	b.AddUint8(uint8(c.set.role))
	b.AddUint64(uint64(c.set.now().UnixMilli()))
	b.AddUint8(uint8(c.out.owed.Load()))
	for _, field := range [][]byte{machine, []byte(c.name), c.in.plain, c.in.unread()} {
		b.AddUint32LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(field) })
	}
	return b.Bytes()
}

// Attach goes on with a connection that [Conn.Detach] let go of, over nc, in the role that it has. A state must be attached
// once: two connections of one state would give the keys away.
//
// What was agreed on stays as it was, so that a peer without a certificate stays, too. A certificate is judged by c, as of
// the time when the connection was detached, and Config.VerifyPeer is asked; the error says why it is refused, or is
// [ErrNotDetached]. nc is left alone then.
func Attach(nc net.Conn, c *Config, state []byte) (*Conn, error) {
	d, err := parseDetached(state)
	if err != nil {
		return nil, err
	}
	s, err := c.compile(d.role)
	if err != nil {
		return nil, err
	}
	return s.attach(nc, nil, d)
}

// Attach is the function of that name for a server's connection, with the configuration of the listener. It is then one
// of this listener's connections.
func (l *Listener) Attach(nc net.Conn, state []byte) (*Conn, error) {
	d, err := parseDetached(state)
	if err != nil || d.role != tlscore.RoleServer {
		return nil, ErrNotDetached
	}
	return l.set.Load().attach(nc, l.host, d)
}

// detached is the state of a detached connection, taken apart.
type detached struct {
	role          tlscore.Role
	at            time.Time
	owed          uint8
	machine       []byte
	name          string
	plain, unread []byte
}

func parseDetached(state []byte) (*detached, error) {
	in := cryptobyte.String(state)
	var (
		d            detached
		format, role uint8
		at           uint64
		name         []byte
	)
	ok := in.ReadUint8(&format) && format == detachedFormat && in.ReadUint8(&role) && role <= uint8(tlscore.RoleServer) &&
		in.ReadUint64(&at) && at < 1<<62 && in.ReadUint8(&d.owed) && d.owed <= maxTickets
	for _, field := range []*[]byte{&d.machine, &name, &d.plain, &d.unread} {
		var n uint32
		ok = ok && in.ReadUint32(&n) && uint64(n) <= uint64(len(in)) && in.ReadBytes(field, int(n))
	}
	if !ok || !in.Empty() || len(d.plain)+len(d.unread) > recordBufferLen {
		return nil, ErrNotDetached
	}
	d.role, d.at, d.name = tlscore.Role(role), time.UnixMilli(int64(at)), string(name)
	return &d, nil
}

// attach makes a Conn of a state.
func (s *settings) attach(nc net.Conn, h *host, d *detached) (*Conn, error) {
	m, err := tlscore.Restore(s.params, s.options(d.name), d.machine)
	if err != nil || m.Facts().Role != d.role || d.role == tlscore.RoleClient && d.name == "" && !(s.insecure || s.keyed || s.unnamed) {
		return nil, ErrNotDetached
	}
	c := &Conn{nc: nc, raw: rawConn(nc), set: s, pool: s.buffers, host: h, name: d.name, machine: m}
	c.holdBack()
	c.shake.started = true
	c.shake.done.Store(true)
	if err := c.meetAgain(d.at); err != nil {
		m.Wipe()
		return nil, err
	}
	if c.hasSessions() {
		c.out.owed.Store(int32(d.owed))
	}
	if len(d.plain)+len(d.unread) > 0 {
		c.in.buf = c.pool.record()
		c.in.r = copy(c.in.buf[:], d.plain)
		c.in.w = c.in.r + copy(c.in.buf[c.in.r:], d.unread)
		c.in.plain = c.in.buf[:c.in.r]
	}
	return c, nil
}

// meetAgain judges who the peer is, as of a time, by what it showed in the handshake.
func (c *Conn) meetAgain(at time.Time) error {
	f := c.machine.Facts()
	if len(f.PeerChain) == 0 {
		return nil
	}
	var (
		p   *Peer
		err error
	)
	if f.PeerType == wire.CertificateTypeRawPublicKey {
		p, err = c.set.judgeKey(f.PeerChain[0])
	} else if p, err = c.verifyChain(f.PeerChain, at); err == nil && !f.Resumed {
		p.Staple, p.SCTs, p.Above = f.PeerStaple, f.PeerSCTs, f.PeerAbove
		err = c.judgeStaples(p, at)
	}
	if err != nil && !c.set.insecure {
		return err
	}
	if p.Problem = err; err == nil {
		c.peer.Store(keepPeer(p, c.set.roots))
	} else {
		c.refused.Store(p)
	}
	if err := c.set.unpinned(p); err != nil {
		return err
	}
	return c.askVerifyPeer(context.Background(), p, &tlscore.Question{}).Err
}
