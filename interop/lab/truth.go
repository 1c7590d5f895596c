package lab

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/tlswright/tlswright/wire"
)

//go:embed python/truth.py
var truthPython string

//go:embed java/Ask.java
var askJava string

// Truth is what a server agrees to, found out by one handshake for each question.
type Truth struct {
	Protocols []TruthProtocol `json:"protocols"`
	// Groups12 and Groups13 are those of key exchange in TLS 1.2 and 1.3; curves alone in TLS 1.2.
	Groups12 []wire.Group `json:"groups12"`
	Groups13 []wire.Group `json:"groups13"`
	DH       []int        `json:"dh"` // sizes of the parameters that were sent, in bits
}

// TruthProtocol is one version that a server agrees to.
type TruthProtocol struct {
	Version wire.Version       `json:"version"`
	Suites  []wire.CipherSuite `json:"suites"` // ascending
	// Order says "yes" where the server insists on its own order, which is Ranked then, "no" where the client's counts,
	// and nothing where one suite leaves no choice.
	Order  string             `json:"order"`
	Ranked []wire.CipherSuite `json:"ranked"`
}

// Protocol finds a version; nil if the server does not agree to it.
func (t *Truth) Protocol(v wire.Version) *TruthProtocol {
	for i := range t.Protocols {
		if t.Protocols[i].Version == v {
			return &t.Protocols[i]
		}
	}
	return nil
}

// Versions are those that the server agrees to, ascending.
func (t *Truth) Versions() []wire.Version {
	var all []wire.Version
	for _, p := range t.Protocols {
		all = append(all, p.Version)
	}
	slices.Sort(all)
	return all
}

// Truth asks OpenSSL's library, and Java where the configuration is older than that.
func (l *Lab) Truth(ctx context.Context, c *Config) (*Truth, error) {
	t, err := l.opensslTruth(ctx, c)
	if err != nil {
		return nil, err
	}
	if c.Old {
		if err := l.javaTruth(ctx, c, t); err != nil {
			return nil, err
		}
	}
	if c.GnuTLS {
		return t, l.gnutlsTruth(ctx, c, t)
	}
	return t, nil
}

// gnutlsTruth adds the suites with Camellia in GCM, which OpenSSL does not have.
func (l *Lab) gnutlsTruth(ctx context.Context, c *Config, t *Truth) error {
	names := suiteNames()
	for _, exchange := range []string{"RSA", "DHE-RSA", "ECDHE-RSA", "ECDHE-ECDSA"} {
		for _, cipher := range []string{"CAMELLIA-128-GCM", "CAMELLIA-256-GCM"} {
			priority := "NONE:+VERS-TLS1.2:+SIGN-ALL:+GROUP-ALL:+COMP-NULL:+AEAD:+" + exchange + ":+" + cipher
			_, err := output(ctx, l.Dir, strings.NewReader(""), "gnutls-cli", "--insecure", "--priority", priority, "--port", strconv.Itoa(c.Port), "127.0.0.1")
			if err != nil {
				continue // refused
			}
			name := "TLS_" + strings.ReplaceAll(exchange, "-", "_") + "_WITH_" + strings.ReplaceAll(cipher, "-", "_")
			for full, id := range names {
				if strings.HasPrefix(full, name+"_SHA") {
					t.add(wire.VersionTLS12, id)
				}
			}
		}
	}
	return nil
}

func (l *Lab) opensslTruth(ctx context.Context, c *Config) (*Truth, error) {
	task := map[string]any{"port": c.Port, "startTLS": c.StartTLS, "name": Host}
	if c.PSK {
		task["psk"] = "1a2b"
	}
	if c.StartTLS != "" {
		task["parallel"] = 2 // Dovecot and others have few processes for who is not logged in
	}
	input, err := json.Marshal(task)
	if err != nil {
		return nil, err
	}
	path, err := findProgram("python3")
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, "-c", truthPython)
	cmd.Stdin = bytes.NewReader(input)
	if c.GOST {
		file, err := l.GOSTConfiguration()
		if err != nil {
			return nil, err
		}
		cmd.Env = append(cmd.Environ(), "OPENSSL_CONF="+file)
	}
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return nil, &failed{"handshakes by OpenSSL's library", err, said.String()}
	}
	t := new(Truth)
	return t, json.Unmarshal(out.Bytes(), t)
}

// javaTruth adds what Java can agree on with the server.
func (l *Lab) javaTruth(ctx context.Context, c *Config, t *Truth) error {
	dir, err := l.place("ask")
	if err != nil {
		return err
	}
	file, err := write(dir, "Ask.java", askJava)
	if err != nil {
		return err
	}
	out, err := output(ctx, dir, nil, "java", append(javaLimits(), file, strconv.Itoa(c.Port))...)
	if err != nil {
		return err
	}
	names := suiteNames()
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		version, name, _ := strings.Cut(lines.Text(), " ")
		v, ok := map[string]wire.Version{"SSLv3": wire.VersionSSL30, "TLSv1": wire.VersionTLS10, "TLSv1.1": wire.VersionTLS11,
			"TLSv1.2": wire.VersionTLS12, "TLSv1.3": wire.VersionTLS13}[version]
		suite, known := names[strings.Replace(name, "SSL_", "TLS_", 1)]
		if !ok || !known {
			return fmt.Errorf("java says %q", lines.Text())
		}
		t.add(v, suite)
	}
	return nil
}

func (t *Truth) add(v wire.Version, suite wire.CipherSuite) {
	p := t.Protocol(v)
	if p == nil {
		t.Protocols = append(t.Protocols, TruthProtocol{Version: v})
		p = &t.Protocols[len(t.Protocols)-1]
	}
	if !slices.Contains(p.Suites, suite) {
		p.Suites = append(p.Suites, suite)
		slices.Sort(p.Suites)
	}
}

// suiteNames maps the registered names to their numbers.
func suiteNames() map[string]wire.CipherSuite {
	names := make(map[string]wire.CipherSuite)
	for id := range wire.CipherSuites() {
		names[id.String()] = id
	}
	return names
}
