//go:build unix

package keystore

import (
	"crypto"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
)

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestKeysAreWrittenForTheirOwnerOnly(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	path := filepath.Join(t.TempDir(), "new", "key.pem")
	key := newKey(t)
	var seen []fs.FileMode
	w := writer{at: func(s step, path string) error {
		entries, err := os.ReadDir(filepath.Dir(path))
		for _, e := range entries {
			info, ierr := e.Info()
			if ierr != nil {
				return ierr
			}
			seen = append(seen, info.Mode())
		}
		return err
	}}
	if err := w.writeKey(path, key, nil, ""); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 4 || slices.ContainsFunc(seen, func(m fs.FileMode) bool { return m.Perm() != 0o600 }) {
		t.Errorf("modes while it was written: %v", seen)
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder: %v %v", info, err)
	}
	got, err := ReadKey(path)
	if err != nil || !pki.SameKey(got.Public(), key.Public()) {
		t.Errorf("%v", err)
	}
}

func TestKeysFoundTooOpenAreRefusedWithAHint(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "it's a key.pem")
	if err := WriteKey(path, newKey(t)); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o620, 0o644, 0o666, 0o610} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := ReadKey(path)
		var perm *PermissionError
		if !errors.As(err, &perm) || perm.Mode.Perm() != mode || perm.Path != path {
			t.Fatalf("mode %o: %v", mode, err)
		}
		if out, err := exec.Command("sh", "-c", perm.Hint).CombinedOutput(); err != nil {
			t.Fatalf("the hint %s does not work: %v %s", perm.Hint, err, out)
		}
		if _, err := ReadKey(path); err != nil {
			t.Errorf("after the hint: %v", err)
		}
	}
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadKey(path); err != nil {
		t.Errorf("mode 400: %v", err)
	}
}

func TestKeysAreNotPutWhereOthersCanSwapThem(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "open")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for mode, ok := range map[fs.FileMode]bool{0o777: false, 0o770: false, 0o755: true, 0o700: true, 0o777 | fs.ModeSticky: true} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		err := WriteKey(filepath.Join(dir, "key.pem"), newKey(t))
		var perm *PermissionError
		if (err == nil) != ok || err != nil && (!errors.As(err, &perm) || perm.Hint != "chmod go-w "+dir) {
			t.Errorf("mode %v: %v", mode, err)
		}
	}
}

// otherOwner is the file information of a file that is not ours.
type otherOwner struct {
	fs.FileInfo
	mode fs.FileMode
}

func (o otherOwner) Mode() fs.FileMode { return o.mode }
func (o otherOwner) Sys() any          { return &syscall.Stat_t{Uid: uint32(os.Geteuid()) + 1} }

func TestKeysOfAnotherOwnerMayBeReadByTheirGroup(t *testing.T) {
	for mode, ok := range map[fs.FileMode]bool{0o640: true, 0o440: true, 0o600: true, 0o660: false, 0o644: false, 0o604: false} {
		if err := checkKeyMode("key", otherOwner{mode: mode}); (err == nil) != ok {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
}

func TestUnreadableKeysSayWhy(t *testing.T) {
	dir := t.TempDir()
	mustWrite(t, filepath.Join(dir, "text"), "hello", 0o600)
	mustWrite(t, filepath.Join(dir, "encrypted"), "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", 0o600)
	if err := os.Truncate(filepath.Join(dir, "text"), 5); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, filepath.Join(dir, "big"), "", 0o600)
	if err := os.Truncate(filepath.Join(dir, "big"), maxFile+1); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"text": "no private key", "encrypted": "passphrase", "missing": "no such file", "": "is a folder", "big": "more than",
	} {
		if _, err := ReadKey(filepath.Join(dir, name)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestKeysMayComeThroughASymlinkOrAPipe(t *testing.T) {
	dir := t.TempDir()
	key := newKey(t)
	if err := WriteKey(filepath.Join(dir, "key.pem"), key); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink("key.pem", link); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadKey(link); err != nil {
		t.Errorf("symlink: %v", err)
	}
	if err := os.Chmod(filepath.Join(dir, "key.pem"), 0o644); err != nil {
		t.Fatal(err)
	}
	var perm *PermissionError
	if _, err := ReadKey(link); !errors.As(err, &perm) {
		t.Errorf("a symlink to an open key: %v", err)
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o644); err != nil {
		t.Skipf("no named pipes here: %v", err)
	}
	text, err := pki.MarshalPrivateKeyPEM(key)
	if err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	go func() { written <- os.WriteFile(pipe, text, 0o600) }()
	got, err := ReadKey(pipe)
	if err != nil || !pki.SameKey(got.Public(), key.Public()) {
		t.Errorf("pipe: %v", err)
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
}

func TestKeysOfEveryTypeComeBack(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	for _, k := range pkitest.KeyTypes() {
		l := ca.Server(k)
		dir := filepath.Join(t.TempDir(), "live")
		if err := WriteLive(dir, l.Chain[0], l.Chain[1:], l.Key); err != nil {
			t.Fatal(err)
		}
		id, err := LoadIdentity(filepath.Join(dir, FullChainFile), filepath.Join(dir, KeyFile))
		if err != nil {
			t.Fatalf("%s: %v", k, err)
		}
		if len(id.Chain) != 2 || !pki.SameKey(id.Key.Public(), l.Key.Public()) || id.Leaf.PSSOnly != (k == pkitest.RSAPSS) {
			t.Errorf("%s: %d certificates", k, len(id.Chain))
		}
	}
}
