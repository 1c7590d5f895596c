package scan

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/internal/relics"
	"github.com/tlswright/tlswright/wire"
)

// counting counts the connections that are open at once.
type counting struct {
	open, most atomic.Int32
}

func (c *counting) dial(ctx context.Context, network, address string) (net.Conn, error) {
	nc, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if n := c.open.Add(1); n > c.most.Load() {
		c.most.Store(n)
	}
	return &counted{Conn: nc, c: c}, nil
}

type counted struct {
	net.Conn
	c    *counting
	once sync.Once
}

func (c *counted) Close() error {
	c.once.Do(func() { c.c.open.Add(-1) })
	return c.Conn.Close()
}

func TestNoMoreConnectionsAtOnceThanAllowed(t *testing.T) {
	port := serveTLS(t, &tls.Config{Certificates: tlsIdentities(t, pkitest.P256), MinVersion: tls.VersionTLS10})
	for _, most := range []int{1, 3} {
		var c counting
		core(t, port, Options{Concurrency: most, Dial: c.dial})
		if got := c.most.Load(); got > int32(most) || c.open.Load() != 0 {
			t.Errorf("%d connections at once, at most %d are allowed; %d left open", got, most, c.open.Load())
		}
	}
}

func TestPaceIsKept(t *testing.T) {
	d := newDoor(4, time.Hour)
	if err := d.enter(context.Background()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := d.enter(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("the second connection did not wait: %v", err)
	}
	if d.open != 1 {
		t.Errorf("%d places are taken", d.open)
	}
}

func TestADoorPassesPlacesOn(t *testing.T) {
	d := newDoor(2, 0)
	var inside, most atomic.Int32
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			if i%5 == 0 {
				cancel() // gives up while it waits, or before
			}
			if d.enter(ctx) != nil {
				return
			}
			if n := inside.Add(1); n > most.Load() {
				most.Store(n)
			}
			inside.Add(-1)
			d.leave()
		})
	}
	wg.Wait()
	if d.open != 0 || len(d.waiting) != 0 || most.Load() > 2 {
		t.Errorf("%d open, %d waiting, %d at once", d.open, len(d.waiting), most.Load())
	}
	d.slow()
	if d.slow(); d.limit != 1 {
		t.Errorf("limit %d", d.limit)
	}
}

// pushy refuses connections: every n-th, or all that come while another is open.
func pushy(t *testing.T, n int, refuse func(net.Conn)) (int, *atomic.Int32) {
	t.Helper()
	port := serveTLS(t, &tls.Config{Certificates: tlsIdentities(t, pkitest.P256)})
	var count, open, refused atomic.Int32
	s := relics.Start(t, func(nc net.Conn) {
		defer open.Add(-1)
		if alone := open.Add(1) == 1; n == 0 && !alone || n > 0 && int(count.Add(1))%n == 0 {
			refused.Add(1)
			refuse(nc)
			return
		}
		there, err := net.Dial("tcp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(port)).String())
		if err != nil {
			return
		}
		defer there.Close()
		var wg sync.WaitGroup
		wg.Go(func() {
			pipe(there, nc)
			there.(*net.TCPConn).CloseWrite()
		})
		pipe(nc, there)
		nc.Close()
		there.Close()
		wg.Wait()
	})
	return s.Port, &refused
}

func pipe(to, from net.Conn) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if n > 0 {
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func TestServersThatPushBackAreAskedAgain(t *testing.T) {
	for name, refuse := range map[string]func(net.Conn){
		"close": func(nc net.Conn) { nc.Close() },
		"after the hello": func(nc net.Conn) {
			_, _ = nc.Read(make([]byte, 1000))
			nc.Close()
		},
	} {
		for _, every := range []int{0, 5} {
			port, refused := pushy(t, every, refuse)
			f := core(t, port, Options{})
			if p := f.Protocol(wire.VersionTLS12); p == nil || p.Offered != grade.Yes || !p.Complete || len(p.Suites) < 3 {
				t.Errorf("%s, %d: %+v", name, every, p)
			}
			if p := f.Protocol(wire.VersionTLS13); p == nil || p.Offered != grade.Yes || len(p.Suites) != 3 {
				t.Errorf("%s, %d: %+v", name, every, p)
			}
			if p := f.Protocol(wire.VersionTLS11); p == nil || p.Offered != grade.No {
				t.Errorf("%s, %d: %+v", name, every, p)
			}
			if len(f.Groups) < 4 || refused.Load() == 0 {
				t.Errorf("%s, %d: %d groups; %d refused", name, every, len(f.Groups), refused.Load())
			}
		}
	}
}

// A mail server that has no time at first says so (RFC 5321, Section 3.8), and is no server that is down.
func TestBusyMailServersAreAskedAgain(t *testing.T) {
	config := &tls.Config{Certificates: tlsIdentities(t, pkitest.P256)}
	var connections atomic.Int32
	s := relics.Start(t, func(nc net.Conn) {
		defer nc.Close()
		if connections.Add(1) <= 3 {
			_, _ = nc.Write([]byte("421 too many connections, come back later\r\n"))
			return
		}
		lines := bufio.NewReader(nc)
		for _, answer := range []string{"220 mx.lab.test\r\n", "250-mx.lab.test\r\n250 STARTTLS\r\n", "220 go ahead\r\n"} {
			if _, err := nc.Write([]byte(answer)); err != nil || answer[:3] == "220" && answer[4:6] == "go" {
				break
			}
			if _, err := lines.ReadString('\n'); err != nil {
				return
			}
		}
		c := tls.Server(nc, config)
		_ = c.Handshake() // the scanner goes when it has seen enough
		_, _ = c.Read(make([]byte, 1))
	})
	all, err := New(Options{Quick: true, Offline: true, Concurrency: 1}).Scan(t.Context(), Target{Host: "127.0.0.1", Port: s.Port, StartTLS: "smtp"})
	if err != nil || len(all) != 1 || len(all[0].Chains) == 0 {
		t.Errorf("%+v, %v, after %d connections", all, err, connections.Load())
	}
}

func TestAllAddressesOfANameAreScanned(t *testing.T) {
	port := serveTLS(t, &tls.Config{Certificates: tlsIdentities(t, pkitest.P256)})
	lookUp := func(_ context.Context, host string) ([]netip.Addr, error) {
		if host != "lab.test" {
			return nil, errors.New("no such host")
		}
		return []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1"), netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::ffff:127.0.0.2")}, nil
	}
	var mu sync.Mutex
	told := make(map[string]int)
	s := New(Options{Offline: true, IPv4: true, LookUp: lookUp, Progress: func(p Progress) {
		mu.Lock()
		defer mu.Unlock()
		told[p.Address]++
		if p.Done > p.Total || p.Probe == "" || p.Target.Host != "lab.test" {
			t.Errorf("%+v", p)
		}
	}})
	all, err := s.Scan(context.Background(), Target{Host: "lab.test", Port: port})
	if err != nil || len(all) != 2 {
		t.Fatalf("%v, %v", all, err)
	}
	if f := all[0]; f.Address != "127.0.0.1" || !f.Offers(wire.VersionTLS13) || f.ServerName != "lab.test" || f.Seconds <= 0 || f.Connections == 0 {
		t.Errorf("%+v", f)
	}
	if f := all[1]; f.Address != "127.0.0.2" || f.Unreachable != "connection refused" {
		t.Errorf("%+v", f)
	}
	if told["127.0.0.1"] < 10 || told["127.0.0.2"] == 0 {
		t.Errorf("%v", told)
	}
	if _, err := s.Scan(context.Background(), Target{Host: "nobody.test", Port: port}); err == nil {
		t.Error("a name without an address")
	}
	if _, err := s.Scan(context.Background(), Target{Host: "::1", Port: port}); !errors.Is(err, ErrNoAddress) {
		t.Errorf("IPv6 where only IPv4 is wanted: %v", err)
	}
}

func TestTimeThatIsUpIsAGap(t *testing.T) {
	port := serveTLS(t, &tls.Config{Certificates: tlsIdentities(t, pkitest.P256)})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s := New(Options{Offline: true, Progress: func(p Progress) {
		if p.Probe == "versions" {
			cancel()
		}
	}})
	all, err := s.Scan(ctx, Target{Host: "127.0.0.1", Port: port, ServerName: "lab.test"})
	if err != nil || len(all) != 1 {
		t.Fatalf("%v, %v", all, err)
	}
	f := all[0]
	if !f.Offers(wire.VersionTLS13) || f.Protocol(wire.VersionTLS13).Complete || len(f.Gaps) == 0 || f.Gaps[0].Reason != "the scan was stopped" {
		t.Errorf("%+v, %v", f.Protocols, f.Gaps)
	}
}
