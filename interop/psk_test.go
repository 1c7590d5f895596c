package interop

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// OpenSSL 3.0 and GnuTLS 3.7 use external keys as they are, with SHA-256.
func pskFor(role tlscore.Role) []tlscore.PSK {
	return []tlscore.PSK{{Identity: []byte("device 7"), Key: bytes.Repeat([]byte{0x5a, 1}, 16), Role: role, Unimported: true}}
}

const (
	gnutlsPSK      = "NONE:+VERS-TLS1.3:+AEAD:+AES-128-GCM:+CHACHA20-POLY1305:+GROUP-ALL:+SIGN-ALL:+SHA256:+AEAD:+PSK:+ECDHE-PSK:+DHE-PSK"
	gnutlsPSKAlone = "NONE:+VERS-TLS1.3:+AEAD:+AES-128-GCM:+GROUP-ALL:+SIGN-ALL:+SHA256:+AEAD:+PSK"
)

func TestExternalPSKWithOthers(t *testing.T) {
	secret := hex.EncodeToString(pskFor(tlscore.RoleClient)[0].Key)
	passwd := filepath.Join(t.TempDir(), "psk")
	if err := os.WriteFile(passwd, []byte("device 7:"+secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	check := func(t *testing.T, got told13, alone bool) {
		t.Helper()
		if f := got.facts; got.err != nil || string(f.PSKIdentity) != "device 7" || f.PeerChain != nil || (f.Group == 0) != alone {
			t.Errorf("PSK %q, group %v, %v", f.PSKIdentity, f.Group, got.err)
		}
	}
	for _, c := range []struct {
		name           string
		alone          bool
		server, client []string
	}{
		{"openssl", false,
			[]string{"s_server", "-accept", "127.0.0.1:PORT", "-tls1_3", "-nocert", "-psk_identity", "device 7", "-psk", secret, "-rev"},
			[]string{"s_client", "-tls1_3", "-psk_identity", "device 7", "-psk", secret, "-ign_eof", "-nocommands", "-connect"}},
		{"openssl", true,
			[]string{"s_server", "-accept", "127.0.0.1:PORT", "-tls1_3", "-nocert", "-allow_no_dhe_kex", "-groups", "P-521", "-psk_identity", "device 7", "-psk", secret, "-rev"},
			nil},
		{"gnutls", false,
			[]string{"--echo", "--quiet", "--port", "PORT", "--pskpasswd", passwd, "--priority", gnutlsPSK},
			[]string{"--insecure", "--pskusername", "device 7", "--pskkey", secret, "--priority", gnutlsPSK, "127.0.0.1", "--port"}},
		{"gnutls", true,
			[]string{"--echo", "--quiet", "--port", "PORT", "--pskpasswd", passwd, "--priority", gnutlsPSKAlone},
			[]string{"--insecure", "--pskusername", "device 7", "--pskkey", secret, "--priority", gnutlsPSKAlone, "127.0.0.1", "--port"}},
	} {
		server, client := c.name, c.name
		if c.name == "gnutls" {
			server, client = "gnutls-serv", "gnutls-cli"
		}
		name := map[bool]string{false: c.name + ", psk_dhe_ke", true: c.name + ", psk_ke"}[c.alone]
		t.Run(name+", we are client", func(t *testing.T) {
			needProgram(t, server)
			addr, p := peerServing(t, server, c.server...)
			core := tlscore.Config{PSKs: pskFor(tlscore.RoleClient), InsecurePSKWithoutDHE: c.alone}
			if c.alone { // with a group in common OpenSSL makes a key exchange
				core.Groups = []wire.Group{wire.GroupX25519}
			}
			got := say(t, addr, &tlsnet.Config{ServerName: serverName, Core: core})
			check(t, got, c.alone)
			if t.Failed() {
				t.Log(p.log)
			}
		})
		t.Run(name+", we are server", func(t *testing.T) {
			if c.client == nil {
				t.Skip("s_client always offers a key exchange")
			}
			needProgram(t, client)
			addr, told := echoServer(t, &tlsnet.Config{Core: tlscore.Config{PSKs: pskFor(tlscore.RoleServer), InsecurePSKWithoutDHE: c.alone}})
			where := addr
			if c.name == "gnutls" {
				where = port(addr)
			}
			check(t, speak(t, told, client, append(c.client, where)...), c.alone)
		})
	}
}
