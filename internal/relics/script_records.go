package relics

import (
	"encoding/binary"
	"io"
	"slices"

	"github.com/tlswright/tlswright/internal/record"
	"github.com/tlswright/tlswright/wire"
)

// fill reads exactly len(p) bytes.
func (c *Talk) fill(p []byte) bool {
	_, err := io.ReadFull(c.Conn, p)
	return err == nil
}

// readHello reads the ClientHello whose first record begins with the five bytes of head.
func (c *Talk) readHello(head []byte) bool {
	h, ok := wire.ParseRecordHeader(head)
	if !ok || h.Type != wire.ContentHandshake {
		return false
	}
	c.Record, c.Version = h.Version, wire.VersionTLS10
	var joiner wire.Joiner
	for {
		fragment := make([]byte, h.Length)
		if !c.fill(fragment) {
			return false
		}
		c.Records++
		joiner.Add(fragment)
		raw, whole, err := joiner.Next()
		if err != nil {
			return false
		}
		if whole {
			c.Raw = append([]byte(nil), raw...)
			if c.Hello.Parse(c.Raw) != nil {
				c.Alert(wire.AlertLevelFatal, wire.AlertDecodeError)
				return false
			}
			return true
		}
		next := make([]byte, wire.RecordHeaderLen)
		if !c.fill(next) {
			return false
		}
		if h, ok = wire.ParseRecordHeader(next); !ok || h.Type != wire.ContentHandshake {
			return false
		}
	}
}

// ReadRecord reads a record in the clear.
func (c *Talk) ReadRecord() (wire.ContentType, []byte, bool) {
	head := make([]byte, wire.RecordHeaderLen)
	if !c.fill(head) {
		return 0, nil, false
	}
	typ, n := wire.ContentType(head[0]), int(binary.BigEndian.Uint16(head[3:]))
	body := make([]byte, n)
	return typ, body, c.fill(body)
}

// Send writes records in the clear.
func (c *Talk) Send(typ wire.ContentType, payload []byte) bool {
	version := c.Version
	if version == 0 || version > wire.VersionTLS12 {
		version = wire.VersionTLS12
	}
	_, err := c.Write(record.AppendPlaintext(nil, typ, version, payload))
	return err == nil
}

// Alert writes an alert.
func (c *Talk) Alert(level wire.AlertLevel, code wire.AlertCode) {
	c.Send(wire.ContentAlert, wire.Alert{Level: level, Code: code}.Append(nil))
}

// Sound does what a sound server does behind its ServerHelloDone: it answers a well-formed heartbeat if that was agreed
// on, passes over a malformed one (RFC 6520, Section 4), and refuses what comes out of turn. It has no keys: what is
// protected does not authenticate, as from a client that computed the wrong ones.
func (c *Talk) Sound() {
	hasKey, isProtected := false, false
	for {
		typ, body, ok := c.ReadRecord()
		if !ok {
			return
		}
		switch {
		case isProtected:
			c.Alert(wire.AlertLevelFatal, wire.AlertBadRecordMAC)
			return
		case typ == wire.ContentHeartbeat && c.heartbeat:
			c.answerHeartbeat(body)
		case typ == wire.ContentHandshake && !hasKey && len(body) > 0 && body[0] == byte(wire.TypeClientKeyExchange):
			hasKey = true
		case typ == wire.ContentChangeCipherSpec && (hasKey || c.Script.EarlyCCS):
			isProtected = true
		case typ == wire.ContentAlert:
			return
		default:
			c.Alert(wire.AlertLevelFatal, wire.AlertUnexpectedMessage)
			return
		}
	}
}

// answerHeartbeat answers a request whose payload is all there; with the bug of OpenSSL 1.0.1 to 1.0.1f, one whose
// payload is not, with whatever lies behind it in memory.
func (c *Talk) answerHeartbeat(body []byte) {
	const overhead = 1 + 2 + 16 // type, length, padding
	if len(body) < 3 || body[0] != 1 {
		return
	}
	n := int(binary.BigEndian.Uint16(body[1:]))
	if overhead+n > len(body) {
		if !c.Script.Heartbleed {
			return
		}
		body = append(body, slices.Repeat([]byte("what was in memory, "), n/20+1)...)
	}
	c.Send(wire.ContentHeartbeat, append(append([]byte{2}, body[1:3+n]...), make([]byte, 16)...))
}
