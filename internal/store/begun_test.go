package store

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestLostRecordsAreNotBegunAnew(t *testing.T) {
	for name, lose := range map[string]func(path string) error{
		"deleted": os.Remove,
		"emptied": func(path string) error { return os.Truncate(path, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ca.db")
			for range 2 { // opening what is there is no loss
				s, err := Open(t.Context(), path)
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if err := lose(path); err != nil {
				t.Fatal(err)
			}
			for _, side := range []string{"-wal", "-shm"} {
				_ = os.Remove(path + side)
			}
			var lost *FileError
			if _, err := Open(t.Context(), path); !errors.As(err, &lost) || lost.Trouble != TroubleLost || lost.Hint() == "" {
				t.Fatalf("error %v", err)
			}
			if _, err := os.Stat(path); name == "deleted" && !errors.Is(err, os.ErrNotExist) {
				t.Error("an empty database was made in its place")
			}
			if err := os.Remove(path + begunSuffix); err != nil {
				t.Fatal(err)
			}
			s, err := Open(t.Context(), path)
			if err != nil {
				t.Fatal("who takes the mark away may begin anew:", err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}
