package tlsnet_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// forgetful makes the test's binary the process whose memory is looked at: a server, or a client, of one connection. It
// holds the role, and the files of the certificate or of the roots.
const forgetful = "TLSNET_TEST_FORGETFUL"

// movedOn, behind that, has it hand the connection over to itself before.
const movedOn = "moved"

// TestForgetful is not a test but the other process: it makes a connection on descriptor 3, uses it, says so, waits,
// closes it, says so, and waits for the end.
func TestForgetful(t *testing.T) {
	env := os.Getenv(forgetful)
	if env == "" {
		t.Skip("this is the other process of TestSecretsAreGoneAfterClose")
	}
	args := strings.Split(env, "\n")
	config, err := successorConfig(args)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(3, "the parent")
	nc, err := net.FileConn(file)
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
	var c *tlsnet.Conn
	if args[0] == "client" {
		config.ServerName = "localhost"
		c, err = tlsnet.Client(nc, config)
	} else {
		c, err = tlsnet.Server(nc, config)
	}
	if err != nil {
		t.Fatal(err)
	}
	work := func() error {
		if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
			return err
		}
		if c.Facts().Version == wire.VersionTLS13 {
			if err := c.KeyUpdate(true); err != nil {
				return err
			}
		}
		if _, err := c.Write([]byte("hello")); err != nil {
			return err
		}
		_, err := io.ReadFull(c, make([]byte, 5)) // under new keys
		return err
	}
	if err := work(); err != nil {
		t.Fatal(err)
	}
	pause := func(what string) {
		fmt.Println(what)
		os.Stdin.Read(make([]byte, 1))
	}
	if args[len(args)-1] == movedOn {
		nc, state, err := c.Detach()
		if err != nil {
			t.Fatal(err)
		}
		old := c
		if c, err = tlsnet.Attach(nc, config, state); err != nil {
			t.Fatal(err)
		}
		clear(state)
		defer runtime.KeepAlive(old)
	}
	pause("open")
	c.Close()
	runtime.GC()
	pause("closed")
	runtime.KeepAlive(c)
}

// secretsOf collects the secrets of a connection in this process, by their names.
type secretsOf struct {
	mu   sync.Mutex
	list map[string][]byte
}

func (s *secretsOf) Derived(d tlscore.Derivation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(d.Output) >= 16 && !strings.Contains(d.Name, "finished") && !strings.Contains(d.Name, "derived") && d.Name != "verify_data" {
		s.list[d.Name] = bytes.Clone(d.Output)
	}
}

// occurrences counts where bytes stand in the memory of a process.
func occurrences(t *testing.T, pid int, of map[string][]byte) map[string]int {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if errors.Is(err, os.ErrPermission) {
		t.Skip("this machine lets nobody look at the memory of a process: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	found := map[string]int{}
	for s := bufio.NewScanner(bytes.NewReader(maps)); s.Scan(); {
		var from, to int64
		var mode string
		if n, _ := fmt.Sscanf(s.Text(), "%x-%x %s", &from, &to, &mode); n != 3 || !strings.HasPrefix(mode, "rw") || to-from > 1<<30 {
			continue
		}
		b := make([]byte, to-from)
		n, _ := mem.ReadAt(b, from) // parts that were never used cannot be read
		for label, secret := range of {
			found[label] += bytes.Count(b[:n], secret)
		}
	}
	return found
}

// TestSecretsAreGoneAfterClose looks at all memory of another process, before and after it closes a connection.
func TestSecretsAreGoneAfterClose(t *testing.T) {
	for name, v := range versions() {
		for _, role := range []string{"server", "client"} {
			t.Run(role+" "+name, func(t *testing.T) { lookForSecrets(t, v, role) })
			t.Run(role+" "+name+" "+movedOn, func(t *testing.T) { lookForSecrets(t, v, role, movedOn) })
		}
	}
}

func lookForSecrets(t *testing.T, v wire.Version, role string, more ...string) {
	st := newSite(t)
	files := st.server.Files()
	keys := &secretsOf{list: map[string][]byte{}}
	own := st.clientConfig()
	args := []string{"server", files.FullChain, files.Key}
	if role == "client" {
		own, args = st.serverConfig(), []string{"client", st.ca.RootFile()}
	}
	own.Core.MaxVersion, own.Secrets = v, func() tlscore.Secrets { return keys }
	p, nc := startForgetful(t, append(args, more...))
	var c *tlsnet.Conn
	var err error
	if role == "client" {
		c, err = tlsnet.Server(nc, own)
	} else {
		c, err = tlsnet.Client(nc, own)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	mustWrite(t, c, "hello")
	mustRead(t, c, "hello")
	mustWrite(t, c, "hello")
	p.expect("open")
	keys.mu.Lock()
	defer keys.mu.Unlock()
	secrets := keys.list
	open := occurrences(t, p.cmd.Process.Pid, secrets)
	p.stdin.Write([]byte("\n"))
	p.expect("closed")
	closed := occurrences(t, p.cmd.Process.Pid, secrets)
	alive := false
	for label := range secrets {
		t.Logf("%s: %d times while open, %d times when closed", label, open[label], closed[label])
		alive = alive || open[label] > 0
		if closed[label] > 0 && !strings.HasSuffix(label, " key") && label != "key_block" { // see docs/threats.md
			t.Errorf("%s is still in memory after Close", label)
		}
	}
	if !alive {
		t.Error("no secret was found while the connection was open: the test does not look where they are")
	}
}

// forgetfulProcess is the process that is looked at.
type forgetfulProcess struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.Writer
	out   *bufio.Reader
}

func startForgetful(t *testing.T, args []string) (*forgetfulProcess, net.Conn) {
	t.Helper()
	a, b := tcpPair(t)
	file, err := b.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	b.Close()
	cmd := exec.Command(os.Args[0], "-test.run=^TestForgetful$")
	cmd.Env = append(os.Environ(), forgetful+"="+strings.Join(args, "\n"))
	cmd.ExtraFiles = []*os.File{file}
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return &forgetfulProcess{t, cmd, stdin, bufio.NewReader(stdout)}, a
}

// expect waits for a line.
func (p *forgetfulProcess) expect(want string) {
	p.t.Helper()
	for {
		line, err := p.out.ReadString('\n')
		if strings.TrimSpace(line) == want {
			return
		}
		if err != nil {
			p.t.Fatalf("the process ended without saying %q: %v", want, err)
		}
	}
}
