package scan

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/freeport"
)

// script serves plain TCP: every connection gets what answer makes of the first line of the request.
func script(t *testing.T, answer func(line, host string) string) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(10 * time.Second))
				var head []byte
				for b := make([]byte, 1024); !strings.Contains(string(head), "\r\n\r\n"); {
					n, err := c.Read(b)
					if head = append(head, b[:n]...); err != nil {
						return
					}
				}
				lines := strings.Split(string(head), "\r\n")
				_, _ = io.WriteString(c, answer(lines[0], strings.TrimPrefix(lines[1], "Host: ")))
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

func redirect(status int, to string) string {
	return fmt.Sprintf("HTTP/1.1 %d Moved\r\nLocation: %s\r\nStrict-Transport-Security: max-age=1\r\n\r\n", status, to)
}

// plainOf follows plain HTTP of example.com at a port of loopback.
func plainOf(t *testing.T, port int, change func(*Options)) (*grade.HTTP, *grade.Facts) {
	t.Helper()
	o := Options{HTTPPort: port, Timeout: 10 * time.Second, LookUp: func(_ context.Context, host string) ([]netip.Addr, error) {
		if host == "nowhere.example.com" {
			return nil, errors.New("no such host")
		}
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}}
	if change != nil {
		change(&o)
	}
	h := newHost(New(o), Target{Host: "example.com", Port: 443}, netip.MustParseAddr("127.0.0.1"))
	return h.plainHTTP(t.Context()), h.facts()
}

func TestPlainHTTPIsFollowedToHTTPS(t *testing.T) {
	var port int
	at := func(host, path string) string { return "http://" + host + ":" + strconv.Itoa(port) + path }
	for _, c := range []struct {
		name             string
		answer           func(line, host string) string
		toHTTPS, forever grade.Answer
		steps            int
	}{
		{"at once", func(string, string) string { return redirect(301, "https://example.com/") }, grade.Yes, grade.Yes, 1},
		{"for now", func(string, string) string { return redirect(302, "https://www.example.com/") }, grade.Yes, grade.No, 1},
		{"a page", func(string, string) string { return "HTTP/1.1 200 OK\r\n\r\nhello" }, grade.No, grade.Unasked, 1},
		{"not found", func(string, string) string { return "HTTP/1.1 404 Not Found\r\n\r\n" }, grade.No, grade.Unasked, 1},
		{"by another path", func(line, _ string) string {
			if strings.HasPrefix(line, "GET / ") {
				return redirect(308, "/next?a=b")
			}
			return redirect(301, "https://example.com/")
		}, grade.Yes, grade.Yes, 2},
		{"a circle", func(line, _ string) string {
			if strings.HasPrefix(line, "GET / ") {
				return redirect(301, "/b")
			}
			return redirect(301, "/")
		}, grade.No, grade.Unasked, 2},
		{"without end", func(line, _ string) string { return redirect(301, "/x"+strings.Fields(line)[1]) }, grade.No, grade.Unasked, maxRedirects},
		{"away", func(string, string) string { return redirect(301, "http://other.test/") }, grade.No, grade.Unasked, 1},
		{"to another protocol", func(string, string) string { return redirect(301, "ftp://example.com/") }, grade.No, grade.Unasked, 1},
	} {
		port = script(t, c.answer)
		f, facts := plainOf(t, port, nil)
		if f.PlainHTTP != grade.Yes || f.RedirectsToHTTPS != c.toHTTPS || f.Permanent != c.forever || len(f.Redirects) != c.steps {
			t.Errorf("%s: %+v, gaps %v", c.name, f, facts.Gaps)
			continue
		}
		if first := f.Redirects[0]; first.URL != at("example.com", "/") || first.HSTS != (first.To != "") {
			t.Errorf("%s: first step %+v", c.name, first)
		}
	}
	// Another name of the same site is looked up, and a private address is not asked unless that is allowed.
	port = script(t, func(_, host string) string {
		if strings.HasPrefix(host, "example.com") {
			return redirect(301, at("www.example.com", "/"))
		}
		return redirect(301, "https://www.example.com/")
	})
	if f, facts := plainOf(t, port, func(o *Options) { o.AllowPrivate = true }); f.RedirectsToHTTPS != grade.Yes || len(f.Redirects) != 2 {
		t.Errorf("by way of www: %+v, %v", f, facts.Gaps)
	}
	if f, facts := plainOf(t, port, nil); f.RedirectsToHTTPS == grade.Yes || len(facts.Gaps) != 1 || !strings.Contains(facts.Gaps[0].Reason, "loopback") {
		t.Errorf("by way of a private address: %+v, %v", f, facts.Gaps)
	}
}

func TestPlainHTTPThatIsNotThere(t *testing.T) {
	closed, err := freeport.Numbers(1)
	if err != nil {
		t.Fatal(err)
	}
	port := closed[0]
	if f, facts := plainOf(t, port, nil); f.PlainHTTP != grade.No || len(facts.Gaps) != 0 {
		t.Errorf("a closed port: %+v, %v", f, facts.Gaps)
	}
	port = script(t, func(string, string) string { return "220 mail ready\r\n" })
	if f, _ := plainOf(t, port, nil); f.PlainHTTP != grade.No {
		t.Errorf("another protocol: %+v", f)
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	f, facts := plainOf(t, silent.Addr().(*net.TCPAddr).Port, func(o *Options) { o.Timeout = 100 * time.Millisecond })
	if f.PlainHTTP != grade.Unknown || len(facts.Gaps) != 1 {
		t.Errorf("a silent port: %+v, %v", f, facts.Gaps)
	}
	port = script(t, func(string, string) string {
		return "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: "+strings.Repeat("b", 4000)+"\r\n", 100) + "\r\n"
	})
	if f, facts := plainOf(t, port, nil); f.PlainHTTP != grade.Unknown || len(facts.Gaps) != 1 || !strings.Contains(facts.Gaps[0].Reason, "64 KiB") {
		t.Errorf("a bomb of headers: %+v, %v", f, facts.Gaps)
	}
}
