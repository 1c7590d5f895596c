package gateway

import (
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/tlsnet"
)

// Defaults of the limits.
const (
	DefaultConnections = 20_000
	DefaultPerAddress  = 1_000
	DefaultHandshake   = tlsnet.DefaultHandshakeTimeout
	DefaultHeaderTime  = 10 * time.Second
	DefaultIdle        = 2 * time.Minute
	DefaultStreamIdle  = time.Hour // of connections that are not HTTP
	DefaultHeaderBytes = 32 << 10
)

// orDefault is a limit with its default in the place of 0; negative: none, which is 0.
func orDefault[N int | int64 | time.Duration](n, usual N) N {
	if n == 0 {
		return usual
	}
	return max(n, 0)
}

// limitsOf are the limits of a listener: its own, and where it has none those of the gateway.
func limitsOf(c *config.Gateway, l *config.Listener) config.Limits {
	own, all := l.Limits, c.Limits
	return config.Limits{
		Connections: orDefault(own.Connections, -1),
		PerAddress:  orDefault(first(own.PerAddress, all.PerAddress), DefaultPerAddress),
		Handshake:   orDefault(first(own.Handshake, all.Handshake), DefaultHandshake),
		HeaderTime:  first(own.HeaderTime, all.HeaderTime),
		BodyTime:    first(own.BodyTime, all.BodyTime),
		Idle:        first(own.Idle, all.Idle),
		HeaderBytes: first(own.HeaderBytes, all.HeaderBytes),
		BodyBytes:   first(own.BodyBytes, all.BodyBytes),
	}
}

func first[N int | int64 | time.Duration](a, b N) N {
	if a != 0 {
		return a
	}
	return b
}

// counter counts open connections, in all and by address. IPv6 addresses count by their /64, which is what one customer
// gets.
type counter struct {
	mu        sync.Mutex
	all       int
	byAddress map[netip.Addr]int
	byDoor    map[*listener]int
	told      map[toldKey]time.Time
}

func newCounter() *counter {
	return &counter{byAddress: make(map[netip.Addr]int), byDoor: make(map[*listener]int), told: make(map[toldKey]time.Time)}
}

// enter counts a connection, unless that would be too many: then it says of what. A bound of 0 is none.
func (c *counter) enter(l *listener, a netip.Addr, all, perListener, perAddress int) (limit string) {
	key := addressKey(a)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case all > 0 && c.all >= all:
		return "connections"
	case perListener > 0 && c.byDoor[l] >= perListener:
		return "listener"
	case key.IsValid() && perAddress > 0 && c.byAddress[key] >= perAddress:
		return "address"
	}
	c.all++
	c.byDoor[l]++
	if key.IsValid() {
		c.byAddress[key]++
	}
	return ""
}

// leave is the end of a connection that was counted.
func (c *counter) leave(l *listener, a netip.Addr) {
	key := addressKey(a)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all--
	if c.byDoor[l]--; c.byDoor[l] <= 0 {
		delete(c.byDoor, l)
	}
	if !key.IsValid() {
		return
	}
	if c.byAddress[key]--; c.byAddress[key] <= 0 {
		delete(c.byAddress, key)
	}
}

// open is how many connections there are.
func (c *counter) open() (all int, addresses int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all, len(c.byAddress)
}

func addressKey(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if !a.Is6() {
		return a
	}
	p, err := a.Prefix(64)
	if err != nil {
		return a
	}
	return p.Addr()
}

// move counts a connection for another address, unless that one has too many already.
func (c *counter) move(from, to netip.Addr, perAddress int) (limit string) {
	from, to = addressKey(from), addressKey(to)
	c.mu.Lock()
	defer c.mu.Unlock()
	if perAddress > 0 && c.byAddress[to] >= perAddress {
		return "address"
	}
	if from.IsValid() {
		if c.byAddress[from]--; c.byAddress[from] <= 0 {
			delete(c.byAddress, from)
		}
	}
	if to.IsValid() {
		c.byAddress[to]++
	}
	return ""
}

// limited tells that connections are turned away: once a minute for each listener and limit, for there may be many.
func (g *Gateway) limited(l *listener, c *conn, limit string) {
	if !g.limits.mayTell(l, limit, g.o.Now()) {
		return
	}
	text := "there are too many connections in all"
	switch limit {
	case "listener":
		text = "the listener has too many connections"
	case "address":
		text = "the address has too many connections"
	}
	g.tell(slog.LevelWarn, Event{Kind: "limited", Listener: l.name, Address: c.who(), Text: "connections are turned away: " + text})
}

type toldKey struct {
	l     *listener
	limit string
}

func (c *counter) mayTell(l *listener, limit string, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := toldKey{l, limit}
	if now.Sub(c.told[key]) < time.Minute {
		return false
	}
	c.told[key] = now
	return true
}
