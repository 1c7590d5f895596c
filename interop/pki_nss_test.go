package interop

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"golang.org/x/crypto/ocsp"
)

// How the database calls what is in it.
const (
	nssNickname = "peer"
	nssIssuer   = "issuer"
)

// nssStore is what was made for NSS of a test's PKI, each thing once.
type nssStore struct {
	mu        sync.Mutex
	databases map[nssHolds]string
	files     map[bool]string // the payload of selfserv, short or not
}

// nssHolds is what a database has besides the root, which is trusted.
type nssHolds struct {
	id     *identity // may be nil
	issuer bool      // the intermediate's key, for selfserv makes OCSP responses of its own
}

// nssDatabase makes a database, as "sql:" and a folder. Each identity gets its own, for some of them bear the same name, by which
// NSS would take them for one.
func (p *pki) nssDatabase(ctx context.Context, holds nssHolds) (string, error) {
	p.nss.mu.Lock()
	defer p.nss.mu.Unlock()
	if db, ok := p.nss.databases[holds]; ok {
		return db, nil
	}
	dir, err := os.MkdirTemp(p.dir, "nss-")
	if err != nil {
		return "", err
	}
	db := "sql:" + dir
	steps := [][]string{
		{"certutil", "-N", "--empty-password", "-d", db},
		{"certutil", "-A", "-d", db, "-n", "root", "-t", "CT,,", "-i", p.rootFile}, // for servers and for clients
	}
	if holds.issuer {
		file, err := p.nssIssuerFile(dir)
		if err != nil {
			return "", err
		}
		steps = append(steps, nssImport(dir, nssIssuer, file, file)...)
	}
	if holds.id != nil {
		steps = append(steps, nssImport(dir, nssNickname, holds.id.certFile, holds.id.keyFile)...)
	}
	for _, args := range steps {
		if out, err := runOnce(ctx, args[0], args[1:]...); err != nil {
			return "", fmt.Errorf("%s: %w\n%s", args[0], err, out)
		}
	}
	if p.nss.databases == nil {
		p.nss.databases = map[nssHolds]string{}
	}
	p.nss.databases[holds] = db
	return db, nil
}

// nssImport are the commands by which a key with its certificates gets into a database: by way of PKCS #12.
func nssImport(dir, name, certFile, keyFile string) [][]string {
	file := filepath.Join(dir, name+".p12")
	return [][]string{
		{"openssl", "pkcs12", "-export", "-in", certFile, "-inkey", keyFile, "-name", name, "-passout", "pass:", "-out", file},
		{"pk12util", "-i", file, "-d", "sql:" + dir, "-W", "", "-K", ""},
	}
}

// nssIssuerFile writes the intermediate with its key.
func (p *pki) nssIssuerFile(dir string) (string, error) {
	key, err := x509.MarshalPKCS8PrivateKey(p.ca.Key)
	if err != nil {
		return "", err
	}
	data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.ca.Intermediate.Raw})
	data = append(data, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	file := filepath.Join(dir, "issuer.pem")
	return file, os.WriteFile(file, data, 0o600)
}

// nssFile has what selfserv hands out.
func (p *pki) nssFile(short bool) (string, error) {
	p.nss.mu.Lock()
	defer p.nss.mu.Unlock()
	if file, ok := p.nss.files[short]; ok {
		return file, nil
	}
	file, err := p.keep("payload-*", asks{short: short}.down())
	if err != nil {
		return "", err
	}
	if p.nss.files == nil {
		p.nss.files = map[bool]string{}
	}
	p.nss.files[short] = file
	return file, nil
}

// nssStaple is selfserv's word for an OCSP response like this one.
func nssStaple(st *staple) (string, error) {
	r, err := ocsp.ParseResponse(st.der, nil)
	if err != nil {
		return "", err
	}
	if r.Status == ocsp.Revoked {
		return "revoked", nil
	}
	return "good", nil
}

// runOnce runs a program to its end and returns what it printed.
func runOnce(ctx context.Context, name string, args ...string) (string, error) {
	path, err := findProgram(name)
	if err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, path, args...).CombinedOutput()
	return string(out), err
}
