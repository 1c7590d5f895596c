package cli

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// tourShop is a shop behind a gateway that takes requests in a client's first packet, and counts what is ordered.
type tourShop struct {
	*tourGateway
	file   func(listen string) []byte
	dialer *tlsnet.Dialer // it remembers sessions

	mu     sync.Mutex
	orders map[string]int // times that an order reached the application, by its path
	early  map[string]int // those of them that the gateway said might be replayed
}

// tourShopFile keeps the keys of its tickets in a file, as several nodes do that share them: a gateway that is started again
// knows them still.
const tourShopFile = `gateway:
  listeners: [{name: web, address: %q}]
  tickets: %q
  sites:
    shop:
      hosts: localhost
      certificate: {chain: %q, key: %q}
      early-data: 16KiB
      target: %q
`

const (
	tourReplays  = 20               // times that somebody sends the same flight again
	tourPatience = 20 * time.Second // for an answer on the loopback interface
)

func (t *tour) sendEarly() {
	var shop *tourShop
	var flight []byte
	if !t.check("first visit", func() (detail string, err error) {
		if shop, err = t.openShop(); err != nil {
			return "", err
		}
		return shop.firstVisit(t)
	}) {
		return
	}
	if !t.check("sent early", func() (detail string, err error) {
		flight, err = shop.orderEarly(t, "/order/1")
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("the second visit: the order is in the client's first %d bytes and is answered a round trip sooner; the application is told that it came early", len(flight)), nil
	}) {
		return
	}
	t.check("sent again", func() (string, error) {
		if err := shop.replay(t, flight); err != nil {
			return "", err
		}
		return fmt.Sprintf("the same %d bytes, by somebody who copied them, %d times: the order was carried out once and no more", len(flight), tourReplays), shop.counts("/order/1", 1)
	})
	t.check("after a restart", func() (string, error) {
		held, err := shop.holdBack(t, "/order/2")
		if err != nil {
			return "", err
		}
		if err := shop.restart(t); err != nil {
			return "", err
		}
		if err := shop.replay(t, held); err != nil {
			return "", err
		}
		if err := shop.resumes(t); err != nil {
			return "", err
		}
		return "a copy of a packet that the gateway never saw, sent after it was restarted and cannot know what it had seen: not carried out", shop.counts("/order/2", 0)
	})
}

// openShop starts the application and the gateway.
func (t *tour) openShop() (*tourShop, error) {
	s := &tourShop{orders: map[string]int{}, early: map[string]int{}}
	target, err := t.startApplication(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.orders[r.URL.Path]++
		if r.Header.Get("Early-Data") == "1" { // RFC 8470, Section 5.1
			s.early[r.URL.Path]++
		}
		fmt.Fprint(w, "done: "+r.URL.Path)
	})
	if err != nil {
		return nil, err
	}
	secret := make([]byte, 48)
	rand.Read(secret)
	tickets := filepath.Join(t.home, "tickets")
	if err := os.WriteFile(tickets, []byte(base64.StdEncoding.EncodeToString(secret)+"\n"), 0o600); err != nil {
		return nil, err
	}
	chain, key := t.liveFiles()
	s.file = func(listen string) []byte { return fmt.Appendf(nil, tourShopFile, listen, tickets, chain, key, target) }
	c := t.clientConfig()
	c.Core.ALPN = []string{tlsnet.ProtocolHTTP1}
	if s.dialer, err = tlsnet.NewDialer(c); err != nil {
		return nil, err
	}
	s.tourGateway, err = t.startGateway(s.file("127.0.0.1:0"))
	return s, err
}

// restart ends the gateway and starts another one with the same settings at the same address, by which clients keep tickets.
func (s *tourShop) restart(t *tour) (err error) {
	if err := s.stop(); err != nil {
		return err
	}
	s.tourGateway, err = t.startGateway(s.file(s.addr))
	return err
}

// counts compares how often an order has reached the application.
func (s *tourShop) counts(path string, want int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := s.orders[path]; got != want {
		return fmt.Errorf("the order %s was carried out %d times, not %d", path, got, want)
	}
	return nil
}

func shopRequest(path string) []byte {
	return []byte("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

// read reads an answer of the shop.
func (s *tourShop) read(r *bufio.Reader, path string) error {
	return readAnswer(r, "done: "+path)
}

// readAnswer reads an answer that must be 200 with these words.
func readAnswer(r *bufio.Reader, want string) error {
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || string(body) != want {
		return fmt.Errorf("%s, %q", resp.Status, body)
	}
	return nil
}

// order makes an order after the handshake.
func (s *tourShop) order(c *tlsnet.Conn, r *bufio.Reader, path string) error {
	if _, err := c.Write(shopRequest(path)); err != nil {
		return err
	}
	return s.read(r, path)
}

// firstVisit makes a whole handshake, and stays until the tickets for later visits have come.
func (s *tourShop) firstVisit(t *tour) (string, error) {
	c, err := s.dialer.Dial(t.ctx, "tcp", s.addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(tourPatience))
	r := bufio.NewReader(c)
	for begun := time.Now(); c.Facts().TicketsReceived < tlsnet.DefaultTickets; {
		if err := s.order(c, r, "/"); err != nil {
			return "", err
		}
		if time.Since(begun) > tourPatience {
			return "", errors.New("the server gave the client no tickets")
		}
	}
	if f := c.Facts(); f.Resumed || f.EarlyData != tlscore.EarlyDataNone {
		return "", fmt.Errorf("resumed %v, early data %v", f.Resumed, f.EarlyData)
	}
	return "a whole handshake, then the request; the server gives tickets for later visits", nil
}

// orderEarly orders with the first packet, and returns what the client had sent before it heard a word.
func (s *tourShop) orderEarly(t *tour, path string) ([]byte, error) {
	nc, err := net.Dial("tcp", s.addr)
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(tourPatience))
	tap := &wiretap{Conn: nc}
	c, err := s.dialer.Upgrade(tap, "localhost")
	if err != nil {
		return nil, err
	}
	if _, err := c.WriteEarly(shopRequest(path)); err != nil {
		return nil, err
	}
	if err := c.HandshakeContext(t.ctx); err != nil {
		return nil, err
	}
	if f := c.Facts(); f.EarlyData != tlscore.EarlyDataAccepted {
		return nil, fmt.Errorf("the early data was %v", f.EarlyData)
	}
	r := bufio.NewReader(c)
	if err := s.read(r, path); err != nil {
		return nil, err
	}
	if err := s.order(c, r, "/"); err != nil { // with its answer the ticket for another visit has come
		return nil, err
	}
	s.mu.Lock()
	told := s.early[path]
	s.mu.Unlock()
	if told != 1 {
		return nil, errors.New("the application was not told that the request came early")
	}
	return tap.flight(), errors.Join(s.counts(path, 1), c.Close())
}

// holdBack is a client's first packet with an order that never reaches the server.
func (s *tourShop) holdBack(t *tour, path string) ([]byte, error) {
	nc, err := net.Dial("tcp", s.addr)
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	tap := &wiretap{Conn: nc, cut: true}
	c, err := s.dialer.Upgrade(tap, "localhost")
	if err != nil {
		return nil, err
	}
	if _, err := c.WriteEarly(shopRequest(path)); err != nil {
		return nil, err
	}
	if err := c.HandshakeContext(t.ctx); err == nil {
		return nil, errors.New("the handshake came to its end although nothing was sent")
	}
	if f := c.Facts(); f.EarlyData != tlscore.EarlyDataOffered {
		return nil, fmt.Errorf("the early data was %v", f.EarlyData)
	}
	return tap.flight(), nil
}

// resumes shows that a gateway takes the tickets of the one before it, and yet nothing early with them.
func (s *tourShop) resumes(t *tour) error {
	c, err := s.dialer.DialEarly(t.ctx, "tcp", s.addr, shopRequest("/order/3"))
	if err != nil {
		return err
	}
	defer c.Close()
	if f := c.Facts(); !f.Resumed || f.EarlyData != tlscore.EarlyDataRejected {
		return fmt.Errorf("after the restart: resumed %v, early data %v", f.Resumed, f.EarlyData)
	}
	return s.counts("/order/3", 0)
}

// replay sends the same bytes again and again, and returns when the server has done with all of them.
func (s *tourShop) replay(t *tour, flight []byte) error {
	var copies []net.Conn
	defer func() {
		for _, c := range copies {
			c.Close()
		}
	}()
	answer := make([]byte, 16<<10)
	for range tourReplays {
		c, err := (&net.Dialer{}).DialContext(t.ctx, "tcp", s.addr)
		if err != nil {
			return err
		}
		copies = append(copies, c)
		c.SetDeadline(time.Now().Add(tourPatience))
		if _, err := c.Write(flight); err != nil {
			return err
		}
		if _, err := c.Read(answer); err != nil { // what the server does with the flight it has decided before it answers
			return fmt.Errorf("the server does not answer a flight that was sent again: %w", err)
		}
	}
	// What reached the application with those is ahead of an order that comes now, by a client of another kind.
	other, err := tlsnet.Dial(t.ctx, "tcp", s.addr, t.shopClient())
	if err != nil {
		return err
	}
	defer other.Close()
	other.SetDeadline(time.Now().Add(tourPatience))
	if err := s.order(other, bufio.NewReader(other), "/"); err != nil {
		return err
	}
	for _, c := range copies {
		if err := c.(*net.TCPConn).CloseWrite(); err != nil {
			return err
		}
		io.Copy(io.Discard, c) // until the server has ended it
	}
	return nil
}

func (t *tour) shopClient() *tlsnet.Config {
	c := t.clientConfig()
	c.Core.ALPN = []string{tlsnet.ProtocolHTTP1}
	return c
}

// wiretap copies what a client sends before it has heard anything.
type wiretap struct {
	net.Conn
	cut bool // nothing gets through

	mu    sync.Mutex
	heard bool
	sent  bytes.Buffer
}

// Write implements net.Conn.
func (w *wiretap) Write(p []byte) (int, error) {
	w.mu.Lock()
	if !w.heard {
		w.sent.Write(p)
	}
	w.mu.Unlock()
	if w.cut {
		return len(p), nil
	}
	return w.Conn.Write(p)
}

// Read implements net.Conn.
func (w *wiretap) Read(p []byte) (int, error) {
	if w.cut {
		return 0, io.EOF
	}
	n, err := w.Conn.Read(p)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.heard = w.heard || n > 0
	return n, err
}

// flight is the copy.
func (w *wiretap) flight() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return bytes.Clone(w.sent.Bytes())
}
