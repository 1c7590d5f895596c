package starttls

import (
	"bytes"
	"encoding/binary"
)

// The flags of MySQL's protocol that matter here.
const (
	mysqlSSL      = 0x0800 // CLIENT_SSL
	mysqlProto41  = 0x0200 // CLIENT_PROTOCOL_41
	mysqlSecure   = 0x8000 // CLIENT_SECURE_CONNECTION
	mysqlLongPass = 0x0001 // CLIENT_LONG_PASSWORD
	mysqlUTF8     = 33     // character set
)

// mysql is the protocol of MySQL and MariaDB: the server greets with its flags, and where CLIENT_SSL is among them, the
// client answers with the first half of its own greeting and goes over to TLS. The server says nothing to that.
func (d *dialogue) mysql() error {
	packet, err := d.mysqlPacket()
	if err != nil {
		return err
	}
	if len(packet) > 0 && packet[0] == 0xff { // an error: too many connections, a host that is not allowed
		text := packet[min(len(packet), 3):]
		return d.fail(Refused, string(text), notReady)
	}
	if len(packet) == 0 || packet[0] != 10 {
		return d.fail(Malformed, "", "the greeting must be of version 10 of the protocol")
	}
	version, rest, ok := bytes.Cut(packet[1:], []byte{0})
	// 4 bytes thread, 8 bytes challenge, 1 byte filler, 2 bytes flags
	if !ok || len(rest) < 15 {
		return d.fail(Malformed, "", "the greeting is truncated")
	}
	d.greeting = string(version)
	if binary.LittleEndian.Uint16(rest[13:])&mysqlSSL == 0 {
		return d.fail(NotOffered, "", doesNotOffer)
	}
	request := []byte{32, 0, 0, 1}
	request = binary.LittleEndian.AppendUint32(request, mysqlSSL|mysqlProto41|mysqlSecure|mysqlLongPass)
	request = binary.LittleEndian.AppendUint32(request, 1<<24-1) // largest packet
	request = append(request, mysqlUTF8)
	return d.send("SSLRequest", append(request, make([]byte, 23)...))
}

// mysqlPacket reads the first packet: three bytes of length, a number, and the contents.
func (d *dialogue) mysqlPacket() ([]byte, error) {
	head, err := d.take(4)
	if err != nil {
		return nil, err
	}
	length := int(head[0]) | int(head[1])<<8 | int(head[2])<<16
	switch {
	case head[3] != 0:
		return nil, d.fail(Malformed, "", "the first packet must have the number 0")
	case length > maxLine:
		return nil, d.fail(TooLong, "", "the greeting is too long")
	}
	return d.take(length)
}
