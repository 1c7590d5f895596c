package cli

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"

	"github.com/tlswright/tlswright/wire"
)

// tcpServers are what `tcp NAME DOES` can do with a connection.
func tcpServers() map[string]func(net.Conn) {
	return map[string]func(net.Conn){
		"closes": func(c net.Conn) { c.Close() },
		"echo":   func(c net.Conn) { defer c.Close(); io.Copy(c, c) },
		"talks": func(c net.Conn) {
			fmt.Fprintf(c, "SSH-2.0-OpenSSH_9.2\r\n")
			c.Read(make([]byte, 1<<16))
			c.Close()
		},
		"mute": func(c net.Conn) {
			io.Copy(io.Discard, c) // and hold it: a connection that nobody knows any more would be closed
			c.Close()
		},
		"smtp-plain":    func(c net.Conn) { talkSMTP(c, "250-mx.test\r\n250 HELP\r\n") },
		"smtp-injects":  func(c net.Conn) { talkSMTP(c, "250-mx.test\r\n250 STARTTLS\r\n", "220 go\r\n250 injected\r\n") },
		"connect-proxy": func(c net.Conn) { connectProxy(c, "", same) },
		"locked-proxy":  func(c net.Conn) { connectProxy(c, "Basic bWU6c2VjcmV0", same) },
		"socks-proxy":   socksProxy,

		"downgrading-proxy": func(c net.Conn) { connectProxy(c, "", downgraded) },
	}
}

// talkSMTP greets, and gives one answer to each line.
func talkSMTP(c net.Conn, answers ...string) {
	defer c.Close()
	fmt.Fprintf(c, "220 mx.test ESMTP\r\n")
	in := bufio.NewScanner(c)
	for _, a := range answers {
		if !in.Scan() {
			return
		}
		io.WriteString(c, a)
	}
	io.Copy(io.Discard, c)
}

// connectProxy is an HTTP proxy that knows CONNECT alone. It changes what comes from the client.
func connectProxy(c net.Conn, auth string, change func(io.Reader) io.Reader) {
	defer c.Close()
	in := bufio.NewReader(c)
	req, err := http.ReadRequest(in)
	if err != nil || req.Method != http.MethodConnect {
		return
	}
	if req.Header.Get("Proxy-Authorization") != auth {
		fmt.Fprintf(c, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
		return
	}
	to, err := net.Dial("tcp", req.Host)
	if err != nil {
		fmt.Fprintf(c, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
		return
	}
	fmt.Fprintf(c, "HTTP/1.1 200 Connection established\r\nProxy-Agent: test\r\n\r\n")
	join(c, change(in), to)
}

func same(r io.Reader) io.Reader { return r }

// downgraded makes the ClientHello at the beginning of a stream one of TLS 1.0, as somebody on the way could.
func downgraded(r io.Reader) io.Reader {
	record := make([]byte, wire.RecordHeaderLen)
	if _, err := io.ReadFull(r, record); err != nil {
		return r
	}
	head, _ := wire.ParseRecordHeader(record)
	raw := make([]byte, head.Length)
	var hello wire.ClientHello
	if _, err := io.ReadFull(r, raw); err != nil || hello.Parse(raw) != nil {
		return r
	}
	hello.LegacyVersion = wire.VersionTLS10
	hello.CipherSuites = []wire.CipherSuite{wire.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, wire.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA}
	hello.Extensions = slices.DeleteFunc(hello.Extensions, func(e wire.Extension) bool { return e.Type == wire.ExtSupportedVersions })
	changed := wire.AppendMessage(nil, &hello)
	head.Length = len(changed)
	return io.MultiReader(bytes.NewReader(append(wire.AppendRecordHeader(nil, head), changed...)), r)
}

// socksProxy knows what RFC 1928 needs for a connection to an IPv4 address without a password.
func socksProxy(c net.Conn) {
	defer c.Close()
	hello := make([]byte, 2)
	if _, err := io.ReadFull(c, hello); err != nil {
		return
	}
	io.CopyN(io.Discard, c, int64(hello[1]))
	c.Write([]byte{5, 0})
	request := make([]byte, 10)
	if _, err := io.ReadFull(c, request); err != nil || request[3] != 1 {
		return
	}
	to, err := net.Dial("tcp", net.JoinHostPort(net.IP(request[4:8]).String(), strconv.Itoa(int(binary.BigEndian.Uint16(request[8:])))))
	if err != nil {
		c.Write([]byte{5, 5, 0, 1, 0, 0, 0, 0, 0, 0})
		return
	}
	c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	join(c, c, to)
}

// join carries bytes both ways until both are over.
func join(c net.Conn, in io.Reader, to net.Conn) {
	defer to.Close()
	go func() {
		io.Copy(to, in)
		to.(*net.TCPConn).CloseWrite()
	}()
	io.Copy(c, to)
}
