package gateway

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/freeport"
	"github.com/tlswright/tlswright/internal/pkitest"
)

// gatewayVariable names the file with the configuration of a gateway that runs in a process of its own.
const gatewayVariable = "TLSWRIGHT_TEST_GATEWAY"

// TestGatewayOfItsOwnProcess is no test: it is the process that other tests start, measure and kill.
func TestGatewayOfItsOwnProcess(t *testing.T) {
	file := os.Getenv(gatewayVariable)
	if file == "" {
		t.Skip("it is started by other tests")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var c config.Gateway
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(file)
	g, err := New(&c, Options{Home: dir, Log: slog.New(slog.DiscardHandler), DenialsFile: filepath.Join(dir, "denials.jsonl"), AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Listen(); err != nil {
		t.Fatal(err)
	}
	if err := g.Serve(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// apart runs the world's gateway in a process of its own, on an address that stays the same.
type apart struct {
	w    *world
	file string
	cmd  *exec.Cmd

	said  bytes.Buffer
	ended chan struct{} // closed when the process is gone, and said is whole
}

func (w *world) apart() *apart {
	w.t.Helper()
	addr := freeAddress(w.t)
	w.config.Listeners[0].Address = addr
	a := &apart{w: w, file: filepath.Join(w.dir, "gateway.json")}
	text, err := json.Marshal(w.config)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(a.file, text, 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(a.kill)
	return a
}

func (a *apart) start() {
	a.w.t.Helper()
	a.cmd = exec.Command(os.Args[0], "-test.run=^TestGatewayOfItsOwnProcess$", "-test.timeout=1h")
	a.cmd.Env = append(os.Environ(), gatewayVariable+"="+a.file)
	a.said.Reset()
	a.cmd.Stdout, a.cmd.Stderr = &a.said, &a.said
	if err := a.cmd.Start(); err != nil {
		a.w.t.Fatal(err)
	}
	cmd, ended := a.cmd, make(chan struct{})
	a.ended = ended
	go func() {
		defer close(ended)
		_ = cmd.Wait() // it says "killed"
	}()
}

// kill is kill -9.
func (a *apart) kill() {
	if a.cmd == nil {
		return
	}
	_ = a.cmd.Process.Kill()
	<-a.ended
	a.cmd = nil
}

// client is a client of it: there is no Gateway in this process to be asked for its address.
func (a *apart) client() *http.Client {
	pool := x509.NewCertPool()
	pool.AddCert(a.w.ca.Root)
	a.w.g = nil
	return a.w.stdClientOf(a.w.config.Listeners[0].Address, pool, nil, false)
}

// await asks until it is answered.
func (a *apart) await(c *http.Client) {
	a.w.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		_, err := serialServed(c)
		if err == nil {
			return
		}
		select {
		case <-a.ended:
			a.w.t.Fatalf("it ended by itself: %s", a.said.Bytes())
		default:
		}
		if time.Now().After(end) {
			a.w.t.Fatal(err)
		}
	}
}

// TestKilledGatewayServesAgainAccept kills it without warning under load, again and again.
func TestKilledGatewayServesAgainAccept(t *testing.T) {
	w := newWorld(t)
	b := newWitness(t)
	w.config.Sites[0].Target = config.Target{URL: b.url}
	a := w.apart()
	client := a.client()
	a.start()
	a.await(client)
	for range many(2, 10) {
		ctx, cancel := context.WithCancel(context.Background())
		asked, failed := steadily(ctx, []*http.Client{client}, 100)
		for asked.Load() < 20 {
			if _, err := serialServed(client); err != nil {
				t.Fatal(err)
			}
		}
		a.kill()
		cancel()
		failed() // those under way may
		begin := time.Now()
		a.start()
		a.await(client)
		took := time.Since(begin)
		t.Logf("served again after %v", took)
		if accept() && took > time.Second {
			t.Errorf("served again after %v, not within a second", took)
		}
	}
}

// residentKB is how much memory a process has.
func residentKB(t testing.TB, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skipf("no /proc: %v", err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return kb
		}
	}
	t.Fatal("no VmRSS")
	return 0
}

// TestTenMinutesOfLoadAccept: HTTP/1.1 and HTTP/2 at three fifths of the time, no error, and the memory stays.
func TestTenMinutesOfLoadAccept(t *testing.T) {
	wrk, h2load := pkitest.Program(t, "wrk"), pkitest.Program(t, "h2load")
	w := newWorld(t)
	b := newWitness(t)
	w.config.Sites[0].Hosts = nil // wrk and h2load ask for an address
	w.config.Sites[0].Target = config.Target{URL: b.url}
	a := w.apart()
	client := a.client()
	a.start()
	a.await(client)
	url := "https://" + w.config.Listeners[0].Address + "/"
	total := time.Duration(many(4, 600)) * time.Second
	burst := time.Duration(many(1, 6)) * time.Second
	var early, most, asked int
	for begin := time.Now(); time.Since(begin) < total; {
		out, err := pkitest.Run(t, wrk, "-t1", "-c32", "--timeout", "60s", "-d"+strconv.Itoa(int(burst.Seconds()/2+0.5))+"s", url)
		if err != nil || strings.Contains(out, "Socket errors") || strings.Contains(out, "Non-2xx") {
			t.Fatalf("wrk: %v: %s", err, out)
		}
		asked += numberIn(t, out, `(\d+) requests in`)
		out, err = pkitest.Run(t, h2load, "-D"+strconv.Itoa(int(burst.Seconds()/2+0.5)), "-c8", "-m8", url)
		if err != nil || !strings.Contains(out, " 0 failed, 0 errored, 0 timeout") {
			t.Fatalf("h2load: %v: %s", err, out)
		}
		asked += numberIn(t, out, `status codes: (\d+) 2xx`)
		b.taken()
		now := residentKB(t, a.cmd.Process.Pid)
		if most = max(most, now); early == 0 || time.Since(begin) < total/5 {
			early = max(early, now)
		}
		if accept() { // the other two fifths
			if !pause(t.Context(), burst*2/3) {
				return
			}
		}
	}
	t.Logf("%d requests; memory %d KB at first, %d KB at most", asked, early, most)
	if most > early*3/2+16<<10 {
		t.Errorf("memory grew from %d KB to %d KB", early, most)
	}
}

func numberIn(t testing.TB, text, pattern string) int {
	t.Helper()
	found := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("no %s in %s", pattern, text)
	}
	n, err := strconv.Atoi(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// freeAddress is one of the loopback that nobody listens on.
func freeAddress(t testing.TB) string {
	t.Helper()
	address, err := freeport.Address()
	if err != nil {
		t.Fatal(err)
	}
	return address
}
