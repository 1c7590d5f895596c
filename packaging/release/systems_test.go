package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWhatASystemLacksIsFound holds the check against a program that Windows cannot compile, and against one that it can.
func TestWhatASystemLacksIsFound(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module example.org/x\n\ngo 1.26\n")
	write("x.go", "package x\n\nimport \"syscall\"\n\nfunc end(pid int) { _ = syscall.Kill(pid, syscall.SIGTERM) }\n")
	if err := checkTypes("windows/amd64", "./..."); err == nil || !strings.Contains(err.Error(), "Kill") || !strings.Contains(err.Error(), "example.org/x") {
		t.Errorf("syscall.Kill was found on Windows: %v", err)
	}
	if err := checkTypes("linux/amd64", "./..."); err != nil {
		t.Error(err)
	}
	write("x.go", "package x\n\nimport _ \"example.org/nowhere\"\n")
	if err := checkTypes("linux/amd64", "./..."); err == nil {
		t.Error("a package that is nowhere was found")
	}
	if err := checkTypes("linux", "./..."); err == nil {
		t.Error("half a platform was taken")
	}
}
