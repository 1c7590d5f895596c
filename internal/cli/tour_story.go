package cli

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

func rootsOf(ca *keystore.CA) []*x509.Certificate { return []*x509.Certificate{ca.Root} }

func (t *tour) makeCA() {
	if !t.check("root", func() (string, error) {
		var err error
		if t.ca, err = keystore.CreateCA(t.home, keystore.CAOptions{}, t.app.now()); err != nil {
			return "", err
		}
		root := t.ca.Root
		if err := cert.CheckSignatureFrom(root, root); err != nil {
			return "", err
		}
		return fmt.Sprintf("%s, until %s", shortName(root), dateOf(root.NotAfter)), nil
	}) {
		return
	}
	t.check("intermediate", func() (string, error) {
		c := t.ca.Intermediate
		if err := cert.CheckSignatureFrom(c, t.ca.Root); err != nil {
			return "", err
		}
		return fmt.Sprintf("%s, until %s", shortName(c), dateOf(c.NotAfter)), nil
	})
	t.check("private keys", func() (string, error) {
		keys, err := filepath.Glob(filepath.Join(t.ca.Dir, "*.key"))
		if err != nil || len(keys) != 2 {
			return "", fmt.Errorf("%d key files instead of 2 (%v)", len(keys), err)
		}
		for _, k := range append(keys, t.ca.Dir) {
			if err := onlyOurs(k); err != nil {
				return "", err
			}
		}
		return pki.DescribeKey(t.ca.Root.PublicKey) + ", in files that only you can read (0600)", nil
	})
}

// onlyOurs makes sure that nobody else can read a file or enter a folder.
func onlyOurs(name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if permissionsCount() && info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s has the mode %v", name, info.Mode())
	}
	return nil
}

// permissionsCount reports whether the mode bits of a file mean anything on this system.
func permissionsCount() bool { return os.PathSeparator == '/' }

func (t *tour) issueServer() {
	names := []string{"localhost", "127.0.0.1"}
	dir := filepath.Join(t.home, "live", "localhost")
	if !t.check("certificate", func() (string, error) {
		var err error
		t.server, err = issueFrom(t.ca, pki.Request{Profile: pki.ProfileServer, CommonName: "localhost", SANs: names}, pki.P256, t.app.now())
		if err != nil {
			return "", err
		}
		if err := keystore.WriteLive(dir, t.server.Chain[0], t.server.Chain[1:], t.server.Key); err != nil {
			return "", err
		}
		leaf := parseChain(t.server.Chain)[0]
		return fmt.Sprintf("%s; %s, until %s", listShort(namesOf(leaf), 60), pki.DescribeKey(leaf.PublicKey), dateOf(leaf.NotAfter)), nil
	}) {
		return
	}
	t.check("chain", func() (string, error) {
		id, err := keystore.LoadIdentity(filepath.Join(dir, keystore.FullChainFile), filepath.Join(dir, keystore.KeyFile))
		if err != nil {
			return "", err
		}
		var shown string
		for _, name := range names {
			chain, err := pki.Verify(id.Chain[0], pki.VerifyOptions{Roots: rootsOf(t.ca), Intermediates: id.Chain[1:], Time: t.app.now(), ServerName: name})
			if err != nil {
				return "", err
			}
			shown = countOf(len(chain.Certificates), "certificate")
		}
		return "read back and verified, leaf to root: " + shown, nil
	})
	t.opensslVerify(dir)
}

func (t *tour) shakeHands() {
	m, err := t.agree(t.serverConfig(), t.clientConfig())
	if err != nil {
		t.fail("handshake", err)
		return
	}
	defer m.close()
	f := m.client.Facts()
	t.check("version", func() (string, error) {
		if f.Version != wire.VersionTLS13 {
			return "", fmt.Errorf("got %v", f.Version)
		}
		return f.Version.String() + ", in one round trip", retryIs(f, false)
	})
	t.check("cipher suite", func() (string, error) {
		s := suite.ByID(f.CipherSuite)
		if s == nil || s.Bits < 128 {
			return "", fmt.Errorf("got %v", f.CipherSuite)
		}
		return fmt.Sprintf("%v, %d bits", f.CipherSuite, s.Bits), nil
	})
	t.check("key exchange", func() (string, error) {
		if g := suite.GroupByID(f.Group); g == nil || !g.Hybrid {
			return "", fmt.Errorf("got %v", f.Group)
		}
		return fmt.Sprintf("%v: forward secrecy, post-quantum hybrid", f.Group), nil
	})
	t.check("server's proof", func() (string, error) {
		peer := m.client.Peer()
		if !peer.Verified() || !peer.Root().Equal(t.ca.Root) {
			return "", errors.New("the server was not verified")
		}
		return fmt.Sprintf("%v; its chain ends at our root", f.PeerScheme), nil
	})
	t.check("both ends agree", func() (string, error) {
		return "on all of that, and on secrets that were never sent", agreeOnAll(m)
	})
}

func retryIs(f tlscore.Facts, want bool) error {
	if f.HelloRetried != want {
		return fmt.Errorf("HelloRetryRequest: %v", f.HelloRetried)
	}
	return nil
}

// agreeOnAll compares what both ends say of one connection, and keying material that each derives for itself.
func agreeOnAll(m *meeting) error {
	c, s := m.client.Facts(), m.server.Facts()
	if c.Version != s.Version || c.CipherSuite != s.CipherSuite || c.Group != s.Group || c.ALPN != s.ALPN ||
		c.ServerName != s.ServerName || c.ClientRandom != s.ClientRandom || c.ServerRandom != s.ServerRandom || c.PeerScheme != s.OwnScheme {
		return errors.New("the two ends report different facts")
	}
	a, err := m.client.Export("EXPORTER-tlswright-tour", nil, 32)
	if err != nil {
		return err
	}
	b, err := m.server.Export("EXPORTER-tlswright-tour", nil, 32)
	if err != nil {
		return err
	}
	if !bytes.Equal(a, b) {
		return errors.New("the two ends derived different secrets")
	}
	return nil
}

const tourData = 1 << 20 // bytes, each way

func (t *tour) moveData() {
	m, err := t.agree(t.serverConfig(), t.clientConfig())
	if err != nil {
		t.fail("handshake", err)
		return
	}
	defer m.close()
	deadline := time.Now().Add(20 * time.Second)
	m.client.SetDeadline(deadline)
	m.server.SetDeadline(deadline)
	data := make([]byte, tourData)
	rand.Read(data)
	if !t.check("to the server", func() (string, error) { return carry(m.client, m.server, data) }) {
		return
	}
	rand.Read(data)
	if !t.check("to the client", func() (string, error) { return carry(m.server, m.client, data) }) {
		return
	}
	if !t.check("new keys", func() (string, error) {
		if err := m.client.KeyUpdate(true); err != nil {
			return "", err
		}
		if _, err := carry(m.client, m.server, []byte("under new keys")); err != nil {
			return "", err
		}
		_, err := carry(m.server, m.client, []byte("in both directions"))
		return "KeyUpdate: both directions go on under fresh keys", err
	}) {
		return
	}
	t.check("the end", func() (string, error) {
		for _, ends := range [][2]*tlsnet.Conn{{m.client, m.server}, {m.server, m.client}} {
			if err := ends[0].CloseWrite(); err != nil {
				return "", err
			}
			if n, err := ends[1].Read(make([]byte, 1)); n != 0 || err != io.EOF {
				return "", fmt.Errorf("after close_notify: %d bytes, %v", n, err)
			}
		}
		return "close_notify from both: nobody cut anything off", nil
	})
}

// carry sends data from one end to the other and compares digests.
func carry(from, to *tlsnet.Conn, data []byte) (string, error) {
	sent := make(chan error, 1)
	go func() {
		_, err := from.Write(data)
		sent <- err
	}()
	got := make([]byte, len(data))
	_, err := io.ReadFull(to, got)
	if err := errors.Join(<-sent, err); err != nil {
		return "", err
	}
	want, have := sha256.Sum256(data), sha256.Sum256(got)
	if want != have {
		return "", errors.New("what arrived is not what was sent")
	}
	return fmt.Sprintf("%s, sha256 %x... at both ends", byteCount(int64(len(data))), want[:8]), nil
}

func (t *tour) exchangeKeys() {
	for _, g := range []wire.Group{wire.GroupX25519, wire.GroupSecp256r1, wire.GroupSecp256r1MLKEM768, wire.GroupSecp384r1MLKEM1024} {
		t.check(g.String(), func() (string, error) {
			client := t.clientConfig()
			client.Core.Groups = []wire.Group{g}
			m, err := t.agree(t.serverConfig(), client)
			if err != nil {
				return "", err
			}
			defer m.close()
			if got := m.client.Facts().Group; got != g {
				return "", fmt.Errorf("got %v", got)
			}
			detail := "elliptic curve"
			if suite.GroupByID(g).Hybrid {
				detail = "hybrid: elliptic curve and ML-KEM together"
			}
			return detail, agreeOnAll(m)
		})
	}
	t.check("HelloRetryRequest", func() (string, error) {
		server, client := t.serverConfig(), t.clientConfig()
		server.Core.Groups = []wire.Group{wire.GroupSecp384r1}
		client.Core.KeyShares = []wire.Group{wire.GroupX25519}
		m, err := t.agree(server, client)
		if err != nil {
			return "", err
		}
		defer m.close()
		if err := retryIs(m.client.Facts(), true); err != nil {
			return "", err
		}
		return fmt.Sprintf("the client guessed %v, the server wants %v", wire.GroupX25519, m.client.Facts().Group), agreeOnAll(m)
	})
}

// gone is the error of a file that must not exist any more.
func gone(name string) error {
	if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is still there (%v)", name, err)
	}
	return nil
}
