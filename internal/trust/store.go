package trust

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tlswright/tlswright/pki"
)

// Store is one place where a machine keeps the roots it trusts.
type Store interface {
	// Kind is "system", "nss" or "java".
	Kind() string
	// Where is the folder or file of the store.
	Where() string
	// Install adds a root; one that is there already is no error.
	Install(ctx context.Context, root *x509.Certificate) error
	// Remove takes a root out; one that is not there is no error.
	Remove(ctx context.Context, root *x509.Certificate) error
	// Roots reads back what the store trusts for servers now.
	Roots(ctx context.Context) ([]*x509.Certificate, error)
}

// Kinds are the kinds of stores, in the order in which they are shown.
func Kinds() []string { return []string{"system", "nss", "java"} }

// Options say where to look. The zero value looks in the places of this machine and this user.
type Options struct {
	Home     string // of the user, for NSS; "": the user's
	JavaHome string // "": $JAVA_HOME, or what java on the path belongs to
	System   *System
	// Elevate is a command in front of those that need root, such as sudo; none: they are tried without, and say what is
	// missing. It may ask at the terminal.
	Elevate []string
}

// Error is what a store had to say. Its strings can be shown as they are.
type Error struct {
	Store string // kind and place
	Text  string
	Hint  string // what to do; may be ""
	Err   error
}

// Error implements error.
func (e *Error) Error() string { return e.Store + ": " + e.Text }

// Unwrap gives the error beneath.
func (e *Error) Unwrap() error { return e.Err }

// ErrNoTool says that the program which keeps a store is not installed.
var ErrNoTool = errors.New("the program that keeps this store is not installed")

// Stores finds the stores of this machine. A kind without a store has none in the list; an NSS database whose tool is
// missing is there, and says so when it is used.
func Stores(o Options) ([]Store, error) {
	if o.Home == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, fmt.Errorf("find the user's folder: %w", err)
		}
		o.Home = home
	}
	var stores []Store
	system := o.System
	if system == nil {
		system = findSystem()
	}
	if system != nil {
		if NeedsRoot(system) {
			system.elevate = o.Elevate
		}
		stores = append(stores, system)
	}
	for _, dir := range findNSS(o.Home) {
		stores = append(stores, &nss{dir: dir})
	}
	if java := findJava(o.JavaHome); java != nil {
		if NeedsRoot(java) {
			java.elevate = o.Elevate
		}
		stores = append(stores, java)
	}
	return stores, nil
}

// NeedsRoot reports whether this process may not change a store, and root may.
func NeedsRoot(s Store) bool {
	if os.Geteuid() <= 0 { // root, or a system that has none
		return false
	}
	switch s := s.(type) {
	case *System:
		probe, err := os.CreateTemp(s.Anchors, ".tlswright-probe-*")
		if err != nil {
			return errors.Is(err, fs.ErrPermission)
		}
		return errors.Join(probe.Close(), os.Remove(probe.Name())) != nil
	case *java:
		f, err := os.OpenFile(s.cacerts, os.O_RDWR, 0)
		if err != nil {
			return errors.Is(err, fs.ErrPermission)
		}
		return f.Close() != nil
	}
	return false
}

// CanWork says what is missing on this machine to change a store; nil: nothing.
func CanWork(s Store) error {
	name := ""
	switch s := s.(type) {
	case *System:
		name = s.Update[0]
	case *nss:
		name = "certutil"
	case *java:
		name = s.keytool
	}
	if _, err := lookProgram(name); name != "" && err != nil {
		return &Error{Store: s.Kind() + " store " + s.Where(), Text: "needs the program " + filepath.Base(name), Hint: toolHint(name), Err: ErrNoTool}
	}
	return nil
}

// SystemBundle is the file of roots that programs of this system read; "": it is not known.
func SystemBundle() string {
	if s := findSystem(); s != nil {
		return s.Bundle
	}
	return ""
}

// nameOf is the name a root goes by in a store: the same for the same root for ever, another one for another.
func nameOf(root *x509.Certificate) string {
	var b strings.Builder
	for _, r := range strings.ToLower(root.Subject.CommonName) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	print256 := pki.Fingerprint(root.Raw)
	return strings.Trim(fmt.Sprintf("%.40s", b.String()), "-") + "-" + print256[:16]
}

// toolTimeout bounds one call of a store's program, passwordTimeout one that a person may have to permit first.
const (
	toolTimeout     = time.Minute
	passwordTimeout = 5 * time.Minute
)

// runAs is run with a command in front that gives it the rights of root; none: it is run as it is.
func runAs(ctx context.Context, elevate []string, store, name string, args ...string) ([]byte, error) {
	if len(elevate) == 0 {
		return run(ctx, store, name, args...)
	}
	if _, err := exec.LookPath(name); err != nil {
		if path, err := lookProgram(name); err == nil {
			name = path
		}
	}
	return runWithin(ctx, passwordTimeout, store, elevate[0], append(append(slices.Clone(elevate[1:]), name), args...)...)
}

// lookProgram finds a program. Where only root is expected to run it, as update-ca-certificates, the paths of people do not
// lead to it (Debian).
func lookProgram(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil || filepath.Base(name) != name {
		return path, err
	}
	for _, dir := range []string{"/usr/local/sbin", "/usr/sbin", "/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", err
}

// run calls a store's program and returns what it wrote.
func run(ctx context.Context, store, name string, args ...string) ([]byte, error) {
	return runWithin(ctx, toolTimeout, store, name, args...)
}

func runWithin(ctx context.Context, limit time.Duration, store, name string, args ...string) ([]byte, error) {
	path, err := lookProgram(name)
	if err != nil {
		return nil, &Error{Store: store, Text: "needs the program " + filepath.Base(name), Hint: toolHint(name), Err: ErrNoTool}
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, args...).CombinedOutput()
	if err != nil {
		last := lastLine(out)
		if last == "" {
			last = err.Error()
		}
		return out, &Error{Store: store, Text: filepath.Base(name) + ": " + last, Hint: rightsHint(out), Err: err}
	}
	return out, nil
}

func toolHint(name string) string {
	switch filepath.Base(name) {
	case "certutil":
		return "install it: libnss3-tools (Debian), nss-tools (Fedora)"
	case "update-ca-certificates":
		return "install it: ca-certificates"
	case "sudo":
		return "install it, or leave out the stores that belong to root"
	}
	return ""
}

// rightsHint tells whether more rights are what is missing.
func rightsHint(out []byte) string {
	text := strings.ToLower(string(out))
	if os.Geteuid() > 0 && (strings.Contains(text, "permission denied") || strings.Contains(text, "ermission")) {
		return needsRoot
	}
	return ""
}

const needsRoot = "this store belongs to root: run the command with sudo, and give it --home"

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return pki.Printable(strings.TrimSpace(lines[len(lines)-1]))
}

// holds reports whether root is among roots.
func holds(roots []*x509.Certificate, root *x509.Certificate) bool {
	for _, r := range roots {
		if r.Equal(root) {
			return true
		}
	}
	return false
}

// writeTemp writes root as PEM to a file that only lives until remove is called.
func writeTemp(root *x509.Certificate) (path string, remove func(), err error) {
	f, err := os.CreateTemp("", "tlswright-"+hex.EncodeToString(root.SubjectKeyId)+"-*.pem")
	if err != nil {
		return "", nil, fmt.Errorf("write the root for the store's program: %w", err)
	}
	remove = func() { _ = os.Remove(f.Name()) }
	_, err = f.Write(pki.AppendCertificatePEM(nil, root.Raw))
	if err := errors.Join(err, f.Close()); err != nil {
		remove()
		return "", nil, fmt.Errorf("write the root for the store's program: %w", err)
	}
	return f.Name(), remove, nil
}
