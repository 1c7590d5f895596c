package trust

import (
	"context"
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/pki/jks"
)

// java is the cacerts file of a Java runtime.
type java struct {
	keytool string
	cacerts string
	elevate []string // in front of what changes the file; none: nothing is
}

// storePassword protects nothing: every Java runtime ships with it.
const storePassword = "changeit"

// findJava finds a Java runtime, nil if there is none.
func findJava(home string) *java {
	if home == "" {
		home = os.Getenv("JAVA_HOME")
	}
	if home == "" {
		path, err := exec.LookPath("java")
		if err != nil {
			return nil
		}
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return nil
		}
		home = filepath.Dir(filepath.Dir(path))
	}
	keytool := filepath.Join(home, "bin", "keytool")
	for _, place := range []string{"lib/security/cacerts", "jre/lib/security/cacerts"} {
		cacerts := filepath.Join(home, filepath.FromSlash(place))
		if _, err := os.Stat(cacerts); err == nil {
			return &java{keytool: keytool, cacerts: cacerts}
		}
	}
	return nil
}

// HasJava reports whether there is a Java runtime.
func HasJava() bool { return findJava("") != nil }

// Kind implements Store.
func (*java) Kind() string { return "java" }

// Where implements Store.
func (j *java) Where() string { return j.cacerts }

func (j *java) run(ctx context.Context, args ...string) ([]byte, error) {
	return run(ctx, "Java store "+j.cacerts, j.keytool, append(args, "-keystore", j.cacerts, "-storepass", storePassword)...)
}

// change is run for what may need root.
func (j *java) change(ctx context.Context, args ...string) ([]byte, error) {
	return runAs(ctx, j.elevate, "Java store "+j.cacerts, j.keytool, append(args, "-keystore", j.cacerts, "-storepass", storePassword)...)
}

// Install implements Store.
func (j *java) Install(ctx context.Context, root *x509.Certificate) error {
	roots, err := j.Roots(ctx)
	if err != nil || holds(roots, root) {
		return err
	}
	path, remove, err := writeTemp(root)
	if err != nil {
		return err
	}
	defer remove()
	_, err = j.change(ctx, "-importcert", "-noprompt", "-file", path, "-alias", nameOf(root))
	return err
}

// Remove implements Store. Debian puts each root of the system's store into Java's as well, under a name of its own, and
// does not take it out again: what came there by our doing goes with ours.
func (j *java) Remove(ctx context.Context, root *x509.Certificate) error {
	roots, err := j.Roots(ctx)
	if err != nil || !holds(roots, root) {
		return err
	}
	for _, alias := range []string{nameOf(root), "debian:" + fileName(root) + ".pem"} {
		out, err := j.change(ctx, "-delete", "-alias", alias)
		if err != nil && !strings.Contains(string(out), "does not exist") {
			return err
		}
	}
	return nil
}

// read reads the store itself, where it is of the old kind (JKS).
func (j *java) read() ([]*x509.Certificate, bool) {
	data, err := os.ReadFile(j.cacerts)
	if err != nil || !jks.Is(data) {
		return nil, false
	}
	entries, err := jks.Decode(data, []byte(storePassword), nil)
	if err != nil {
		return nil, false
	}
	var roots []*x509.Certificate
	for _, e := range entries {
		if e.Key == nil && len(e.Chain) == 1 {
			roots = append(roots, e.Chain[0])
		}
	}
	return roots, true
}

// Roots implements Store. Java's own program takes a second or more for what is read in a moment: it is asked about stores
// in a form that we do not read.
func (j *java) Roots(ctx context.Context) ([]*x509.Certificate, error) {
	if roots, ok := j.read(); ok {
		return roots, nil
	}
	out, err := j.run(ctx, "-list", "-rfc")
	if err != nil {
		return nil, err
	}
	ders, err := pki.CertificatesPEM(out)
	if err != nil {
		return nil, nil // an empty store
	}
	var roots []*x509.Certificate
	for _, der := range ders {
		if c, err := cert.ParseX509(der); err == nil {
			roots = append(roots, c)
		}
	}
	return roots, nil
}
