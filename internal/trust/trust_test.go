package trust

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlsnet"
)

// need skips where a program is missing; in CI it fails.
func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing: run scripts/peers.sh", program)
	}
	t.Skipf("%s is not installed", program)
}

// debian is a system store in folders of the test, kept by Debian's own program.
func debian(t *testing.T) *System {
	t.Helper()
	need(t, "update-ca-certificates")
	dir := t.TempDir()
	s := &System{Anchors: filepath.Join(dir, "local"), Suffix: ".crt", Bundle: filepath.Join(dir, "etc", "ca-certificates.crt")}
	empty := filepath.Join(dir, "share")
	for _, d := range []string{s.Anchors, filepath.Dir(s.Bundle), empty, filepath.Join(dir, "hooks")} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	config := filepath.Join(dir, "ca-certificates.conf")
	if err := os.WriteFile(config, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	s.Update = []string{"update-ca-certificates", "--certsconf", config, "--certsdir", empty,
		"--localcertsdir", s.Anchors, "--etccertsdir", filepath.Dir(s.Bundle), "--hooksdir", filepath.Join(dir, "hooks")}
	s.Clean = append(slices.Clone(s.Update), "--fresh")
	// Debian's program writes no bundle at all when nothing is left: a machine has other roots.
	if err := s.Install(t.Context(), pkitest.New(t, pkitest.Ed25519).Root); err != nil {
		t.Fatal(err)
	}
	return s
}

// testStore installs, proves, removes, and proves again.
func testStore(t *testing.T, s Store) {
	t.Helper()
	ctx, ca, now := t.Context(), pkitest.New(t, pkitest.P256), time.Now()
	other := ca.Namesake()
	chain := [][]byte{ca.Intermediate.Raw}
	if err := Prove(ctx, s, ca.Issuer(), chain, now); err == nil {
		t.Fatal("the store trusts a root that was never installed")
	}
	for range 2 { // the second time changes nothing
		if err := s.Install(ctx, ca.Root); err != nil {
			t.Fatal(err)
		}
	}
	if roots, err := s.Roots(ctx); err != nil || !holds(roots, ca.Root) {
		t.Fatalf("the root is not among %d of the store (error %v)", len(roots), err)
	}
	if err := Prove(ctx, s, ca.Issuer(), chain, now); err != nil {
		t.Fatal(err)
	}
	if err := Prove(ctx, s, other.Issuer(), [][]byte{other.Intermediate.Raw}, now); err == nil {
		t.Error("the store trusts another CA of the same name")
	}
	if err := s.Install(ctx, other.Root); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(ctx, other.Root); err != nil {
		t.Fatal(err)
	}
	if err := Prove(ctx, s, ca.Issuer(), chain, now); err != nil {
		t.Errorf("removing one root took another of the same name along: %v", err)
	}
	for range 2 {
		if err := s.Remove(ctx, ca.Root); err != nil {
			t.Fatal(err)
		}
	}
	if err := Prove(ctx, s, ca.Issuer(), chain, now); err == nil {
		t.Error("the store trusts a root that was removed")
	}
}

func TestSystemStore(t *testing.T) { testStore(t, debian(t)) }

func TestNSSStore(t *testing.T) {
	need(t, "certutil")
	home := t.TempDir()
	if _, err := MakeNSS(t.Context(), ChromiumDatabase(home)); err != nil {
		t.Fatal(err)
	}
	stores, err := Stores(Options{Home: home, JavaHome: home})
	if err != nil {
		t.Fatal(err)
	}
	var found []Store
	for _, s := range stores {
		if s.Kind() == "nss" {
			found = append(found, s)
		}
	}
	if len(found) != 1 || found[0].Where() != ChromiumDatabase(home) {
		t.Fatalf("databases found: %v", found)
	}
	testStore(t, found[0])
}

func TestJavaStore(t *testing.T) {
	j := findJava("")
	if j == nil {
		need(t, "keytool")
		t.Skip("no Java runtime is installed")
	}
	text, err := os.ReadFile(j.cacerts)
	if err != nil {
		t.Fatal(err)
	}
	mine := filepath.Join(t.TempDir(), "cacerts")
	if err := os.WriteFile(mine, text, 0o600); err != nil {
		t.Fatal(err)
	}
	testStore(t, &java{keytool: j.keytool, cacerts: mine})
}

// TestJavaStoreLosesWhatDebianPutThere: with the system's store Debian writes Java's too, and does not clean it up.
func TestJavaStoreLosesWhatDebianPutThere(t *testing.T) {
	found := findJava("")
	if found == nil {
		need(t, "keytool")
		t.Skip("no Java runtime is installed")
	}
	j, root := &java{keytool: found.keytool, cacerts: filepath.Join(t.TempDir(), "cacerts")}, pkitest.New(t, pkitest.P256).Root
	path, remove, err := writeTemp(root)
	if err != nil {
		t.Fatal(err)
	}
	defer remove()
	alias := "debian:tlswright-" + nameOf(root) + ".pem"
	if _, err := j.run(t.Context(), "-importcert", "-noprompt", "-file", path, "-alias", alias); err != nil {
		t.Fatal(err)
	}
	if roots, err := j.Roots(t.Context()); err != nil || !holds(roots, root) {
		t.Fatalf("the store holds %d roots (%v)", len(roots), err)
	}
	if err := j.Remove(t.Context(), root); err != nil {
		t.Fatal(err)
	}
	if roots, err := j.Roots(t.Context()); err != nil || len(roots) != 0 {
		t.Errorf("after removing, the store holds %d roots (%v)", len(roots), err)
	}
}

// TestCurlBelievesTheSystemStore asks a program that is not ours.
func TestCurlBelievesTheSystemStore(t *testing.T) {
	need(t, "curl")
	s, ca := debian(t), pkitest.New(t, pkitest.P256)
	url := serveHTTPS(t, ca)
	curl := func() error {
		return exec.CommandContext(t.Context(), "curl", "-sS", "--noproxy", "*", "--cacert", s.Bundle, url).Run()
	}
	if err := curl(); err == nil {
		t.Error("curl trusts a stranger")
	}
	if err := s.Install(t.Context(), ca.Root); err != nil {
		t.Fatal(err)
	}
	if err := curl(); err != nil {
		t.Error("curl does not trust what was installed:", err)
	}
}

func serveHTTPS(t *testing.T, ca *pkitest.CA) string {
	t.Helper()
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := ca.Issuer().Issue(pki.Request{Profile: pki.ProfileServer, SANs: []string{"127.0.0.1"}, Key: key.Public()}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	l, err := tlsnet.Listen("tcp", "127.0.0.1:0", &tlsnet.Config{
		Identities: []tlsnet.Identity{{Chain: [][]byte{leaf.Raw, ca.Intermediate.Raw}, Key: key}},
	})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	server := &tlsnet.HTTPServer{
		Handler:  http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }),
		ErrorLog: log.New(io.Discard, "", 0),
	}
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-served; err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return "https://" + l.Addr().String()
}

func TestAMissingToolIsSaid(t *testing.T) {
	_, err := run(t.Context(), "store", "a-program-that-nobody-has")
	if !errors.Is(err, ErrNoTool) {
		t.Errorf("error %v", err)
	}
}

func TestNicknamesAreRead(t *testing.T) {
	list := "\nCertificate Nickname                                         Trust Attributes\n" +
		"                                                             SSL,S/MIME,JAR/XPI\n\n" +
		"a root with spaces                                           CT,C,C\nclient only                                                  u,u,u\n" +
		"plain                                                        C,,\nuntrusted                                                    ,,\n"
	got := trustedNicknames(list)
	if len(got) != 2 || got[0] != "a root with spaces" || got[1] != "plain" {
		t.Errorf("nicknames %q", got)
	}
}

func TestAnUnreadableStoreIsAnError(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	s := &System{Anchors: filepath.Join(t.TempDir(), "missing"), Suffix: ".crt", Update: []string{"false"}, Bundle: "/nonexistent"}
	var known *Error
	if err := s.Install(context.Background(), ca.Root); !errors.As(err, &known) {
		t.Errorf("error %v", err)
	}
	if roots, err := s.Roots(t.Context()); err != nil || len(roots) != 0 {
		t.Errorf("%d roots, %v", len(roots), err)
	}
}

func TestNamesTellRootsApart(t *testing.T) {
	a := pkitest.New(t, pkitest.P256)
	names := map[string]bool{}
	for _, c := range []*x509.Certificate{a.Root, a.Namesake().Root, a.Stranger().Root} {
		names[nameOf(c)] = true
	}
	if len(names) != 3 {
		t.Errorf("names %v", names)
	}
}
