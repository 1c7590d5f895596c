package main

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

const (
	workers = 8 // clients at the same time
	body    = "Hello, world!"
	request = "GET / HTTP/1.1\r\nHost: " + serverName + "\r\n\r\n"
)

// noSessions is a client's cache that keeps nothing: servers hand out tickets, as they do to everybody, and every
// handshake is a full one.
type noSessions struct{}

func (noSessions) Get(string) (*tls.ClientSessionState, bool) { return nil, false }
func (noSessions) Put(string, *tls.ClientSessionState)        {}

// clientConfig is what the load speaks: TLS 1.3 over one group; the server's certificate is not what is measured.
func clientConfig(group tls.CurveID) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{group}, ServerName: serverName, InsecureSkipVerify: true,
		ClientSessionCache: noSessions{},
	}
}

// connect makes n connections one after the other, several at a time, and does something with each of them.
func connect(addr string, n int, config func(i int) *tls.Config, use func(*tls.Conn) error) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, workers)
	for range workers {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := connectOnce(addr, config(i), use); err != nil {
					errs <- fmt.Errorf("connection %d: %w", i, err)
					return
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	return <-errs
}

func connectOnce(addr string, config *tls.Config, use func(*tls.Conn) error) error {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	c := tls.Client(nc, config)
	defer c.Close()
	if err := c.Handshake(); err != nil {
		return err
	}
	return use(c)
}

// shakeOnly leaves after the handshake.
func shakeOnly(*tls.Conn) error { return nil }

// getOnce sends one request and reads the answer whole.
func getOnce(c *tls.Conn) error {
	if _, err := io.WriteString(c, request); err != nil {
		return err
	}
	r, err := http.ReadResponse(bufio.NewReaderSize(c, 1024), nil)
	if err != nil {
		return err
	}
	got, err := io.ReadAll(r.Body)
	if err == nil && (r.StatusCode != http.StatusOK || string(got) != body) {
		err = errors.New("the answer is not the backend's: " + r.Status)
	}
	return err
}

// serveBackend answers every request with the same few bytes, without parsing more than the end of its header. It is a
// process of its own: beside the clients it would have half as many connections, for each has a descriptor at either end.
func serveBackend(addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go answer(c)
	}
}

func answer(c net.Conn) {
	defer c.Close()
	response := []byte(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
	buf, held := make([]byte, 8<<10), 0
	for {
		n, err := c.Read(buf[held:])
		held += n
		for end := headerEnd(buf[:held]); end > 0; end = headerEnd(buf[:held]) {
			held = copy(buf, buf[end:held])
			if _, err := c.Write(response); err != nil {
				return
			}
		}
		if err != nil || held == len(buf) {
			return
		}
	}
}

// headerEnd is how long the first request in b is, 0 if it has not come whole. Requests to the backend have no body.
func headerEnd(b []byte) int {
	for i := 3; i < len(b); i++ {
		if b[i] == '\n' && b[i-1] == '\r' && b[i-2] == '\n' {
			return i + 1
		}
	}
	return 0
}

// hold makes n connections, one request on each if asked, and keeps them until release is called.
func hold(addr string, n int, ask bool) (release func(), err error) {
	var conns []net.Conn
	release = func() {
		for _, c := range conns {
			c.Close()
		}
	}
	config := clientConfig(tls.X25519)
	for i := range n {
		c, err := holdOne(addr, config, ask)
		if err != nil {
			return release, fmt.Errorf("connection %d: %w", i+1, err)
		}
		conns = append(conns, c)
	}
	return release, nil
}

// holdOne makes one connection, which stays open.
func holdOne(addr string, config *tls.Config, ask bool) (net.Conn, error) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	c := tls.Client(nc, config)
	if err := c.Handshake(); err != nil {
		nc.Close()
		return nil, fmt.Errorf("handshake: %w", err)
	}
	if !ask {
		return c, nil
	}
	if err := getOnce(c); err != nil {
		nc.Close()
		return nil, fmt.Errorf("request: %w", err)
	}
	return c, nil
}

func alwaysX25519() func(int) *tls.Config {
	config := clientConfig(tls.X25519)
	return func(int) *tls.Config { return config }
}
