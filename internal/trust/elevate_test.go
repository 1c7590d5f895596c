package trust

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/pkitest"
)

// TestWhatNeedsRootGoesThroughTheCommandInFront: with a command in front, nothing of the system's store is changed without it,
// and nobody is asked for a password where there is nothing to do.
func TestWhatNeedsRootGoesThroughTheCommandInFront(t *testing.T) {
	need(t, "install")
	s, ca := debian(t), pkitest.New(t, pkitest.P256)
	dir := t.TempDir()
	said := filepath.Join(dir, "said")
	sudo := filepath.Join(dir, "sudo")
	if err := os.WriteFile(sudo, []byte("#!/bin/sh\necho \"$1\" >> "+said+"\nexec \"$@\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.elevate = []string{sudo}
	commands := func() string {
		text, err := os.ReadFile(said)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		_ = os.Remove(said)
		return strings.Join(strings.Fields(string(text)), " ")
	}
	if err := s.Remove(t.Context(), ca.Root); err != nil || commands() != "" {
		t.Errorf("removing what is not there: error %v", err)
	}
	if err := s.Install(t.Context(), ca.Root); err != nil {
		t.Fatal(err)
	}
	if got := commands(); got != "install update-ca-certificates" {
		t.Errorf("installing runs %q", got)
	}
	if roots, err := s.Roots(t.Context()); err != nil || !holds(roots, ca.Root) {
		t.Errorf("the root is not there (%v)", err)
	}
	if err := s.Remove(t.Context(), ca.Root); err != nil {
		t.Fatal(err)
	}
	if got := commands(); got != "rm update-ca-certificates" {
		t.Errorf("removing runs %q", got)
	}
	if roots, err := s.Roots(t.Context()); err != nil || holds(roots, ca.Root) {
		t.Errorf("the root is still there (%v)", err)
	}
}

// TestAnInterruptedRemovalIsFinished: the file is gone, the bundle still has the root.
func TestAnInterruptedRemovalIsFinished(t *testing.T) {
	s, ca := debian(t), pkitest.New(t, pkitest.P256)
	if err := s.Install(t.Context(), ca.Root); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(s.file(ca.Root)); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(t.Context(), ca.Root); err != nil {
		t.Fatal(err)
	}
	if roots, err := s.Roots(t.Context()); err != nil || holds(roots, ca.Root) {
		t.Errorf("the root is still there (%v)", err)
	}
}

// TestNewerDatabasesAreFound: where Chromium has had them since version 146, and where Firefox keeps to XDG.
func TestNewerDatabasesAreFound(t *testing.T) {
	home := t.TempDir()
	want := []string{".config/mozilla/firefox/x.default", ".local/share/pki/nssdb", "snap/chromium/current/.local/share/pki/nssdb"}
	for _, dir := range want {
		dir = filepath.Join(home, filepath.FromSlash(dir))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "cert9.db"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if found := findNSS(home); len(found) != len(want) {
		t.Errorf("found %q", found)
	}
}
