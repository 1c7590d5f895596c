package trace

import (
	"encoding/binary"
	"net/netip"
)

// Link types, as registered for pcap.
const (
	linkNull     = 0 // BSD loopback, the family in the byte order of the machine
	linkEthernet = 1
	linkOldRaw   = 12
	linkOldRaw14 = 14
	linkRaw      = 101
	linkLoop     = 108 // OpenBSD loopback, the family big-endian
	linkLinux    = 113 // Linux cooked
	linkIPv4     = 228
	linkIPv6     = 229
	linkLinux2   = 276
)

const (
	etherIPv4, etherIPv6       = 0x0800, 0x86dd
	etherVLAN, etherQinQ       = 0x8100, 0x88a8
	maxTags                    = 4 // VLAN tags, MPLS-like stacks are not looked into
	maxExtensions              = 8 // IPv6 extension headers
	extHops, extRoute, extDest = 0, 43, 60
	extFragment                = 44
)

// tcpPacket is what counts of a packet.
type tcpPacket struct {
	source, target netip.AddrPort
	sequence       uint32
	flags          byte
	data           []byte
}

// knownLink reports whether packets of that link type are looked into.
func knownLink(link uint16) bool {
	switch link {
	case linkNull, linkEthernet, linkOldRaw, linkOldRaw14, linkRaw, linkLoop, linkLinux, linkIPv4, linkIPv6, linkLinux2:
		return true
	}
	return false
}

// parsePacket finds TCP in a packet. What is something else, or broken, or a fragment, is not ok.
func parsePacket(link uint16, b []byte) (p tcpPacket, ok bool) {
	switch link {
	case linkNull, linkLoop:
		if len(b) < 4 {
			return p, false
		}
		b = b[4:] // the family differs from system to system; the version in the IP header does not
	case linkEthernet:
		if len(b) < 14 {
			return p, false
		}
		return parseEther(binary.BigEndian.Uint16(b[12:]), b[14:])
	case linkLinux:
		if len(b) < 16 {
			return p, false
		}
		return parseEther(binary.BigEndian.Uint16(b[14:]), b[16:])
	case linkLinux2:
		if len(b) < 20 {
			return p, false
		}
		return parseEther(binary.BigEndian.Uint16(b), b[20:])
	}
	return parseIP(b)
}

// parseEther passes over VLAN tags (IEEE 802.1Q).
func parseEther(kind uint16, b []byte) (p tcpPacket, ok bool) {
	for range maxTags {
		switch kind {
		case etherIPv4, etherIPv6:
			return parseIP(b)
		case etherVLAN, etherQinQ:
			if len(b) < 4 {
				return p, false
			}
			kind, b = binary.BigEndian.Uint16(b[2:]), b[4:]
		default:
			return p, false
		}
	}
	return p, false
}

func parseIP(b []byte) (p tcpPacket, ok bool) {
	if len(b) == 0 {
		return p, false
	}
	switch b[0] >> 4 {
	case 4:
		return parseIPv4(b)
	case 6:
		return parseIPv6(b)
	}
	return p, false
}

func parseIPv4(b []byte) (p tcpPacket, ok bool) {
	header := int(b[0]&15) * 4
	if header < 20 || len(b) < header {
		return p, false
	}
	const moreFragments, offset = 0x2000, 0x1fff
	if b[9] != protoTCP || binary.BigEndian.Uint16(b[6:])&(moreFragments|offset) != 0 {
		return p, false
	}
	// A packet that the machine itself sends can be longer than IP allows: its network card cuts it up later, and the
	// length is 0.
	if total := int(binary.BigEndian.Uint16(b[2:])); total >= header && total < len(b) {
		b = b[:total] // Ethernet pads short packets
	}
	source, target := netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
	return parseTCP(source, target, b[header:])
}

func parseIPv6(b []byte) (p tcpPacket, ok bool) {
	const header = 40
	if len(b) < header {
		return p, false
	}
	if length := int(binary.BigEndian.Uint16(b[4:])); length > 0 && header+length < len(b) {
		b = b[:header+length]
	}
	source, target := netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
	next, rest := b[6], b[header:]
	for range maxExtensions {
		switch next {
		case protoTCP:
			return parseTCP(source, target, rest)
		case extHops, extRoute, extDest:
			if len(rest) < 8 || len(rest) < 8+int(rest[1])*8 {
				return p, false
			}
			next, rest = rest[0], rest[8+int(rest[1])*8:]
		case extFragment:
			if len(rest) < 8 || binary.BigEndian.Uint16(rest[2:])&^6 != 0 { // one fragment that is all
				return p, false
			}
			next, rest = rest[0], rest[8:]
		default:
			return p, false
		}
	}
	return p, false
}

func parseTCP(source, target netip.Addr, b []byte) (p tcpPacket, ok bool) {
	if len(b) < 20 {
		return p, false
	}
	header := int(b[12]>>4) * 4
	if header < 20 || len(b) < header {
		return p, false
	}
	p.source = netip.AddrPortFrom(source, binary.BigEndian.Uint16(b))
	p.target = netip.AddrPortFrom(target, binary.BigEndian.Uint16(b[2:]))
	p.sequence = binary.BigEndian.Uint32(b[4:])
	p.flags = b[13]
	p.data = b[header:]
	return p, true
}
