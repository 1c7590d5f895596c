package relay_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/tlswright/tlswright/internal/relay"
)

// serve runs a front on a free port until the test ends, and returns its address.
func serve(t testing.TB, f *relay.Front) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if f.ErrorLog == nil {
		f.ErrorLog = log.New(io.Discard, "", 0)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { f.ServeConn(ctx, c) })
		}
	})
	t.Cleanup(func() {
		cancel()
		l.Close()
		wg.Wait()
	})
	return l.Addr().String()
}

// upstream makes an upstream of a URL, which is closed when the test ends.
func upstream(t testing.TB, to string, o relay.UpstreamOptions) *relay.Upstream {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	up, err := relay.NewUpstream(u, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { up.Close() })
	return up
}

// backend serves h with net/http until the test ends, and returns its URL.
func backend(t testing.TB, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// client returns an HTTP client that leaves nothing behind.
func client(t testing.TB) *http.Client {
	tr := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 16}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// raw sends bytes on a connection of its own, closes the sending half, and returns all that comes back.
func raw(t testing.TB, addr, request string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	c.(*net.TCPConn).CloseWrite()
	b, err := io.ReadAll(c)
	if err != nil && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") {
		t.Fatal(err)
	}
	return string(b)
}

// echo tells what came.
func echo(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s %s host=%s len=%d te=%v body=%d err=%v\n", r.Method, r.RequestURI, r.Host, r.ContentLength, r.TransferEncoding, len(b), err)
	if len(b) < 200 {
		w.Write(b)
	}
}

func TestRelaySmoke(t *testing.T) {
	to := backend(t, http.HandlerFunc(echo))
	addr := serve(t, &relay.Front{Handler: upstream(t, to, relay.UpstreamOptions{Failed: func(r *http.Request, err error) { t.Log(err) }}), Refused: func(_ net.Conn, err error) { t.Log(err) }, ErrorLog: log.Default()})
	c := client(t)
	for _, size := range []int{0, 10, 3000, 10_000, 1 << 20} {
		for range 3 {
			resp, err := c.Post("http://"+addr+"/x?y=1", "text/plain", bytes.NewReader(make([]byte, size)))
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || !strings.HasPrefix(string(b), fmt.Sprintf("POST /x?y=1 host=%s len=%d te=[] body=%d err=<nil>", addr, size, size)) {
				t.Fatalf("%q %v", b, err)
			}
		}
	}
	for _, size := range []int{0, 10, 3000, 10_000, 1 << 20} {
		resp, err := c.Post("http://"+addr+"/x?y=1", "text/plain", bufio.NewReader(bytes.NewReader(make([]byte, size))))
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		want := fmt.Sprintf("POST /x?y=1 host=%s len=-1 te=[chunked] body=%d err=<nil>", addr, size)
		if size == 0 {
			want = fmt.Sprintf("POST /x?y=1 host=%s", addr)
		}
		if err != nil || !strings.HasPrefix(string(b), want) {
			t.Fatalf("%q %v", b, err)
		}
	}
}
