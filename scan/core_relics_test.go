package scan

import (
	"bytes"
	"compress/zlib"
	"context"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/relics"
	"github.com/tlswright/tlswright/wire"
)

// coreOf makes the probes of this part with a relic.
func coreOf(t *testing.T, s *relics.Server) *grade.Facts {
	t.Helper()
	h := relicHost(t, s, "", Options{Offline: true})
	h.run(context.Background(), coreProbes())
	return h.finished()
}

func TestSSL2IsFoundWithItsKinds(t *testing.T) {
	all := append(relics.SSL2Strong(), relics.SSL2Weak()...)
	f := coreOf(t, relics.SSL2Only().Start(t))
	if p := f.Protocol(grade.VersionSSL20); f.Unreachable != "" || p == nil || p.Offered != grade.Yes || len(f.SSL2Kinds) != len(all) {
		t.Errorf("%q, %+v, %v", f.Unreachable, p, f.SSL2Kinds)
	}
	for _, k := range f.SSL2Kinds {
		if !slices.Contains(all, wire.SSL2CipherKind(k.ID)) || k.Name != wire.SSL2CipherKind(k.ID).String() {
			t.Errorf("%+v", k)
		}
	}
	f = coreOf(t, relics.SSL2Beside(true).Start(t))
	if p := f.Protocol(grade.VersionSSL20); p.Offered != grade.Yes || !f.Offers(wire.VersionTLS12) {
		t.Errorf("%+v", f.Protocols)
	}
	f = coreOf(t, relics.SSL2Beside(false).Start(t))
	if p := f.Protocol(grade.VersionSSL20); p.Offered != grade.No || !p.Complete || len(f.SSL2Kinds) != 0 {
		t.Errorf("%+v", p)
	}
}

func TestWhatIsNotToleratedIsNamed(t *testing.T) {
	for want, script := range map[string]*relics.Script{
		"unknown extension":         relics.GREASEIntolerant(relics.Closes),
		"TLS 1.4 in legacy_version": relics.VersionIntolerant(relics.Alerts, false),
		"hello of 300 bytes":        relics.SizeIntolerant(relics.Resets, false),
		"hello split into records":  relics.SplitIntolerant(relics.Alerts),
	} {
		f := coreOf(t, script.Start(t))
		i := slices.IndexFunc(f.Features.Tolerance, func(x grade.Tolerance) bool { return x.Probe == want })
		if i < 0 || f.Features.Tolerance[i].OK != grade.No || f.Features.Tolerance[i].Text == "" || f.Features.Tolerance[i].Required == "" {
			t.Errorf("%s: %+v", want, f.Features.Tolerance)
		}
		if p := f.Protocol(wire.VersionTLS12); p.Offered != grade.Yes || !p.Complete {
			t.Errorf("%s: %+v", want, p)
		}
	}
	f := coreOf(t, relics.Sound().Start(t))
	for _, x := range f.Features.Tolerance {
		if x.OK != grade.Yes {
			t.Errorf("a sound server: %+v", x)
		}
	}
	if len(f.Features.Tolerance) < 7 || len(f.Gaps) > 0 {
		t.Errorf("%+v, %v", f.Features.Tolerance, f.Gaps)
	}
}

func TestQuickModeOutlivesHostileServers(t *testing.T) {
	s := New(Options{Quick: true, Offline: true, Timeout: 150 * time.Millisecond, HostTimeout: 5 * time.Second})
	for _, c := range relics.HostileServers() {
		server := c.Start(t)
		all, err := s.Scan(context.Background(), Target{Host: "127.0.0.1", Port: server.Port, ServerName: "localhost"})
		if err != nil || len(all) != 1 {
			t.Fatalf("%s: %v, %v", c.Name, all, err)
		}
		const most = 8
		if f := all[0]; f.Unreachable == "" && len(f.Gaps) == 0 || server.Connections() > most {
			t.Errorf("%s: %d connections, %q, %v", c.Name, server.Connections(), f.Unreachable, f.Gaps)
		}
	}
}

// compressed makes a CompressedCertificate that announces n bytes.
func compressed(t *testing.T, algorithm wire.CompressionAlgorithm, body []byte, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return wire.AppendMessage(nil, &wire.CompressedCertificate{Algorithm: algorithm, UncompressedLength: uint32(n), Compressed: b.Bytes()})
}

func TestCertificatesAreUnpackedWithinBounds(t *testing.T) {
	body := (&wire.Certificate{Entries: []wire.CertificateEntry{{Data: []byte("a certificate"), Extensions: wire.Extensions{}}}}).AppendBody(nil)
	u, err := decompress(compressed(t, wire.CompressionZlib, body, len(body)))
	if err != nil || u.algorithm != wire.CompressionZlib || len(u.certificate.Entries) != 1 || string(u.certificate.Entries[0].Data) != "a certificate" {
		t.Errorf("%+v, %v", u, err)
	}
	if u, err := decompress(compressed(t, wire.CompressionBrotli, body, len(body))); err != nil || u.certificate != nil {
		t.Errorf("%+v, %v", u, err)
	}
	if u, err := decompress(compressed(t, wire.CompressionZlib, make([]byte, 2<<20), 2<<20)); err != nil || u.certificate != nil {
		t.Errorf("more than a message may have: %+v, %v", u, err)
	}
	if _, err := decompress(compressed(t, wire.CompressionZlib, body, len(body)+1)); err == nil {
		t.Error("less than was announced")
	}
	if _, err := decompress([]byte{25, 0, 0, 0}); err == nil {
		t.Error("nothing at all")
	}
}

func TestSilentServersAreLeftAlone(t *testing.T) {
	s := relics.Start(t, func(nc net.Conn) { _, _ = io.Copy(io.Discard, nc) })
	h := relicHost(t, s, "", Options{Offline: true, Timeout: 50 * time.Millisecond})
	h.run(context.Background(), coreProbes())
	const most = 8
	if f := h.finished(); f.Unreachable == "" || s.Connections() > most {
		t.Errorf("%q after %d connections", f.Unreachable, s.Connections())
	}
}

func TestAServerThatTripsOverASuiteHidesNoOther(t *testing.T) {
	// It goes by the client's order of suites, and fails when it has chosen DHE: it has no parameters.
	isDHE := func(id wire.CipherSuite) bool { return strings.HasPrefix(id.String(), "TLS_DHE_RSA_") }
	s := relics.Sound()
	s.Suites = slices.DeleteFunc(slices.Clone(s.Suites), isDHE)
	s.Refuse = func(c *relics.Talk) bool {
		for _, id := range c.Hello.CipherSuites {
			if isDHE(id) {
				c.Alert(wire.AlertLevelFatal, wire.AlertHandshakeFailure)
				return true
			}
			if slices.Contains(s.Suites, id) {
				return false
			}
		}
		return false
	}
	f := coreOf(t, s.Start(t))
	p := f.Protocol(wire.VersionTLS12)
	got, want := suiteIDs(p), slices.Clone(s.Suites)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) || !p.Complete || len(want) < 3 {
		t.Errorf("%v, want %v; %+v", got, want, f.Gaps)
	}
}
