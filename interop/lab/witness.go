package lab

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/tlswright/tlswright/wire"
)

// Witness sends a hello with one suite and one group, written here by hand, and returns the server's hello in hexadecimal:
// bytes that prove what another scanner does not see. The random and the session's id, which differ each time, are left
// out. It asks no server that begins without TLS.
func Witness(c *Config, v wire.Version, suite wire.CipherSuite, group wire.Group) (string, error) {
	conn, err := net.DialTimeout("tcp", c.Addr(), 5*time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return "", err
	}
	if _, err := conn.Write(witnessHello(v, suite, group)); err != nil {
		return "", err
	}
	header := make([]byte, 5)
	if _, err := io.ReadFull(conn, header); err != nil {
		return "", err
	}
	body := make([]byte, binary.BigEndian.Uint16(header[3:]))
	if _, err := io.ReadFull(conn, body); err != nil {
		return "", err
	}
	if header[0] == 21 {
		return fmt.Sprintf("%s %s, an alert", hex.EncodeToString(header), hex.EncodeToString(body)), nil
	}
	if header[0] != 22 || len(body) < 39 || body[0] != 2 {
		return "", fmt.Errorf("no ServerHello, but % x % x", header, body[:min(len(body), 16)])
	}
	rest := body[38:] // behind the random
	if skip := 1 + int(rest[0]); len(rest) > skip+2 {
		end := skip + 3
		return fmt.Sprintf("%s %s … %s", hex.EncodeToString(header), hex.EncodeToString(body[:6]), hex.EncodeToString(rest[skip:end])), nil
	}
	return "", fmt.Errorf("the ServerHello is too short: % x", body)
}

// witnessHello is a record with a ClientHello.
func witnessHello(v wire.Version, suite wire.CipherSuite, group wire.Group) []byte {
	u16 := func(b []byte, values ...uint16) []byte {
		for _, value := range values {
			b = binary.BigEndian.AppendUint16(b, value)
		}
		return b
	}
	legacy := min(uint16(v), uint16(wire.VersionTLS12))
	body := u16(nil, legacy)
	for i := range 32 {
		body = append(body, byte(i)) // nobody will use what is agreed on
	}
	body = append(body, 0)
	body = u16(body, 2, uint16(suite))
	body = append(body, 1, 0)
	var extensions []byte
	if v > wire.VersionSSL30 {
		name := []byte(Host)
		extensions = u16(extensions, 0, uint16(len(name)+5), uint16(len(name)+3))
		extensions = append(extensions, 0)
		extensions = u16(extensions, uint16(len(name)))
		extensions = append(extensions, name...)
		extensions = u16(extensions, 10, 4, 2, uint16(group))
		extensions = append(u16(extensions, 11, 2), 1, 0)
		schemes := []uint16{0x0401, 0x0403, 0x0804, 0x0805, 0x0806, 0x0807, 0x0501, 0x0601, 0x0503, 0x0603, 0x0201, 0x0203, 0x0402, 0x0202, 0xeeee, 0xefef, 0xeded}
		extensions = u16(extensions, 13, uint16(2*len(schemes)+2), uint16(2*len(schemes)))
		extensions = u16(extensions, schemes...)
	}
	if v == wire.VersionTLS13 {
		extensions = append(u16(extensions, 43, 3), 2)
		extensions = u16(extensions, uint16(v))
		extensions = u16(extensions, 51, 2, 0) // no share: the server asks for one of the group
	}
	if len(extensions) > 0 {
		body = append(u16(body, uint16(len(extensions))), extensions...)
	}
	message := append([]byte{1, 0, byte(len(body) >> 8), byte(len(body))}, body...)
	record := u16([]byte{22}, min(legacy, uint16(wire.VersionTLS10)), uint16(len(message)))
	return append(record, message...)
}
