package tlsnet_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/tlscore"
)

// openssl is a running openssl command.
type openssl struct {
	t   *testing.T
	in  io.WriteCloser
	out *bufio.Reader
	all strings.Builder
	cmd *exec.Cmd
}

func startOpenSSL(t *testing.T, args ...string) *openssl {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("openssl is not installed")
		}
		t.Skip("openssl is not installed")
	}
	cmd := exec.CommandContext(t.Context(), "openssl", args...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	o := &openssl{t: t, in: in, out: bufio.NewReader(out), cmd: cmd}
	t.Cleanup(func() { o.end() })
	return o
}

// until reads output up to a line that has text in it, and returns that.
func (o *openssl) until(text string) string {
	o.t.Helper()
	for {
		line, err := o.out.ReadString('\n')
		o.all.WriteString(line)
		if strings.Contains(line, text) {
			return line
		}
		if err != nil {
			o.t.Fatalf("no %q in:\n%s", text, o.all.String())
		}
	}
}

func (o *openssl) say(line string) { io.WriteString(o.in, line+"\n") }

// end closes its input, which ends it, and returns all it has said.
func (o *openssl) end() string {
	o.in.Close()
	rest, _ := io.ReadAll(o.out)
	o.all.Write(rest)
	o.cmd.Process.Kill() // s_server goes on without input; it is ours
	o.cmd.Wait()
	return o.all.String()
}

// finish ends a client and returns all it has said.
func (o *openssl) finish() string {
	o.in.Close()
	rest, _ := io.ReadAll(o.out)
	o.all.Write(rest)
	o.cmd.Wait()
	return o.all.String()
}

func TestOpenSSLClientResumes(t *testing.T) {
	for name, v := range versions() {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			sc := s.early()
			sc.Core.MaxVersion = v
			l, taken := earlyListener(t, sc)
			dir := t.TempDir()
			session, data := filepath.Join(dir, "session"), filepath.Join(dir, "data")
			if err := os.WriteFile(data, []byte("from a file\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			run := func(args ...string) string {
				o := startOpenSSL(t, append([]string{"s_client", "-connect", l.Addr().String(), "-servername", "localhost",
					"-CAfile", s.ca.RootFile(), "-verify_return_error", "-sess_out", session}, args...)...)
				for _, line := range []string{"one", "two", "three"} {
					o.say(line)
					o.until("plain " + line)
				}
				return o.finish()
			}
			if out := run(); !strings.Contains(out, "New, TLSv1") {
				t.Errorf("first: %s", out)
			}
			if out := run("-sess_in", session); !strings.Contains(out, "Reused, TLSv1") {
				t.Errorf("second: %s", out)
			}
			if name == "1.2" {
				return
			}
			out := run("-sess_in", session, "-early_data", data)
			if !strings.Contains(out, "Early data was accepted") || !strings.Contains(out, "early from a file") || taken.Load() != 1 {
				t.Errorf("third, taken %d times: %s", taken.Load(), out)
			}
			sc.Core.MaxEarlyData = 0
			if err := l.SetConfig(sc); err != nil {
				t.Fatal(err)
			}
			out = run("-sess_in", session, "-early_data", data)
			if !strings.Contains(out, "Early data was rejected") || !strings.Contains(out, "Reused, TLSv1.3") {
				t.Errorf("fourth: %s", out)
			}
		})
	}
}

func TestOpenSSLServerResumes(t *testing.T) {
	for name, v := range versions() {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			f := s.server.Files()
			args := []string{"s_server", "-accept", "127.0.0.1:0", "-cert", f.Cert, "-cert_chain", f.Chain, "-key", f.Key}
			if name == "1.3" {
				args = append(args, "-early_data", "-max_early_data", "1000")
			}
			o := startOpenSSL(t, args...)
			port := regexp.MustCompile(`:(\d+)\s*$`).FindStringSubmatch(o.until("ACCEPT"))
			if port == nil {
				t.Fatal("no port in its output")
			}
			cc := s.clientConfig()
			cc.Core.MaxVersion = v
			d := dialer(t, cc)
			for i := range 4 {
				early := fmt.Sprintf("early %d\n", i)
				c, err := d.DialEarly(t.Context(), "tcp", "127.0.0.1:"+port[1], []byte(early))
				if err != nil {
					t.Fatal(err)
				}
				facts := c.Facts()
				c.ForgetEarly()
				if want := name == "1.3" && i > 0; facts.Resumed != (i > 0) || (facts.EarlyData == tlscore.EarlyDataAccepted) != want {
					t.Errorf("%d: resumed %v, %v", i, facts.Resumed, facts.EarlyData)
				}
				if facts.EarlyData == tlscore.EarlyDataAccepted {
					o.until(strings.TrimSpace(early))
				}
				mustWrite(t, c, "hello\n")
				o.until("hello")
				o.say("answer")
				mustRead(t, c, "answer\n")
				c.Close()
				o.until("DONE")
			}
		})
	}
}
