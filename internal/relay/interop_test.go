package relay_test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/freeport"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/internal/relay"
)

// freePort returns an address that nobody listens on.
func freePort(t testing.TB) string {
	t.Helper()
	address, err := freeport.Address()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// program starts a server and waits until it listens.
func program(t testing.TB, addr, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(pkitest.Program(t, name), args...)
	var out bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-ended
	})
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("%s ended: %v\n%s", name, err, out.String())
		default:
		}
		if c, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
			c.Close()
			return
		}
	}
	t.Fatalf("%s does not listen", name)
}

func write(t testing.TB, name, text string) string {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// startNginx serves files, and a page that tells of the request; it closes connections that have waited for a moment.
func startNginx(t testing.TB) string {
	dir, addr := t.TempDir(), freePort(t)
	write(t, filepath.Join(dir, "large"), strings.Repeat("0123456789abcdef", 100_000))
	conf := write(t, filepath.Join(dir, "nginx.conf"), fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error;
events {}
http { access_log off; client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
server { listen %[2]s; root %[1]s; keepalive_requests 7;
location = /tell { return 200 "$request_method $request_uri $http_host $http_x_forwarded_for $http_client_cert"; }
location = /chunked { chunked_transfer_encoding on; gzip on; gzip_min_length 1; gzip_types *; alias %[1]s/large; } } }`, dir, addr))
	program(t, addr, dir, "nginx", "-p", dir, "-c", conf)
	return addr
}

func TestNginxBehindUs(t *testing.T) {
	addr := startNginx(t)
	up := upstream(t, "http://"+addr, relay.UpstreamOptions{Client: func(r *http.Request) relay.Client {
		a, _ := netip.ParseAddrPort(r.RemoteAddr)
		return relay.Client{Addr: a}
	}})
	fronts(t, up, func(t *testing.T, front string) {
		c := client(t)
		for i := range 20 { // nginx ends its connections after seven requests
			resp, err := c.Get(fmt.Sprintf("http://%s/tell?%d", front, i))
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if want := fmt.Sprintf("GET /tell?%d %s 127.0.0.1 ", i, front); err != nil || string(b) != want {
				t.Fatalf("%q %v, want %q", b, err, want)
			}
		}
		for path, size := range map[string]int{"/large": 1_600_000, "/chunked": -1, "/none": -1} {
			for _, method := range []string{"GET", "HEAD"} {
				req, err := http.NewRequestWithContext(t.Context(), method, "http://"+front+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				if path == "/chunked" {
					req.Header.Set("Accept-Encoding", "gzip")
				}
				resp, err := c.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				b, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || size > 0 && method == "GET" && len(b) != size || path == "/chunked" && resp.Header.Get("Content-Encoding") != "gzip" {
					t.Errorf("%s %s: %d bytes, %v %v", method, path, len(b), resp.Header, err)
				}
			}
		}
	})
}

func TestPythonsServerBehindUs(t *testing.T) {
	dir, addr := t.TempDir(), freePort(t)
	write(t, filepath.Join(dir, "f.txt"), strings.Repeat("x", 100_000))
	_, port, _ := net.SplitHostPort(addr)
	program(t, addr, dir, "python3", "-m", "http.server", "--bind", "127.0.0.1", port)
	front := serve(t, &relay.Front{Handler: upstream(t, "http://"+addr, relay.UpstreamOptions{})})
	for range 3 { // it speaks HTTP/1.0
		for _, path := range []string{"/f.txt", "/", "/none"} {
			resp, err := client(t).Get("http://" + front + path)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || len(b) == 0 || path == "/f.txt" && len(b) != 100_000 {
				t.Errorf("%s: %d bytes, %v", path, len(b), err)
			}
		}
	}
}

func TestCurlBeforeUs(t *testing.T) {
	curl := pkitest.Program(t, "curl")
	front := serve(t, &relay.Front{Handler: upstream(t, backend(t, http.HandlerFunc(echo)), relay.UpstreamOptions{})})
	file := write(t, filepath.Join(t.TempDir(), "f"), strings.Repeat("x", 3<<20))
	for want, args := range map[string][]string{
		"GET /a host=" + front + " len=0":                                      {"http://" + front + "/a"},
		"GET /http10 host=" + front + " len=0":                                 {"-0", "http://" + front + "/http10"},
		"POST /b host=" + front + " len=3 ":                                    {"-d", "abc", "http://" + front + "/b"},
		"PUT /c host=" + front + " len=3145728":                                {"-T", file, "http://" + front + "/c"}, // asks by Expect first
		"PUT /d host=" + front + " len=-1 te=[chunked] body=3145728 err=<nil>": {"-H", "Transfer-Encoding: chunked", "-T", file, "http://" + front + "/d"},
		"PUT /e host=" + front + " len=3145728 ":                               {"-H", "Expect:", "-T", file, "http://" + front + "/e"},
		"DELETE /../f":                                                         {"-X", "DELETE", "--path-as-is", "http://" + front + "/../f"},
	} {
		out, err := pkitest.Run(t, curl, append([]string{"-sS", "--max-time", "20"}, args...)...)
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("curl %q: %.200q %v", args, out, err)
		}
	}
}

// nodeServer answers requests, and WebSockets with one frame that tells what came in the first one.
const nodeServer = `const http = require('http'), crypto = require('crypto');
const s = http.createServer((q, a) => { let n = 0; q.on('data', d => n += d.length); q.on('end', () => { a.setHeader('Trailer', 'X-T'); a.write(q.method + ' ' + q.url + ' '); a.addTrailers({'X-T': String(n)}); a.end(String(n)); }); });
s.keepAliveTimeout = 50;
s.on('upgrade', (q, c, head) => {
  const k = crypto.createHash('sha1').update(q.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
  c.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ' + k + '\r\n\r\n');
  c.on('data', d => { const n = d[1] & 127, p = Buffer.from(d.slice(6, 6 + n)); for (let i = 0; i < n; i++) p[i] ^= d[2 + i % 4]; c.write(Buffer.concat([Buffer.from([0x81, n]), p])); });
  c.on('end', () => c.end()); c.on('error', () => {}); });
s.listen(Number(process.argv[2]), '127.0.0.1');`

func TestAcceptNodeBehindUs(t *testing.T) {
	if os.Getenv("TLSWRIGHT_ACCEPT") == "" {
		if _, err := exec.LookPath("node"); err != nil {
			t.Skip("node is not installed")
		}
	}
	dir, addr := t.TempDir(), freePort(t)
	_, port, _ := net.SplitHostPort(addr)
	program(t, addr, dir, "node", write(t, filepath.Join(dir, "s.js"), nodeServer), port)
	fronts(t, upstream(t, "http://"+addr, relay.UpstreamOptions{}), func(t *testing.T, front string) {
		c := client(t)
		for _, size := range []int{0, 3, 1 << 20} {
			resp, err := c.Post("http://"+front+"/x", "", bytes.NewReader(make([]byte, size)))
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || string(b) != fmt.Sprint("POST /x ", size) || resp.Trailer.Get("X-T") != fmt.Sprint(size) {
				t.Errorf("%q %v %v", b, resp.Trailer, err)
			}
		}
		conn, r := dial(t, front)
		key := base64.StdEncoding.EncodeToString([]byte("0123456789abcdef"))
		io.WriteString(conn, "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "+key+"\r\n\r\n")
		head, err := readHead(r)
		sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		if err != nil || !strings.Contains(head, "Accept: "+base64.StdEncoding.EncodeToString(sum[:])+"\r\n") {
			t.Fatalf("%q %v", head, err)
		}
		for range 3 {
			conn.Write([]byte{0x81, 0x85, 0, 0, 0, 0, 'h', 'e', 'l', 'l', 'o'})
			frame := make([]byte, 7)
			if _, err := io.ReadFull(r, frame); err != nil || string(frame) != "\x81\x05hello" {
				t.Errorf("%q %v", frame, err)
			}
		}
	})
}

func TestHAProxySpeaksThePROXYProtocolWithUs(t *testing.T) {
	dir, in, out := t.TempDir(), freePort(t), freePort(t)
	ours, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	conf := write(t, filepath.Join(dir, "haproxy.cfg"), fmt.Sprintf(`global
  maxconn 100
defaults
  timeout connect 5s
  timeout client 10s
  timeout server 10s
frontend theirs
  mode http
  bind %s accept-proxy
  http-request return status 200 content-type text/plain lf-string "%%[src]:%%[src_port] %%[dst]:%%[dst_port] %%[fc_pp_authority]"
listen sender
  mode tcp
  bind %s
  server s %s send-proxy-v2 proxy-v2-options crc32c,unique-id
  unique-id-format %%ci
`, in, out, ours.Addr()))
	program(t, in, dir, "haproxy", "-db", "-f", conf)

	c, r := dial(t, in)
	h := relay.ProxyHeader{Source: netip.MustParseAddrPort("[2001:db8::7]:4711"), Destination: netip.MustParseAddrPort("[2001:db8::1]:443"), ALPN: "h2", Authority: "site.example",
		SSL: &relay.ProxySSL{Certificate: true, Verified: true, Version: "TLSv1.3", CommonName: "alice", Cipher: "TLS_AES_128_GCM_SHA256"}}
	c.Write(append(relay.AppendProxy(nil, h), "GET / HTTP/1.0\r\n\r\n"...))
	if b, err := io.ReadAll(r); err != nil || !strings.HasSuffix(string(b), "\r\n\r\n2001:db8::7:4711 2001:db8::1:443 site.example") {
		t.Errorf("HAProxy understood %q %v", b, err)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	sender, err := new(net.Dialer).DialContext(ctx, "tcp", out)
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Close()
	io.WriteString(sender, "hello")
	for { // health checks of the wait for its start may come first
		conn, err := ours.Accept()
		if err != nil {
			t.Fatal(err)
		}
		got, err := relay.ReadProxy(conn)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 5)
		_, err = io.ReadFull(conn, b)
		conn.Close()
		if err == nil && string(b) == "hello" {
			if got.Source.String() != sender.LocalAddr().String() || got.Destination.String() != out {
				t.Errorf("understood %+v, from %v", got, sender.LocalAddr())
			}
			return
		}
	}
}
