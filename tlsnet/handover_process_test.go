//go:build unix

package tlsnet_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// successorEnv makes the test's binary the process that goes on with a connection. It holds the role, and the files of the
// certificate or of the roots.
const successorEnv = "TLSNET_TEST_SUCCESSOR"

// successor is the process that goes on.
type successor struct {
	t    *testing.T
	cmd  *exec.Cmd
	conn *net.UnixConn
	said *bytes.Buffer
}

func startSuccessor(t *testing.T, args ...string) *successor {
	t.Helper()
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	defer ours.Close()
	defer theirs.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestSuccessor$")
	cmd.Env = append(os.Environ(), successorEnv+"="+strings.Join(args, "\n"))
	cmd.ExtraFiles = []*os.File{theirs}
	said := new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	return &successor{t, cmd, conn.(*net.UnixConn), said}
}

// give hands a connection over: the descriptor beside the length of the state, then the state.
func (s *successor) give(c *tlsnet.Conn) {
	s.t.Helper()
	nc, state, err := c.Detach()
	if err != nil {
		s.t.Fatal(err)
	}
	defer clear(state)
	file, err := nc.(*net.TCPConn).File()
	if err != nil {
		s.t.Fatal(err)
	}
	defer file.Close()
	nc.Close() // the descriptor lives on in file, and then over there
	length := binary.BigEndian.AppendUint32(nil, uint32(len(state)))
	if _, _, err := s.conn.WriteMsgUnix(length, syscall.UnixRights(int(file.Fd())), nil); err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.conn.Write(state); err != nil {
		s.t.Fatal(err)
	}
}

// end waits for the process, which ends well if all went well there.
func (s *successor) end() {
	s.t.Helper()
	if err := s.cmd.Wait(); err != nil {
		s.t.Errorf("the other process: %v\n%s", err, s.said)
	}
}

// TestSuccessor is not a test but the other process: it takes a connection over and answers lines on it, or says some.
func TestSuccessor(t *testing.T) {
	env := os.Getenv(successorEnv)
	if env == "" {
		t.Skip("this is the other process of other tests")
	}
	args := strings.Split(env, "\n")
	config, err := successorConfig(args)
	if err != nil {
		t.Fatal(err)
	}
	c, err := takeOver(config)
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(time.Minute))
	if args[0] == "client" {
		err = sayLines(c)
	} else {
		err = answerLines(c)
	}
	if err := errors.Join(err, c.Close()); err != nil {
		t.Fatal(err)
	}
}

func successorConfig(args []string) (*tlsnet.Config, error) {
	first, err := os.ReadFile(args[1])
	if err != nil {
		return nil, err
	}
	if args[0] == "client" {
		roots, err := pki.ParseCertificatesPEM(first)
		return &tlsnet.Config{Roots: roots}, err
	}
	key, err := os.ReadFile(args[2])
	if err != nil {
		return nil, err
	}
	id, err := tlsnet.ParseIdentity(first, key)
	return &tlsnet.Config{Identities: []tlsnet.Identity{id}}, err
}

// takeOver receives what give sends.
func takeOver(config *tlsnet.Config) (*tlsnet.Conn, error) {
	file := os.NewFile(3, "the parent")
	from, err := net.FileConn(file)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	length, rights := make([]byte, 4), make([]byte, syscall.CmsgSpace(4))
	if _, _, _, _, err := from.(*net.UnixConn).ReadMsgUnix(length, rights); err != nil {
		return nil, err
	}
	messages, err := syscall.ParseSocketControlMessage(rights)
	if err != nil || len(messages) != 1 {
		return nil, fmt.Errorf("%d control messages, %w", len(messages), err)
	}
	fds, err := syscall.ParseUnixRights(&messages[0])
	if err != nil {
		return nil, err
	}
	state := make([]byte, binary.BigEndian.Uint32(length))
	if _, err := io.ReadFull(from, state); err != nil {
		return nil, err
	}
	defer clear(state)
	socket := os.NewFile(uintptr(fds[0]), "the connection")
	defer socket.Close()
	nc, err := net.FileConn(socket)
	if err != nil {
		return nil, err
	}
	return tlsnet.Attach(nc, config, state)
}

// answerLines answers each line, and changes the keys when it is told to.
func answerLines(c *tlsnet.Conn) error {
	lines := bufio.NewScanner(c)
	for lines.Scan() {
		if lines.Text() == "update" {
			if err := c.KeyUpdate(true); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprintf(c, "child %s\n", lines.Text()); err != nil {
			return err
		}
	}
	return lines.Err() // nil after close_notify
}

// sayLines says some lines, hears them again, and changes the keys in between.
func sayLines(c *tlsnet.Conn) error {
	lines := bufio.NewScanner(c)
	for i := range 10 {
		line := fmt.Sprint("line ", i)
		if _, err := fmt.Fprintln(c, line); err != nil {
			return err
		}
		if !lines.Scan() || lines.Text() != line {
			return fmt.Errorf("heard %q, %w", lines.Text(), lines.Err())
		}
		if i == 5 && c.Facts().Version == wire.VersionTLS13 {
			if err := c.KeyUpdate(true); err != nil {
				return err
			}
		}
	}
	return c.CloseWrite()
}

// TestOpenSSLDoesNotNoticeAnotherProcess has s_client talk to one process, then to another, with key updates from both
// ends.
func TestOpenSSLDoesNotNoticeAnotherProcess(t *testing.T) {
	for name, v := range versions() {
		t.Run(name, func(t *testing.T) {
			st := newSite(t)
			sc := st.serverConfig()
			sc.Core.MaxVersion = v
			l := listen(t, sc)
			files := st.server.Files()
			next := startSuccessor(t, "server", files.FullChain, files.Key)
			done := make(chan struct{})
			go func() {
				defer close(done)
				c, err := l.AcceptConn()
				if err != nil {
					t.Error(err)
					return
				}
				line, err := bufio.NewReaderSize(io.LimitReader(c, 4), 16).ReadString('\n')
				if err != nil {
					t.Error(err)
				}
				if _, err := io.WriteString(c, "parent "+line); err != nil {
					t.Error(err)
				}
				next.give(c)
			}()
			o := startOpenSSL(t, "s_client", "-connect", l.Addr().String(), "-servername", "localhost",
				"-CAfile", st.ca.RootFile(), "-verify_return_error")
			o.say("one")
			o.until("parent one")
			o.say("two")
			<-done
			o.until("child two")
			if name == "1.3" {
				o.say("update")
				o.until("child update")
				o.say("three")
				o.until("child three")
				o.say("K") // update the keys, and ask for the same
				o.until("KEYUPDATE")
			}
			o.say("four")
			o.until("child four")
			o.say("Q")
			o.finish()
			next.end()
		})
	}
}

// TestClientGoesOnInAnotherProcess hands a client's connection to crypto/tls over.
func TestClientGoesOnInAnotherProcess(t *testing.T) {
	for name, v := range versions() {
		t.Run(name, func(t *testing.T) {
			st := newSite(t)
			next := startSuccessor(t, "client", st.ca.RootFile())
			a, b := tcpPair(t)
			s := tls.Server(b, st.stdServer())
			cc := st.clientConfig()
			cc.Core.MaxVersion = v
			c, err := tlsnet.Client(a, cc)
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() {
				_, err := io.Copy(s, s) // until close_notify
				done <- errors.Join(err, s.Close())
			}()
			mustWrite(t, c, "from the parent\n")
			mustRead(t, c, "from the parent\n")
			next.give(c)
			next.end()
			if err := <-done; err != nil {
				t.Error("the server:", err)
			}
		})
	}
}
