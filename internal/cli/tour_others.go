package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/tlsnet"
)

func portOf(a net.Addr) string {
	_, port, _ := net.SplitHostPort(a.String()) // the address of a TCP listener always has one
	return port
}

// findProgram looks in $PATH and where daemons usually are; "" if the program is not installed.
func findProgram(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", "/sbin", "/opt/homebrew/bin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path
		}
	}
	return ""
}

// notInPath is why a line about another program is left out.
const notInPath = "not found in $PATH"

// run runs another program to its end. Its configuration files are the user's and not of interest here, nor is a proxy.
func (t *tour) run(stdin, program string, args ...string) (stdout string, err error) {
	ctx, cancel := context.WithTimeout(t.ctx, tourPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), "HOME="+t.home, "CURL_HOME="+t.home, "LC_ALL=C")
	cmd.Stdin = strings.NewReader(stdin)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s: %w: %s", filepath.Base(program), err, lastLine(errOut.String()))
	}
	return out.String(), nil
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// opensslVerify asks the other program about our chain.
func (t *tour) opensslVerify(dir string) {
	openssl := findProgram("openssl")
	if openssl == "" {
		t.skip("openssl verify", notInPath)
		return
	}
	t.check("openssl verify", func() (string, error) {
		out, err := t.run("", openssl, "verify", "-CAfile", t.ca.RootPath(), "-untrusted", filepath.Join(dir, keystore.ChainFile),
			"-purpose", "sslserver", "-verify_hostname", "localhost", filepath.Join(dir, keystore.CertFile))
		if err != nil {
			return "", err
		}
		if !strings.HasSuffix(strings.TrimSpace(out), ": OK") {
			return "", fmt.Errorf("it says %q", strings.TrimSpace(out))
		}
		return "agrees", nil
	})
}

func (t *tour) meetOthers() {
	t.meetCurl()
	t.meetOpenSSL()
	t.meetNginx()
}

func (t *tour) meetCurl() {
	curl := findProgram("curl")
	if curl == "" {
		t.skip("curl", notInPath)
		return
	}
	for _, p := range []struct{ flag, version string }{{"--http1.1", "1.1"}, {"--http2", "2"}} {
		t.check("curl "+p.flag, func() (string, error) {
			out, err := t.run("", curl, "-q", "-sS", "--noproxy", "*", "--tlsv1.3", p.flag, "--cacert", t.ca.RootPath(),
				"--resolve", "localhost:"+t.site.port+":127.0.0.1", "-w", "%{http_code} %{http_version}",
				"https://localhost:"+t.site.port+"/page.txt")
			if err != nil {
				return "", err
			}
			if out != t.site.page+"200 "+p.version {
				return "", fmt.Errorf("got %d bytes, ending in %q", len(out), tail(out, 20))
			}
			return fmt.Sprintf("reads that page: %s, intact", byteCount(int64(len(t.site.page)))), nil
		})
	}
}

func (t *tour) meetOpenSSL() {
	openssl := findProgram("openssl")
	if openssl == "" {
		t.skip("openssl s_client", notInPath)
		return
	}
	t.check("openssl s_client", func() (string, error) {
		out, err := t.run("GET /page.txt HTTP/1.0\r\nHost: localhost\r\n\r\n", openssl, "s_client", "-quiet", "-tls1_3",
			"-connect", t.site.addr, "-servername", "localhost", "-CAfile", t.ca.RootPath(),
			"-verify_return_error", "-verify_hostname", "localhost")
		if err != nil {
			return "", err
		}
		if !strings.HasSuffix(out, "\r\n\r\n"+t.site.page) {
			return "", fmt.Errorf("got %d bytes, ending in %q", len(out), tail(out, 20))
		}
		return "reads it, too, and verifies chain and name", nil
	})
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

func (t *tour) meetNginx() {
	nginx := findProgram("nginx")
	if nginx == "" {
		t.skip("nginx", notInPath)
		return
	}
	page := "hello from nginx\n"
	addr, err := t.startNginx(nginx, page)
	if err != nil {
		t.skip("nginx", "does not start here: "+err.Error())
		return
	}
	t.check("nginx", func() (string, error) {
		detail, err := fetch("https://"+addr+"/page.txt", "HTTP/1.1", page, t.httpTransport(tlsnet.ProtocolHTTP1))
		return "our client reads a page: " + detail, err
	})
}

const nginxConf = `daemon off;
master_process off;
pid nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  server {
    listen %s ssl;
    ssl_certificate %s;
    ssl_certificate_key %s;
    ssl_protocols TLSv1.3;
    root html;
  }
}
`

// startNginx runs nginx in the temporary home, with the tour's server certificate, until the tour ends.
func (t *tour) startNginx(program, page string) (addr string, err error) {
	dir := filepath.Join(t.home, "nginx")
	if err := os.MkdirAll(filepath.Join(dir, "html"), 0o700); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "html", "page.txt"), []byte(page), 0o600); err != nil {
		return "", err
	}
	if addr, err = freeAddress(); err != nil {
		return "", err
	}
	live := filepath.Join(t.home, "live", "localhost")
	conf := fmt.Sprintf(nginxConf, addr, filepath.Join(live, keystore.FullChainFile), filepath.Join(live, keystore.KeyFile))
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(conf), 0o600); err != nil {
		return "", err
	}
	ctx, cancel := context.WithCancel(t.ctx)
	cmd := exec.CommandContext(ctx, program, "-p", dir, "-c", filepath.Join(dir, "nginx.conf"))
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 3 * time.Second
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		cancel()
		return "", err
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.later(func() error { cancel(); <-ended; return nil })
	if err := waitForListener(t.ctx, addr, ended); err != nil {
		cancel()
		<-ended
		return "", fmt.Errorf("%w: %s", err, lastLine(log.String()))
	}
	return addr, nil
}

// freeAddress is a loopback address that nobody listens on at this moment.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// waitForListener returns once somebody listens on addr.
func waitForListener(ctx context.Context, addr string, ended <-chan struct{}) error {
	deadline := time.After(5 * time.Second)
	for {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			return c.Close()
		}
		select {
		case <-ended:
			return errors.New("it ended at once")
		case <-deadline:
			return errors.New("it did not listen in time")
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}
