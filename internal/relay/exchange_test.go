package relay_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/relay"
)

// dial connects to a test server until the test ends.
func dial(t testing.TB, addr string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(2 * time.Minute)) // a bound for what hangs
	return c, bufio.NewReader(c)
}

// fronts are the two ways to an upstream: by our own front, and by net/http.
func fronts(t *testing.T, up http.Handler, f func(t *testing.T, addr string)) {
	t.Run("own", func(t *testing.T) { f(t, serve(t, &relay.Front{Handler: up})) })
	t.Run("net/http", func(t *testing.T) { f(t, strings.TrimPrefix(backend(t, up), "http://")) })
}

func TestContentStreamsBothWaysAtOnce(t *testing.T) {
	to := backend(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		rc.EnableFullDuplex()
		b := make([]byte, 100)
		for {
			n, err := r.Body.Read(b)
			w.Write(b[:n])
			rc.Flush()
			if err != nil {
				return
			}
		}
	}))
	fronts(t, upstream(t, to, relay.UpstreamOptions{}), func(t *testing.T, addr string) {
		c, r := dial(t, addr)
		fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n0\r\n")
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 1)
		for i := range 10 {
			if _, err := io.ReadFull(resp.Body, b); err != nil || b[0] != byte('0'+i) {
				t.Fatalf("%d: %q %v", i, b, err)
			}
			fmt.Fprintf(c, "1\r\n%d\r\n", (i+1)%10)
		}
		fmt.Fprint(c, "0\r\n\r\n")
		if rest, err := io.ReadAll(resp.Body); err != nil || string(rest) != "0" {
			t.Errorf("%q %v", rest, err)
		}
	})
}

func TestAnEarlyAnswerEndsTheUpload(t *testing.T) {
	to, _ := scripted(t, func(int, int) string {
		return "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig<end>"
	})
	fronts(t, upstream(t, to, relay.UpstreamOptions{}), func(t *testing.T, addr string) {
		c, r := dial(t, addr)
		fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\nsome")
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 413 || string(b) != "big" {
			t.Errorf("%d %q %v", resp.StatusCode, b, err)
		}
		if _, err := r.ReadByte(); err == nil {
			t.Error("the connection goes on")
		}
	})
}

func TestContentIsAskedForWhereTheUpstreamWantsIt(t *testing.T) {
	var want atomic.Bool
	to := backend(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !want.Load() {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		echo(w, r)
	}))
	up := upstream(t, to, relay.UpstreamOptions{})
	for _, asked := range []bool{false, true} {
		want.Store(asked)
		fronts(t, up, func(t *testing.T, addr string) {
			ask := func() (net.Conn, *bufio.Reader, string) {
				c, r := dial(t, addr)
				fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
				line, err := r.ReadString('\n')
				if err != nil {
					t.Fatal(err)
				}
				return c, r, line
			}
			c, r, line := ask()
			if !asked {
				for tries := 0; !strings.HasPrefix(line, "HTTP/1.1 403 ") && tries < 10; tries++ {
					_, _, line = ask() // an upstream that has not answered within a second is sent the content
				}
				if !strings.HasPrefix(line, "HTTP/1.1 403 ") {
					t.Errorf("answered %q", line)
				}
				return
			}
			if line != "HTTP/1.1 100 Continue\r\n" {
				t.Fatalf("answered %q", line)
			}
			r.ReadString('\n')
			fmt.Fprint(c, "abc")
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			if b, err := io.ReadAll(resp.Body); err != nil || !strings.HasSuffix(string(b), "\nabc") {
				t.Errorf("%q %v", b, err)
			}
		})
	}
}

func TestTrailersGoBothWays(t *testing.T) {
	to := backend(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Out")
		n, err := io.Copy(w, r.Body)
		w.Header().Set("X-Out", fmt.Sprint(n, err, r.Trailer["X-In"], r.Trailer["Client-Cert"]))
	}))
	fronts(t, upstream(t, to, relay.UpstreamOptions{}), func(t *testing.T, addr string) {
		c, r := dial(t, addr)
		fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-In, Client-Cert\r\n\r\n3\r\nabc\r\n0\r\nX-In: 7\r\nClient-Cert: forged\r\n\r\n")
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "abc" || resp.Trailer.Get("X-Out") != "3 <nil> [7] []" {
			t.Errorf("%q %v %v", b, err, resp.Trailer)
		}
	})
}

func TestWhatAnUpstreamFlushesIsPassedOnAtOnce(t *testing.T) {
	next := make(chan struct{})
	to := backend(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			fmt.Fprintf(w, "data: %d\n\n", i)
			http.NewResponseController(w).Flush()
			<-next
		}
	}))
	fronts(t, upstream(t, to, relay.UpstreamOptions{}), func(t *testing.T, addr string) {
		resp, err := client(t).Get("http://" + addr)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		r := bufio.NewReader(resp.Body)
		for i := range 3 {
			if line, err := r.ReadString('\n'); err != nil || line != fmt.Sprintf("data: %d\n", i) {
				t.Fatalf("%q %v", line, err)
			}
			r.ReadString('\n')
			next <- struct{}{}
		}
		if _, err := r.ReadByte(); err != io.EOF {
			t.Error(err)
		}
	})
}

func TestAClientThatGoesAwayEndsTheUpstreamsWork(t *testing.T) {
	t.Parallel() // it takes a second or two
	began, ended := make(chan struct{}, 1), make(chan error, 1)
	to := backend(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began <- struct{}{}
		<-r.Context().Done()
		ended <- nil
	}))
	failed := make(chan error, 1)
	up := upstream(t, to, relay.UpstreamOptions{Failed: func(_ *http.Request, err error) { failed <- err }})
	fronts(t, up, func(t *testing.T, addr string) {
		c, _ := dial(t, addr)
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		<-began
		c.Close()
		<-ended
		var e *relay.Error
		if err := <-failed; !errors.As(err, &e) || e.Reason != relay.ReasonClient {
			t.Errorf("failed: %v", err)
		}
	})
}

func TestASlowUpstreamIsGivenUp(t *testing.T) {
	stop := make(chan struct{})
	for name, script := range map[string]string{
		"no answer": "", "half a head": "HTTP/1.1 200 OK\r\nX: y", "half the content": "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					defer c.Close()
					readHead(bufio.NewReader(c))
					io.WriteString(c, script)
				}
			}()
			failed := make(chan error, 1)
			up := upstream(t, "http://"+l.Addr().String(), relay.UpstreamOptions{AnswerTime: 50 * time.Millisecond, Stall: 50 * time.Millisecond,
				Failed: func(_ *http.Request, err error) { failed <- err }})
			addr := serve(t, &relay.Front{Handler: up})
			answer := raw(t, addr, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			if name != "half the content" && !strings.HasPrefix(answer, "HTTP/1.1 504 ") {
				t.Errorf("answered %q", answer)
			}
			var e *relay.Error
			if err := <-failed; !errors.As(err, &e) || e.Reason != relay.ReasonSlow {
				t.Errorf("failed: %v", err)
			}
		})
	}
	close(stop)
}

func TestAnUpstreamThatCannotBeReachedIs502(t *testing.T) {
	var reason relay.Reason
	up := upstream(t, "http://"+freePort(t), relay.UpstreamOptions{Failed: func(_ *http.Request, err error) {
		var e *relay.Error
		errors.As(err, &e)
		reason = e.Reason
	}})
	answer := raw(t, serve(t, &relay.Front{Handler: up}), "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if !strings.HasPrefix(answer, "HTTP/1.1 502 ") || reason != relay.ReasonConnect {
		t.Errorf("answered %q, %s", answer, reason)
	}
}

func TestBrokenContentIsNotPassedOnAsWhole(t *testing.T) {
	seen := make(chan error, 1)
	to := backend(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		seen <- err
	}))
	up := upstream(t, to, relay.UpstreamOptions{})
	patient := serve(t, &relay.Front{Handler: up, Limits: relay.FrontLimits{BodyBytes: 20_000}})
	hasty := serve(t, &relay.Front{Handler: up, Limits: relay.FrontLimits{BodyBytes: 20_000, Stall: 100 * time.Millisecond}})
	for want, content := range map[string]string{
		"HTTP/1.1 400 ":   "5\r\nhello\r\nxyz\r\n",
		"HTTP/1.1 413 ":   "8000\r\n" + strings.Repeat("x", 0x8000) + "\r\n0\r\n\r\n",
		"":                "5\r\nhello\r\n<cut>",
		"HTTP/1.1 408 Re": "5\r\nhello\r\n<wait>",
	} {
		request := "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.TrimSuffix(strings.TrimSuffix(content, "<cut>"), "<wait>")
		addr := patient
		if strings.HasSuffix(content, "<wait>") {
			addr = hasty
		}
		c, r := dial(t, addr)
		io.WriteString(c, request)
		if strings.HasSuffix(content, "<cut>") {
			c.(*net.TCPConn).CloseWrite()
		}
		answer, _ := io.ReadAll(r)
		c.Close()
		if !strings.HasPrefix(string(answer), want) || want == "" && len(answer) > 0 {
			t.Errorf("%.40q: answered %q", content, answer)
		}
		if err := <-seen; err == nil {
			t.Errorf("%.40q: whole to the upstream", content)
		}
	}
}

func TestAnUpstreamIsReachedByUnixSocketAndBehindAPath(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("unix", dir+"/s")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(echo)}
	go s.Serve(l)
	defer s.Close()
	tcp := backend(t, http.HandlerFunc(echo))
	for to, want := range map[string]string{
		"unix:" + dir + "/s":        "GET /x?y host=a",
		"unix+http://" + dir + "/s": "GET /x?y host=a",
		tcp + "/base/":              "GET /base/x?y host=a",
		tcp + "/b%20c":              "GET /b%20c/x?y host=a",
	} {
		answer := raw(t, serve(t, &relay.Front{Handler: upstream(t, to, relay.UpstreamOptions{})}), "GET /x?y HTTP/1.1\r\nHost: a\r\n\r\n")
		if !strings.Contains(answer, "\r\n\r\n"+want) {
			t.Errorf("%s: %q", to, answer)
		}
	}
}

func TestShutdownFinishesTheRequestUnderWay(t *testing.T) {
	began, goOn := make(chan struct{}), make(chan struct{})
	f := &relay.Front{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(began)
		<-goOn
		io.WriteString(w, "done")
	})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan struct{}, 2)
	go func() {
		for range 2 {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				f.ServeConn(ctx, c)
				served <- struct{}{}
			}()
		}
	}()
	busy, r := dial(t, l.Addr().String())
	idle, ri := dial(t, l.Addr().String())
	fmt.Fprint(busy, "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n")
	<-began
	cancel()
	if _, err := ri.ReadByte(); err != io.EOF {
		t.Errorf("the idle connection: %v", err)
	}
	idle.Close()
	close(goOn)
	b, err := io.ReadAll(r)
	if err != nil || !strings.HasSuffix(string(b), "Connection: close\r\n\r\ndone") || strings.Count(string(b), "HTTP/1.1") != 1 {
		t.Errorf("%q %v", b, err)
	}
	busy.Close()
	<-served
	<-served
}

func TestFieldsThatAreSetBeforeWin(t *testing.T) {
	to, _ := scripted(t, func(int, int) string {
		return "HTTP/1.1 200 OK\r\nx-frame-options: ALLOW\r\nServer: x\r\nX-Powered-By: y\r\nX-Own: 1\r\nCACHE-CONTROL: no-store\r\nContent-Length: 0\r\n\r\n"
	})
	up := upstream(t, to, relay.UpstreamOptions{})
	fronts(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Frame-Options", "DENY")
		h.Set("Strict-Transport-Security", "max-age=1")
		h["Server"] = nil
		h["X-Powered-By"] = nil
		if d, ok := w.(relay.Defaulter); ok {
			d.SetDefault("Cache-Control", "private")
			d.SetDefault("X-Default", "2")
		}
		up.ServeHTTP(w, r)
	}), func(t *testing.T, addr string) {
		resp, err := client(t).Get("http://" + addr)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		h := resp.Header
		for name, want := range map[string]string{"X-Frame-Options": "DENY", "Strict-Transport-Security": "max-age=1", "Server": "", "X-Powered-By": "", "X-Own": "1", "Cache-Control": "no-store"} {
			if len(h[name]) > 1 || h.Get(name) != want {
				t.Errorf("%s: %q", name, h[name])
			}
		}
		if h.Get("X-Default") != "2" && t.Name() == "TestFieldsThatAreSetBeforeWin/own" {
			t.Errorf("X-Default: %q", h["X-Default"])
		}
	})
}

func TestContentThatAHandlerHasChangedIsWhatGoesOn(t *testing.T) {
	up := upstream(t, backend(t, http.HandlerFunc(echo)), relay.UpstreamOptions{})
	addr := serve(t, &relay.Front{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/replaced":
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader("other")), 5
		case "/read": // half of it is gone: no whole request is left
			io.ReadFull(r.Body, make([]byte, 2))
		case "/shorter":
			r.ContentLength = 3
		}
		up.ServeHTTP(w, r)
	})})
	for path, want := range map[string]string{"/replaced": "body=5 err=<nil>\nother", "/same": "body=4 err=<nil>\nabcd", "/read": "", "/shorter": ""} {
		answer := raw(t, addr, "POST "+path+" HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nConnection: close\r\n\r\nabcd")
		if want != "" && !strings.HasSuffix(answer, want) || want == "" && strings.Contains(answer, "err=<nil>") {
			t.Errorf("%s: %q", path, answer)
		}
	}
}
