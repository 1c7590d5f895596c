package relay_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/relay"
)

// refusals collects what a front refuses.
type refusals struct {
	mu   sync.Mutex
	seen []relay.Reason
}

func (r *refusals) note(_ net.Conn, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var e *relay.Error
	errors.As(err, &e)
	r.seen = append(r.seen, e.Reason)
}

func TestSlowClientsAreCutOff(t *testing.T) {
	var refused refusals
	addr := serve(t, &relay.Front{Handler: http.HandlerFunc(echo), Refused: refused.note, Limits: relay.FrontLimits{
		HeaderTime: 60 * time.Millisecond, Idle: time.Minute, BodyTime: 120 * time.Millisecond}})
	for _, c := range []struct{ text, want string }{
		{"GET / HTTP/1.1\r\nHos", "HTTP/1.1 408 "},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab", "HTTP/1.1 200 "}, // the handler tells of it
	} {
		conn, r := dial(t, addr)
		io.WriteString(conn, c.text)
		b, err := io.ReadAll(r)
		conn.Close()
		if err != nil || !strings.HasPrefix(string(b), c.want) || !strings.Contains(string(b), "in time") {
			t.Errorf("%q: %q %v", c.text, b, err)
		}
	}
	// A byte now and then does not help: the whole has its time.
	for _, start := range []string{"GET / HTTP/1.1\r\nX: ", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"} {
		conn, r := dial(t, addr)
		io.WriteString(conn, start)
		go func() {
			for {
				if _, err := io.WriteString(conn, "x"); err != nil {
					return
				}
				time.Sleep(10 * time.Millisecond) // it is what a slow client does
			}
		}()
		io.ReadAll(r)
		conn.Close()
	}
	if len(refused.seen) != 2 || refused.seen[0] != relay.ReasonTimeout {
		t.Errorf("refused %q", refused.seen)
	}
}

func TestIdleClientsAreCutOffInOrder(t *testing.T) {
	t.Parallel() // it takes two seconds: for so long a connection keeps its buffer
	addr := serve(t, &relay.Front{Handler: http.HandlerFunc(echo), Limits: relay.FrontLimits{Idle: 30 * time.Millisecond}})
	for range 10 {
		conn, r := dial(t, addr)
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		b, err := io.ReadAll(r)
		if len(b) == 0 { // the request itself came too late
			continue
		}
		if err != nil || strings.Count(string(b), "HTTP/1.1") != 1 {
			t.Errorf("%q %v", b, err)
		}
		return
	}
	t.Error("no request came in time")
}

func TestHandlersAnswerAsWithNetHTTP(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f.txt"), []byte(strings.Repeat("0123456789", 10_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/files/", http.StripPrefix("/files/", http.FileServer(http.Dir(dir))))
	mux.HandleFunc("/nothing", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/status", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	mux.HandleFunc("/204", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
		_, err := io.WriteString(w, "x")
		if !errors.Is(err, http.ErrBodyNotAllowed) {
			t.Errorf("content of 204: %v", err)
		}
	})
	mux.HandleFunc("/html", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>hello") })
	mux.HandleFunc("/typed", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, "{}")
		w.Header().Set("X-Late", "1")
	})
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) {
		for range 100 {
			w.Write(make([]byte, 5000))
		}
	})
	mux.HandleFunc("/length", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "300000")
		w.Write(make([]byte, 300000))
	})
	mux.HandleFunc("/trailer", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		io.WriteString(w, "x")
		w.Header().Set("X-Sum", "1")
		w.Header().Set(http.TrailerPrefix+"X-More", "2")
	})
	mux.HandleFunc("/flush", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "a")
		http.NewResponseController(w).Flush()
		io.WriteString(w, "b")
	})
	mux.HandleFunc("/close", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") })
	mux.HandleFunc("/redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusFound) })
	ours, theirs := "http://"+serve(t, &relay.Front{Handler: mux}), backend(t, mux)
	c := client(t)
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, path := range []string{"/files/f.txt", "/files/", "/files/none", "/nothing", "/status", "/204", "/html", "/typed", "/large", "/length", "/trailer", "/flush", "/close", "/redirect", "/none"} {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			for _, span := range []string{"", "bytes=5-9"} {
				ask := func(base string) string {
					req, err := http.NewRequestWithContext(t.Context(), method, base+path, nil)
					if err != nil {
						t.Fatal(err)
					}
					if span != "" {
						req.Header.Set("Range", span)
					}
					resp, err := c.Do(req)
					if err != nil {
						return err.Error()
					}
					defer resp.Body.Close()
					b, err := io.ReadAll(resp.Body)
					resp.Header.Del("Date")
					if method == "HEAD" {
						resp.Header.Del("Content-Length") // net/http tells it where the content was written whole
						resp.ContentLength = 0
					}
					if len(b) > 100 {
						b = fmt.Append(nil, len(b))
					}
					return fmt.Sprint(resp.Status, resp.ContentLength, resp.TransferEncoding, resp.Close, resp.Header, resp.Trailer, string(b), err)
				}
				if got, want := ask(ours), ask(theirs); got != want {
					t.Errorf("%s %s %s\ngot  %s\nwant %s", method, path, span, got, want)
				}
			}
		}
	}
}

func TestAPanicEndsOneConnectionAlone(t *testing.T) {
	var mu sync.Mutex
	var logged strings.Builder
	addr := serve(t, &relay.Front{ErrorLog: log.New(writerFunc(func(b []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return logged.Write(b)
	}), "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/panic":
			panic("oh dear")
		case "/abort":
			panic(http.ErrAbortHandler)
		case "/short":
			w.Header().Set("Content-Length", "10")
			io.WriteString(w, "short")
		}
	})})
	for path, want := range map[string]bool{"/panic": false, "/abort": false, "/short": false, "/": true} {
		resp, err := client(t).Get("http://" + addr + path)
		if err == nil {
			_, err = io.ReadAll(resp.Body)
			resp.Body.Close()
		}
		if (err == nil) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if strings.Count(logged.String(), "oh dear") != 1 || strings.Contains(logged.String(), "abort Handler") {
		t.Errorf("logged %s", logged.String())
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestNothingThatAHandlerSaysEndsALine(t *testing.T) {
	addr := serve(t, &relay.Front{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["X-A"] = []string{"a\r\nSet-Cookie: evil=1", "good"}
		h["X-B\r\nSet-Cookie"] = []string{"evil=1"}
		h["X-C"] = []string{"\x00evil"}
		h["Transfer-Encoding"] = []string{"chunked"}
		h["Content-Length"] = []string{"5", "6"}
		h["Connection"] = []string{"X-Evil"}
		h["Upgrade"] = []string{"h2c"}
		h["Trailer:x"] = []string{"evil"}
		w.(relay.Defaulter).SetDefault("X-D", "evil\r\n\r\n")
		w.(relay.Defaulter).SetDefault("X-A", "evil")
		w.(relay.Defaulter).SetDefault("X-E", "good")
		io.WriteString(w, "hello")
		h[http.TrailerPrefix+"X-F\r\n"] = []string{"evil"}
		if o := w.(relay.Outcome); o.Status() != 200 || o.Written() != 5 {
			t.Errorf("%d %d", o.Status(), o.Written())
		}
	})})
	answer := raw(t, addr, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	head, body, _ := strings.Cut(answer, "\r\n\r\n")
	if strings.Contains(strings.ToLower(answer), "evil") || body != "hello" || strings.Count(head, "Content-Length: 5") != 1 || strings.Count(head, "Content-Length") != 1 ||
		!strings.Contains(head, "X-A: good") || !strings.Contains(head, "X-E: good") || strings.Contains(head, "Connection") {
		t.Errorf("answered %q", answer)
	}
}

func TestHijackersGetWhatHasCome(t *testing.T) {
	addr := serve(t, &relay.Front{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-time.After(0)
		r.Context().Done() // the connection is watched from here on
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		if _, err := io.WriteString(w, "x"); !errors.Is(err, http.ErrHijacked) {
			t.Errorf("writing: %v", err)
		}
		line, err := rw.ReadString('\n')
		if err == nil && rw.Reader.Buffered() == 0 {
			_, err = fmt.Fprintf(c, "got %s", line)
		}
		if err != nil {
			t.Error(err)
		}
	})})
	for _, behind := range []string{"first\n", ""} {
		c, r := dial(t, addr)
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"+behind)
		if behind == "" {
			io.WriteString(c, "later\n")
		}
		if b, err := io.ReadAll(r); err != nil || !strings.HasPrefix(string(b), "got ") {
			t.Errorf("%q %v", b, err)
		}
	}
}

func TestHandlersLearnThatTheClientHasGone(t *testing.T) {
	gone := make(chan error, 1)
	addr := serve(t, &relay.Front{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/quick" {
			r.Context().Done()
			return
		}
		gone <- nil
		<-r.Context().Done()
		gone <- r.Context().Err()
	})})
	c, r := dial(t, addr)
	// A watched connection goes on with what came meanwhile.
	io.WriteString(c, "GET /quick HTTP/1.1\r\nHost: a\r\n\r\nGET /quick HTTP/1.1\r\nHost: a\r\n\r\n")
	for range 3 {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		io.WriteString(c, "GET /quick HTTP/1.1\r\nHost: a\r\n\r\n")
	}
	io.WriteString(c, "POST /wait HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
	<-gone
	c.Close()
	if err := <-gone; err == nil {
		t.Error("no error")
	}
}

func TestUnreadContentEndsTheConnection(t *testing.T) {
	addr := serve(t, &relay.Front{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(403) })})
	for request, again := range map[string]bool{
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello":                            true, // has come already
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n": true,
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nhello":                       false,
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n":          false,
		"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n":         false,
	} {
		c, r := dial(t, addr)
		io.WriteString(c, request)
		if again {
			io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		} else {
			go func() { io.Copy(c, io.LimitReader(endless{}, 300_000)) }() // more than is read: the answer must arrive all the same
		}
		b, err := io.ReadAll(r)
		c.Close()
		if err != nil && strings.Contains(err.Error(), "reset") { // behind the answer: who goes on for long is not read for ever
			err = nil
		}
		if n := strings.Count(string(b), "HTTP/1.1 403 "); err != nil || n != map[bool]int{true: 2, false: 1}[again] {
			t.Errorf("%q: %q %v", request, b, err)
		}
	}
}

func TestWhatAHandlerLeavesBehindDoesNoHarm(t *testing.T) {
	first := make(chan http.ResponseWriter, 1)
	read := make(chan error, 1)
	addr := serve(t, &relay.Front{Limits: relay.FrontLimits{Stall: -1}, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/first":
			first <- w
			io.WriteString(w, "one")
		case "/second":
			w := <-first
			_, err := io.WriteString(w, "evil")
			rc := http.NewResponseController(w)
			_, _, hijackErr := rc.Hijack()
			for _, err := range []error{err, rc.Flush(), rc.SetReadDeadline(time.Unix(1, 0)), rc.SetWriteDeadline(time.Unix(1, 0)), hijackErr} {
				if err == nil {
					t.Error("a response is written to after its handler")
				}
			}
			w.WriteHeader(500)
		case "/reader":
			began := make(chan struct{})
			go func() {
				b := make([]byte, 10)
				r.Body.Read(b)
				close(began)
				_, err := io.ReadAll(r.Body)
				read <- err
			}()
			<-began
		}
		io.WriteString(w, "two")
	})})
	answer := raw(t, addr, "GET /first HTTP/1.1\r\nHost: a\r\n\r\nGET /second HTTP/1.1\r\nHost: a\r\n\r\n")
	if strings.Count(answer, "HTTP/1.1 200 OK") != 2 || strings.Contains(answer, "evil") || !strings.HasSuffix(answer, "\r\n\r\ntwo") {
		t.Errorf("answered %q", answer)
	}
	c, r := dial(t, addr)
	io.WriteString(c, "POST /reader HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\nhello")
	if b, err := io.ReadAll(r); err != nil || !strings.HasSuffix(string(b), "\r\n\r\ntwo") {
		t.Errorf("%q %v", b, err)
	}
	if err := <-read; err == nil {
		t.Error("the reader read on")
	}
}
