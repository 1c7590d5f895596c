package main

import (
	"bufio"
	"crypto/x509"
	_ "embed"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/tlswright/tlswright/wire"
)

//go:embed openssl/pairs.c
var pairsSource []byte

// openSSL is the program that makes pairs of OpenSSL connections in one process of its own, and the certificates for it.
type openSSL struct {
	program, dir string
	missing      error // why there is none
}

// newOpenSSL compiles the program into a folder of its own. Where there is no compiler or no OpenSSL to compile with, it says so.
func newOpenSSL(c *certificates) (*openSSL, error) {
	dir, err := os.MkdirTemp("", "tlswright-bench-*")
	if err != nil {
		return nil, err
	}
	o := &openSSL{program: filepath.Join(dir, "pairs"), dir: dir}
	key, err := x509.MarshalPKCS8PrivateKey(c.key)
	if err != nil {
		return nil, err
	}
	source := filepath.Join(dir, "pairs.c")
	for name, content := range map[string][]byte{
		source:                         pairsSource,
		filepath.Join(dir, "root.pem"): pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.root.Raw}),
		filepath.Join(dir, "leaf.pem"): pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.leaf}),
		filepath.Join(dir, "leaf.key"): pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
	} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			return nil, err
		}
	}
	if out, err := exec.Command("gcc", "-O2", "-o", o.program, source, "-lssl", "-lcrypto").CombinedOutput(); err != nil {
		first, _, _ := strings.Cut(string(out), "\n")
		o.missing = fmt.Errorf("gcc with OpenSSL's headers (libssl-dev) is not here: %w %s", err, first)
	}
	return o, nil
}

// close removes the folder.
func (o *openSSL) close() { os.RemoveAll(o.dir) }

// groupNames are those of OpenSSL for the groups that are compared and that it may have.
func (o *openSSL) group(g wire.Group) string {
	switch g {
	case wire.GroupX25519:
		return "X25519"
	case wire.GroupSecp256r1:
		return "P-256"
	case wire.GroupX25519MLKEM768:
		return "X25519MLKEM768" // from OpenSSL 3.5 on
	}
	return ""
}

// side runs the program for one scenario; ok is false where it cannot do it. mode is that of a handshake, or bulk.
func (o *openSSL) side(v variant, mode string, size int) (s side, ok bool) {
	if o == nil || o.missing != nil {
		return side{}, false
	}
	version := "13"
	if v.tls12 {
		version = "12"
	}
	p := &pairsProcess{args: []string{o.dir, version, o.group(v.group), mode, strconv.Itoa(size), serverName}, program: o.program}
	if _, err := p.timed(1); err != nil { // this OpenSSL does not know the group
		return side{}, false
	}
	return side{name: "OpenSSL", timed: p.timed}, true
}

// pairsProcess is the program while it runs.
type pairsProcess struct {
	program string
	args    []string
	in      io.Writer
	out     *bufio.Scanner
}

// timed does n operations and returns the CPU time that they took there.
func (p *pairsProcess) timed(n int) (parts, error) {
	if p.in == nil {
		if err := p.start(); err != nil {
			return parts{}, err
		}
	}
	if _, err := fmt.Fprintln(p.in, n); err != nil {
		return parts{}, err
	}
	if !p.out.Scan() {
		return parts{}, errors.Join(errors.New("the OpenSSL program has ended"), p.out.Err())
	}
	took, err := strconv.ParseInt(p.out.Text(), 10, 64)
	return parts{time.Duration(took)}, err
}

// start runs the program, which ends with this one: when its input does.
func (p *pairsProcess) start() error {
	cmd := exec.Command(p.program, p.args...)
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	p.in, p.out = in, bufio.NewScanner(out)
	return cmd.Start()
}

// mode is the name of a variant's handshake.
func (v variant) mode() string {
	switch {
	case v.resume:
		return "resumed"
	case v.mutual:
		return "mutual"
	}
	return "full"
}
