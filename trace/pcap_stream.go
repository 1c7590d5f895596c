package trace

import (
	"bytes"
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/tlswright/tlswright/wire"
)

// maxReassembled is how many bytes of all streams are kept. Packets that come later are left out.
const maxReassembled = 256 << 20

// reassembly makes streams of packets.
type reassembly struct {
	open    map[connectionKey]*tcpConnection
	all     []*tcpConnection
	size    int
	packets int
}

// connectionKey is what the packets of both directions have in common.
type connectionKey struct{ low, high netip.AddrPort }

// tcpConnection is one connection. Its two halves are those of the address that is low in the key, and of the other.
type tcpConnection struct {
	key   connectionKey
	begun time.Time
	half  [2]tcpHalf
	cut   string
}

// tcpHalf is what one side sent.
type tcpHalf struct {
	opened  bool   // a SYN was seen
	answers bool   // it was a SYN that answers one
	initial uint32 // its sequence number
	any     bool
	first   uint32 // sequence number of the first packet with data
	closed  bool   // FIN or RST
	pieces  []tcpPiece
}

// tcpPiece is the data of one packet.
type tcpPiece struct {
	sequence uint32
	number   int // of the packet in the file
	at       time.Time
	data     []byte
}

func newReassembly() *reassembly { return &reassembly{open: map[connectionKey]*tcpConnection{}} }

// add takes a packet. Its data is copied.
func (r *reassembly) add(p tcpPacket, at time.Time) {
	key, i := connectionKey{p.source, p.target}, 0
	if p.source.Compare(p.target) > 0 {
		key, i = connectionKey{p.target, p.source}, 1
	}
	c := r.open[key]
	if c == nil || c.startsAnew(i, p) {
		if len(r.all) >= MaxPcapConnections {
			return
		}
		c = &tcpConnection{key: key, begun: at}
		r.open[key] = c
		r.all = append(r.all, c)
	}
	r.packets++
	c.add(i, p, at, r)
}

// startsAnew reports whether a packet opens another connection between the same ports.
func (c *tcpConnection) startsAnew(i int, p tcpPacket) bool {
	h := &c.half[i]
	if p.flags&flagSYN == 0 || p.flags&flagACK != 0 {
		return false
	}
	const near = 1 << 20 // bytes: packets that overtook it
	return h.opened && p.sequence != h.initial || !h.opened && h.any && h.first-p.sequence > near
}

func (c *tcpConnection) add(i int, p tcpPacket, at time.Time, r *reassembly) {
	h := &c.half[i]
	if p.flags&flagSYN != 0 {
		if !h.opened {
			h.opened, h.initial, h.answers = true, p.sequence, p.flags&flagACK != 0
		}
		p.sequence++
	}
	if p.flags&(flagFIN|flagRST) != 0 {
		h.closed = true
	}
	if len(p.data) == 0 || p.flags&flagRST != 0 { // some put the reason of a reset into it
		return
	}
	if r.size+len(p.data) > maxReassembled {
		c.cut = "the packet capture is too large; what came later is not in it"
		return
	}
	r.size += len(p.data)
	if !h.any {
		h.any, h.first = true, p.sequence
	}
	h.pieces = append(h.pieces, tcpPiece{p.sequence, r.packets, at, bytes.Clone(p.data)})
}

// captures makes a Capture of each connection that carried data.
func (r *reassembly) captures(keyLog []KeyLogLine) []*Capture {
	var all []*Capture
	for _, c := range r.all {
		if one := c.capture(keyLog); len(one.Segments) > 0 {
			all = append(all, one)
		}
	}
	return all
}

func (c *tcpConnection) capture(keyLog []KeyLogLine) *Capture {
	addresses := [2]netip.AddrPort{c.key.low, c.key.high}
	client := c.client()
	out := &Capture{
		Started: c.begun, KeyLog: keyLog, Cut: c.cut,
		Client: Endpoint{Address: addresses[client].String()},
		Server: Endpoint{Address: addresses[1-client].String()},
	}
	var both []inOrder
	for i, side := range [2]Side{Client, Server} {
		segments, whole := c.half[client^i].segments(side, c.begun)
		both = append(both, segments...)
		if !whole && out.Cut == "" {
			out.Cut = "packets of the " + string(side) + " are missing from the packet capture"
		}
	}
	slices.SortStableFunc(both, func(a, b inOrder) int { return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.number, b.number)) })
	for _, s := range both {
		out.Segments = append(out.Segments, s.Segment)
	}
	return out
}

// inOrder is a segment and the number of the packet that made it known.
type inOrder struct {
	Segment
	number int
}

// client guesses which half is that of the client: it opens the connection, or else says ClientHello, or else has the
// higher port.
func (c *tcpConnection) client() int {
	for i := range c.half {
		if c.half[i].opened {
			if c.half[i].answers {
				return 1 - i
			}
			return i
		}
	}
	for i := range c.half {
		if p := c.half[i].pieces; len(p) > 0 && startsWithHello(p[0].data, wire.TypeClientHello) {
			return i
		}
		if p := c.half[i].pieces; len(p) > 0 && startsWithHello(p[0].data, wire.TypeServerHello) {
			return 1 - i
		}
	}
	if c.key.low.Port() > c.key.high.Port() {
		return 0
	}
	return 1
}

// startsWithHello reports whether b starts with a record in which such a hello starts.
func startsWithHello(b []byte, t wire.HandshakeType) bool {
	return len(b) > wire.RecordHeaderLen && wire.ContentType(b[0]) == wire.ContentHandshake && b[1] == 3 &&
		wire.HandshakeType(b[wire.RecordHeaderLen]) == t
}

// segments puts the pieces into the order of the stream. A piece is there from when all before it is there; where a
// piece is never found, the rest is given with a gap before it, and the stream is not whole.
func (h *tcpHalf) segments(side Side, begun time.Time) (out []inOrder, whole bool) {
	base := h.first
	if h.opened {
		base = h.initial + 1
	}
	type placed struct {
		at    int64 // in the stream
		piece *tcpPiece
	}
	pieces := make([]placed, 0, len(h.pieces))
	last, lowest := int64(0), int64(0)
	for i := range h.pieces {
		// Sequence numbers wrap around; what comes next is never 2 GiB away from what came last.
		at := last + int64(int32(h.pieces[i].sequence-base-uint32(last)))
		last, lowest = at, min(lowest, at)
		pieces = append(pieces, placed{at, &h.pieces[i]})
	}
	if h.opened {
		lowest = 0
	}
	slices.SortStableFunc(pieces, func(a, b placed) int { return cmp.Compare(a.at, b.at) })
	next, known, number := int64(0), time.Duration(0), 0
	whole = true
	for _, p := range pieces {
		data, at := p.piece.data, p.at-lowest
		if at < 0 && at+int64(len(data)) <= 0 {
			continue // a keep-alive before the first byte
		}
		if at > next {
			whole = false
			next = at
		}
		if at < next { // sent before
			data = data[min(next-at, int64(len(data))):]
		}
		if len(data) == 0 {
			continue
		}
		known, number = max(known, p.piece.at.Sub(begun)), max(number, p.piece.number)
		out = append(out, inOrder{Segment{From: side, At: known, Offset: uint64(next), Data: data}, number})
		next += int64(len(data))
	}
	return out, whole
}

// secrets takes the key log of a pcapng file.
func (p *pcapReader) secrets(log []byte) error {
	lines, err := ReadKeyLog(bytes.NewReader(log))
	if err != nil {
		return fmt.Errorf("%w: its secrets: %w", ErrPcap, err)
	}
	if len(p.keyLog)+len(lines) > MaxKeyLogLines {
		lines = lines[:MaxKeyLogLines-len(p.keyLog)]
	}
	p.keyLog = append(p.keyLog, lines...)
	return nil
}
