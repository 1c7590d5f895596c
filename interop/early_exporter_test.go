package interop

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// libssl runs OpenSSL's library by a script that calls it, for its programs do not export early keying material. The
// lines that it prints come through the channel.
func libssl(t *testing.T, args ...string) <-chan string {
	t.Helper()
	needProgram(t, "python3")
	needProgram(t, "openssl")                                             // which brings libssl.so.3
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // it ends by itself
	cmd := exec.CommandContext(ctx, "python3", append([]string{"testdata/early_exporter.py"}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var failure strings.Builder
	cmd.Stderr = &failure
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 10)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- s.Text()
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("libssl: %v\n%s", err, &failure)
		}
	}()
	t.Cleanup(func() {
		if t.Failed() {
			cancel()
		}
		<-done
		cancel()
	})
	return lines
}

// earlyExport is what our end exports.
func earlyExport(c *tlsnet.Conn) (string, error) {
	b, err := c.ExportEarly("EXPORTER-early", []byte("context"), 32)
	return fmt.Sprintf("early %x", b), err
}

func TestEarlyExporterWithOpenSSLClient(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	leaf := ca.Server(pkitest.P256)
	l, err := tlsnet.Listen("tcp", "127.0.0.1:0", &tlsnet.Config{
		Identities: []tlsnet.Identity{{Chain: leaf.Chain, Key: leaf.Key}}, Core: tlscore.Config{MaxEarlyData: 1000}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	exported := make(chan string, 1)
	serve := func(second bool) error {
		c, err := l.AcceptConn()
		if err != nil {
			return err
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(time.Minute))
		buf := make([]byte, 100)
		n, err := c.ReadEarly(buf)
		if second {
			if string(buf[:n]) != "early" {
				return fmt.Errorf("early data is %q: %w", buf[:n], err)
			}
			line, err := earlyExport(c)
			if err != nil {
				return err
			}
			exported <- line
			_, err = c.ReadEarly(buf)
			if err != io.EOF {
				return fmt.Errorf("the end of early data: %w", err)
			}
			if again, err := earlyExport(c); again != line {
				return fmt.Errorf("after the handshake it is %s, %w", again, err)
			}
		} else if _, err := earlyExport(c); !errors.Is(err, tlscore.ErrNoEarlyExporter) {
			return fmt.Errorf("without early data: %w", err)
		}
		if n, err = c.Read(buf); err != nil {
			return err
		}
		_, err = c.Write(buf[:n])
		return err
	}
	done := make(chan error, 1)
	go func() { done <- errors.Join(serve(false), serve(true)) }()
	_, port, _ := strings.Cut(l.Addr().String(), ":")
	lines := libssl(t, "client", port)
	theirs, status := <-lines, <-lines
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if ours := <-exported; ours != theirs || status != "status 2" {
		t.Errorf("we export %q, OpenSSL %q, %s", ours, theirs, status)
	}
}

func TestEarlyExporterWithOpenSSLServer(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	files := ca.Server(pkitest.P256).Files()
	lines := libssl(t, "server", files.FullChain, files.Key)
	port, ok := strings.CutPrefix(<-lines, "port ")
	if !ok {
		t.Fatal("it does not serve")
	}
	d, err := tlsnet.NewDialer(&tlsnet.Config{Roots: ca.Roots(), ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		c, err := d.DialEarly(t.Context(), "tcp", "127.0.0.1:"+port, []byte("early"))
		if err != nil {
			t.Fatal(err)
		}
		c.ForgetEarly()
		c.SetDeadline(time.Now().Add(time.Minute))
		if i == 1 {
			ours, err := earlyExport(c)
			if theirs := <-lines; err != nil || ours != theirs {
				t.Errorf("we export %q, %v, OpenSSL %q", ours, err, theirs)
			}
		}
		if _, err := io.WriteString(c, "hello"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, make([]byte, 5)); err != nil { // behind the tickets
			t.Fatal(err)
		}
		c.Close()
	}
}
