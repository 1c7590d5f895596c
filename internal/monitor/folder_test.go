package monitor

import (
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/internal/watch"
	"github.com/tlswright/tlswright/pki"
)

// Beside certificates there lie keys, parameters and notes: a pattern passes them over, and a name does not.
func TestAFolderHoldsMoreThanCertificates(t *testing.T) {
	l := newLab(t)
	dir := t.TempDir()
	block := func(kind string) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte("x")}) }
	for name, data := range map[string][]byte{
		"a/cert.pem": pki.AppendCertificatePEM(nil, l.leaf(pkitest.P256, 60*day).Chain[0]), "a/privkey.pem": block("PRIVATE KEY"), "a/dh.pem": append(block("EC PARAMETERS"), block("EC PRIVATE KEY")...),
		"a/request.pem": block("CERTIFICATE REQUEST"), "a/broken.pem": block("CERTIFICATE")[:20], "keys/one.pem": block("RSA PRIVATE KEY"),
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	add := func(name string, files ...string) {
		for i := range files {
			files[i] = filepath.Join(dir, files[i])
		}
		l.c.Targets = append(l.c.Targets, config.Watched{Name: name, Files: files})
	}
	add("folder", "a/*r*.pem", "a/cert.pem", "a/c*.pem") // all but dh.pem, and one of them three times
	add("good", "a/[cdp]*.pem")
	add("key", "a/privkey.pem")
	add("keys", "keys/*")
	all := l.check(0)
	l.state(all, "folder", watch.Error, "broken.pem")
	l.state(all, "good", watch.OK, "")
	l.state(all, "key", watch.Error, "no certificate")
	l.state(all, "keys", watch.Error, "no certificate")
	var places []string
	for _, p := range all["folder"].Places {
		places = append(places, filepath.Base(p.Observation.Place))
	}
	if got := strings.Join(places, " "); got != "broken.pem cert.pem" {
		t.Errorf("looked at %s", got)
	}
}

// Roots that are put into the place of others count from the next look on.
func TestRootsAreReadAgain(t *testing.T) {
	l := newLab(t)
	file := filepath.Join(t.TempDir(), "roots.pem")
	write := func(ca *pkitest.CA) {
		var text []byte
		for _, root := range ca.Roots() {
			text = pki.AppendCertificatePEM(text, root.Raw)
		}
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(pkitest.New(t, pkitest.RSA2048))
	l.watched("web", l.server(l.leaf(pkitest.P256, 60*day)).address).CA = []string{file}
	l.state(l.check(0), "web", watch.Critical, "unknown authority")
	write(l.ca)
	l.state(l.check(time.Hour), "web", watch.OK, "")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	l.state(l.check(time.Hour), "web", watch.Error, "roots.pem")
}
