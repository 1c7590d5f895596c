package relics

import (
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/record"
	"github.com/tlswright/tlswright/wire"
)

// Hostile is a server that means harm, or is broken beyond use.
type Hostile struct {
	Name  string
	Start func(t testing.TB) *Server
	// SaysNo says that it refuses some hellos in order, so that "not offered" is the truth about these.
	SaysNo bool
}

// HostileServers lists them.
func HostileServers() []Hostile {
	return append(hostileFromTheStart(), hostileBehindTheHello()...)
}

// hostileFromTheStart are those that do not look at what they are sent.
func hostileFromTheStart() []Hostile {
	raw := func(name string, handle func(net.Conn)) Hostile {
		return Hostile{Name: name, Start: func(t testing.TB) *Server { return Start(t, handle) }}
	}
	return []Hostile{
		raw("silence", func(nc net.Conn) { _, _ = io.Copy(io.Discard, nc) }),
		raw("immediate reset", reset),
		raw("immediate end", func(net.Conn) {}),
		raw("garbage", garbage),
		raw("plain HTTP", plainHTTP),
		raw("plain SMTP", func(nc net.Conn) {
			fmt.Fprint(nc, "220 mail.test ESMTP\r\n")
			_, _ = io.Copy(io.Discard, nc)
		}),
	}
}

// hostileBehindTheHello are those that read the ClientHello first.
func hostileBehindTheHello() []Hostile {
	behind := func(name string, saysNo bool, f func(c *Talk)) Hostile {
		return Hostile{Name: name, SaysNo: saysNo, Start: func(t testing.TB) *Server {
			s := Sound()
			s.Refuse = func(c *Talk) bool {
				f(c)
				return true
			}
			return s.Start(t)
		}}
	}
	return []Hostile{
		behind("reset behind the hello", false, func(c *Talk) { reset(c.Conn) }),
		behind("garbage that begins as TLS", false, func(c *Talk) {
			noise := make([]byte, 1<<14)
			_, _ = rand.Read(noise)
			noise[32] = 0xff // no session id is so long
			c.Send(wire.ContentHandshake, append([]byte{2, 0, 0, 70, 3, 3}, noise...))
		}),
		behind("alert only", false, func(c *Talk) { c.Alert(wire.AlertLevelFatal, wire.AlertInternalError) }),
		behind("warnings without end", false, func(c *Talk) {
			for c.Send(wire.ContentAlert, []byte{1, byte(wire.AlertUnrecognizedName)}) {
			}
		}),
		behind("slow drip", true, drip),
		behind("records without end", false, func(c *Talk) { flood(c, wire.ContentApplicationData, nil) }),
		behind("empty records without end", false, func(c *Talk) {
			many := strings.Repeat("\x16\x03\x03\x00\x00", 1000)
			for {
				if _, err := io.WriteString(c, many); err != nil {
					return
				}
			}
		}),
		behind("a message without end", false, func(c *Talk) {
			flood(c, wire.ContentHandshake, []byte{byte(wire.TypeServerHello), 0xff, 0xff, 0xff, 3, 3})
		}),
		behind("a chain of 16 MB", true, bigChain),
		behind("HelloRetryRequest without end", true, retryForEver),
		behind("hellos without end", true, func(c *Talk) {
			c.choose()
			hello := wire.AppendMessage(nil, c.serverHello())
			for c.Send(wire.ContentHandshake, hello) {
			}
		}),
		behind("a suite that was not offered", true, func(c *Talk) { c.wrongHello(func(m *wire.ServerHello) { m.CipherSuite = 0xfefe }) }),
		behind("a version that was not offered", false, func(c *Talk) { c.wrongHello(func(m *wire.ServerHello) { m.LegacyVersion = 0x0305 }) }),
	}
}

// flood sends records that begin with some bytes until nobody wants them any more.
func flood(c *Talk, typ wire.ContentType, begin []byte) {
	piece := make([]byte, 1<<14)
	copy(piece, begin)
	for c.Send(typ, piece) {
	}
}

// wrongHello sends a ServerHello that was changed.
func (c *Talk) wrongHello(change func(*wire.ServerHello)) {
	c.choose()
	m := c.serverHello()
	change(m)
	c.Send(wire.ContentHandshake, wire.AppendMessage(nil, m))
}

// HostileMail are servers of mail that never come to STARTTLS.
func HostileMail() []Hostile {
	mail := func(name string, handle func(net.Conn)) Hostile {
		return Hostile{Name: name, Start: func(t testing.TB) *Server { return Start(t, handle) }}
	}
	repeat := func(nc net.Conn, text string) {
		for {
			if _, err := io.WriteString(nc, text); err != nil {
				return
			}
		}
	}
	return []Hostile{
		mail("a greeting without end", func(nc net.Conn) { repeat(nc, "220-mail.test is glad to see you\r\n") }),
		mail("a line without end", func(nc net.Conn) { repeat(nc, "220 mail.test ") }),
		mail("a list without end", func(nc net.Conn) {
			fmt.Fprint(nc, "220 mail.test\r\n")
			repeat(nc, "250-SOMETHING\r\n")
		}),
		mail("no STARTTLS", func(nc net.Conn) {
			fmt.Fprint(nc, "220 mail.test\r\n")
			_, _ = nc.Read(make([]byte, 512))
			fmt.Fprint(nc, "250-mail.test\r\n250 SIZE\r\n")
			_, _ = io.Copy(io.Discard, nc)
		}),
		mail("silence behind STARTTLS", func(nc net.Conn) {
			fmt.Fprint(nc, "220 mail.test\r\n")
			_, _ = nc.Read(make([]byte, 512))
			fmt.Fprint(nc, "250-mail.test\r\n250 STARTTLS\r\n")
			_, _ = nc.Read(make([]byte, 512))
			fmt.Fprint(nc, "220 go ahead\r\n")
			_, _ = io.Copy(io.Discard, nc)
		}),
		mail("too many connections", func(nc net.Conn) { fmt.Fprint(nc, "421 mail.test is too busy\r\n") }),
	}
}

// garbage sends noise until nobody wants it any more.
func garbage(nc net.Conn) {
	noise := make([]byte, 1<<14)
	_, _ = rand.Read(noise)
	noise[0] = 0x99 // no record begins so
	for range 1000 {
		if _, err := nc.Write(noise); err != nil {
			return
		}
	}
}

// plainHTTP answers whatever comes as a web server without TLS does.
func plainHTTP(nc net.Conn) {
	one := make([]byte, 1)
	if _, err := nc.Read(one); err != nil {
		return
	}
	fmt.Fprint(nc, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nClient sent something that is no HTTP.\n")
}

// drip sends a good flight a byte at a time, so slowly that no step of it times out.
func drip(c *Talk) {
	if _, ok := c.choose(); !ok {
		return
	}
	hello := wire.AppendMessage(nil, c.serverHello())
	for _, b := range record.AppendPlaintext(nil, wire.ContentHandshake, c.Version, hello) {
		if _, err := c.Write([]byte{b}); err != nil {
			return
		}
		time.Sleep(100 * time.Millisecond) // the drip is what is tested; nothing is synchronised by it
	}
}

// bigChain sends a certificate message of 16 MB.
func bigChain(c *Talk) {
	if _, ok := c.choose(); !ok {
		c.Alert(wire.AlertLevelFatal, wire.AlertHandshakeFailure)
		return
	}
	if !c.Send(wire.ContentHandshake, wire.AppendMessage(nil, c.serverHello())) {
		return
	}
	const size = 1<<24 - 1
	head := []byte{byte(wire.TypeCertificate), 0xff, 0xff, 0xff, 0xff, 0xff, 0xfc}
	if !c.Send(wire.ContentHandshake, head) {
		return
	}
	piece := make([]byte, 1<<14)
	for i := 0; i < len(piece); i += 3 + 1021 {
		copy(piece[i:], []byte{0, 0x03, 0xfd}) // one small certificate after the other
	}
	for sent := len(head); sent < size; sent += len(piece) {
		if !c.Send(wire.ContentHandshake, piece) {
			return
		}
	}
}

// retryForEver answers every hello of TLS 1.3 with a HelloRetryRequest.
func retryForEver(c *Talk) {
	group := wire.GroupSecp521r1
	for range 1000 {
		m := &wire.ServerHello{LegacyVersion: wire.VersionTLS12, Random: wire.HelloRetryRequestRandom(), SessionID: c.Hello.SessionID,
			CipherSuite: wire.TLS_AES_128_GCM_SHA256}
		m.Extensions.Add(&wire.SelectedVersion{Version: wire.VersionTLS13})
		m.Extensions.Add(&wire.KeyShareRetry{Group: group})
		if !c.Send(wire.ContentHandshake, wire.AppendMessage(nil, m)) {
			return
		}
		typ, _, ok := c.ReadRecord()
		for ok && typ == wire.ContentChangeCipherSpec {
			typ, _, ok = c.ReadRecord()
		}
		if !ok || typ != wire.ContentHandshake {
			return
		}
	}
}
