//go:build unix

package gateway

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/tlswright/tlswright/internal/config"
)

func TestPrivilegesAreGivenUp(t *testing.T) {
	if os.Getenv("TLSWRIGHT_TEST_PRIVILEGES") != "" {
		t.Setenv("TMPDIR", os.Getenv("TLSWRIGHT_TEST_PRIVILEGES"))
		serveAsNobody(t)
		return
	}
	if err := dropPrivileges("no-such-user"); err == nil {
		t.Error("a user who does not exist")
	}
	if os.Geteuid() != 0 {
		if err := dropPrivileges("nobody"); err == nil {
			t.Error("became somebody else without being root")
		}
		t.Skip("giving up privileges takes root")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestPrivilegesAreGivenUp$")
	dir := t.TempDir()
	for _, d := range []string{filepath.Dir(dir), dir} { // nobody has to get there
		if err := os.Chmod(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	cmd.Env = append(os.Environ(), "TLSWRIGHT_TEST_PRIVILEGES="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// serveAsNobody serves, with a certificate of the own CA, as a user who could not have had it issued.
func serveAsNobody(t *testing.T) {
	w := newWorld(t)
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Skip(err)
	}
	uid, _ := strconv.Atoi(nobody.Uid)
	issued := w.ownCA()
	w.config.Sites[0].Certificate = config.Certificates{Own: true}
	w.config.User = "nobody"
	if err := os.Mkdir(w.options.Home, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := giveTo(os.Getenv("TMPDIR"), uid, -1); err != nil { // what the test has made so far
		t.Fatal(err)
	}
	w.start()
	get(t, w.http(nil), "https://app.test/")
	if issued() != 1 {
		t.Errorf("issued %d times", issued())
	}
	if os.Geteuid() == 0 || os.Getegid() == 0 {
		t.Error("still root")
	}
	if _, err := os.ReadFile("/etc/shadow"); err == nil {
		t.Error("still reads what is root's")
	}
}
