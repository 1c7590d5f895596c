package lab

import (
	"bufio"
	"crypto/tls"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/wire"
)

// goServer is a server of crypto/tls.
type goServer struct {
	listener net.Listener
	handlers sync.WaitGroup
}

func (s *goServer) stop() {
	s.listener.Close()
	s.handlers.Wait()
}

// goGroups are servers of crypto/tls: ML-KEM in all its variants, SCTs, odd chains, and the suites that it has given up.
func goGroups() []*Group {
	var all []*Group
	add := func(name, identity string, set func(*tls.Config)) {
		c := &Config{Name: "crypto/tls: " + name, Identities: []string{identity}, Hybrid: true, Ring: RingCI}
		all = append(all, &Group{Program: "go", Configs: []*Config{c}, start: func(l *Lab, g *Group) (stopper, error) { return startGo(l, g, set) }})
	}
	add("default", "ecdsa", func(*tls.Config) {})
	add("X25519MLKEM768 alone", "rsa", func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.X25519MLKEM768} })
	add("three hybrids", "ecdsa", func(c *tls.Config) {
		c.CurvePreferences = []tls.CurveID{tls.X25519MLKEM768, tls.SecP256r1MLKEM768, tls.SecP384r1MLKEM1024}
	})
	add("old suites", "rsa", func(c *tls.Config) {
		c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS12
		for _, s := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
			c.CipherSuites = append(c.CipherSuites, s.ID)
		}
	})
	add("no tickets, h2", "ecdsa", func(c *tls.Config) { c.SessionTicketsDisabled, c.NextProtos = true, []string{"h2", "http/1.1"} })
	for _, g := range all {
		if g.Configs[0].Name == "crypto/tls: old suites" {
			g.Configs[0].Old, g.Configs[0].Ring = true, RingAccept
		}
		g.Configs[0].testssl = testsslAsked()[g.Configs[0].Name]
	}
	return all
}

func startGo(l *Lab, g *Group, set func(*tls.Config)) (stopper, error) {
	c := g.Configs[0]
	ids, err := l.identities(c)
	if err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(ids[0].Chain, ids[0].Key)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	set(config)
	listener, err := net.Listen("tcp", c.Addr())
	if err != nil {
		return nil, err
	}
	s := &goServer{listener: listener}
	s.handlers.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.handlers.Go(func() { answerHTTP(tls.Server(conn, config)) })
		}
	})
	return s, nil
}

// answerHTTP answers one request.
func answerHTTP(conn *tls.Conn) {
	defer conn.Close()
	if conn.SetDeadline(time.Now().Add(10*time.Second)) != nil || conn.Handshake() != nil {
		return // a scanner's hello
	}
	if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
		_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nlab"))
	}
}

// hybridTruth adds the ML-KEM groups that crypto/tls agrees on with a server.
func hybridTruth(c *Config, t *Truth) {
	for _, g := range []wire.Group{wire.GroupSecp256r1MLKEM768, wire.GroupX25519MLKEM768, wire.GroupSecp384r1MLKEM1024} {
		dialer := &net.Dialer{Timeout: 10 * time.Second}
		conn, err := tls.DialWithDialer(dialer, "tcp", c.Addr(), &tls.Config{ServerName: Host, InsecureSkipVerify: true, CurvePreferences: []tls.CurveID{tls.CurveID(g)}})
		if err != nil {
			continue // refused
		}
		if wire.Group(conn.ConnectionState().CurveID) == g {
			t.Groups13 = append(t.Groups13, g)
			// crypto/tls has no switch for its suites of TLS 1.3, as client or as server: these three.
			for _, id := range []wire.CipherSuite{wire.TLS_AES_128_GCM_SHA256, wire.TLS_AES_256_GCM_SHA384, wire.TLS_CHACHA20_POLY1305_SHA256} {
				t.add(wire.VersionTLS13, id)
			}
		}
		conn.Close()
	}
	slices.Sort(t.Groups13)
}

// ownGroup is "tlswright serve". Our gateway is not built yet, so it is not here.
func ownGroup(t *testing.T) *Group {
	c := &Config{Name: "tlswright serve", Identities: []string{"ecdsa"}, Hybrid: true, Ring: RingCI}
	return &Group{Program: "go", Configs: []*Config{c}, start: func(l *Lab, g *Group) (stopper, error) {
		ids, err := l.identities(c)
		if err != nil {
			return nil, err
		}
		dir, err := l.place("tlswright")
		if err != nil {
			return nil, err
		}
		program := filepath.Join(dir, "tlswright")
		if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../../cmd/tlswright").CombinedOutput(); err != nil {
			return nil, &failed{"go build", err, string(out)}
		}
		args := strings.Fields("serve --quiet --listen " + c.Addr() + " --cert " + ids[0].Chain + " --key " + ids[0].Key + " --home " + dir + " --dir " + l.Dir)
		cmd, err := command(dir, nil, program, args...)
		if err != nil {
			return nil, err
		}
		return run(cmd, g.asked()...)
	}}
}

// everyGroup is the whole lab.
func everyGroup(t *testing.T) []*Group {
	return slices.Concat(Groups(), goGroups(), []*Group{ownGroup(t)})
}

// truthOf is what is true of a server, the hybrid groups included.
func truthOf(t *testing.T, l *Lab, c *Config) (*Truth, error) {
	truth, err := l.Truth(t.Context(), c)
	if err == nil && c.Hybrid {
		hybridTruth(c, truth)
	}
	return truth, err
}
