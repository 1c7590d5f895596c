package relay

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"
)

// fakeConn is a connection on which in comes, and whatever is written is kept.
type fakeConn struct {
	mu   sync.Mutex
	in   io.Reader
	out  bytes.Buffer
	late bool // the read deadline has passed
}

func (c *fakeConn) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.late {
		return 0, os.ErrDeadlineExceeded
	}
	return c.in.Read(p)
}

func (c *fakeConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.Write(p)
}

func (c *fakeConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.late = !t.IsZero() && time.Until(t) <= 0
	return nil
}

func (c *fakeConn) written() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Clone(c.out.Bytes())
}

func (c *fakeConn) Close() error                     { return nil }
func (c *fakeConn) CloseWrite() error                { return nil }
func (c *fakeConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *fakeConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *fakeConn) SetDeadline(t time.Time) error    { return c.SetReadDeadline(t) }
func (c *fakeConn) SetWriteDeadline(time.Time) error { return nil }

var fuzzRequests = []string{
	"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"\r\nPOST /a?b=%20c HTTP/1.1\r\nhost:a:80\r\nContent-Length: 3\r\n\r\nabcGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST http://a/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n3;x=y\r\nabc\r\n0\r\nX: y\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n",
	"OPTIONS * HTTP/1.0\r\nConnection: keep-alive\r\nX_Y: \t z\xff \r\n\r\n",
	"PUT / HTTP/1.1\r\nHost: [::1]\r\nExpect: 100-continue\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx",
}

// heard is a request as somebody understands it.
type heard struct{ method, uri, host, body, header string }

// hear notes what a request says.
func hear(r *http.Request) (heard, error) {
	b, err := io.ReadAll(r.Body)
	h := r.Header.Clone()
	h.Del("Content-Length")
	h.Del("Trailer") // where nothing is chunked, nothing trails
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(h)) {
		lines = append(lines, name+": "+strings.Join(h[name], "|"))
	}
	return heard{r.Method, r.URL.RequestURI(), r.Host, string(b), strings.Join(lines, "\n")}, err
}

// FuzzFront compares what handlers get with what net/http reads from the same bytes: what we take, it takes too, and in
// the same way. What it takes and we do not is none of a difference that somebody could use.
func FuzzFront(f *testing.F) {
	for _, s := range fuzzRequests {
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, in []byte, small bool) {
		var got []heard
		front := &Front{ErrorLog: log.New(panicking{t}, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h, err := hear(r)
			if err == nil && r.Header.Get("Connection") == "" {
				got = append(got, h)
			}
		})}
		c := &fakeConn{in: bytes.NewReader(in)}
		if small {
			c.in = iotest.OneByteReader(c.in)
		}
		front.ServeConn(context.Background(), c)
		r := bufio.NewReader(bytes.NewReader(in))
		for i := 0; i < len(got); {
			if b, _ := r.Peek(2); string(b) == "\r\n" { // an empty line in front, which we let pass
				r.Discard(2)
			}
			req, err := http.ReadRequest(r)
			if err != nil {
				t.Fatalf("net/http has no request %d, %+v: %v", i, got[i], err)
			}
			want, err := hear(req)
			if err != nil {
				t.Fatalf("net/http has no content of request %d, %+v: %v", i, got[i], err)
			}
			if req.Header.Get("Connection") != "" || len(req.Header["Early-Data"]) > 0 && len(got[i].header) == 0 {
				continue
			}
			got[i].header = strings.Replace(got[i].header, "Early-Data: 1", "Early-Data: "+strings.Join(req.Header["Early-Data"], "|"), 1)
			if got[i] != want {
				t.Fatalf("request %d: %+v, net/http has %+v", i, got[i], want)
			}
			i++
		}
		checkAnswers(t, c.written())
	})
}

// panicking fails a test of which a handler's panic is logged.
type panicking struct{ t *testing.T }

func (p panicking) Write(b []byte) (int, error) {
	p.t.Errorf("logged: %s", b)
	return len(b), nil
}

// checkAnswers checks that bytes are responses, one behind the other.
func checkAnswers(t *testing.T, out []byte) {
	r := bufio.NewReader(bytes.NewReader(out))
	for {
		if _, err := r.Peek(1); err != nil {
			return
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("no response: %v in %q", err, out)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatalf("no content: %v in %q", err, out)
		}
	}
}

// FuzzContent compares chunked content with what net/http reads, in pieces of any size.
func FuzzContent(f *testing.F) {
	for _, s := range []string{"3\r\nabc\r\n0\r\n\r\n", "3;x\r\nabc\r\n02\r\nde\r\n0\r\nX: y\r\n\r\nrest", "0\r\n\r\n", "fffffffffffffff\r\nx"} {
		f.Add([]byte(s), uint16(7))
	}
	f.Fuzz(func(t *testing.T, in []byte, size uint16) {
		var pool buffers
		read := func(r io.Reader, next bool) (string, string, bool) {
			var i input
			i.init(&fakeConn{in: r}, &pool, smallBuffer)
			var c content
			c.start(&i, &head{chunked: true, length: -1}, 20)
			var out bytes.Buffer
			b := make([]byte, size%5000+1)
			var scratch []byte
			for c.err == nil {
				p := b
				if next {
					p, _ = c.next(&scratch, &pool)
				} else {
					n, _ := c.read(b)
					p = b[:n]
				}
				out.Write(p)
			}
			return out.String(), string(i.buffered()), c.done()
		}
		all, rest, whole := read(bytes.NewReader(in), false)
		all1, _, whole1 := read(iotest.OneByteReader(bytes.NewReader(in)), false)
		all2, rest2, whole2 := read(bytes.NewReader(in), true)
		if whole != whole1 || whole != whole2 || whole && (all != all1 || all != all2 || rest != rest2) {
			t.Fatalf("%q %v, byte by byte %q %v, piece by piece %q %v", all, whole, all1, whole1, all2, whole2)
		}
		if !whole {
			return
		}
		want, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(in)))
		if err != nil || string(want) != all {
			t.Fatalf("%q, net/http has %q, %v", all, want, err)
		}
		if !bytes.HasSuffix(in, []byte(rest)) {
			t.Fatalf("%q is left of %q", rest, in)
		}
	})
}

// FuzzAnswer lets an upstream say anything, and checks that the client gets one response and nothing behind it.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n",
		"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.0 404 Not Found\r\nConnection: X-A\r\nX-A: b\r\n\r\nuntil the end",
		"HTTP/1.1 204\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
	} {
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, in []byte, head bool) {
		up, err := NewUpstream(&url.URL{Scheme: "http", Host: "a"}, UpstreamOptions{Dial: func(context.Context, string, string) (net.Conn, error) {
			return &fakeConn{in: bytes.NewReader(in)}, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer up.Close()
		method := "GET"
		if head {
			method = "HEAD"
		}
		c := &fakeConn{in: strings.NewReader(method + " / HTTP/1.1\r\nHost: a\r\n\r\n")}
		(&Front{Handler: up, ErrorLog: log.New(panicking{t}, "", 0)}).ServeConn(context.Background(), c)
		r := bufio.NewReader(bytes.NewReader(c.written()))
		for { // informational ones, and the one that counts
			resp, err := http.ReadResponse(r, &http.Request{Method: method})
			if err != nil {
				t.Fatalf("no response: %v in %q", err, c.written())
			}
			_, err = io.Copy(io.Discard, resp.Body)
			if resp.StatusCode < 200 {
				continue
			}
			if rest, _ := io.ReadAll(r); err == nil && len(rest) > 0 {
				t.Fatalf("behind the response: %q", rest)
			}
			return
		}
	})
}

// FuzzForward hands on requests as they could come over HTTP/2, and checks that the upstream reads one request that
// forges nothing.
func FuzzForward(f *testing.F) {
	f.Add("GET", "a", "/x", "y=z", "X-Real-IP", "6.6.6.6", "body")
	f.Add("POST", "[::1]:80", "/%2e\xff", "", "Content-Length", "5", "")
	f.Add("OPTIONS", "a:1", "*", "", "transfer_encoding", "chunked", "x")
	f.Fuzz(func(t *testing.T, method, host, path, query, name, value, body string) {
		c := &fakeConn{in: strings.NewReader("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")}
		up, err := NewUpstream(&url.URL{Scheme: "http", Host: "a"}, UpstreamOptions{Dial: func(context.Context, string, string) (net.Conn, error) { return c, nil }})
		if err != nil {
			t.Fatal(err)
		}
		defer up.Close()
		r := httptest.NewRequest("GET", "/", nil)
		r.Method, r.Host, r.URL = method, host, &url.URL{Path: path, RawQuery: query}
		r.ProtoMajor, r.ProtoMinor = 2, 0
		r.Header = http.Header{name: {value}, "X-Forwarded-For": {"6.6.6.6"}, "Client-Cert": {"forged"}}
		if body != "" {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
			if len(body)%2 == 0 {
				r.ContentLength = -1
			}
		}
		w := httptest.NewRecorder()
		up.ServeHTTP(w, r)
		out := c.written()
		if w.Code != 200 {
			if w.Code != http.StatusBadGateway && len(out) > 0 {
				t.Fatalf("refused with %d, yet sent %q", w.Code, out)
			}
			return
		}
		br := bufio.NewReader(bytes.NewReader(out))
		got, err := http.ReadRequest(br)
		if err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		b, err := io.ReadAll(got.Body)
		if rest, _ := io.ReadAll(br); err != nil || len(rest) > 0 || string(b) != body || got.Method != method || got.Host != host {
			t.Fatalf("%q: %+v %q %v, %q is left", out, got, b, err, rest)
		}
		if got.URL.RawQuery != query || got.URL.Path != path && path != "" {
			t.Fatalf("%q asks for %q %q", out, got.URL.Path, got.URL.RawQuery)
		}
		if got.Header.Get("X-Forwarded-For") != "" || got.Header.Get("Client-Cert") != "" {
			t.Fatalf("forged: %q", out)
		}
	})
}
