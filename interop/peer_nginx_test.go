package interop

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

func nginxPeer() peer {
	return peer{
		name:           "nginx",
		version:        func() (string, error) { return nginxVersion() },
		groups:         func() []wire.Group { return opensslCan("nginx", "-V") },
		kinds:          allKinds,
		suites:         slices.Concat(allSuites, allSuites12),
		serve:          nginxServe,
		httpServe:      nginxServe,
		alertText:      alertTextOpenSSL(),
		refusesInHTTP:  true,
		takesEarly:     nginxTakesEarly,
		withoutTickets: one("ssl_session_tickets off; ssl_session_cache shared:sessions:1m;"),
		earlyData:      earlyRequest,
		withoutEMS:     func(a asks) asks { a.extra = one("ssl_conf_command Options -ExtendedMasterSecret;"); return a },
		note: "as a server only: a `PUT` of 1 MB (compared with the file that nginx wrote) and a `GET` of it, over HTTP/1.1; " +
			"HTTP/2 below",
	}
}

func nginxVersion() (string, error) {
	line, err := firstLine("nginx", "-v")
	if err != nil {
		return "", err
	}
	_, v, _ := strings.Cut(line, "nginx/")
	return "nginx " + v, nil
}

type nginxServer struct {
	*program
	address string
	dir     string
	asks    asks
}

const nginxConfig = `daemon off;
worker_processes 1;
pid %[1]s/pid;
error_log stderr info;
%[6]s
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi;
  uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
  client_max_body_size 64m;
  server {
    listen 127.0.0.1:%[2]s ssl http2;
    server_name %[3]s;
    ssl_certificate %[4]s;
    ssl_certificate_key %[5]s;
    %[7]s
    root %[1]s/files;
    location / { dav_methods PUT; }
  }
}
`

func nginxServe(ctx context.Context, p *pki, a asks) (peerServer, error) {
	dir, err := os.MkdirTemp(p.dir, "nginx-")
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(filepath.Join(dir, "files"), 0o777); err != nil {
		return nil, err
	}
	user, extra := "", nginxTerms(a)
	if os.Geteuid() == 0 {
		user = "user root;" // its workers then write what the test reads
	}
	if a.requireClient {
		extra += "ssl_verify_client on; ssl_client_certificate " + p.rootFile + "; ssl_verify_depth 3;"
	}
	conf := filepath.Join(dir, "nginx.conf")
	var confErr error
	prog, addr, err := startServer(ctx, false, "nginx", func(port string) []string {
		text := fmt.Sprintf(nginxConfig, dir, port, serverName, a.identity.certFile, a.identity.keyFile, user, extra)
		confErr = os.WriteFile(conf, []byte(text), 0o600)
		return []string{"-p", dir, "-e", "stderr", "-c", conf}
	})
	if err == nil {
		err = confErr
	}
	if err != nil {
		return nil, err
	}
	return &nginxServer{prog, addr, dir, a}, nil
}

// nginxTerms is asks in the language of nginx.conf.
func nginxTerms(a asks) string {
	text := "ssl_protocols"
	for v := a.oldest(); v <= a.newest(); v++ {
		text += " " + opensslVersions[v]
	}
	text += ";"
	if old, new := opensslCiphers(a); old != "" {
		text += "ssl_ciphers " + old + ";"
		if new != "" {
			text += "ssl_conf_command Ciphersuites " + new + ";"
		}
	}
	if a.groups != nil {
		names := make([]string, len(a.groups))
		for i, g := range a.groups {
			names[i] = opensslGroups[g]
		}
		text += "ssl_ecdh_curve " + strings.Join(names, ":") + ";"
	}
	if a.ocsp != nil {
		text += "ssl_stapling on; ssl_stapling_file " + a.ocsp.file + ";"
	}
	if a.early {
		text += "ssl_early_data on;"
	}
	return text + strings.Join(a.extra, " ")
}

func (s *nginxServer) addr() string { return s.address }
func (s *nginxServer) log() string  { return s.program.log.String() }

// stop ends nginx the way it wants to be ended: its master takes the workers with it.
func (s *nginxServer) stop() {
	s.cmd.Process.Signal(os.Interrupt)
	select {
	case <-s.done:
	case <-time.After(5 * time.Second):
	}
	s.program.stop()
	os.RemoveAll(s.dir)
}

// exchange speaks HTTP/1.1 by hand, so that nothing but our connection stands between the test and nginx.
func (s *nginxServer) exchange(c net.Conn) error {
	br := bufio.NewReader(c)
	up := s.asks.up()
	if status, _, err := roundTrip(c, br, http.MethodPut, up); err != nil || status != http.StatusCreated && status != http.StatusNoContent {
		return fmt.Errorf("PUT: status %d, %w", status, err)
	}
	stored, err := os.ReadFile(filepath.Join(s.dir, "files", "moved"))
	if err != nil {
		return err
	}
	if err := up.same("us to server", stored); err != nil {
		return err
	}
	status, body, err := roundTrip(c, br, http.MethodGet, nil)
	if err != nil || status != http.StatusOK {
		return fmt.Errorf("GET: status %d, %w", status, err)
	}
	return up.same("server to us", body)
}

// nginxTakesEarly reads the answer to a request that was sent early, and no other way.
func nginxTakesEarly(_ context.Context, s peerServer, c *tlsnet.Conn, early bool) error {
	if !early {
		return s.exchange(c)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %w", resp.Status, err)
	}
	return s.(*nginxServer).asks.up().same("early request", got)
}

func roundTrip(c io.Writer, br *bufio.Reader, method string, body []byte) (int, []byte, error) {
	req, err := http.NewRequest(method, "https://"+serverName+"/moved", bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if err := req.Write(c); err != nil {
		return 0, nil, err
	}
	resp, err := http.ReadResponse(br, req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	return resp.StatusCode, got, err
}
