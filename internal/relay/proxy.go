package relay

import (
	"encoding/binary"
	"hash/crc32"
	"net/netip"
)

// ProxyHeader is what the PROXY protocol, version 2, says of a connection before its first byte.
type ProxyHeader struct {
	// Local says that the sender speaks for itself, for example to see whether we are alive: the connection's own
	// addresses hold.
	Local bool
	// Source is the client and Destination what it connected to. Both are valid or none is.
	Source, Destination netip.AddrPort
	ALPN                string    // the protocol that was agreed on; "": none (RFC 7301)
	Authority           string    // the server name that the client asked for; "": none
	SSL                 *ProxySSL // nil: the client's connection was not encrypted, or the sender does not say
}

// ProxySSL is what the PROXY protocol says of the client's TLS connection.
type ProxySSL struct {
	Certificate bool   // the client showed one, on this connection or on the one that it resumes
	Resumed     bool   // so it came before this connection
	Verified    bool   // the certificate was, or there was none
	Version     string // "TLSv1.3"
	CommonName  string // of the client's certificate, UTF-8
	Cipher      string // as OpenSSL calls it: "TLS_AES_128_GCM_SHA256"
	Signature   string // algorithm that signed the server's certificate: "SHA256"
	Key         string // algorithm and size of the server's key: "EC256"
}

// The PROXY protocol's numbers.
const (
	proxySignature = "\r\n\r\n\x00\r\nQUIT\n"
	proxyHeadLen   = 16

	proxyLocal   = 0x20 // version 2, command LOCAL
	proxyProxy   = 0x21 // version 2, command PROXY
	proxyUnspec  = 0x00
	proxyTCP4    = 0x11
	proxyTCP6    = 0x21
	proxyStream  = 0x01 // low half of the family
	proxyAddr4   = 12   // bytes of two IPv4 addresses and ports
	proxyAddr6   = 36
	proxyAddrUn  = 216
	proxyTLVHead = 3

	tlvALPN      = 0x01
	tlvAuthority = 0x02
	tlvCRC       = 0x03
	tlvSSL       = 0x20
	tlvVersion   = 0x21
	tlvCN        = 0x22
	tlvCipher    = 0x23
	tlvSignature = 0x24
	tlvKey       = 0x25

	sslEncrypted = 0x01
	sslCertConn  = 0x02
	sslCertSess  = 0x04
	sslHeadLen   = 5
)

// maxProxyValue bounds one value that we send. A longer one is left out whole: cut off it could be somebody else's name.
const maxProxyValue = 1024

// AppendProxy appends h as bytes that go before everything else on a connection. A checksum (CRC-32C) is always
// included. Values longer than 1 KiB are left out.
func AppendProxy(out []byte, h ProxyHeader) []byte {
	start := len(out)
	out = append(out, proxySignature...)
	if h.Local {
		return append(out, proxyLocal, proxyUnspec, 0, 0)
	}
	out = append(out, proxyProxy)
	src, dst := h.Source.Addr().Unmap(), h.Destination.Addr().Unmap()
	switch {
	case !src.IsValid() || !dst.IsValid():
		out = append(out, proxyUnspec, 0, 0)
	case src.Is4() && dst.Is4():
		out = append(out, proxyTCP4, 0, 0)
		a, b := src.As4(), dst.As4()
		out = append(append(out, a[:]...), b[:]...)
		out = appendPorts(out, h)
	default: // IPv4 beside IPv6 is written as IPv6
		out = append(out, proxyTCP6, 0, 0)
		a, b := src.As16(), dst.As16()
		out = append(append(out, a[:]...), b[:]...)
		out = appendPorts(out, h)
	}
	out = appendTLV(out, tlvALPN, h.ALPN)
	out = appendTLV(out, tlvAuthority, h.Authority)
	out = appendSSL(out, h.SSL)
	out = append(out, tlvCRC, 0, 4, 0, 0, 0, 0)
	binary.BigEndian.PutUint16(out[start+14:], uint16(len(out)-start-proxyHeadLen))
	sum := crc32.Checksum(out[start:], crc32.MakeTable(crc32.Castagnoli))
	binary.BigEndian.PutUint32(out[len(out)-4:], sum)
	return out
}

func appendPorts(out []byte, h ProxyHeader) []byte {
	out = binary.BigEndian.AppendUint16(out, h.Source.Port())
	return binary.BigEndian.AppendUint16(out, h.Destination.Port())
}

func appendTLV(out []byte, kind byte, value string) []byte {
	if value == "" || len(value) > maxProxyValue {
		return out
	}
	out = append(out, kind)
	out = binary.BigEndian.AppendUint16(out, uint16(len(value)))
	return append(out, value...)
}

func appendSSL(out []byte, s *ProxySSL) []byte {
	if s == nil {
		return out
	}
	client, unverified := byte(sslEncrypted), uint32(1)
	switch {
	case s.Certificate && s.Resumed:
		client |= sslCertSess
	case s.Certificate:
		client |= sslCertConn | sslCertSess
	}
	if s.Verified {
		unverified = 0
	}
	out = append(out, tlvSSL, 0, 0)
	start := len(out)
	out = append(out, client)
	out = binary.BigEndian.AppendUint32(out, unverified)
	out = appendTLV(out, tlvVersion, s.Version)
	if s.Certificate && s.Verified { // nobody's name unless it is proven
		out = appendTLV(out, tlvCN, s.CommonName)
	}
	out = appendTLV(out, tlvCipher, s.Cipher)
	out = appendTLV(out, tlvSignature, s.Signature)
	out = appendTLV(out, tlvKey, s.Key)
	binary.BigEndian.PutUint16(out[start-2:], uint16(len(out)-start))
	return out
}
