package tlsnet_test

import (
	"io"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/tlsnet"
)

// settle waits until no more goroutines run than at the start.
func settle(t *testing.T, goroutines int) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if runtime.NumGoroutine() <= goroutines {
			return
		}
	}
	buf := make([]byte, 1<<20)
	t.Fatalf("%d goroutines, %d at the start:\n%s", runtime.NumGoroutine(), goroutines, buf[:runtime.Stack(buf, true)])
}

// heap returns the bytes of heap that are in use.
func heap() uint64 {
	for range 3 {
		runtime.GC() // pools let go after two
	}
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestManyClientsLeaveNothingBehind serves 200 clients at once, over bare connections, HTTP/1.1 and HTTP/2.
func TestManyClientsLeaveNothingBehind(t *testing.T) {
	const clients = 200
	s := newSite(t)
	run := func() {
		l := listen(t, s.serverConfig())
		var serving sync.WaitGroup
		serving.Go(func() { echo(l) })
		sc := s.serverConfig()
		sc.Core.ALPN = tlsnet.HTTPProtocols()
		web := listen(t, sc)
		srv := &tlsnet.HTTPServer{Handler: http.HandlerFunc(report)}
		serving.Go(func() { srv.Serve(web) })
		var wg sync.WaitGroup
		// On a slow machine, 200 handshakes at the same moment run into the time-outs of net/http.
		connecting := make(chan struct{}, 20)
		for i := range clients {
			connecting <- struct{}{}
			begun := sync.OnceFunc(func() { <-connecting })
			wg.Go(func() {
				defer begun()
				if i%2 == 0 {
					echoClient(t, s, l, begun)
				} else {
					webClient(t, s, "https://"+web.Addr().String(), i%4 == 1, begun)
				}
			})
		}
		wg.Wait()
		l.Close()
		if err := srv.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		serving.Wait()
	}
	run() // what a process allocates once is there
	goroutines := runtime.NumGoroutine()
	settle(t, goroutines)
	before := heap()
	run()
	settle(t, goroutines)
	after := heap()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); after = heap() {
		if after <= before+1<<19 { // net/http keeps a closed HTTP/2 connection for up to a second
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("heap: %d bytes before, %d after %d clients", before, after, clients)
}

func echoClient(t *testing.T, s *site, l net.Listener, begun func()) {
	c := dialEcho(t, s, l)
	defer c.Close()
	for range 3 {
		go c.Write(make([]byte, 50_000))
		if _, err := io.ReadFull(c, make([]byte, 50_000)); err != nil {
			t.Error(err)
		}
		begun()
	}
}

func webClient(t *testing.T, s *site, url string, http1 bool, begun func()) {
	cc := s.clientConfig()
	if http1 {
		cc.Core.ALPN = []string{"http/1.1"}
	}
	rt := &tlsnet.Transport{Config: cc, IdleConnTimeout: time.Second}
	defer rt.CloseIdleConnections()
	for range 3 {
		get(t, rt, url, make([]byte, 50_000))
		begun()
	}
}

// TestIdleConnectionsAreSmall holds many established connections after bulk traffic.
func TestIdleConnectionsAreSmall(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools and heap sizes meaningless")
	}
	const pairs = 100
	s := newSite(t)
	cc, sc := s.clientConfig(), s.serverConfig()
	l := listen(t, sc)
	d, err := tlsnet.NewDialer(cc)
	if err != nil {
		t.Fatal(err)
	}
	keep := make([][2]*tlsnet.Conn, 0, pairs)
	one := func() [2]*tlsnet.Conn {
		accepted := make(chan *tlsnet.Conn, 1)
		go func() {
			c, err := l.AcceptConn()
			if err == nil {
				err = c.Handshake()
			}
			if err != nil {
				t.Error(err)
			}
			accepted <- c
		}()
		c, err := d.Dial(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		sv := <-accepted
		exchange(t, c, sv, 200_000)
		return [2]*tlsnet.Conn{c, sv}
	}
	measure := func() int64 {
		for range pairs {
			keep = append(keep, one())
		}
		held := heap()
		for _, p := range keep {
			p[0].Close()
			p[1].Close()
		}
		keep = keep[:0]
		clear(keep[:pairs])
		return int64(held-heap()) / (2 * pairs)
	}
	// What other tests left to be collected meanwhile only adds.
	each := min(measure(), measure(), measure())
	t.Logf("%d bytes of heap for each idle connection, TCP included", each)
	if each > 5<<10 {
		t.Errorf("an idle connection holds %d bytes", each)
	}
}

var _ net.Listener = (*tlsnet.Listener)(nil)
