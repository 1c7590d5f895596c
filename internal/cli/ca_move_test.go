//go:build unix

package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/pkitest"
)

// TestRecordsAreMoved moves a CA by the command, and looks whether the others go on.
func TestRecordsAreMoved(t *testing.T) {
	database, home := pkitest.Postgres(t, false), filepath.Join(t.TempDir(), "home")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(self)
		cmd.Args = append([]string{"tlswright"}, args...)
		cmd.Env = append(os.Environ(), "TLSWRIGHT_HOME="+home)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, errs.String())
		}
		return string(out)
	}
	run("ca", "init")
	run("ca", "issue", "before.test")
	run("ca", "revoke", "before.test")
	var moved movedReport
	if err := json.Unmarshal([]byte(run("ca", "move", "--database", database, "--json")), &moved); err != nil || moved.Rows == 0 || !strings.HasSuffix(moved.File, "ca.db.moved") {
		t.Fatalf("%+v %v", moved, err)
	}
	run("ca", "issue", "after.test")
	list := run("ca", "list")
	if !strings.Contains(list, "before.test") || !strings.Contains(list, "after.test") || !strings.Contains(list, "revoked") {
		t.Errorf("%s", list)
	}
	run("ca", "audit", "--verify")
}
