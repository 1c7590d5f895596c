//go:build unix

package keystore

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// errCrash ends a write at a step, as a crash would.
var errCrash = errors.New("crash")

// crashAt is a writer that stops at the n-th step it reaches, counted from 1.
func crashAt(n int) (w writer, reached *[]step) {
	reached = new([]step)
	return writer{at: func(s step, _ string) error {
		if *reached = append(*reached, s); len(*reached) == n {
			return errCrash
		}
		return nil
	}}, reached
}

func mustWrite(t testing.TB, path, text string, perm fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), perm); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, perm); err != nil {
		t.Fatal(err)
	}
}

func content(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func names(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func TestFilesAreReplacedWholeOrNotAtAll(t *testing.T) {
	for n := 1; ; n++ {
		path := filepath.Join(t.TempDir(), "file")
		mustWrite(t, path, "old", 0o644)
		w, reached := crashAt(n)
		err := w.writeFile(path, []byte("new content"), 0o600)
		if err == nil {
			if got, want := *reached, []step{stepCreated, stepWritten, stepSynced, stepRenamed}; !slices.Equal(got, want) {
				t.Errorf("steps %v, want %v", got, want)
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 || content(t, path) != "new content" {
				t.Errorf("%v %v", info, err)
			}
			if got := names(t, filepath.Dir(path)); len(got) != 1 {
				t.Errorf("left behind: %v", got)
			}
			return
		}
		if !errors.Is(err, errCrash) {
			t.Fatal(err)
		}
		want := "old"
		if (*reached)[n-1] == stepRenamed {
			want = "new content"
		}
		if got := content(t, path); got != want {
			t.Errorf("after a crash at %s: %q", (*reached)[n-1], got)
		}
	}
}

func TestFailedWritesLeaveNothingBehind(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "x")
	if err := os.Mkdir(target, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(target, nil, 0o600); err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("%v", err)
	}
	if err := WriteFile(filepath.Join(dir, "missing", "x"), nil, 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("left behind: %v", got)
	}
}

func TestSymlinksAreFollowedToTheirFile(t *testing.T) {
	dir := t.TempDir()
	archive := filepath.Join(dir, "archive")
	if err := os.Mkdir(archive, 0o700); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, filepath.Join(archive, "key1.pem"), "old", 0o600)
	link := filepath.Join(dir, "key.pem")
	if err := os.Symlink(filepath.Join("archive", "key1.pem"), link); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(link, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 || content(t, filepath.Join(archive, "key1.pem")) != "new" {
		t.Errorf("the link was replaced: %v %v", info, err)
	}
	for target, want := range map[string]string{"nowhere": "follow symlink", "archive": "is a folder", "loop": "follow symlink"} {
		l := filepath.Join(dir, "loop")
		if err := os.Symlink(target, l); err != nil {
			t.Fatal(err)
		}
		if err := WriteFile(l, []byte("x"), 0o600); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("link to %s: %v", target, err)
		}
		if err := os.Remove(l); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSpecialFilesAreNotReplaced(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skipf("no named pipes here: %v", err)
	}
	if err := WriteFile(pipe, []byte("x"), 0o600); err == nil || !strings.Contains(err.Error(), "a named pipe") {
		t.Errorf("%v", err)
	}
}

func TestFoldersAreMadePrivate(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "a", "b")
	if err := makeDir(dir, keyDirMode); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{filepath.Join(base, "a"), dir} {
		if info, err := os.Stat(d); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v %v", d, info, err)
		}
	}
	if err := makeDir(dir, keyDirMode); err != nil {
		t.Errorf("made twice: %v", err)
	}
	mustWrite(t, filepath.Join(base, "file"), "", 0o600)
	if err := makeDir(filepath.Join(base, "file"), keyDirMode); err == nil {
		t.Error("a file was taken for a folder")
	}
	if err := makeDir(filepath.Join(base, "file", "x"), keyDirMode); err == nil {
		t.Error("a folder was made below a file")
	}
}

func TestHomeIsFoundInItsOrder(t *testing.T) {
	user := t.TempDir()
	for _, c := range []struct {
		flag, variable, xdg, want string
	}{
		{"/flag", "/variable", "/xdg", "/flag"},
		{"", "/variable", "/xdg", "/variable"},
		{"", "", "/xdg", "/xdg/tlswright"},
		{"", "", "relative/is/ignored", user + "/.local/share/tlswright"},
		{"", "", "", user + "/.local/share/tlswright"},
		{"/flag/../flag2/", "", "", "/flag2"},
	} {
		t.Setenv("TLSWRIGHT_HOME", c.variable)
		t.Setenv("XDG_DATA_HOME", c.xdg)
		t.Setenv("HOME", user)
		if got, err := Home(c.flag); err != nil || got != c.want {
			t.Errorf("%+v: %s, %v", c, got, err)
		}
	}
	if got, err := Home("relative"); err != nil || !filepath.IsAbs(got) {
		t.Errorf("%s, %v", got, err)
	}
}
