//go:build unix

package cli

import (
	"crypto/x509"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/logtest"
	"github.com/tlswright/tlswright/pki/ct"
)

// isPrecertificate reports what was shown to logs, and never became a certificate.
func isPrecertificate(der []byte) bool {
	c, err := x509.ParseCertificate(der)
	return err == nil && ct.IsPrecertificate(c)
}

// slowLog takes its time with submissions, as real logs do, so that kills come while a server waits for it.
func slowLog(t *testing.T, name string, isTiled bool) *logtest.Log {
	t.Helper()
	l, err := logtest.New(name, isTiled)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			time.Sleep(time.Duration(rand.IntN(150)) * time.Millisecond)
		}
		l.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	l.URL = s.URL + "/" + name + "/"
	return l
}

// killPublicly kills a server whose certificates go to two logs, at random moments. No order may be lost, and whatever a
// log has seen must be on file: who has seen it may rely on it.
func killPublicly(t *testing.T, moments int) {
	logs := []*logtest.Log{slowLog(t, "old", false), slowLog(t, "tiled", true)}
	text, err := logtest.List(logs...)
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(t.TempDir(), "logs.json")
	if err := os.WriteFile(list, text, 0o600); err != nil {
		t.Fatal(err)
	}
	c := newCluster(t, 1, "", "--ct-logs", list)
	c.besiege(8, func() { c.killAtMoments(moments) })
	c.comeBack(3 * time.Minute)
	if len(c.leftovers) > 0 || c.invalid > 0 {
		t.Errorf("%d orders without an end, %d failed", len(c.leftovers), c.invalid)
	}
	c.autopsy("")

	a, err := authority.OpenHome(t.Context(), c.nodes[0].home, authority.HomeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for _, l := range logs {
		seen := make(map[string]bool)
		for _, e := range l.Entries() {
			pre, err := x509.ParseCertificate(e.Submitted)
			if err != nil {
				t.Fatal(err)
			}
			serial := authority.SerialText(pre.SerialNumber)
			seen[serial] = true
			if _, err := a.Store.Get(t.Context(), a.IssuerID(), pre.SerialNumber.Bytes()); err != nil {
				t.Errorf("the log %s has seen %s, of which there is no record: %v", l.Name, serial, err)
			}
		}
		for serial := range c.issued {
			if !seen[serial] {
				t.Errorf("the certificate %s was handed out, and the log %s has not seen it", serial, l.Name)
			}
		}
		t.Logf("the log %s has %d entries", l.Name, l.Size())
	}
	t.Logf("%d precertificates were left without a certificate, each on file", c.cut)
}

// TestAPublicServerMayDie is the short form of the next.
func TestAPublicServerMayDie(t *testing.T) { killPublicly(t, 3) }

func TestAcceptKilledPublicServer(t *testing.T) {
	if os.Getenv("TLSWRIGHT_ACCEPT") != "1" {
		t.Skip("100 kills take minutes: make accept")
	}
	killPublicly(t, 100)
}
