package tlsnet_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// earlySite serves HTTP with early data and counts the requests that come early.
type earlySite struct {
	*site
	url    string
	early  atomic.Int32
	refuse atomic.Bool // answer 425 to what comes early
}

func newEarlySite(t *testing.T, proto string) *earlySite {
	e := &earlySite{site: newSite(t)}
	sc := e.site.early()
	sc.Core.ALPN = alpn(proto)
	e.url, _ = web(t, sc, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mark := r.Header.Get("Early-Data")
		if mark != "" {
			e.early.Add(1)
		}
		if mark != "" && e.refuse.Load() {
			w.WriteHeader(http.StatusTooEarly)
			return
		}
		i, _ := tlsnet.InfoFromContext(r.Context())
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s early=%s resumed=%v body=%s", r.Proto, r.Method, r.URL.Path, mark, i.Facts.Resumed, b)
	}))
	return e
}

func (e *earlySite) transport() *tlsnet.Transport {
	return &tlsnet.Transport{Config: e.clientConfig(), EarlyData: true}
}

// again drops the connections, so that the next request makes one.
func again(t *testing.T, rt *tlsnet.Transport) { rt.CloseIdleConnections() }

func do(t *testing.T, rt http.RoundTripper, method, url, body string) (string, *http.Response) {
	t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, r)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := rt.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), resp
}

var earlyProtocols = map[string]string{"h1": "http/1.1", "h2": "h2"}

func TestSafeRequestsGoEarly(t *testing.T) {
	for name, proto := range earlyProtocols {
		t.Run(name, func(t *testing.T) {
			e := newEarlySite(t, proto)
			rt := e.transport()
			defer rt.CloseIdleConnections()
			do(t, rt, "GET", e.url+"/first", "")
			do(t, rt, "GET", e.url+"/second", "") // the tickets have come
			for i := range 4 {
				again(t, rt)
				got, resp := do(t, rt, "GET", e.url+"/x", "")
				info, ok := tlsnet.InfoFromResponse(resp)
				if !strings.Contains(got, "resumed=true") || !ok || info.Facts.EarlyData != tlscore.EarlyDataAccepted {
					t.Errorf("%d: %s, %v", i, got, info.Facts.EarlyData)
				}
				got, resp = do(t, rt, "POST", e.url+"/y", "data") // over the same connection, not early any more
				if !strings.Contains(got, "early= resumed=true body=data") {
					t.Errorf("%d: %s", i, got)
				}
				if now, _ := tlsnet.InfoFromResponse(resp); now.Facts.ClientRandom != info.Facts.ClientRandom {
					t.Errorf("%d: another connection", i)
				}
			}
			// The client's Finished may have come before the handler ran: the request is none that may be replayed then.
			if e.early.Load() > 4 {
				t.Errorf("%d requests were marked", e.early.Load())
			}
		})
	}
}

func TestUnsafeRequestsDoNotGoEarly(t *testing.T) {
	for name, proto := range earlyProtocols {
		t.Run(name, func(t *testing.T) {
			e := newEarlySite(t, proto)
			rt := e.transport()
			defer rt.CloseIdleConnections()
			for _, r := range [][2]string{{"POST", "x"}, {"POST", ""}, {"DELETE", ""}, {"GET", "body"}, {"PUT", "x"}} {
				do(t, rt, "GET", e.url+"/", "")
				do(t, rt, "GET", e.url+"/", "")
				again(t, rt)
				before := e.early.Load()
				got, _ := do(t, rt, r[0], e.url+"/", r[1])
				if !strings.Contains(got, "early= resumed=true body="+r[1]) || e.early.Load() != before {
					t.Errorf("%v: %s", r, got)
				}
				again(t, rt)
			}
		})
	}
}

func TestEarlyRequestsAreSentAgain(t *testing.T) {
	for name, proto := range earlyProtocols {
		for _, how := range []string{"rejected", "too early"} {
			t.Run(name+" "+how, func(t *testing.T) {
				e := newEarlySite(t, proto)
				e.refuse.Store(how == "too early")
				store := &aged{SessionStore: tlsnet.NewMemorySessions(0)}
				cc := e.clientConfig()
				cc.Sessions = store
				rt := &tlsnet.Transport{Config: cc, EarlyData: true}
				defer rt.CloseIdleConnections()
				do(t, rt, "GET", e.url+"/", "")
				do(t, rt, "GET", e.url+"/", "")
				again(t, rt)
				store.wrong.Store(how == "rejected")
				got, resp := do(t, rt, "GET", e.url+"/x", "")
				if resp.StatusCode != 200 || !strings.Contains(got, "early= resumed=true") {
					t.Errorf("%d %s", resp.StatusCode, got)
				}
			})
		}
	}
}

// aged is a store whose sessions report a wrong age once it is told so, for which a server refuses their early data.
type aged struct {
	tlsnet.SessionStore
	wrong atomic.Bool
}

func (a *aged) Take(key string) *tlscore.Session {
	s := a.SessionStore.Take(key)
	if s == nil || !a.wrong.Load() {
		return s
	}
	older := *s
	older.AgeAdd += 60_000 // milliseconds
	return &older
}

// TestRequestsThatMayBeReplayedAreKeptFromHandlers sends requests early with a client that does not care.
func TestRequestsThatMayBeReplayedAreKeptFromHandlers(t *testing.T) {
	e := newEarlySite(t, "http/1.1")
	cc := e.clientConfig()
	cc.Core.ALPN = []string{"http/1.1"}
	d := dialer(t, cc)
	addr := strings.TrimPrefix(e.url, "https://")
	for _, c := range []struct{ request, want string }{
		{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "200"}, // for the ticket
		{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "200"},
		{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "425"},
		{"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx", "425"},
		{"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "425"},
		{"GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: y\r\n\r\n", "425"},
		{"PURGE / HTTP/1.1\r\nHost: x\r\n\r\n", "425"},
	} {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		held := &holding{Conn: nc}
		conn, err := d.Upgrade(held, "localhost")
		if err != nil {
			t.Fatal(err)
		}
		conn.WriteEarly([]byte(c.request))
		if err := conn.Handshake(); err != nil {
			t.Fatal(err)
		}
		if conn.Facts().EarlyData != tlscore.EarlyDataAccepted {
			held.release(t)
			conn.ForgetEarly()
			mustWrite(t, conn, c.request)
		}
		in := bufio.NewReader(conn)
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(resp.Body); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(resp.Status, c.want) {
			t.Errorf("%q: %s", c.request, resp.Status)
		}
		held.release(t)
		if c.want == "200" {
			mustWrite(t, conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx")
			if resp, err := http.ReadResponse(in, nil); err != nil || resp.StatusCode != 200 {
				t.Errorf("afterwards: %v, %v", resp, err)
			}
		}
		conn.Close()
		ticket(t, d, addr)
	}
}

// ticket makes an ordinary request for the tickets that come with the answer.
func ticket(t *testing.T, d *tlsnet.Dialer, addr string) {
	t.Helper()
	c, err := d.Dial(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	mustWrite(t, c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	if _, err := io.ReadAll(c); err != nil {
		t.Fatal(err)
	}
}

// holding lets a client's first flight through, and holds back what follows until it is told.
type holding struct {
	net.Conn
	mu    sync.Mutex
	first bool
	free  bool
	held  []byte
}

func (h *holding) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.first && !h.free {
		h.held = append(h.held, p...)
		return len(p), nil
	}
	h.first = true
	return h.Conn.Write(p)
}

func (h *holding) release(t *testing.T) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.free = true
	if _, err := h.Conn.Write(h.held); err != nil {
		t.Error(err)
	}
	h.held = nil
}

func TestMarkedRequestsAreRespected(t *testing.T) {
	e := newEarlySite(t, "http/1.1")
	rt := &tlsnet.Transport{Config: e.clientConfig()}
	defer rt.CloseIdleConnections()
	for _, c := range []struct {
		method string
		marks  []string
		status int
		mark   string
	}{
		{"GET", nil, 200, "early= "},
		{"GET", []string{"1"}, 200, "early=1 "},
		{"GET", []string{"0", "x"}, 200, "early=1 "},
		{"POST", nil, 200, "early= "},
		{"POST", []string{"1"}, 425, ""},
		{"DELETE", []string{""}, 425, ""},
	} {
		req, err := http.NewRequestWithContext(context.Background(), c.method, e.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.marks != nil {
			req.Header["Early-Data"] = c.marks
		}
		resp, err := rt.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != c.status || !strings.Contains(string(b), c.mark) {
			t.Errorf("%s %q: %d %s", c.method, c.marks, resp.StatusCode, b)
		}
	}
}

// TestEarlyTransportUsesOtherServers: against net/http, which takes no early data, nothing is different.
func TestEarlyTransportUsesOtherServers(t *testing.T) {
	s := newSite(t)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) }))
	srv.TLS = s.stdServer()
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	rt := &tlsnet.Transport{Config: s.clientConfig(), EarlyData: true}
	defer rt.CloseIdleConnections()
	for i := range 3 {
		got, resp := do(t, rt, "GET", srv.URL, "")
		if f, _ := tlsnet.InfoFromResponse(resp); got != "HTTP/2.0" || f.Facts.Resumed != (i > 0) {
			t.Errorf("%s, resumed %v", got, f.Facts.Resumed)
		}
		do(t, rt, "GET", srv.URL, "")
		again(t, rt)
	}
}

// TestEarlyStreamsAreToldApart sends a GET and a POST in one flight of early HTTP/2, and holds the Finished back.
func TestEarlyStreamsAreToldApart(t *testing.T) {
	e := newEarlySite(t, "h2")
	cc := e.clientConfig()
	cc.Core.ALPN = []string{"h2"}
	store := tlsnet.NewMemorySessions(0)
	cc.Sessions = store
	rt := &tlsnet.Transport{Config: cc}
	defer rt.CloseIdleConnections()
	for range 2 {
		do(t, rt, "GET", e.url, "")
	}
	var flight, block bytes.Buffer
	flight.WriteString(http2.ClientPreface)
	fr := http2.NewFramer(&flight, nil)
	fr.WriteSettings()
	for i, method := range []string{"GET", "POST", "DELETE"} {
		block.Reset()
		enc := hpack.NewEncoder(&block)
		for _, f := range [][2]string{{":method", method}, {":scheme", "https"}, {":authority", "localhost"}, {":path", "/"}} {
			enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
		}
		fr.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), BlockFragment: bytes.Clone(block.Bytes()), EndHeaders: true, EndStream: method != "POST"})
	}
	nc, err := net.Dial("tcp", strings.TrimPrefix(e.url, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	held := &holding{Conn: nc}
	conn, err := dialer(t, cc).Upgrade(held, "localhost")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.WriteEarly(flight.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := conn.Handshake(); err != nil {
		t.Fatal(err)
	}
	if got := conn.Facts().EarlyData; got != tlscore.EarlyDataAccepted {
		t.Fatalf("early data: %v", got)
	}
	in := http2.NewFramer(io.Discard, conn)
	in.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	got := map[uint32]string{}
	for len(got) < 3 {
		f, err := in.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if h, ok := f.(*http2.MetaHeadersFrame); ok {
			got[h.StreamID] = h.PseudoValue("status")
		}
	}
	held.release(t)
	if want := map[uint32]string{1: "200", 3: "425", 5: "425"}; !maps.Equal(got, want) {
		t.Errorf("status by stream: %v, want %v", got, want)
	}
}
