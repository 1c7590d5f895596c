package relay

import (
	"context"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestAByteThatWokeAConnectionIsNotLost(t *testing.T) {
	for _, first := range []string{"fill", "read", "head"} {
		var pool buffers
		var in input
		in.init(&fakeConn{in: strings.NewReader("GET / HTTP/1.1\r\nHost: a\r\n\r\n")}, &pool, smallBuffer)
		if err := in.wake(); err != nil || !in.has || in.buf != nil {
			t.Fatalf("%v %v", err, in.has)
		}
		if err := in.wake(); err != nil {
			t.Fatal(err)
		}
		switch first {
		case "fill":
			if err := in.fill(1); err != nil || string(in.buffered()) != "G" {
				t.Errorf("%q %v", in.buffered(), err)
			}
		case "read":
			b := make([]byte, 3)
			if n, err := in.read(b); err != nil || string(b[:n]) != "G" {
				t.Errorf("%q %v", b[:n], err)
			}
			continue
		}
		n, err := in.readHead(1000, time.Minute)
		if err != nil || n != 27 || !strings.HasPrefix(string(in.buffered()), "GET / ") {
			t.Errorf("%s: %d %v %q", first, n, err, in.buffered())
		}
		in.take(n)
		if err := in.wake(); err != io.EOF || in.buf != nil {
			t.Errorf("%v", err)
		}
	}
}

func TestKeptConnectionsAreClosedInTime(t *testing.T) {
	up, err := NewUpstream(&url.URL{Scheme: "http", Host: "a"}, UpstreamOptions{IdleTime: time.Minute, MaxIdle: 3, Dial: func(context.Context, string, string) (net.Conn, error) {
		return &fakeConn{in: strings.NewReader("")}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	var all []*link
	for i := range 4 {
		l, err := up.dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
		up.park(l)
		if want := min(i+1, 3); len(up.links.idle) != want {
			t.Errorf("%d are kept, want %d", len(up.links.idle), want)
		}
	}
	all[0].parked = time.Now().Add(-2 * time.Minute)
	all[1].parked = time.Now().Add(-time.Minute)
	up.sweep()
	if len(up.links.idle) != 1 || up.links.idle[0] != all[2] || up.links.timer == nil {
		t.Errorf("%d are left", len(up.links.idle))
	}
	if l := up.take(); l != all[2] || !l.reused {
		t.Error("the one that is left is not used")
	}
	up.Close()
	up.park(all[2])
	if len(up.links.idle) != 0 || up.take() != nil {
		t.Error("a closed upstream keeps connections")
	}
}

func TestAddressesOfUpstreamsAreChecked(t *testing.T) {
	for _, bad := range []string{"ftp://a", "http://", "http:///x", "a", "http://u@a", "http://a?x", "http://a#x", "http://a b", "unix:", "unix+http://host/x", "https://a:x", "", "http://a/%0d%0a%zz"} {
		u, err := url.Parse(bad)
		if err != nil {
			continue
		}
		if up, err := NewUpstream(u, UpstreamOptions{}); err == nil {
			t.Errorf("%q leads to %s", bad, up.addr)
		}
	}
	for good, want := range map[string]string{"http://a": "a:80", "https://a": "a:443", "http://[::1]": "[::1]:80", "https://[::1]:8443/x": "[::1]:8443", "unix:/x": "/x", "unix:x": "x", "unix+http:/x": "/x", "unix+http:///x": "/x"} {
		u, err := url.Parse(good)
		if err != nil {
			t.Fatal(err)
		}
		if up, err := NewUpstream(u, UpstreamOptions{}); err != nil || up.addr != want {
			t.Errorf("%q: %v", good, err)
		}
	}
}
