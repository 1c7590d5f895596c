package interop

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// pythonClient asks twice, and is asked for its certificate before the second answer.
const pythonClient = `
import socket, ssl, sys
port, root, cert = sys.argv[1:4]
c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
c.load_verify_locations(root)
c.post_handshake_auth = True
if cert:
    c.load_cert_chain(cert, sys.argv[4])
with socket.create_connection(("127.0.0.1", int(port))) as s, c.wrap_socket(s, server_hostname=sys.argv[5]) as t:
    f = t.makefile("rw", newline="\n")
    for line in ("public", "private"):
        f.write(line + "\n")
        f.flush()
        print(f.readline().strip())
`

// pythonServer asks for the certificate when it has read "private", and always says whether it knows the client.
const pythonServer = `
import socket, ssl, sys
port, root, cert, key = sys.argv[1:5]
c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
c.load_cert_chain(cert, key)
c.load_verify_locations(root)
c.verify_mode = ssl.CERT_REQUIRED
c.post_handshake_auth = True
l = socket.create_server(("127.0.0.1", int(port)))
while True:
    s, _ = l.accept()
    try:
        with c.wrap_socket(s, server_side=True) as t:
            while True:
                line = t.recv(100)
                if not line:
                    break
                known = str(bool(t.getpeercert()))
                if line.startswith(b"private"):
                    t.verify_client_post_handshake()
                t.sendall(b"%s %s\n" % (line.strip(), known.encode()))
    except (OSError, ssl.SSLError) as e:
        print(e, file=sys.stderr, flush=True)
`

// lateServer answers each line with the name of the client, which it asks for a certificate when the line is "private".
func lateServer(t *testing.T, c *tlsnet.Config) (addr string, facts <-chan tlscore.Facts) {
	t.Helper()
	l, err := tlsnet.Listen("tcp", "127.0.0.1:0", c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	told := make(chan tlscore.Facts, 1)
	go func() {
		conn, err := l.AcceptConn()
		if err != nil {
			return
		}
		defer conn.Close()
		defer func() { told <- conn.Facts() }()
		ctx, cancel := context.WithTimeout(context.Background(), caseTimeout)
		defer cancel()
		for lines := bufio.NewScanner(conn); lines.Scan(); {
			name := "nobody"
			if lines.Text() == "private" {
				switch p, err := conn.RequestClientCertificate(ctx); {
				case err != nil:
					t.Error(err)
					return
				case p != nil:
					name = p.CommonName()
				}
			}
			fmt.Fprintf(conn, "%s %s\n", lines.Text(), name)
		}
	}()
	return l.Addr().String(), told
}

// lateConfig is a server's configuration that asks for certificates after the handshake, or that of a client that may be
// asked; the client has the certificate of the key kind that is named.
func lateConfig(p *pki, kind keyKind) *tlsnet.Config {
	c := &tlsnet.Config{Roots: one(p.root), ClientRoots: one(p.root), ServerName: serverName, Core: tlscore.Config{PostHandshakeAuth: true}}
	if id := p.leaves[kind]; id != nil {
		c.Identities = one(tlsnet.Identity{Chain: id.chain, Key: id.key})
	}
	return c
}

func TestOthersAreAskedForACertificateLate(t *testing.T) {
	p := newPKI(t)
	script, err := p.keep("client-*.py", []byte(pythonClient))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		program string
		args    func(port string, id *identity) []string
		typed   string
	}{
		"Python": {"python3", func(port string, id *identity) []string {
			return []string{script, port, p.rootFile, id.certFile, id.keyFile, serverName}
		}, ""},
		"OpenSSL": {"openssl", func(port string, id *identity) []string {
			return []string{"s_client", "-enable_pha", "-quiet", "-ign_eof", "-nocommands", "-CAfile", p.rootFile, "-servername", serverName, "-cert", id.certFile, "-cert_chain", id.certFile, "-key", id.keyFile, "-connect", "127.0.0.1:" + port}
		}, "public\nprivate\n"},
		"GnuTLS": {"gnutls-cli", func(port string, id *identity) []string {
			return []string{"--post-handshake-auth", "--logfile", "/dev/null", "--x509cafile", p.rootFile, "--sni-hostname", serverName, "--verify-hostname", serverName, "--x509certfile", id.certFile, "--x509keyfile", id.keyFile, "127.0.0.1", "--port", port}
		}, "public\nprivate\n"},
	} {
		for _, kind := range []keyKind{ecdsaP256, rsaE} {
			t.Run(name+"/"+string(kind), func(t *testing.T) {
				needProgram(t, c.program)
				addr, told := lateServer(t, lateConfig(p, ecdsaP256))
				ctx, cancel := context.WithTimeout(t.Context(), caseTimeout)
				defer cancel()
				prog, err := start(ctx, true, c.program, c.args(port(addr), p.leaves[kind])...)
				if err != nil {
					t.Fatal(err)
				}
				defer prog.stop()
				io.WriteString(prog.stdin, c.typed)
				lines := bufio.NewScanner(prog.stdout)
				for _, want := range []string{"public nobody", "private interop " + string(kind)} {
					for lines.Scan() && !strings.HasPrefix(lines.Text(), want[:6]) {
					}
					if lines.Text() != want {
						t.Fatalf("%q, want %q; %s", lines.Text(), want, prog.log)
					}
				}
				prog.stop()
				if f := <-told; f.LateRequests != 1 || len(f.PeerChain) == 0 {
					t.Errorf("%d answers, chain of %d", f.LateRequests, len(f.PeerChain))
				}
			})
		}
	}
}

// talkLate talks to a server, which asks for a certificate on "private", and returns its answers, and what is known then.
func talkLate(t *testing.T, addr string, prog *program, c *tlsnet.Config) (answer string, f tlscore.Facts) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Log(prog.log)
		}
	}()
	d, err := tlsnet.NewDialer(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), caseTimeout)
	defer cancel()
	conn, err := d.Dial(ctx, "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	context.AfterFunc(ctx, func() { conn.NetConn().Close() })
	for _, line := range []string{"public", "private", "again"} {
		if _, err := io.WriteString(conn, line+"\n"); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 100)
		n, err := conn.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		answer += string(b[:n])
	}
	return answer, conn.Facts()
}

func TestOthersAskForACertificateLate(t *testing.T) {
	p := newPKI(t)
	script, err := p.keep("server-*.py", []byte(pythonServer))
	if err != nil {
		t.Fatal(err)
	}
	id := p.leaves[ecdsaP256]
	t.Run("Python", func(t *testing.T) {
		needProgram(t, "python3")
		addr, prog := peerServing(t, "python3", script, "PORT", p.rootFile, id.certFile, id.keyFile)
		got, f := talkLate(t, addr, prog, lateConfig(p, rsaE))
		if got != "public False\nprivate False\nagain True\n" || f.LateRequests != 1 || f.OwnIdentity == nil {
			t.Errorf("%q, %d answers", got, f.LateRequests)
		}
	})
	t.Run("OpenSSL", func(t *testing.T) {
		needProgram(t, "openssl")
		addr, prog := peerServing(t, "openssl", "s_server", "-accept", "127.0.0.1:PORT", "-tls1_3", "-CAfile", p.rootFile, "-verify_return_error",
			"-cert", id.certFile, "-cert_chain", id.certFile, "-key", id.keyFile)
		lateLines(t, addr, prog, lateConfig(p, ed25519K), "c\n", prog.stdin) // s_server's command
	})
	t.Run("GnuTLS", func(t *testing.T) {
		needProgram(t, "gnutls-serv")
		addr, prog := peerServing(t, "gnutls-serv", "--echo", "--port", "PORT", "--x509cafile", p.rootFile, "--x509certfile", id.certFile, "--x509keyfile", id.keyFile,
			"--disable-client-cert")
		lateLines(t, addr, prog, lateConfig(p, ecdsaP384), "**REAUTH**\n", nil) // gnutls-serv's command, from its client
	})
}

// lateLines has a server ask twice, by a command to in, and then say "pong"; in nil: to its client.
func lateLines(t *testing.T, addr string, prog *program, c *tlsnet.Config, command string, in io.Writer) {
	t.Helper()
	d, err := tlsnet.NewDialer(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), caseTimeout)
	defer cancel()
	conn, err := d.Dial(ctx, "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.NetConn().Close() })()
	said := make(chan string, 4)
	go func() {
		defer close(said)
		for lines := bufio.NewScanner(conn); lines.Scan(); { // whoever reads answers, too
			said <- lines.Text()
		}
	}()
	for i := range 2 {
		to := in
		if in == nil {
			to = conn
		}
		io.WriteString(to, command)
		for conn.Facts().LateRequests <= i && ctx.Err() == nil {
			time.Sleep(5 * time.Millisecond)
		}
		io.WriteString(to, "pong\n")
		line := <-said
		for line == "Successfully executed command" { // GnuTLS
			line = <-said
		}
		if line != "pong" {
			t.Fatalf("%q; %s", line, prog.log)
		}
		if f := conn.Facts(); f.LateRequests != i+1 || f.OwnIdentity == nil {
			t.Errorf("%d answers after %d requests; %s", f.LateRequests, i+1, prog.log)
		}
		if in == nil {
			continue // the next command stands behind the answer
		}
		// The answer is counted before it is sent, and a server that has not read it refuses to ask again: what it prints of
		// ours stands behind it.
		heard := fmt.Sprintf("heard %d", i)
		fmt.Fprintln(conn, heard)
		if err := prog.mentions(ctx, heard); err != nil {
			t.Fatalf("%v; %s", err, prog.log)
		}
	}
}
