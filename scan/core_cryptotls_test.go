package scan

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/wire"
)

// serveTLS serves crypto/tls on a free port: a page for every request.
func serveTLS(t *testing.T, config *tls.Config) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			nc, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer nc.Close()
				_ = nc.SetDeadline(time.Now().Add(20 * time.Second))
				c := tls.Server(nc, config)
				defer c.Close()
				if c.Handshake() != nil {
					return
				}
				request := make([]byte, 4096)
				if _, err := c.Read(request); err == nil {
					_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nServer: test\r\nStrict-Transport-Security: max-age=31536000\r\nContent-Length: 2\r\n\r\nok")
				}
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		wg.Wait()
	})
	return listener.Addr().(*net.TCPAddr).Port
}

// tlsIdentities gives one certificate of each kind of key.
func tlsIdentities(t *testing.T, kinds ...pkitest.KeyType) []tls.Certificate {
	t.Helper()
	ca := pkitest.New(t, pkitest.P256)
	var list []tls.Certificate
	for _, k := range kinds {
		leaf := ca.Server(k, "lab.test")
		list = append(list, tls.Certificate{Certificate: leaf.Chain, PrivateKey: leaf.Key})
	}
	return list
}

// core scans with the probes of this part alone.
func core(t *testing.T, port int, o Options) *grade.Facts {
	t.Helper()
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	h := newHost(New(o), Target{Host: "127.0.0.1", Port: port, ServerName: "lab.test"}, netip.MustParseAddr("127.0.0.1"))
	h.run(context.Background(), coreProbes())
	f := h.finished()
	for _, c := range h.chains() {
		f.Chains = append(f.Chains, grade.Chain{KeyType: c.KeyType, SNI: c.SNI, Seen: c.Versions})
	}
	if len(f.Gaps) > 0 || f.Unreachable != "" {
		t.Errorf("gaps %v, unreachable %q", f.Gaps, f.Unreachable)
	}
	return f
}

func suiteIDs(p *grade.Protocol) []wire.CipherSuite {
	var ids []wire.CipherSuite
	for _, s := range p.Suites {
		ids = append(ids, s.ID)
	}
	return ids
}

func TestVersionsAreThoseOfTheConfiguration(t *testing.T) {
	versions := []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13}
	own := tlsIdentities(t, pkitest.RSA2048)
	for low := range versions {
		for high := low; high < len(versions); high++ {
			f := core(t, serveTLS(t, &tls.Config{Certificates: own, MinVersion: versions[low], MaxVersion: versions[high]}), Options{})
			for v := wire.VersionSSL30; v <= wire.VersionTLS13; v++ {
				want := grade.AnswerOf(uint16(v) >= versions[low] && uint16(v) <= versions[high])
				if p := f.Protocol(v); p == nil || p.Offered != want || !p.Complete {
					t.Errorf("%x to %x: %+v, want %s", versions[low], versions[high], p, want)
				}
			}
			if p := f.Protocol(grade.VersionSSL20); p == nil || p.Offered != grade.No {
				t.Errorf("%+v", p)
			}
		}
	}
}

func TestSuitesAreThoseOfTheConfiguration(t *testing.T) {
	var all []uint16
	for _, s := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		if slices.Contains(s.SupportedVersions, tls.VersionTLS12) {
			all = append(all, s.ID)
		}
	}
	own := tlsIdentities(t, pkitest.RSA2048, pkitest.P256)
	for name, want := range map[string][]uint16{
		"all":  all,
		"one":  {tls.TLS_RSA_WITH_AES_128_CBC_SHA},
		"some": {tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA},
	} {
		f := core(t, serveTLS(t, &tls.Config{Certificates: own, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS12, CipherSuites: want}), Options{})
		var got []uint16
		for _, id := range suiteIDs(f.Protocol(wire.VersionTLS12)) {
			got = append(got, uint16(id))
		}
		slices.Sort(got)
		want = slices.Clone(want)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %04x, want %04x", name, got, want)
		}
		if p := f.Protocol(wire.VersionTLS12); name == "all" && (p.Order != grade.Yes || p.PrioritizesChaCha != grade.Yes) {
			t.Errorf("order %s, ChaCha20 %s", p.Order, p.PrioritizesChaCha)
		}
	}
}

func TestGroupsAreThoseOfTheConfiguration(t *testing.T) {
	for _, want := range [][]tls.CurveID{
		{tls.X25519MLKEM768},
		{tls.CurveP521},
		{tls.X25519, tls.CurveP384},
		{tls.X25519MLKEM768, tls.SecP256r1MLKEM768, tls.SecP384r1MLKEM1024, tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521},
	} {
		f := core(t, serveTLS(t, &tls.Config{Certificates: tlsIdentities(t, pkitest.P256), CurvePreferences: want}), Options{})
		if p := f.Protocol(wire.VersionTLS13); p.Offered != grade.Yes || len(p.Suites) != 3 {
			t.Errorf("%v: %+v", want, p)
		}
		for _, id := range want {
			i := slices.IndexFunc(f.Groups, func(g grade.Group) bool { return g.ID == wire.Group(id) })
			isHybrid := id == tls.X25519MLKEM768 || id == tls.SecP256r1MLKEM768 || id == tls.SecP384r1MLKEM1024
			if i < 0 || f.Groups[i].Hybrid != isHybrid || slices.Contains(f.Groups[i].Versions, wire.VersionTLS12) == isHybrid {
				t.Errorf("%v: %+v", want, f.Groups)
			}
		}
		if len(f.Groups) != len(want) {
			t.Errorf("%v: %+v", want, f.Groups)
		}
	}
}

func TestEveryCertificateAndSchemeIsFound(t *testing.T) {
	own := tlsIdentities(t, pkitest.RSA2048, pkitest.P256, pkitest.Ed25519)
	f := core(t, serveTLS(t, &tls.Config{Certificates: own, MinVersion: tls.VersionTLS10}), Options{})
	var kinds []string
	for _, c := range f.Chains {
		kinds = append(kinds, c.KeyType)
		if want := 4; c.KeyType == "RSA" && len(c.Seen) != want || !c.SNI {
			t.Errorf("%+v", c)
		}
	}
	slices.Sort(kinds)
	if !slices.Equal(kinds, []string{"ECDSA", "Ed25519", "RSA"}) {
		t.Errorf("%q", kinds)
	}
	want := map[wire.SignatureScheme]int{wire.SchemeECDSASecp256r1SHA256: 2, wire.SchemeEd25519: 2, wire.SchemeRSAPSSRSAESHA256: 2, wire.SchemeRSAPKCS1SHA256: 1}
	for _, s := range f.Schemes {
		if n, ok := want[s.ID]; ok && n != len(s.Versions) {
			t.Errorf("%+v", s)
		}
		delete(want, s.ID)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v in %+v", want, f.Schemes)
	}
}

func TestNamesSplitCertificates(t *testing.T) {
	named, other := tlsIdentities(t, pkitest.P256), tlsIdentities(t, pkitest.P256)
	byName := func(strict bool) *tls.Config {
		return &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			switch {
			case hello.ServerName == "lab.test":
				return &named[0], nil
			case strict:
				return nil, errors.New("no such name")
			}
			return &other[0], nil
		}}
	}
	f := core(t, serveTLS(t, byName(false)), Options{})
	if f.Features.SNISplits != grade.Yes || f.Features.StrictSNI != grade.No || len(f.Chains) != 2 {
		t.Errorf("%+v, %d chains", f.Features, len(f.Chains))
	}
	f = core(t, serveTLS(t, byName(true)), Options{})
	if f.Features.SNISplits != grade.Yes || f.Features.StrictSNI != grade.Yes || len(f.Chains) != 1 {
		t.Errorf("%+v, %d chains", f.Features, len(f.Chains))
	}
	f = core(t, serveTLS(t, &tls.Config{Certificates: named}), Options{})
	if f.Features.SNISplits != grade.No || f.Features.StrictSNI != grade.No {
		t.Errorf("%+v", f.Features)
	}
}

func TestFeaturesAreThoseOfTheConfiguration(t *testing.T) {
	own := tlsIdentities(t, pkitest.P256)
	own[0].OCSPStaple, own[0].SignedCertificateTimestamps = []byte("a staple"), [][]byte{[]byte("a timestamp")}
	f := core(t, serveTLS(t, &tls.Config{Certificates: own, NextProtos: []string{"http/1.1", "h2"}}), Options{})
	got := f.Features
	slices.Sort(got.ALPN)
	if !slices.Equal(got.ALPN, []string{"h2", "http/1.1"}) || got.StrictALPN != grade.Yes || got.Staple != grade.Yes || got.ClientAuth != grade.No ||
		got.ExtendedMasterSecret != grade.Yes || got.SecureRenegotiation != grade.Yes || got.Compression != grade.No || got.Heartbeat != grade.No ||
		got.Resumption13 != grade.Yes || got.EarlyData != grade.No || got.DowngradeSignals != grade.Yes || got.TicketLifetime13 == 0 ||
		got.RawPublicKeys != grade.No || got.ECDHReuse != grade.No {
		t.Errorf("%+v", got)
	}
	for _, c := range got.Tolerance {
		if c.OK != grade.Yes {
			t.Errorf("%+v", c)
		}
	}

	bare := tlsIdentities(t, pkitest.P256)
	f = core(t, serveTLS(t, &tls.Config{Certificates: bare, SessionTicketsDisabled: true, ClientAuth: tls.RequireAnyClientCert}), Options{})
	got = f.Features
	if len(got.ALPN) != 0 || got.StrictALPN != grade.No || got.Staple != grade.No || got.ClientAuth != grade.Yes || got.ClientAuthMust != grade.Yes ||
		got.Resumption13 != grade.No {
		t.Errorf("%+v", got)
	}
	f = core(t, serveTLS(t, &tls.Config{Certificates: bare, ClientAuth: tls.RequestClientCert}), Options{})
	if f.Features.ClientAuth != grade.Yes || f.Features.ClientAuthMust != grade.No {
		t.Errorf("%+v", f.Features)
	}
}

func TestQuickModeIsOneConnection(t *testing.T) {
	own := tlsIdentities(t, pkitest.P256)
	for _, highest := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		port := serveTLS(t, &tls.Config{Certificates: own, MaxVersion: highest})
		all, err := New(Options{Quick: true, Offline: true}).Scan(context.Background(), Target{Host: "127.0.0.1", Port: port, ServerName: "lab.test"})
		if err != nil || len(all) != 1 {
			t.Fatalf("%v, %v", all, err)
		}
		f := all[0]
		if f.Connections != 1 || !f.Offers(wire.Version(highest)) || len(f.Chains) != 1 || f.HTTP == nil || f.HTTP.HSTS.MaxAge != 31536000 ||
			f.Chains[0].NameMatches != grade.Yes || len(f.Gaps) > 0 {
			t.Errorf("%d connections, %+v", f.Connections, f)
		}
	}
}
