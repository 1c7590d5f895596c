package relay

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/netip"
)

// MaxProxyHeader bounds what ReadProxy reads, in bytes behind the first 16: room for a client's whole certificate.
const MaxProxyHeader = 16 << 10

// ErrNoProxyHeader says that a connection does not begin with the PROXY protocol, version 2.
var ErrNoProxyHeader = errors.New("relay: the connection does not begin with a PROXY header, version 2")

// ReadProxy reads the header that a trusted peer sends first, and not a byte more. The caller bounds the time. After an
// error the connection is of no use. What the peer says is believed: ask this of peers only that are configured.
func ReadProxy(r io.Reader) (ProxyHeader, error) {
	var head [proxyHeadLen]byte
	// One byte first: whoever speaks another protocol is refused before it waits for us to read sixteen.
	for n := 0; n < len(head); {
		k, err := io.ReadAtLeast(r, head[n:], 1)
		n += k
		if m := min(n, len(proxySignature)); string(head[:m]) != proxySignature[:m] {
			return ProxyHeader{}, ErrNoProxyHeader
		}
		if err != nil {
			return ProxyHeader{}, fmt.Errorf("relay: reading the PROXY header: %w", err)
		}
	}
	length := int(binary.BigEndian.Uint16(head[14:]))
	if length > MaxProxyHeader {
		return ProxyHeader{}, fmt.Errorf("relay: a PROXY header of %d bytes is beyond %d", length, MaxProxyHeader)
	}
	all := make([]byte, proxyHeadLen+length)
	copy(all, head[:])
	if _, err := io.ReadFull(r, all[proxyHeadLen:]); err != nil {
		return ProxyHeader{}, fmt.Errorf("relay: reading the PROXY header: %w", err)
	}
	return parseProxy(all)
}

// parseProxy reads a whole header. It may change in.
func parseProxy(in []byte) (h ProxyHeader, err error) {
	if len(in) < proxyHeadLen || string(in[:len(proxySignature)]) != proxySignature {
		return h, ErrNoProxyHeader
	}
	rest := in[proxyHeadLen:]
	if int(binary.BigEndian.Uint16(in[14:])) != len(rest) {
		return h, errors.New("relay: the PROXY header is not as long as it says")
	}
	switch in[12] {
	case proxyLocal:
		return ProxyHeader{Local: true}, nil // whatever else it says does not matter
	case proxyProxy:
	default:
		return h, fmt.Errorf("relay: the PROXY header has an unknown version and command, %#x", in[12])
	}
	if h, rest, err = proxyAddresses(h, in[13], rest); err != nil {
		return h, err
	}
	err = eachTLV(rest, func(kind byte, value []byte) error {
		switch kind {
		case tlvALPN:
			h.ALPN = string(value)
		case tlvAuthority:
			h.Authority = string(value)
		case tlvCRC:
			return checkProxySum(in, value)
		case tlvSSL:
			h.SSL = new(ProxySSL)
			return h.SSL.parse(value)
		}
		return nil
	})
	if err != nil {
		return ProxyHeader{}, err
	}
	return h, nil
}

// proxyAddresses reads the addresses; rest is what follows them.
func proxyAddresses(h ProxyHeader, family byte, in []byte) (_ ProxyHeader, rest []byte, err error) {
	var size int
	switch family {
	case proxyUnspec:
		return h, in, nil
	case proxyTCP4:
		size = proxyAddr4
	case proxyTCP6:
		size = proxyAddr6
	case 0x30 | proxyStream: // Unix sockets, whose names say nothing here
		size = proxyAddrUn
	default:
		return h, nil, fmt.Errorf("relay: the PROXY header is about a connection of an unknown kind, %#x", family)
	}
	if len(in) < size {
		return h, nil, errors.New("relay: the PROXY header ends inside its addresses")
	}
	n := (size - 4) / 2
	if size == proxyAddrUn {
		return h, in[size:], nil
	}
	src, _ := netip.AddrFromSlice(in[:n])
	dst, _ := netip.AddrFromSlice(in[n : 2*n])
	h.Source = netip.AddrPortFrom(src.Unmap(), binary.BigEndian.Uint16(in[2*n:]))
	h.Destination = netip.AddrPortFrom(dst.Unmap(), binary.BigEndian.Uint16(in[2*n+2:]))
	return h, in[size:], nil
}

// eachTLV calls f with what in consists of. A kind that comes twice is an error: two readers could take either.
func eachTLV(in []byte, f func(kind byte, value []byte) error) error {
	var seen [4]uint64
	for len(in) > 0 {
		if len(in) < proxyTLVHead {
			return errors.New("relay: the PROXY header ends inside a value's head")
		}
		kind, size := in[0], int(binary.BigEndian.Uint16(in[1:]))
		in = in[proxyTLVHead:]
		if size > len(in) {
			return errors.New("relay: the PROXY header ends inside a value")
		}
		if bit := uint64(1) << (kind % 64); kind != 0x04 { // padding comes as often as it likes
			if seen[kind/64]&bit != 0 {
				return fmt.Errorf("relay: the PROXY header has two values of kind %#x", kind)
			}
			seen[kind/64] |= bit
		}
		if err := f(kind, in[:size]); err != nil {
			return err
		}
		in = in[size:]
	}
	return nil
}

// checkProxySum checks the checksum, which lies in all: it was computed with zeros in its place.
func checkProxySum(all, sum []byte) error {
	if len(sum) != 4 {
		return errors.New("relay: the PROXY header's checksum has the wrong size")
	}
	want := binary.BigEndian.Uint32(sum)
	copy(sum, []byte{0, 0, 0, 0})
	if crc32.Checksum(all, crc32.MakeTable(crc32.Castagnoli)) != want {
		return errors.New("relay: the PROXY header's checksum is wrong")
	}
	return nil
}

// parse reads the value about the client's TLS connection.
func (s *ProxySSL) parse(in []byte) error {
	if len(in) < sslHeadLen {
		return errors.New("relay: the PROXY header's value about TLS is too short")
	}
	client := in[0]
	s.Certificate = client&(sslCertConn|sslCertSess) != 0
	s.Resumed = client&(sslCertConn|sslCertSess) == sslCertSess
	s.Verified = binary.BigEndian.Uint32(in[1:]) == 0
	return eachTLV(in[sslHeadLen:], func(kind byte, value []byte) error {
		for k, field := range map[byte]*string{tlvVersion: &s.Version, tlvCN: &s.CommonName, tlvCipher: &s.Cipher,
			tlvSignature: &s.Signature, tlvKey: &s.Key} {
			if k == kind {
				*field = string(value)
			}
		}
		return nil
	})
}
