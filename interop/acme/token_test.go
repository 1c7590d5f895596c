package acme

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
)

// tokenPIN opens the token of the test.
const tokenPIN = "1234"

// newToken makes a token of SoftHSM with a key in it, and returns the key's URI.
func newToken(t *testing.T) (uri string) {
	t.Helper()
	if _, err := exec.LookPath("gcc"); err != nil {
		missing(t, "there is no C compiler, which PKCS #11 takes")
	}
	util, err := exec.LookPath("softhsm2-util")
	if err != nil {
		missing(t, "softhsm2-util is not installed")
	}
	found, err := filepath.Glob("/usr/lib*/softhsm/libsofthsm2.so")
	if err != nil || len(found) == 0 {
		missing(t, "the module of SoftHSM is not to be found")
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "tokens"), 0o700); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(dir, "softhsm2.conf")
	if err := os.WriteFile(conf, []byte("directories.tokendir = "+dir+"/tokens\nobjectstore.backend = file\nlog.level = ERROR\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", conf)
	t.Setenv(keystore.ModuleVariable, found[0])
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "key.pem")
	if err := keystore.WriteKey(file, key); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"--init-token", "--free", "--label", "ca", "--pin", tokenPIN, "--so-pin", "5678"},
		{"--import", file, "--token", "ca", "--label", "issuer", "--id", "01", "--pin", tokenPIN},
	} {
		if out, err := pkitest.Run(t, util, args...); err != nil {
			t.Fatalf("softhsm2-util %s: %v\n%s", args[0], err, out)
		}
	}
	if err := os.Remove(file); err != nil { // it is in the token only
		t.Fatal(err)
	}
	return "pkcs11:token=ca;object=issuer"
}

// TestAcceptOrdersSignedInAToken runs the service with an intermediate whose key is in a token: orders one by one, and eight
// at a time, are signed there, and so are OCSP answers and CRLs.
func TestAcceptOrdersSignedInAToken(t *testing.T) {
	if os.Getenv("TLSWRIGHT_ACCEPT") == "" {
		t.Skip("runs in make accept")
	}
	uri := newToken(t)
	program := filepath.Join(t.TempDir(), "tlswright")
	cmd := exec.Command("go", "build", "-tags", "pkcs11", "-o", program, "github.com/tlswright/tlswright/cmd/tlswright")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	pin := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(pin, []byte(tokenPIN+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := prepareOffice(t, program)
	o.ours("ca", "init")
	o.ours("ca", "intermediate", "hsm", "--key", uri, "--new-passphrase-file", pin)
	kept, err := os.ReadFile(filepath.Join(o.home, "ca/intermediates/hsm/intermediate.key"))
	if err != nil || string(kept) != uri+"\n" {
		t.Errorf("in the place of the key there is %q, %v", kept, err)
	}
	o.open("--issuer", "hsm", "--passphrase-file", pin)
	directory := strings.Replace(o.directory, "/acme/directory", "/acme/ca/hsm/directory", 1)
	names := []string{"first.hsm.test", "a.hsm.test", "b.hsm.test", "c.hsm.test", "d.hsm.test", "e.hsm.test", "f.hsm.test", "g.hsm.test", "h.hsm.test"}
	hook := o.script("hsmhook", `[ "$1" = add ] || exit 0`+"\n"+`curl -sf --get --data-urlencode "name=$3" --data-urlencode "value=$4" `+o.control+"/set")
	obtain := func(name string) {
		if _, err := o.run([]string{"TLSWRIGHT_HOME=" + o.home}, program, "acme", "obtain", name, "--server", directory, "--dns-hook", hook); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	obtain(names[0])
	var wg sync.WaitGroup
	for _, n := range names[1:] {
		wg.Go(func() { obtain(n) })
	}
	wg.Wait()
	for _, n := range names {
		chain, err := keystore.ReadCertificates(filepath.Join(o.home, "acme/live", n, "fullchain.pem"))
		if err != nil || len(chain) != 2 || !strings.Contains(chain[0].Issuer.CommonName, "hsm") || chain[0].CheckSignatureFrom(chain[1]) != nil {
			t.Errorf("%s: %v", n, err)
		}
	}
	env := []string{"TLSWRIGHT_HOME=" + o.home}
	if _, err := o.run(env, program, "acme", "revoke", "a.hsm.test"); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]string{"a.hsm.test": "revoked", "b.hsm.test": "good"} {
		out, _ := o.run(env, program, "cert", "verify", "--ca", o.root, "--fetch", "--allow-private", filepath.Join(o.home, "acme/live", name, "fullchain.pem")) // its status is not of interest
		if !strings.Contains(out, want) {
			t.Errorf("%s is not %s:\n%s", name, want, out)
		}
	}
}
