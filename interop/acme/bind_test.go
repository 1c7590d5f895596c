package acme

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/tlswright/tlswright/acmeclient"
	"github.com/tlswright/tlswright/internal/acmeserver"
	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/challenge"
	"github.com/tlswright/tlswright/internal/fetch"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/resolve"
)

// bind is BIND 9 with the zones dyn.test, which takes updates that any of its keys has signed, and sub.dyn.test, which
// another key is for.
type bind struct {
	address string
	keys    map[string]string // file by algorithm
}

// bindAlgorithms are those that TSIG is tried with.
func bindAlgorithms() []string {
	return []string{"hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"}
}

func newBind(t *testing.T) *bind {
	t.Helper()
	programs := make(map[string]string)
	for _, name := range []string{"named", "tsig-keygen"} {
		path, err := exec.LookPath(name)
		if err != nil {
			if path, err = exec.LookPath("/usr/sbin/" + name); err != nil {
				missing(t, name+" is not installed (Debian: bind9)")
			}
		}
		programs[name] = path
	}
	dir := t.TempDir()
	b := &bind{address: freeAddresses(t, 1)[0], keys: make(map[string]string)}
	var config strings.Builder
	fmt.Fprintf(&config, "options { directory %q; pid-file %q; session-keyfile none; listen-on port %s { 127.0.0.1; }; listen-on-v6 { none; }; recursion no; dnssec-validation no; notify no; };\ncontrols { };\n",
		dir, filepath.Join(dir, "pid"), portOf(t, b.address))
	var grants string
	for _, algorithm := range append(bindAlgorithms(), "other") {
		key, err := exec.Command(programs["tsig-keygen"], "-a", strings.Replace(algorithm, "other", "hmac-sha256", 1), "key-"+algorithm).Output()
		if err != nil {
			t.Fatal(err)
		}
		b.keys[algorithm] = b.write(t, dir, algorithm+".key", string(key))
		config.Write(key)
		if algorithm != "other" {
			grants += fmt.Sprintf(" key \"key-%s\";", algorithm)
		}
	}
	for zone, allowed := range map[string]string{"dyn.test": grants, "sub.dyn.test": ` key "key-other";`} {
		file := b.write(t, dir, zone, "$TTL 60\n@ IN SOA ns hostmaster 1 3600 600 86400 60\n@ IN NS ns\nns IN A 127.0.0.1\n* IN A 127.0.0.1\n"+
			"_acme-challenge.kept IN TXT \"somebody else's\"\n@ IN CAA 0 issue \"ca.test\"\nclosed IN CAA 0 issue \"other.test\"\n")
		fmt.Fprintf(&config, "zone %q { type primary; file %q; allow-update { %s }; };\n", zone, file, allowed)
	}
	cmd := exec.CommandContext(t.Context(), programs["named"], "-g", "-c", b.write(t, dir, "named.conf", config.String()))
	startServer(t, "named", cmd)
	for end := time.Now().Add(time.Minute); len(b.texts("kept.dyn.test")) == 0 || len(b.texts("kept.sub.dyn.test")) == 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("named does not answer for both of its zones")
		}
	}
	return b
}

func (b *bind) write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// texts are the proofs that the zone has for a name.
func (b *bind) texts(name string) []string {
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn("_acme-challenge."+name), dns.TypeTXT)
	answer, _, err := (&dns.Client{Net: "tcp", Timeout: time.Minute}).Exchange(m, b.address)
	if err != nil {
		return nil
	}
	var all []string
	for _, rr := range answer.Answer {
		if txt, ok := rr.(*dns.TXT); ok {
			all = append(all, txt.Txt...)
		}
	}
	return all
}

// newService is an ACME server of ours within the test, which asks one DNS server.
func newService(t *testing.T, names string) (client *acmeclient.Client) {
	t.Helper()
	home := filepath.Join(t.TempDir(), "ca")
	if _, err := keystore.CreateCA(home, keystore.CAOptions{}, time.Now()); err != nil {
		t.Fatal(err)
	}
	a, err := authority.OpenHome(t.Context(), home, authority.HomeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	validator, err := challenge.New(challenge.Options{Gate: fetch.Gate{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, Identities: []string{"ca.test"},
		Perspectives: []challenge.Perspective{{Resolver: resolve.New(resolve.Options{Server: names})}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(validator.Close)
	server, err := acmeserver.New(t.Context(), acmeserver.Options{Store: a.Store, Validator: validator, Directories: []acmeserver.Directory{{Authority: a, Identities: []string{"ca.test"}}}})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewTLSServer(server)
	t.Cleanup(func() { web.Close(); _ = server.Close() })
	tree, err := acmeclient.OpenTree(filepath.Join(t.TempDir(), "acme"))
	if err != nil {
		t.Fatal(err)
	}
	return acmeclient.New(tree, acmeclient.Options{Server: web.URL + "/acme/directory", Transport: web.Client().Transport})
}

// TestDynamicUpdatesAgainstBIND proves names to our CA by updates of a zone of BIND, signed by keys as tsig-keygen writes
// them. BIND answers the CA's questions, those for CAA included.
func TestDynamicUpdatesAgainstBIND(t *testing.T) {
	b := newBind(t)
	client := newService(t, b.address)
	obtain := func(key string, names ...string) error {
		_, err := client.Obtain(t.Context(), acmeclient.Request{Renewal: acmeclient.Renewal{Names: names,
			Challenge: acmeclient.Challenge{Way: acmeclient.RFC2136, Server: b.address, KeyFile: key, Resolver: b.address}}})
		return err
	}
	for _, algorithm := range bindAlgorithms() {
		if err := obtain(b.keys[algorithm], "*."+algorithm+".dyn.test", algorithm+".dyn.test"); err != nil {
			t.Errorf("%s: %v", algorithm, err)
		}
		if left := b.texts(algorithm + ".dyn.test"); len(left) > 0 {
			t.Errorf("%s: %q is left", algorithm, left)
		}
	}
	good := b.keys["hmac-sha256"]
	if err := obtain(good, "kept.dyn.test"); err != nil {
		t.Error(err)
	}
	if left := b.texts("kept.dyn.test"); !slices.Equal(left, []string{"somebody else's"}) {
		t.Errorf("of another's record there is %q", left)
	}
	if err := obtain(b.keys["other"], "deep.sub.dyn.test"); err != nil {
		t.Errorf("a zone within a zone: %v", err)
	}
	for want, err := range map[string]error{
		"refuses to update sub.dyn.test.": obtain(good, "x.sub.dyn.test"),
		"refuses to update dyn.test.":     obtain("", "x.dyn.test"),
		"knows no zone":                   obtain(good, "x.elsewhere.test"),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
	var refused *acmeclient.ServerError
	if err := obtain(good, "closed.dyn.test"); !errors.As(err, &refused) || refused.Type != "caa" {
		t.Errorf("CAA names another CA: %v", err)
	}
	text, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	forged := b.write(t, t.TempDir(), "forged", strings.Replace(string(text), `secret "`, `secret "AAAA`, 1))
	if err := obtain(forged, "x.dyn.test"); err == nil {
		t.Error("a forged key is taken")
	} else {
		t.Logf("a forged key: %v", err)
	}
}
