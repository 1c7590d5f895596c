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
	raw := func(handle func(net.Conn)) func(testing.TB) *Server {
		return func(t testing.TB) *Server { return Start(t, handle) }
	}
	behind := func(f func(c *Talk)) func(testing.TB) *Server {
		return func(t testing.TB) *Server {
			s := Sound()
			s.Refuse = func(c *Talk) bool {
				f(c)
				return true
			}
			return s.Start(t)
		}
	}
	return []Hostile{
		{Name: "silence", Start: raw(func(nc net.Conn) { _, _ = io.Copy(io.Discard, nc) })},
		{Name: "immediate reset", Start: raw(reset)},
		{Name: "reset behind the hello", Start: behind(func(c *Talk) { reset(c.Conn) })},
		{Name: "immediate end", Start: raw(func(net.Conn) {})},
		{Name: "garbage", Start: raw(func(nc net.Conn) { garbage(nc) })},
		{Name: "garbage that begins as TLS", Start: behind(func(c *Talk) {
			noise := make([]byte, 1<<14)
			_, _ = rand.Read(noise)
			noise[32] = 0xff // no session id is so long
			c.Send(wire.ContentHandshake, append([]byte{2, 0, 0, 70, 3, 3}, noise...))
		})},
		{Name: "alert only", Start: behind(func(c *Talk) { c.Alert(wire.AlertLevelFatal, wire.AlertInternalError) })},
		{Name: "warnings without end", Start: behind(func(c *Talk) {
			for c.Send(wire.ContentAlert, []byte{1, byte(wire.AlertUnrecognizedName)}) {
			}
		})},
		{Name: "plain HTTP", Start: raw(plainHTTP)},
		{Name: "plain SMTP", Start: raw(func(nc net.Conn) {
			fmt.Fprint(nc, "220 mail.test ESMTP\r\n")
			_, _ = io.Copy(io.Discard, nc)
		})},
		{Name: "slow drip", Start: behind(drip), SaysNo: true},
		{Name: "records without end", Start: behind(func(c *Talk) {
			piece := make([]byte, 1<<14)
			for c.Send(wire.ContentApplicationData, piece) {
			}
		})},
		{Name: "empty records without end", Start: behind(func(c *Talk) {
			many := strings.Repeat("\x16\x03\x03\x00\x00", 1000)
			for {
				if _, err := io.WriteString(c, many); err != nil {
					return
				}
			}
		})},
		{Name: "a message without end", Start: behind(func(c *Talk) {
			piece := make([]byte, 1<<14)
			copy(piece, []byte{byte(wire.TypeServerHello), 0xff, 0xff, 0xff, 3, 3})
			for c.Send(wire.ContentHandshake, piece) {
			}
		})},
		{Name: "a chain of 16 MB", Start: behind(bigChain), SaysNo: true},
		{Name: "HelloRetryRequest without end", Start: behind(retryForEver), SaysNo: true},
		{Name: "hellos without end", Start: behind(func(c *Talk) {
			c.choose()
			hello := wire.AppendMessage(nil, c.serverHello())
			for c.Send(wire.ContentHandshake, hello) {
			}
		}), SaysNo: true},
		{Name: "a suite that was not offered", Start: behind(func(c *Talk) {
			c.choose()
			m := c.serverHello()
			m.CipherSuite = 0xfefe
			c.Send(wire.ContentHandshake, wire.AppendMessage(nil, m))
		}), SaysNo: true},
		{Name: "a version that was not offered", Start: behind(func(c *Talk) {
			c.choose()
			m := c.serverHello()
			m.LegacyVersion = 0x0305
			c.Send(wire.ContentHandshake, wire.AppendMessage(nil, m))
		})},
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
