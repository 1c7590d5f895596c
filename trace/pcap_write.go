package trace

import (
	"encoding/binary"
	"io"
	"math"
	"net/netip"
	"time"
)

// Types of blocks and options of pcapng (draft-ietf-opsawg-pcapng).
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockOldPacket = 2
	blockSimple    = 3
	blockPacket    = 6
	blockSecrets   = 10

	byteOrderMagic = 0x1a2b3c4d
	secretsKeyLog  = 0x544c534b // "TLSK"

	optionEnd             = 0
	optionComment         = 1
	optionApplication     = 4 // of a section
	optionTimeResolution  = 9 // of an interface
	optionTimeOffset      = 14
	resolutionNanoseconds = 9
)

// What the packets look like that we make.
const (
	maxSegment = 1400 // bytes of TCP payload
	ttl        = 64
	window     = 0xffff
	protoTCP   = 6

	flagSYN, flagRST, flagPSH, flagACK, flagFIN = 0x02, 0x04, 0x08, 0x10, 0x01
)

// WritePcapng writes a packet capture that Wireshark opens (draft-ietf-opsawg-pcapng). The key log of the Capture, if it
// has one, goes into a Decryption Secrets Block: whoever has the file can then read the connection.
//
// Only the streams are real. The packets around them were never seen: addresses come from the endpoints, or from those
// reserved for documentation; sequence numbers, acknowledgements and the opening of the connection are made up. The end
// of the connection is not in it.
func WritePcapng(w io.Writer, c *Capture) error {
	p := &packetWriter{started: c.Started}
	p.client, p.server = endpoints(c.Client.Address, c.Server.Address)
	p.header(c.Cut)
	if len(c.KeyLog) > 0 {
		p.secrets(appendKeyLog(nil, c.KeyLog))
	}
	p.open()
	for i := range c.Segments {
		if s := &c.Segments[i]; s.From.known() {
			p.segment(s)
			if len(p.out) > 1<<16 {
				if _, err := w.Write(p.out); err != nil {
					return err
				}
				p.out = p.out[:0]
			}
		}
	}
	_, err := w.Write(p.out)
	return err
}

// endpoints are the addresses of the packets. Both are of one family.
func endpoints(client, server string) (c, s netip.AddrPort) {
	c, errC := netip.ParseAddrPort(client)
	s, errS := netip.ParseAddrPort(server)
	c, s = plain(c), plain(s)
	if errC != nil && errS != nil {
		return netip.MustParseAddrPort("192.0.2.1:49152"), netip.MustParseAddrPort("192.0.2.2:443")
	}
	if errC != nil {
		c = netip.AddrPortFrom(documented(s.Addr(), 1), 49152)
	}
	if errS != nil {
		s = netip.AddrPortFrom(documented(c.Addr(), 2), 443)
	}
	if c.Addr().Is4() != s.Addr().Is4() {
		c = netip.AddrPortFrom(documented(s.Addr(), 1), c.Port())
	}
	if c == s { // both ends cannot be the same
		c = netip.AddrPortFrom(c.Addr(), c.Port()^1)
	}
	return c, s
}

// plain leaves off the zone, and the IPv6 form of an IPv4 address.
func plain(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

// documented is an address for documentation (RFC 5737, Section 3; RFC 3849, Section 2) of the family of another.
func documented(like netip.Addr, n byte) netip.Addr {
	if like.Is4() {
		return netip.AddrFrom4([4]byte{192, 0, 2, n})
	}
	return netip.AddrFrom16([16]byte{0: 0x20, 1: 0x01, 2: 0x0d, 3: 0xb8, 15: n})
}

// packetWriter makes the file. Sequence numbers are relative to the SYN, which has 0.
type packetWriter struct {
	out            []byte
	started        time.Time
	client, server netip.AddrPort
	next           [2]uint32 // sequence number: of the client, of the server
	id             uint16
}

// block appends a block: its length stands before and behind the body.
func (p *packetWriter) block(kind uint32, body []byte) {
	for len(body)%4 != 0 {
		body = append(body, 0)
	}
	length := uint32(len(body)) + 12
	p.out = binary.LittleEndian.AppendUint32(p.out, kind)
	p.out = binary.LittleEndian.AppendUint32(p.out, length)
	p.out = append(p.out, body...)
	p.out = binary.LittleEndian.AppendUint32(p.out, length)
}

func appendOption(b []byte, code uint16, value []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, code)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(value)))
	b = append(b, value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func (p *packetWriter) header(cut string) {
	b := binary.LittleEndian.AppendUint32(nil, byteOrderMagic)
	b = binary.LittleEndian.AppendUint16(b, 1)
	b = binary.LittleEndian.AppendUint16(b, 0)
	b = binary.LittleEndian.AppendUint64(b, math.MaxUint64) // the length of the section is not said
	comment := "The TLS records are as they were; the packets around them were made up by tlswright."
	if cut != "" {
		comment += " Not whole: " + cut
	}
	b = appendOption(b, optionComment, []byte(comment[:min(len(comment), 1000)]))
	b = appendOption(b, optionApplication, []byte("tlswright"))
	p.block(blockSection, appendOption(b, optionEnd, nil))

	b = binary.LittleEndian.AppendUint16(nil, linkRaw)
	b = binary.LittleEndian.AppendUint16(b, 0)
	b = binary.LittleEndian.AppendUint32(b, 0) // packets are whole
	b = appendOption(b, optionTimeResolution, []byte{resolutionNanoseconds})
	p.block(blockInterface, appendOption(b, optionEnd, nil))
}

func (p *packetWriter) secrets(keyLog []byte) {
	b := binary.LittleEndian.AppendUint32(nil, secretsKeyLog)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(keyLog)))
	p.block(blockSecrets, append(b, keyLog...))
}

// open writes the three packets that open a TCP connection (RFC 9293, Section 3.5).
func (p *packetWriter) open() {
	p.packet(Client, 0, flagSYN, 0, nil)
	p.next[0]++
	p.packet(Server, 0, flagSYN|flagACK, 0, nil)
	p.next[1]++
	p.packet(Client, 0, flagACK, 1, nil)
}

// segment writes the packets of a piece of a stream. A gap before it stays a gap.
func (p *packetWriter) segment(s *Segment) {
	for at := 0; at < len(s.Data); at += maxSegment {
		part := s.Data[at:min(at+maxSegment, len(s.Data))]
		flags := byte(flagACK)
		if at+maxSegment >= len(s.Data) {
			flags |= flagPSH
		}
		sequence := 1 + uint32(s.Offset) + uint32(at)
		p.packet(s.From, s.At, flags, sequence, part)
		if end := sequence + uint32(len(part)); int32(end-p.next[index(s.From)]) > 0 {
			p.next[index(s.From)] = end
		}
	}
}

func index(s Side) int {
	if s == Server {
		return 1
	}
	return 0
}

// packet writes one packet. What it acknowledges is all that the other side has sent by then.
func (p *packetWriter) packet(from Side, at time.Duration, flags byte, sequence uint32, data []byte) {
	source, target := p.client, p.server
	if from == Server {
		source, target = target, source
	}
	var ack uint32
	if flags&flagACK != 0 {
		ack = p.next[index(from.Other())]
	}
	segment := appendTCP(nil, source.Port(), target.Port(), sequence, ack, flags)
	segment = append(segment, data...)
	sum := pseudoHeader(source.Addr(), target.Addr(), len(segment))
	binary.BigEndian.PutUint16(segment[16:], ^fold(sum+add16(segment)))
	packet := append(p.ip(source.Addr(), target.Addr(), len(segment)), segment...)

	when := uint64(p.started.Add(max(at, 0)).UnixNano())
	if p.started.IsZero() {
		when = uint64(max(at, 0))
	}
	b := binary.LittleEndian.AppendUint32(nil, 0) // the interface
	b = binary.LittleEndian.AppendUint32(b, uint32(when>>32))
	b = binary.LittleEndian.AppendUint32(b, uint32(when))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(packet)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(packet)))
	p.block(blockPacket, append(b, packet...))
}

// ip makes the header of IPv4 (RFC 791, Section 3.1) or IPv6 (RFC 8200, Section 3).
func (p *packetWriter) ip(source, target netip.Addr, length int) []byte {
	if source.Is6() {
		b := []byte{0x60, 0, 0, 0, byte(length >> 8), byte(length), protoTCP, ttl}
		b = append(b, source.AsSlice()...)
		return append(b, target.AsSlice()...)
	}
	p.id++
	total := length + 20
	b := []byte{0x45, 0, byte(total >> 8), byte(total), byte(p.id >> 8), byte(p.id), 0x40, 0, ttl, protoTCP, 0, 0}
	b = append(b, source.AsSlice()...)
	b = append(b, target.AsSlice()...)
	binary.BigEndian.PutUint16(b[10:], ^fold(add16(b)))
	return b
}

// appendTCP appends a header without options but the largest segment in a SYN (RFC 9293, Section 3.1).
func appendTCP(b []byte, source, target uint16, sequence, ack uint32, flags byte) []byte {
	size := byte(5)
	if flags&flagSYN != 0 {
		size = 6
	}
	b = binary.BigEndian.AppendUint16(b, source)
	b = binary.BigEndian.AppendUint16(b, target)
	b = binary.BigEndian.AppendUint32(b, sequence)
	b = binary.BigEndian.AppendUint32(b, ack)
	b = append(b, size<<4, flags)
	b = binary.BigEndian.AppendUint16(b, window)
	b = append(b, 0, 0, 0, 0) // checksum, urgent pointer
	if flags&flagSYN != 0 {
		b = append(b, 2, 4, maxSegment>>8, maxSegment&0xff)
	}
	return b
}

// pseudoHeader is the sum over what TCP's checksum covers of the IP header (RFC 9293, Section 3.1).
func pseudoHeader(source, target netip.Addr, length int) uint64 {
	return add16(source.AsSlice()) + add16(target.AsSlice()) + protoTCP + uint64(length)
}

// add16 adds up the 16-bit words of b, and fold makes one word of the sum (RFC 1071, Section 1).
func add16(b []byte) (sum uint64) {
	for len(b) >= 2 {
		sum += uint64(b[0])<<8 | uint64(b[1])
		b = b[2:]
	}
	if len(b) == 1 {
		sum += uint64(b[0]) << 8
	}
	return sum
}

func fold(sum uint64) uint16 {
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}
