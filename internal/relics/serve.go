package relics

import (
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// patience ends a connection that a test has forgotten. It is no part of any script.
const patience = 30 * time.Second

// Server is a scripted server that listens on 127.0.0.1 until its test ends.
type Server struct {
	Addr string // "127.0.0.1:PORT"
	Port int

	count atomic.Int64
	sent  atomic.Int64
	read  atomic.Int64
}

// Connections is how many connections the server has accepted so far.
func (s *Server) Connections() int { return int(s.count.Load()) }

// Sent is how many bytes the server has handed to its connections so far.
func (s *Server) Sent() int64 { return s.sent.Load() }

// Received is how many bytes the server has read so far.
func (s *Server) Received() int64 { return s.read.Load() }

// counted counts what goes over a connection.
type counted struct {
	net.Conn
	server *Server
}

// Read reads and counts.
func (c counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.server.read.Add(int64(n))
	return n, err
}

// Write writes and counts.
func (c counted) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.server.sent.Add(int64(n))
	return n, err
}

// reset closes a connection so that the peer sees a reset instead of an end.
func reset(nc net.Conn) {
	if c, ok := nc.(counted); ok {
		nc = c.Conn
	}
	if tcp, ok := nc.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // the peer only sees another way to end
	}
	_ = nc.Close()
}

// Start listens and gives each connection to handle, in a goroutine of its own; handle need not close it. When the test
// ends the listener and all connections are closed, and Start's cleanup waits until every handle has returned.
func Start(t testing.TB, handle func(net.Conn)) *Server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Addr: listener.Addr().String()}
	_, port, err := net.SplitHostPort(s.Addr)
	if err == nil {
		s.Port, err = strconv.Atoi(port)
	}
	if err != nil {
		t.Fatal(err)
	}
	var (
		mu    sync.Mutex
		open  = make(map[net.Conn]bool)
		ended bool
		group sync.WaitGroup
	)
	serve := func(nc net.Conn) {
		mu.Lock()
		if ended {
			mu.Unlock()
			_ = nc.Close()
			return
		}
		open[nc] = true
		mu.Unlock()
		_ = nc.SetDeadline(time.Now().Add(patience))
		handle(counted{nc, s})
		_ = nc.Close()
		mu.Lock()
		delete(open, nc)
		mu.Unlock()
	}
	group.Go(func() {
		for {
			nc, err := listener.Accept()
			if err != nil {
				return
			}
			s.count.Add(1)
			group.Go(func() { serve(nc) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		mu.Lock()
		ended = true
		for nc := range open {
			_ = nc.Close()
		}
		mu.Unlock()
		group.Wait()
	})
	return s
}
