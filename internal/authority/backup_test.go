package authority

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki/crl"
	"github.com/tlswright/tlswright/pki/revset"
)

func backupOf(t *testing.T, a *Authority) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := a.Backup(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestARestoredAuthorityGoesOn(t *testing.T) {
	home := newHome(t)
	a := openHome(t, home, HomeOptions{})
	c := issueOne(t, a, "www.example.test")
	gone := issueOne(t, a, "gone.test")
	if err := a.Revoke(t.Context(), gone.SerialNumber, crl.KeyCompromise, time.Time{}); err != nil {
		t.Fatal(err)
	}
	complete(t, a, CRLOptions{})
	half := []byte{0x77, 0x88} // a certificate is in the making
	if _, err := a.Store.Reserve(t.Context(), store.NewRequest{Issuer: a.IssuerID(), Serial: half}); err != nil {
		t.Fatal(err)
	}
	backup := backupOf(t, a)
	later := issueOne(t, a, "later.test")
	last := complete(t, a, CRLOptions{})

	if _, err := Restore(t.Context(), bytes.NewReader(backup), home, RestoreOptions{}); !errors.Is(err, keystore.ErrCAExists) {
		t.Errorf("over a CA: %v", err)
	}
	elsewhere := filepath.Join(t.TempDir(), "new", "home")
	restored, err := Restore(t.Context(), bytes.NewReader(backup), elsewhere, RestoreOptions{Actor: "tester"})
	if err != nil || restored.MadeAt.IsZero() || restored.Audit.Seq == 0 || len(restored.Lost) != 1 || !bytes.Equal(restored.Lost[0].Serial, half) {
		t.Fatalf("restored %+v, %v", restored, err)
	}
	b := openHome(t, elsewhere, HomeOptions{})
	if r, err := b.Get(t.Context(), c.SerialNumber); err != nil || string(r.DER) != string(c.Raw) {
		t.Errorf("a certificate: %+v, %v", r, err)
	}
	if r, err := b.Get(t.Context(), gone.SerialNumber); err != nil || r.State != store.StateRevoked {
		t.Errorf("a revoked one: %+v, %v", r, err)
	}
	if _, err := b.Get(t.Context(), later.SerialNumber); !refusedFor(err) {
		t.Errorf("one that came after the backup: %v", err)
	}
	if list := complete(t, b, CRLOptions{}); list.Number.Cmp(last.Number) <= 0 {
		t.Errorf("CRL number %v after %v", list.Number, last.Number)
	}
	if added, err := b.Import(t.Context(), later); err != nil || !added {
		t.Errorf("taking it on file again: %v, %v", added, err)
	}
	issueOne(t, b, "new.test")
	// What was issued after the backup is not on file: no revocation set may speak of it.
	data, err := b.RevocationSet(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if set, err := revset.Parse(data); err != nil || !set.Covers.Before(later.NotBefore) {
		t.Errorf("the set covers what began at %v: %+v (%v)", later.NotBefore, set, err)
	}
	if _, err := b.VerifyAudit(t.Context()); err != nil {
		t.Error(err)
	}
	err = filepath.WalkDir(elsewhere, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && !d.IsDir() && !strings.HasSuffix(path, ".pem") && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %04o", path, info.Mode().Perm())
		}
		if strings.Contains(path, "tmp") && !strings.Contains(elsewhere, "tmp") {
			t.Errorf("%s was left behind", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// rewritten passes every file of a backup through edit, which may change its header and content; nil leaves it out.
func rewritten(t *testing.T, backup []byte, edit func(*tar.Header, []byte) []byte) []byte {
	t.Helper()
	zip, err := gzip.NewReader(bytes.NewReader(backup))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	to := gzip.NewWriter(&out)
	archive, copied := tar.NewReader(zip), tar.NewWriter(to)
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		if content = edit(h, content); content == nil {
			continue
		}
		h.Size = int64(len(content))
		if err := copied.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := copied.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(copied.Close(), to.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestABadBackupIsNotRestored(t *testing.T) {
	a := openHome(t, newHome(t), HomeOptions{})
	issueOne(t, a, "www.example.test")
	backup := backupOf(t, a)
	only := func(name string, change func([]byte) []byte) []byte {
		return rewritten(t, backup, func(h *tar.Header, content []byte) []byte {
			if h.Name == name {
				return change(content)
			}
			return content
		})
	}
	flip := func(b []byte) []byte { b = bytes.Clone(b); b[len(b)/2] ^= 1; return b }
	for name, bad := range map[string][]byte{
		"nothing":             nil,
		"not a backup":        []byte("hello"),
		"cut":                 backup[:len(backup)-100],
		"cut in the middle":   backup[:len(backup)/2],
		"a bit flipped":       only("ca/root.pem", flip),
		"the database":        only("ca/ca.db", flip),
		"a file less":         only("ca/root.key", func([]byte) []byte { return nil }),
		"without manifest":    only(manifestFile, func([]byte) []byte { return nil }),
		"another audit log":   only(manifestFile, func(b []byte) []byte { return bytes.Replace(b, []byte(`"auditSeq": `), []byte(`"auditSeq": 1`), 1) }),
		"a name leading out":  escaping(t, backup),
		"an unknown format":   only(manifestFile, func(b []byte) []byte { return bytes.Replace(b, []byte(`"format": 1`), []byte(`"format": 7`), 1) }),
		"manifest of nothing": only(manifestFile, func([]byte) []byte { return []byte(`{"format":1}`) }),
	} {
		home := filepath.Join(t.TempDir(), "home")
		if _, err := Restore(t.Context(), bytes.NewReader(bad), home, RestoreOptions{}); err == nil {
			t.Errorf("%s: it was restored", name)
		}
		entries, err := os.ReadDir(home)
		if err != nil || len(entries) != 1 || entries[0].Name() != "ca.lock" {
			t.Errorf("%s: it left %v behind (%v)", name, entries, err)
		}
	}
}

// escaping is a backup with a file that would be written outside of the folder.
func escaping(t *testing.T, backup []byte) []byte {
	return rewritten(t, backup, func(h *tar.Header, content []byte) []byte {
		switch h.Name {
		case manifestFile:
			return bytes.Replace(content, []byte(`"root.pem"`), []byte(`"../../../escaped.pem"`), 1)
		case "ca/root.pem":
			h.Name = "ca/../../../escaped.pem"
		}
		return content
	})
}

// FuzzUnpack feeds manifests and files to what reads backups: nothing may be written outside of the folder.
func FuzzUnpack(f *testing.F) {
	f.Add([]byte(`{"format":1,"files":[{"name":"root.pem","size":2,"sha256":"8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4","mode":420}]}`), "ca/root.pem", []byte("hi"))
	f.Add([]byte(`{"format":1,"files":[{"name":"../x","size":2}]}`), "ca/../x", []byte("hi"))
	f.Add([]byte(`{"format":1,"files":[{"name":"ca.db","size":-1}]}`), "ca/ca.db", []byte(nil))
	f.Add([]byte(`{"format":1,"files":[{"name":"ca.d/","size":2}]}`), "ca/ca.d/", []byte("hi"))
	f.Fuzz(func(t *testing.T, manifest []byte, name string, content []byte) {
		var b bytes.Buffer
		zip := gzip.NewWriter(&b)
		archive := tar.NewWriter(zip)
		for _, file := range []struct {
			name    string
			content []byte
		}{{manifestFile, manifest}, {name, content}} {
			if err := archive.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: file.name, Size: int64(len(file.content)), Mode: 0o600}); err != nil {
				return // no archive has such a name
			}
			if _, err := archive.Write(file.content); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(archive.Close(), zip.Close()); err != nil {
			t.Fatal(err)
		}
		outer := t.TempDir()
		if err := os.Mkdir(filepath.Join(outer, "in"), 0o700); err != nil {
			t.Fatal(err)
		}
		_, _ = unpack(&b, filepath.Join(outer, "in"))
		if entries, err := os.ReadDir(outer); err != nil || len(entries) != 1 {
			t.Errorf("written outside: %v, %v", entries, err)
		}
	})
}
