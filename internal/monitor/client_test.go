package monitor

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/internal/watch"
)

// TestServersThatWantAClientCertificate: without one they are not down, with one they are asked as their clients do, and
// what is wrong with it is told.
func TestServersThatWantAClientCertificate(t *testing.T) {
	l := newLab(t)
	pool := x509.NewCertPool()
	pool.AddCert(l.ca.Root)
	good, expired, open := l.ca.Client(pkitest.P256, "probe").Files(), l.ca.ExpiredClient(pkitest.P256, "probe").Files(), l.ca.Client(pkitest.P256, "probe").Files()
	if err := os.Chmod(open.Key, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, version := range map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13} {
		s := l.server(l.leaf(pkitest.P256, 60*day))
		s.set(func(c *tls.Config) {
			c.MinVersion, c.MaxVersion, c.ClientAuth, c.ClientCAs = version, version, tls.RequireAndVerifyClientCert, pool
		})
		l.watched("none "+name, s.address)
		for kind, files := range map[string]pkitest.Files{"good ": good, "expired ": expired, "open ": open} {
			w := l.watched(kind+name, s.address)
			w.Client, w.ClientKey = files.FullChain, files.Key
		}
	}
	l.check(0)
	all := l.check(time.Hour)
	for _, version := range []string{"1.2", "1.3"} {
		l.state(all, "none "+version, watch.OK, "")
		l.state(all, "good "+version, watch.OK, "")
		l.state(all, "expired "+version, watch.Expired, "has expired")
		if o := all["expired "+version].Places[0].Observation; o.ClientRefused == "" || len(o.Leaves) != 1 {
			t.Errorf("%s: %+v", version, o)
		}
		if runtime.GOOS != "windows" {
			l.state(all, "open "+version, watch.Error, "cannot be read")
			if o := all["open "+version].Places[0].Observation; o.Outcome != watch.Answered {
				t.Errorf("%s: %+v", version, o)
			}
		}
	}
	kinds, err := l.h.OpenKinds(t.Context())
	if err != nil || kinds[watch.KindClient] != 2 {
		t.Errorf("%v, %v", kinds, err)
	}
}
