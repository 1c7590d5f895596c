package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// tree makes the same folder again, somewhere else, at another time and with other rights.
func tree(t *testing.T, mode os.FileMode, at time.Time) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "x-1.0")
	for _, name := range []string{"b/page.1", "a.txt", "run"} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		m := mode
		if name == "run" {
			m |= 0o100
		}
		err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(name), m), os.Chmod(file, m), os.Chtimes(file, at, at))
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestArchivesAreReproducible(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	for _, ending := range []string{".tar.gz", ".zip"} {
		var bytesOf [2][]byte
		for i, folder := range []string{tree(t, 0o600, at), tree(t, 0o664, time.Now())} {
			archive := filepath.Join(t.TempDir(), "x"+ending)
			if err := pack(folder, archive, at); err != nil {
				t.Fatal(err)
			}
			var err error
			if bytesOf[i], err = os.ReadFile(archive); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(bytesOf[0], bytesOf[1]) {
			t.Errorf("two archives %s of the same files differ", ending)
		}
		want := "x-1.0/ x-1.0/a.txt x-1.0/b/ x-1.0/b/page.1 x-1.0/run*"
		if runtime.GOOS == "windows" {
			want = strings.TrimSuffix(want, "*") // which has no such right
		}
		if got := contents(t, bytesOf[0], ending); got != want {
			t.Errorf("%s holds %s", ending, got)
		}
	}
}

// contents lists the names, programs with a star, and looks at what each entry tells of its origin.
func contents(t *testing.T, archive []byte, ending string) string {
	t.Helper()
	var names []string
	if ending == ".zip" {
		r, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range r.File {
			if f.Modified.Unix() != 1_700_000_000 {
				t.Errorf("%s is of %v", f.Name, f.Modified)
			}
			names = append(names, starred(f.Name, f.Mode()))
		}
		return strings.Join(names, " ")
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(unzipped); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return strings.Join(names, " ")
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 || h.Uname != "root" || h.ModTime.Unix() != 1_700_000_000 {
			t.Errorf("%+v", h)
		}
		names = append(names, starred(h.Name, os.FileMode(h.Mode)))
	}
}

func starred(name string, mode os.FileMode) string {
	if !strings.HasSuffix(name, "/") && mode&0o111 != 0 {
		return name + "*"
	}
	return name
}

func TestWhatCannotBePackedIsSaid(t *testing.T) {
	folder := tree(t, 0o600, time.Now())
	if err := pack(folder, filepath.Join(t.TempDir(), "x.rar"), time.Now()); err == nil {
		t.Error("an archive of an unknown kind was made")
	}
	if _, err := sourceTime(""); err == nil {
		t.Error("a time was made up")
	}
	if err := os.Symlink("run", filepath.Join(folder, "link")); err != nil {
		t.Skip(err)
	}
	if err := pack(folder, filepath.Join(t.TempDir(), "x.zip"), time.Now()); err == nil {
		t.Error("a link was packed")
	}
}

func TestZippedFilesTellNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page.1")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := zipFiles([]string{file}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the file is still there")
	}
	zipped, err := os.ReadFile(file + ".gz")
	if err != nil {
		t.Fatal(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(zipped))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(r); string(text) != "text" || err != nil || r.Name != "" || !r.ModTime.IsZero() {
		t.Errorf("%q, %v, %+v", text, err, r.Header)
	}
}

func TestSerialsAreUUIDs(t *testing.T) {
	if got := serial(bytes.Repeat([]byte{0xff}, 32)); got != "urn:uuid:ffffffff-ffff-8fff-bfff-ffffffffffff" {
		t.Error(got)
	}
}
