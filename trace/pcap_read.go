package trace

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"time"
)

// Bounds on what ReadPcap reads.
const (
	// MaxPcap is the size of the largest packet capture that is read, in bytes.
	MaxPcap = 1 << 30
	// MaxPcapConnections is how many TCP connections are told apart in it; later ones are left out.
	MaxPcapConnections = 4096

	maxBlock      = 16 << 20 // bytes
	maxInterfaces = 1024
	maxPackets    = 1 << 22
	lastSecond    = 253402300799 // of the year 9999: later times are nonsense, and have no form in JSON
)

// ErrPcap is returned, wrapped, by ReadPcap for what is no packet capture.
var ErrPcap = errors.New("trace: not a packet capture")

// Magic numbers of pcap, in the byte order of the machine that wrote it.
const (
	magicMicroseconds = 0xa1b2c3d4
	magicNanoseconds  = 0xa1b23c4d
)

// ReadPcap reads a packet capture, pcap or pcapng, and returns a Capture for each TCP connection in it, in the order in
// which they begin. Streams are put together from packets that came in any order, twice, or in overlapping parts; what is
// missing stays a gap, and Cut says so. Each Capture has all the secrets that a pcapng file holds; Decode picks those
// that belong to it.
//
// A file that ends in the middle is read as far as it goes: captures are often interrupted. Ethernet, Linux cooked,
// loopback and raw IP are looked into; fragments of IP, and tunnels, are not. The error wraps ErrPcap, or is the reader's.
func ReadPcap(in io.Reader) ([]*Capture, error) {
	p := &pcapReader{in: bufio.NewReaderSize(&io.LimitedReader{R: in, N: MaxPcap}, 1<<16), order: binary.LittleEndian, streams: newReassembly()}
	magic, err := p.in.Peek(4)
	if err != nil {
		return nil, p.problem("it is too short", err)
	}
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		switch order.Uint32(magic) {
		case magicMicroseconds, magicNanoseconds:
			p.order = order
			err = p.classic()
		case blockSection: // reads the same both ways
			err = p.blocks()
		default:
			continue
		}
		if err != nil {
			return nil, err
		}
		if !p.linked && p.passed > 0 {
			return nil, fmt.Errorf("%w that can be read here: packets of link type %d are not looked into", ErrPcap, p.strange)
		}
		return p.streams.captures(p.keyLog), nil
	}
	return nil, fmt.Errorf("%w: it begins with %x", ErrPcap, magic)
}

// pcapReader reads one file.
type pcapReader struct {
	in      *bufio.Reader
	order   binary.ByteOrder
	buf     []byte
	ifaces  []pcapInterface
	keyLog  []KeyLogLine
	streams *reassembly
	packets int
	linked  bool   // a packet was of a link type that we know
	passed  int    // packets of other link types
	strange uint16 // one of these
}

// pcapInterface is where packets were caught.
type pcapInterface struct {
	link   uint16
	snap   uint32 // bytes of a packet that are kept; 0: all
	ticks  uint64 // in a second
	offset int64  // seconds to add
}

// problem makes an error of ours of a file that ends too early.
func (p *pcapReader) problem(what string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: %s", ErrPcap, what)
	}
	return err
}

// take reads n bytes, which are good until the next call. The end of the file is io.EOF, wherever it comes.
func (p *pcapReader) take(n int) ([]byte, error) {
	if n > maxBlock {
		return nil, fmt.Errorf("%w: a block of %d bytes", ErrPcap, n)
	}
	// Memory is taken as bytes come, not as a header promises them.
	p.buf = p.buf[:0]
	for len(p.buf) < n {
		part := min(n-len(p.buf), 1<<16)
		at := len(p.buf)
		p.buf = append(p.buf, make([]byte, part)...)
		if _, err := io.ReadFull(p.in, p.buf[at:]); err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				err = io.EOF
			}
			return nil, err
		}
	}
	return p.buf, nil
}

// classic reads pcap (draft-ietf-opsawg-pcap).
func (p *pcapReader) classic() error {
	head, err := p.take(24)
	if err != nil {
		return p.problem("it ends in its header", err)
	}
	iface := pcapInterface{link: uint16(p.order.Uint32(head[20:])), ticks: 1e6}
	if p.order.Uint32(head) == magicNanoseconds {
		iface.ticks = 1e9
	}
	for {
		head, err := p.take(16)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		seconds, fraction, size := int64(p.order.Uint32(head)), p.order.Uint32(head[4:]), p.order.Uint32(head[8:])
		at := time.Unix(seconds, int64(uint64(fraction)*(1e9/iface.ticks)))
		if size > maxBlock {
			return fmt.Errorf("%w: a packet of %d bytes", ErrPcap, size)
		}
		data, err := p.take(int(size))
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := p.packet(iface, at, data); err != nil {
			return err
		}
	}
}

// blocks reads pcapng (draft-ietf-opsawg-pcapng).
func (p *pcapReader) blocks() error {
	for first := true; ; first = false {
		head, err := p.in.Peek(12)
		if len(head) < 12 {
			if errors.Is(err, io.EOF) && !first {
				return nil
			}
			return p.problem("it ends in its header", err)
		}
		if p.order.Uint32(head) == blockSection { // reads the same both ways; what follows says which
			if err := p.section(head); err != nil {
				return err
			}
		}
		kind, length := p.order.Uint32(head), p.order.Uint32(head[4:])
		if length < 12 || length%4 != 0 || length > maxBlock {
			return fmt.Errorf("%w: a block of %d bytes", ErrPcap, length)
		}
		block, err := p.take(int(length))
		if errors.Is(err, io.EOF) && !first {
			return nil
		}
		if err != nil {
			return p.problem("it ends in its header", err)
		}
		if p.order.Uint32(block[length-4:]) != length {
			return fmt.Errorf("%w: the two lengths of a block differ", ErrPcap)
		}
		if err := p.block(kind, block[8:length-4]); err != nil {
			return err
		}
	}
}

// section begins a section: byte order and interfaces are its own.
func (p *pcapReader) section(head []byte) error {
	p.ifaces = nil
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		if order.Uint32(head[8:]) == byteOrderMagic {
			p.order = order
			return nil
		}
	}
	return fmt.Errorf("%w: a section without byte order", ErrPcap)
}

func (p *pcapReader) block(kind uint32, b []byte) error {
	short := fmt.Errorf("%w: a block of type %d ends too early", ErrPcap, kind)
	switch kind {
	case blockInterface:
		if len(b) < 8 {
			return short
		}
		if len(p.ifaces) >= maxInterfaces {
			return fmt.Errorf("%w: more than %d interfaces", ErrPcap, maxInterfaces)
		}
		p.iface(b)
	case blockSecrets:
		if len(b) < 8 || uint64(p.order.Uint32(b[4:])) > uint64(len(b)-8) {
			return short
		}
		if p.order.Uint32(b) == secretsKeyLog {
			return p.secrets(b[8 : 8+p.order.Uint32(b[4:])])
		}
	case blockPacket, blockOldPacket:
		if len(b) < 20 {
			return short
		}
		number := p.order.Uint32(b)
		if kind == blockOldPacket {
			number = uint32(p.order.Uint16(b))
		}
		when := uint64(p.order.Uint32(b[4:]))<<32 | uint64(p.order.Uint32(b[8:]))
		return p.enhanced(number, when, p.order.Uint32(b[12:]), b[20:])
	case blockSimple:
		if len(b) < 4 || len(p.ifaces) == 0 {
			return short
		}
		size := min(p.order.Uint32(b), uint32(len(b)-4))
		if snap := p.ifaces[0].snap; snap > 0 {
			size = min(size, snap)
		}
		return p.enhanced(0, 0, size, b[4:])
	}
	return nil
}

// enhanced takes a packet of size bytes at the start of b.
func (p *pcapReader) enhanced(number uint32, when uint64, size uint32, b []byte) error {
	if uint64(number) >= uint64(len(p.ifaces)) || uint64(size) > uint64(len(b)) {
		return fmt.Errorf("%w: a packet of an interface that is not there, or longer than its block", ErrPcap)
	}
	iface := p.ifaces[number]
	high, low := bits.Mul64(when%iface.ticks, 1e9)
	nanoseconds, _ := bits.Div64(high, low, iface.ticks)
	at := time.Unix(int64(when/iface.ticks)+iface.offset, int64(nanoseconds))
	return p.packet(iface, at, b[:size])
}

// iface reads an interface and those of its options that matter.
func (p *pcapReader) iface(b []byte) {
	iface := pcapInterface{link: p.order.Uint16(b), snap: p.order.Uint32(b[4:]), ticks: 1e6}
	for b = b[8:]; len(b) >= 4; {
		code, length := p.order.Uint16(b), int(p.order.Uint16(b[2:]))
		padded := (length + 3) &^ 3
		if code == optionEnd || len(b) < 4+padded {
			break
		}
		value := b[4 : 4+length]
		switch {
		case code == optionTimeResolution && length == 1:
			iface.ticks = ticksOf(value[0])
		case code == optionTimeOffset && length == 8:
			iface.offset = int64(p.order.Uint64(value))
		}
		b = b[4+padded:]
	}
	p.ifaces = append(p.ifaces, iface)
}

// ticksOf reads a resolution: a negative power of ten, or of two if the highest bit is set.
func ticksOf(v byte) uint64 {
	if v&0x80 != 0 {
		return 1 << min(v&0x7f, 63)
	}
	ticks := uint64(1)
	for range min(v, 19) {
		ticks *= 10
	}
	return ticks
}

func (p *pcapReader) packet(iface pcapInterface, at time.Time, data []byte) error {
	if p.packets++; p.packets > maxPackets {
		return fmt.Errorf("%w that can be read here: it has more than %d packets", ErrPcap, maxPackets)
	}
	if !knownLink(iface.link) {
		p.strange = iface.link
		p.passed++
		return nil
	}
	p.linked = true
	if s := at.Unix(); s < 0 || s > lastSecond {
		at = time.Unix(0, 0)
	}
	if packet, ok := parsePacket(iface.link, data); ok {
		p.streams.add(packet, at.UTC())
	}
	return nil
}
