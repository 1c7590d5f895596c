package relay_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/tlswright/tlswright/internal/relay"
)

// scripted is an upstream that reads requests without content and answers each with the bytes that the script gives; ""
// ends the connection. It returns its URL, and a function that tells how many connections and requests it has seen.
func scripted(t testing.TB, script func(conn, request int) string) (string, func() (conns, requests int)) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var conns, requests int
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conn := conns
			conns++
			mu.Unlock()
			wg.Go(func() {
				defer c.Close()
				r := bufio.NewReader(c)
				for n := 0; ; n++ {
					if _, err := readHead(r); err != nil {
						return
					}
					mu.Lock()
					requests++
					mu.Unlock()
					answer := script(conn, n)
					if answer == "" {
						return
					}
					rest, last := strings.CutSuffix(answer, "<end>")
					io.WriteString(c, rest)
					if last {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
	return "http://" + l.Addr().String(), func() (int, int) {
		mu.Lock()
		defer mu.Unlock()
		return conns, requests
	}
}

// readHead reads to the empty line.
func readHead(r *bufio.Reader) (string, error) {
	var head strings.Builder
	for {
		line, err := r.ReadString('\n')
		head.WriteString(line)
		if err != nil || line == "\r\n" {
			return head.String(), err
		}
	}
}

// badAnswers are responses that two programs could read in two ways, or that are none. ok is one that is passed on, but
// behind which the connection must not be used again.
var badAnswers = []smuggling{
	{"length and chunked", "HTTP/1.1 200 OK\nContent-Length: 5\nTransfer-Encoding: chunked\n\n0\n\n", "502"},
	{"chunked and length", "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nContent-Length: 5\n\n0\n\n", "502"},
	{"two lengths", "HTTP/1.1 200 OK\nContent-Length: 5\nContent-Length: 6\n\nhello!", "502"},
	{"two equal lengths", "HTTP/1.1 200 OK\nContent-Length: 5\nContent-Length: 5\n\nhello", "502"},
	{"list of lengths", "HTTP/1.1 200 OK\nContent-Length: 5, 5\n\nhello", "502"},
	{"length with a sign", "HTTP/1.1 200 OK\nContent-Length: +5\n\nhello", "502"},
	{"negative length", "HTTP/1.1 200 OK\nContent-Length: -5\n\nhello", "502"},
	{"another coding", "HTTP/1.1 200 OK\nTransfer-Encoding: gzip, chunked\n\n0\n\n", "502"},
	{"coding in HTTP/1.0", "HTTP/1.0 200 OK\nTransfer-Encoding: chunked\n\n0\n\n", "502"},
	{"line feed alone", "HTTP/1.1 200 OK\\NContent-Length: 0\n\n", "502"},
	{"line feed alone behind a field", "HTTP/1.1 200 OK\nX: y\\NSet-Cookie: z\nContent-Length: 0\n\n", "502"},
	{"carriage return alone", "HTTP/1.1 200 OK\nX: y\\RSet-Cookie: z\nContent-Length: 0\n\n", "502"},
	{"folded line", "HTTP/1.1 200 OK\nX: y\n z\nContent-Length: 0\n\n", "502"},
	{"space before a colon", "HTTP/1.1 200 OK\nContent-Length : 0\n\n", "502"},
	{"no colon", "HTTP/1.1 200 OK\nX\n\n", "502"},
	{"null in a value", "HTTP/1.1 200 OK\nX: a\x00b\nContent-Length: 0\n\n", "502"},
	{"escape in the reason", "HTTP/1.1 200 O\x1bK\nContent-Length: 0\n\n", "502"},
	{"no number", "HTTP/1.1 OK\n\n", "502"},
	{"number of two digits", "HTTP/1.1 20 OK\n\n", "502"},
	{"number of four digits", "HTTP/1.1 2000 OK\n\n", "502"},
	{"number that is none", "HTTP/1.1 2x0 OK\n\n", "502"},
	{"status 0", "HTTP/1.1 000 OK\n\n", "502"},
	{"status 600", "HTTP/1.1 600 OK\n\n", "502"},
	{"HTTP/2", "HTTP/2.0 200 OK\n\n", "502"},
	{"HTTP/0.9", "hello\n\n", "502"},
	{"no HTTP", "220 mail.example ESMTP\n\n", "502"},
	{"no line", "hello<end>", "502"},
	{"nothing", "", "502"},
	{"cut off inside the head", "HTTP/1.1 200 OK\nContent-Len<end>", "502"},
	{"head without end", "HTTP/1.1 200 OK\nX: " + strings.Repeat("y", 70_000) + "\n\n", "502"},
	{"too many fields", "HTTP/1.1 200 OK\n" + strings.Repeat("X: y\n", 300) + "\n", "502"},
	{"protocol changed unasked", "HTTP/1.1 101 Switching Protocols\nConnection: Upgrade\nUpgrade: h2c\n\n", "502"},
	{"informed without end", strings.Repeat("HTTP/1.1 102 Processing\n\n", 40), "502"},
}

func TestBadAnswersAreNotPassedOn(t *testing.T) {
	for _, s := range badAnswers {
		t.Run(s.name, func(t *testing.T) {
			to, seen := scripted(t, func(int, int) string { return written(s.text) })
			var failed []error
			up := upstream(t, to, relay.UpstreamOptions{Failed: func(_ *http.Request, err error) { failed = append(failed, err) }})
			addr := serve(t, &relay.Front{Handler: up})
			for i := 1; i <= 2; i++ {
				answer := raw(t, addr, written("GET / HTTP/1.0\nHost: a\n\n"))
				if !strings.HasPrefix(answer, "HTTP/1.1 "+s.status+" ") {
					t.Errorf("answered %q", answer)
				}
				if conns, _ := seen(); conns != i {
					t.Errorf("%d connections after %d requests", conns, i)
				}
			}
			if len(failed) != 2 {
				t.Errorf("failed %v", failed)
			}
		})
	}
}

func TestAnswersAreFramedAnew(t *testing.T) {
	for _, c := range []struct {
		name, answer, method string
		want                 string // what the client of HTTP/1.1 gets behind the status line, without Date
		reuse                bool
	}{
		{"length", "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", "GET", "Content-Length: 5\n\nhello", true},
		{"chunked", "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5;x\nhello\n0\n\n", "GET", "Transfer-Encoding: chunked\n\n5\nhello\n0\n\n", true},
		{"until the end", "HTTP/1.1 200 OK\n\nhello<end>", "GET", "Transfer-Encoding: chunked\n\n5\nhello\n0\n\n", false},
		{"HTTP/1.0", "HTTP/1.0 200 OK\nContent-Length: 5\n\nhello", "GET", "Content-Length: 5\n\nhello", false},
		{"close", "HTTP/1.1 200 OK\nContent-Length: 5\nConnection: close\n\nhello", "GET", "Content-Length: 5\n\nhello", false},
		{"empty", "HTTP/1.1 200 OK\nContent-Length: 0\n\n", "GET", "Content-Length: 0\n\n", true},
		{"HEAD", "HTTP/1.1 200 OK\nContent-Length: 5\n\n", "HEAD", "Content-Length: 5\n\n", true},
		{"HEAD of chunks", "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n", "HEAD", "\n", true},
		{"204", "HTTP/1.1 204 No Content\n\n", "GET", "\n", true},
		{"204 with a length", "HTTP/1.1 204 No Content\nContent-Length: 5\n\n", "GET", "\n", true},
		{"304 with a length", "HTTP/1.1 304 Not Modified\nContent-Length: 5\nETag: x\n\n", "GET", "ETag: x\nContent-Length: 5\n\n", true},
		{"204 with content", "HTTP/1.1 204 No Content\n\nHTTP/1.1 200 OK\n\n", "GET", "\n", false},
		{"two answers", "HTTP/1.1 200 OK\nContent-Length: 5\n\nhelloHTTP/1.1 200 OK\nContent-Length: 4\n\nevil", "GET", "Content-Length: 5\n\nhello", false},
		{"fields of the connection", "HTTP/1.1 200 OK\nConnection: X-Hop, keep-alive\nX-Hop: 1\nKeep-Alive: timeout=5\nProxy-Authenticate: x\nUpgrade: h2c\nX-End: 2\nContent-Length: 0\n\n", "GET", "X-End: 2\nContent-Length: 0\n\n", true},
		{"trailers", "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5\nhello\n0\nX-Sum: 7\n\n", "GET", "Transfer-Encoding: chunked\n\n5\nhello\n0\nX-Sum: 7\n\n", true},
		{"informed", "HTTP/1.1 103 Early Hints\nLink: x\n\nHTTP/1.1 200 OK\nContent-Length: 0\n\n", "GET", "Link: x\n\nHTTP/1.1 200 OK\nContent-Length: 0\n\n", true},
		{"100 unasked", "HTTP/1.1 100 Continue\n\nHTTP/1.1 200 OK\nContent-Length: 0\n\n", "GET", "Content-Length: 0\n\n", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			to, seen := scripted(t, func(int, int) string { return written(c.answer) })
			addr := serve(t, &relay.Front{Handler: upstream(t, to, relay.UpstreamOptions{})})
			request := written(c.method + " / HTTP/1.1\nHost: a\n\n")
			answer := raw(t, addr, request+request)
			var got strings.Builder
			for i, line := range strings.SplitAfter(answer, "\r\n") {
				if i > 0 && !strings.HasPrefix(line, "Date: ") {
					got.WriteString(line)
				}
			}
			_, status, _ := strings.Cut(written(c.answer), " ")
			status, _, _ = strings.Cut(status, "\r\n")
			want := written(c.want)
			if status != "100 Continue" {
				want += "HTTP/1.1 " + status + "\r\n" + want
			} else {
				want += "HTTP/1.1 200 OK\r\n" + want
			}
			if got.String() != want {
				t.Errorf("got\n%q want\n%q", got.String(), want)
			}
			if conns, requests := seen(); requests != 2 || (conns == 1) != c.reuse {
				t.Errorf("%d requests on %d connections", requests, conns)
			}
		})
	}
}

func TestWhatAnUpstreamSaysUnaskedIsNoAnswer(t *testing.T) {
	ready := make(chan struct{})
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
			r := bufio.NewReader(c)
			readHead(r)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood")
			<-ready // the answer was passed on, and the connection kept
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
			ready <- struct{}{}
		}
	}()
	addr := serve(t, &relay.Front{Handler: upstream(t, "http://"+l.Addr().String(), relay.UpstreamOptions{})})
	for range 3 {
		if answer := raw(t, addr, written("GET / HTTP/1.0\nHost: a\n\n")); !strings.HasSuffix(answer, "good") {
			t.Errorf("answered %q", answer)
		}
		ready <- struct{}{}
		<-ready
	}
}

func TestAnIdempotentRequestIsSentAgainOnce(t *testing.T) {
	for _, c := range []struct {
		request string
		status  string
		conns   int
	}{
		{"GET / HTTP/1.0\nHost: a\n\n", "200", 2},
		{"PUT / HTTP/1.0\nHost: a\nContent-Length: 0\n\n", "200", 2},
		{"POST / HTTP/1.0\nHost: a\nContent-Length: 0\n\n", "502", 1},
	} {
		// Every connection answers one request, and ends when it gets another.
		to, seen := scripted(t, func(_, request int) string {
			if request > 0 {
				return ""
			}
			return "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
		})
		addr := serve(t, &relay.Front{Handler: upstream(t, to, relay.UpstreamOptions{})})
		raw(t, addr, written(c.request))
		if answer := raw(t, addr, written(c.request)); !strings.HasPrefix(answer, "HTTP/1.1 "+c.status+" ") {
			t.Errorf("%q answered %q", c.request, answer)
		}
		if conns, _ := seen(); conns != c.conns {
			t.Errorf("%q on %d connections", c.request, conns)
		}
	}
}

func TestAnAnswerThatIsCutOffLooksSo(t *testing.T) {
	for _, answer := range []string{
		"HTTP/1.1 200 OK\nContent-Length: 50\n\nhello<end>",
		"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5\nhello\n<end>",
		"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5\nhello\nxyz\n0\n\n",
		"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5\nhello\n0\nX: y<end>",
	} {
		to, _ := scripted(t, func(int, int) string { return written(answer) })
		addr := serve(t, &relay.Front{Handler: upstream(t, to, relay.UpstreamOptions{})})
		resp, err := client(t).Get("http://" + addr)
		if err != nil {
			continue // nothing had left yet
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err == nil && resp.StatusCode != 502 {
			t.Errorf("%q: got %q as if whole", answer, b)
		}
	}
}
