package cli

import (
	"bytes"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/keystore"
)

// trust is whom a client believes: the certificates of --ca alone, or the system's roots and the estate's own CA.
type trust struct {
	roots  []*x509.Certificate
	system bool
	from   string // where roots come from, for reports: "--ca" or "own CA"
}

// loadTrust reads the files of --ca, or where there are none the root of the estate's CA, if it has one.
func (a *app) loadTrust(files []string) (trust, error) {
	if len(files) > 0 {
		t := trust{from: "--ca"}
		for _, file := range files {
			certs, err := keystore.ReadCertificates(file)
			if err != nil {
				return t, cannotRun(err, "--ca")
			}
			t.roots = append(t.roots, certs...)
		}
		return t, nil
	}
	t := trust{system: true, from: "own CA"}
	home, err := a.home()
	if err != nil {
		return t, err
	}
	t.roots, err = keystore.ReadCertificates(filepath.Join(home, "ca", "root.pem"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return t, cannotRun(err, "reading the root of the own CA")
	}
	return t, nil
}

// sourceOf says where a root that was trusted comes from.
func (t trust) sourceOf(root *x509.Certificate) string {
	for _, r := range t.roots {
		if r.Equal(root) {
			return t.from
		}
	}
	return "system"
}

// identityFlags are --cert and --key.
type identityFlags struct{ cert, key string }

func (f *identityFlags) register(cmd *cobra.Command, whose string) {
	cmd.Flags().StringVar(&f.cert, "cert", "", whose+" certificate and its chain, PEM `FILE`")
	cmd.Flags().StringVar(&f.key, "key", "", "private key of --cert, PEM `FILE` (default: the file of --cert)")
	_ = cmd.MarkFlagFilename("cert", "pem", "crt", "cer")
	_ = cmd.MarkFlagFilename("key", "pem", "key")
}

// load reads the identity; ok is false where none is named. One PEM file may hold both certificate and key.
func (f *identityFlags) load(cmd *cobra.Command) (id keystore.Identity, ok bool, err error) {
	if f.cert == "" {
		if f.key != "" {
			return id, false, usagef(cmd, "--key without --cert: the certificate is missing")
		}
		return id, false, nil
	}
	if f.key == "" { // both may come in one file; one without a key need not be closed to others
		text, err := os.ReadFile(f.cert)
		if err == nil && !bytes.Contains(text, []byte("PRIVATE KEY-----")) {
			return id, false, &failure{kind: kindLocal, text: f.cert + " holds no private key", hint: "name the file of its private key with --key"}
		}
	}
	id, err = keystore.LoadIdentity(f.cert, f.key)
	if err != nil {
		return id, false, cannotRun(err, "")
	}
	return id, true, nil
}
