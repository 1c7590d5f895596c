package cli

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/keystore"
)

func newCert(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "cert",
		Short: "Certificates, keys and requests: look at them, check, make and convert them",
		Long: `Look at certificates, check them, and make them, without a CA of one's own.
Input is PEM, DER, PKCS#7, PKCS#12 or JKS, whatever the file is called; "-"
reads standard input, and where it makes sense HOST:PORT takes the certificates
that a server sends.`,
		Example: "  tlswright cert show example.com:443\n  tlswright cert show server.pem\n  tlswright cert selfsign localhost",
	}, newCertShow(a), newCertKey(a), newCertCSR(a), newCertSelfSign(a), newCertPin(a), newCertVerify(a), newCertConvert(a), newCertDelegate(a), newCertChain(a), newCertLint(a), newCertDiff(a))
}

// writeResult puts a result into a file, or on standard output for "" and "-". A private key is readable for its owner alone.
// What is there already is replaced only if force is set.
func (a *app) writeResult(path string, data []byte, isSecret, force bool) error {
	if path == "" || path == "-" {
		a.ui.write(&a.ui.out, string(data))
		return nil
	}
	if !force {
		if err := refuseToReplace(path); err != nil {
			return err
		}
	}
	if err := a.refuseCAFile(path); err != nil {
		return err
	}
	mode := fs.FileMode(certFileMode)
	if isSecret {
		mode = keyFileMode
	}
	if err := keystore.WriteFile(path, data, mode); err != nil {
		return cannotRun(err, "")
	}
	return nil
}

// The modes of files that these commands write.
const (
	certFileMode = 0o644
	keyFileMode  = 0o600
)

// refuseToReplace keeps a command from destroying a file that is there.
func refuseToReplace(path string) error {
	switch _, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return cannotRun(err, "")
	}
	return &failure{kind: kindLocal, text: path + " exists; it would be lost", hint: "name another file, or replace it with --force"}
}

// refuseCAFile keeps even --force from writing over the keys and records of the CA, by whatever path or link.
func (a *app) refuseCAFile(path string) error {
	file, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil // there is nothing that would be lost
	}
	home, err := a.home()
	if err != nil {
		return nil
	}
	folder, err := filepath.EvalSymlinks(filepath.Join(home, "ca"))
	if err != nil {
		return nil
	}
	below, err := filepath.Rel(absolute(folder), absolute(file))
	if err != nil || below == ".." || strings.HasPrefix(below, ".."+string(filepath.Separator)) {
		return nil
	}
	return &failure{kind: kindLocal, text: path + " is a file of the CA itself; it would be lost", hint: "name another file"}
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// needFolder refuses a file in a folder that there is not, before anything is made that would have to go there.
func needFolder(file string) error {
	if file == "" || file == "-" {
		return nil
	}
	info, err := os.Stat(filepath.Dir(file))
	switch {
	case err != nil:
		return cannotRun(err, "")
	case !info.IsDir():
		return &failure{kind: kindLocal, text: filepath.Dir(file) + " is no folder"}
	}
	return nil
}

// pemBlock is data in PEM.
func pemBlock(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// ordinal is the heading of one of several parts: "2 of 3: ".
func ordinal(i, n int) string {
	if n == 1 {
		return ""
	}
	return fmt.Sprintf("%d of %d: ", i+1, n)
}

// exclusive refuses a command line with more than one of these flags.
func exclusive(cmd *cobra.Command, flags ...string) {
	before := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		if before != nil {
			if err := before(cmd, args); err != nil {
				return err
			}
		}
		var set []string
		for _, f := range flags {
			if cmd.Flags().Changed(f) {
				set = append(set, "--"+f)
			}
		}
		if len(set) > 1 {
			return usagef(cmd, "%s exclude each other", strings.Join(set, " and "))
		}
		return nil
	}
}
