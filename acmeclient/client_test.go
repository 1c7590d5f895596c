package acmeclient_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/tlswright/tlswright/acmeclient"
	"github.com/tlswright/tlswright/internal/acmeserver"
	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/challenge"
	"github.com/tlswright/tlswright/internal/fetch"
	"github.com/tlswright/tlswright/internal/freeport"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/resolve"
	"github.com/tlswright/tlswright/pki"
)

// ca is an ACME server of ours on loopback, for which every name leads there, and whose zone takes updates.
type ca struct {
	*testing.T
	url        string
	transport  http.RoundTripper
	names      string // address of the DNS server
	web, proof string // ports of http-01 and tls-alpn-01, as "127.0.0.1:N"

	mu   sync.Mutex
	txt  map[string][]string
	sets int
}

func freePort(t *testing.T) string {
	t.Helper()
	address, err := freeport.Address()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func newCA(t *testing.T, edit func(*acmeserver.Options)) *ca {
	t.Helper()
	c := &ca{T: t, txt: make(map[string][]string), web: freePort(t), proof: freePort(t)}
	home := filepath.Join(t.TempDir(), "ca")
	if _, err := keystore.CreateCA(home, keystore.CAOptions{}, time.Now()); err != nil {
		t.Fatal(err)
	}
	a, err := authority.OpenHome(t.Context(), home, authority.HomeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	c.serveNames()
	validator, err := challenge.New(challenge.Options{Gate: fetch.Gate{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, NoCAA: true,
		Perspectives: []challenge.Perspective{{Resolver: resolve.New(resolve.Options{Server: c.names, Timeout: 20 * time.Second})}}, Timeout: time.Minute,
		HTTPPort: int(netip.MustParseAddrPort(c.web).Port()), TLSPort: int(netip.MustParseAddrPort(c.proof).Port())})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(validator.Close)
	o := acmeserver.Options{Store: a.Store, Validator: validator, Directories: []acmeserver.Directory{{Authority: a}}}
	if edit != nil {
		edit(&o)
	}
	server, err := acmeserver.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewTLSServer(server)
	t.Cleanup(func() {
		web.Close()
		_ = server.Close()
	})
	c.url, c.transport = web.URL+"/acme/directory", web.Client().Transport
	return c
}

func (c *ca) serveNames() {
	var l net.Listener
	var pc net.PacketConn
	for range 20 { // a port that is free for TCP may be taken for UDP
		var err error
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			c.Fatal(err)
		}
		c.names = l.Addr().String()
		if pc, err = net.ListenPacket("udp", c.names); err == nil {
			break
		}
		_ = l.Close()
	}
	if pc == nil {
		c.Fatal("no port is free for both TCP and UDP")
	}
	for _, s := range []*dns.Server{{Listener: l, Handler: c}, {PacketConn: pc, Handler: c}} {
		s.TsigSecret = map[string]string{"key.test.": tsigSecret}
		s.MsgAcceptFunc = func(dns.Header) dns.MsgAcceptAction { return dns.MsgAccept }
		ready := make(chan struct{})
		s.NotifyStartedFunc = func() { close(ready) }
		go func() { _ = s.ActivateAndServe() }()
		<-ready
		c.Cleanup(func() { _ = s.Shutdown() })
	}
}

const tsigSecret = "MDEyMzQ1Njc4OWFiY2RlZg=="

// ServeDNS answers questions and takes updates that are signed.
func (c *ca) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := new(dns.Msg)
	m.SetReply(q)
	name := q.Question[0].Name
	switch {
	case q.Opcode == dns.OpcodeUpdate:
		if q.IsTsig() == nil || w.TsigStatus() != nil {
			m.Rcode = dns.RcodeNotAuth
			break
		}
		m.SetTsig("key.test.", dns.HmacSHA256, 300, time.Now().Unix())
		for _, rr := range q.Ns {
			record := rr.(*dns.TXT)
			at := record.Hdr.Name
			if record.Hdr.Class == dns.ClassNONE {
				c.txt[at] = slices.DeleteFunc(c.txt[at], func(s string) bool { return s == record.Txt[0] })
				continue
			}
			c.txt[at] = append(c.txt[at], record.Txt[0])
			c.sets++
		}
	case q.Question[0].Qtype == dns.TypeA:
		m.Answer = append(m.Answer, &dns.A{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IPv4(127, 0, 0, 1)})
	case q.Question[0].Qtype == dns.TypeSOA && name == "test.":
		m.Answer = append(m.Answer, &dns.SOA{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeSOA, Class: dns.ClassINET}, Ns: "ns.test.", Mbox: "x.test."})
	case q.Question[0].Qtype == dns.TypeTXT:
		for _, text := range c.txt[name] {
			m.Answer = append(m.Answer, &dns.TXT{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: []string{text}})
		}
	}
	_ = w.WriteMsg(m)
}

// client makes a client into a tree of its own.
func (c *ca) client(now func() time.Time) (*acmeclient.Tree, *acmeclient.Client) {
	c.Helper()
	t, err := acmeclient.OpenTree(filepath.Join(c.TempDir(), "acme"))
	if err != nil {
		c.Fatal(err)
	}
	return t, acmeclient.New(t, acmeclient.Options{Server: c.url, Transport: c.transport, Now: now})
}

func (c *ca) standalone(names ...string) acmeclient.Request {
	return acmeclient.Request{Renewal: acmeclient.Renewal{Names: names, Challenge: acmeclient.Challenge{Way: acmeclient.Standalone, Listen: c.web}}}
}

func TestEveryWay(t *testing.T) {
	c := newCA(t, nil)
	root := t.TempDir()
	files := &http.Server{Handler: http.FileServer(http.Dir(root))}
	key := filepath.Join(t.TempDir(), "tsig.key")
	if err := os.WriteFile(key, fmt.Appendf(nil, "key \"key.test\" {\n\talgorithm hmac-sha256;\n\tsecret %q;\n};\n", tsigSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	hook := filepath.Join(t.TempDir(), "hook")
	log := filepath.Join(t.TempDir(), "log")
	// The hook notes what it was told; the record is made by the test, which stands for the DNS provider.
	if err := os.WriteFile(hook, fmt.Appendf(nil, "#!/bin/sh\necho \"$@\" >>%s\n", log), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, r := range []struct {
		name  string
		ch    acmeclient.Challenge
		names []string
	}{
		{"standalone", acmeclient.Challenge{Way: acmeclient.Standalone, Listen: c.web}, []string{"a.test", "b.test"}},
		{"tls-alpn", acmeclient.Challenge{Way: acmeclient.TLSALPN, Listen: c.proof}, []string{"c.test", "127.0.0.1"}},
		{"rfc2136", acmeclient.Challenge{Way: acmeclient.RFC2136, Server: c.names, KeyFile: key, Resolver: c.names}, []string{"*.d.test", "d.test"}},
		{"webroot", acmeclient.Challenge{Way: acmeclient.Webroot, Webroot: root}, []string{"e.test"}},
	} {
		if r.name == "webroot" {
			l, err := net.Listen("tcp", c.web)
			if err != nil {
				t.Fatal(err)
			}
			go func() { _ = files.Serve(l) }()
		}
		tree, client := c.client(nil)
		got, err := client.Obtain(t.Context(), acmeclient.Request{Renewal: acmeclient.Renewal{Names: r.names, Challenge: r.ch}})
		if err != nil {
			t.Errorf("%s: %v", r.name, err)
			continue
		}
		checkLive(t, tree, got.Name, r.names)
	}
	if err := files.Close(); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(root); len(left) > 0 {
		t.Errorf("webroot leaves %v", left)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, texts := range c.txt {
		if len(texts) > 0 || c.sets != 2 {
			t.Errorf("%s: %v is left of %d records", name, texts, c.sets)
		}
	}
}

// checkLive reads a certificate as a server would.
func checkLive(t *testing.T, tree *acmeclient.Tree, name string, names []string) *x509.Certificate {
	t.Helper()
	id, err := keystore.LoadIdentity(filepath.Join(tree.Live(name), "fullchain.pem"), filepath.Join(tree.Live(name), "privkey.pem"))
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(id.Chain[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if err := leaf.VerifyHostname(strings.Replace(n, "*", "x", 1)); err != nil {
			t.Error(err)
		}
	}
	link, err := os.Readlink(filepath.Join(tree.Live(name), "cert.pem"))
	if err != nil || !strings.HasPrefix(link, "../../archive/"+name+"/cert") {
		t.Errorf("%q %v", link, err)
	}
	info, err := os.Stat(filepath.Join(tree.Live(name), "privkey.pem"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	return leaf
}

func TestRenewal(t *testing.T) {
	var now atomic.Pointer[time.Time] // the server looks at it when it likes
	set := func(at time.Time) { now.Store(&at) }
	set(time.Now())
	clock := func() time.Time { return *now.Load() }
	c := newCA(t, func(o *acmeserver.Options) { o.Now = clock })
	tree, client := c.client(clock)
	log := filepath.Join(t.TempDir(), "log")
	r := c.standalone("a.test")
	r.StageKey = true
	r.Hooks = acmeclient.Hooks{Pre: "echo pre >>" + log, Post: "echo post >>" + log, Deploy: []string{`echo "deploy $RENEWED_LINEAGE $RENEWED_DOMAINS" >>` + log}}
	first, err := client.Obtain(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	pin, ok, err := tree.NextPin("a.test")
	if err != nil || !ok {
		t.Fatal(pin, ok, err)
	}
	renew := acmeclient.RenewOptions{Client: func(string) (*acmeclient.Client, error) { return client, nil }}
	results, err := tree.Renew(t.Context(), renew)
	if err != nil || len(results) != 1 || !results[0].Skipped {
		t.Fatalf("%+v %v", results, err)
	}
	due := results[0].Due
	old := checkLive(t, tree, "a.test", []string{"a.test"})
	if !due.After(old.NotBefore.Add(50*24*time.Hour)) || !due.Before(old.NotAfter.Add(-15*24*time.Hour)) {
		t.Errorf("due at %v, valid until %v", due, old.NotAfter)
	}
	if again, err := tree.Renew(t.Context(), renew); err != nil || !again[0].Due.Equal(due) {
		t.Errorf("the moment moves: %v, then %v (%v)", due, again[0].Due, err)
	}
	dry := renew
	dry.DryRun = true
	if results, err := tree.Renew(t.Context(), dry); err != nil || results[0].Err != nil {
		t.Errorf("%+v %v", results, err)
	}
	if got, _ := tree.Find("a.test"); got.Generation != first.Generation {
		t.Error("a dry run keeps something")
	}
	set(due.Add(time.Second))
	results, err = tree.Renew(t.Context(), renew)
	if err != nil || results[0].Err != nil || results[0].Done == nil || results[0].Done.Generation != 2 {
		t.Fatalf("%+v %v", results, err)
	}
	fresh := checkLive(t, tree, "a.test", []string{"a.test"})
	if got := pki.PinSPKI(fresh).String(); got != pin {
		t.Errorf("the key is not the staged one: %s, want %s", got, pin)
	}
	text, err := os.ReadFile(log)
	if err != nil || string(text) != fmt.Sprintf("deploy %[1]s a.test\npre\npost\npre\ndeploy %[1]s a.test\npost\n", tree.Live("a.test")) {
		t.Errorf("%s %v", text, err)
	}
}

func TestFailuresAreTriedAgain(t *testing.T) {
	now := time.Now()
	c := newCA(t, nil)
	tree, client := c.client(func() time.Time { return now })
	if _, err := client.Obtain(t.Context(), c.standalone("a.test")); err != nil {
		t.Fatal(err)
	}
	leaf := checkLive(t, tree, "a.test", nil)
	broken := acmeclient.New(tree, acmeclient.Options{Server: "https://127.0.0.1:1/directory", Transport: c.transport, Now: func() time.Time { return now }, Timeout: 10 * time.Millisecond})
	renew := acmeclient.RenewOptions{Client: func(string) (*acmeclient.Client, error) { return broken, nil }}
	now = leaf.NotAfter.Add(-15 * 24 * time.Hour)
	tries := 0
	for range 400 {
		results, err := tree.Renew(t.Context(), renew)
		if err != nil {
			t.Fatal(err)
		}
		if results[0].Err != nil {
			tries++
		}
		if !results[0].Skipped {
			got, err := tree.Find("a.test")
			if err != nil || !got.Renewal.NextTry.After(now) || got.Renewal.NextTry.Sub(now) > 24*time.Hour {
				t.Fatalf("%+v %v", got.Renewal, err)
			}
		}
		now = now.Add(time.Hour)
		if now.After(leaf.NotAfter) {
			break
		}
	}
	if tries < 15 || tries > 100 {
		t.Errorf("%d tries in fifteen days", tries)
	}
	checkLive(t, tree, "a.test", nil)
}

func TestAccounts(t *testing.T) {
	c := newCA(t, nil)
	_, client := c.client(nil)
	a, err := client.Register(t.Context(), []string{"mailto:a@a.test"}, nil)
	if err != nil || a.Status != "valid" {
		t.Fatalf("%+v %v", a, err)
	}
	if again, err := client.Register(t.Context(), nil, nil); err != nil || again.URL != a.URL {
		t.Errorf("%+v %v", again, err)
	}
	if err := client.UpdateContact(t.Context(), []string{"mailto:b@a.test"}); err != nil {
		t.Error(err)
	}
	if err := client.Rollover(t.Context()); err != nil {
		t.Error(err)
	}
	if shown, err := client.Show(t.Context()); err != nil || !slices.Equal(shown.Contact, []string{"mailto:b@a.test"}) {
		t.Errorf("%+v %v", shown, err)
	}
	if _, err := client.Obtain(t.Context(), c.standalone("a.test")); err != nil {
		t.Error(err)
	}
	if err := client.Deactivate(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := client.Show(t.Context()); err == nil {
		t.Error("a deactivated account answers")
	}
}

func TestRevokeAndDelete(t *testing.T) {
	c := newCA(t, nil)
	tree, client := c.client(nil)
	if _, err := client.Obtain(t.Context(), c.standalone("a.test")); err != nil {
		t.Fatal(err)
	}
	if err := client.Revoke(t.Context(), "a.test", 4); err != nil {
		t.Error(err)
	}
	var server *acmeclient.ServerError
	if err := client.Revoke(t.Context(), "a.test", 4); !errors.As(err, &server) || server.Type != "alreadyRevoked" {
		t.Error(err)
	}
	if err := tree.Delete("a.test"); err != nil {
		t.Error(err)
	}
	if _, err := tree.Find("a.test"); !errors.Is(err, acmeclient.ErrNotFound) {
		t.Error(err)
	}
	if _, err := os.Stat(tree.Live("a.test")); err == nil {
		t.Error("the links are still there")
	}
}

func TestRefusalsAreExplained(t *testing.T) {
	c := newCA(t, nil)
	tree, client := c.client(nil)
	r := c.standalone("a.test")
	r.Challenge.Listen = freePort(t) // where the CA does not look
	_, err := client.Obtain(t.Context(), r)
	if err == nil || !strings.Contains(err.Error(), "a.test") {
		t.Errorf("%v", err)
	}
	if all, err := tree.List(); err != nil || len(all) != 0 {
		t.Errorf("%v %v", all, err)
	}
	if _, err := os.Stat(tree.Live("a.test")); err == nil {
		t.Error("an empty folder is left below live/")
	}
	for _, name := range []string{"", "../x", ".hidden", "a/b", "a\x00b"} {
		if _, err := client.Obtain(t.Context(), acmeclient.Request{Name: name, Renewal: acmeclient.Renewal{Names: []string{name}}}); err == nil {
			t.Errorf("%q is a name", name)
		}
	}
}

func TestACrashBetweenLinksIsRepaired(t *testing.T) {
	c := newCA(t, nil)
	tree, client := c.client(nil)
	for range 2 {
		if _, err := client.Obtain(t.Context(), c.standalone("a.test")); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range []string{"cert", "chain", "fullchain"} {
		link := filepath.Join(tree.Live("a.test"), p+".pem")
		if err := os.Remove(link); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("../../archive/a.test/"+p+"1.pem", link); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := keystore.LoadIdentity(filepath.Join(tree.Live("a.test"), "fullchain.pem"), filepath.Join(tree.Live("a.test"), "privkey.pem")); err == nil {
		t.Fatal("key and certificate of two generations go together")
	}
	if _, err := acmeclient.OpenTree(tree.Dir()); err != nil {
		t.Fatal(err)
	}
	checkLive(t, tree, "a.test", nil)
	// A generation that a crash left without its last file does not count.
	if err := os.WriteFile(filepath.Join(tree.Dir(), "archive", "a.test", "privkey3.pem"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := tree.Find("a.test"); err != nil || got.Generation != 2 {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := client.Obtain(t.Context(), c.standalone("a.test")); err != nil {
		t.Error(err)
	}
	checkLive(t, tree, "a.test", nil)
}

func TestAskingAPerson(t *testing.T) {
	c := newCA(t, nil)
	_, client := c.client(nil)
	r := acmeclient.Request{Renewal: acmeclient.Renewal{Names: []string{"a.test"}, Challenge: acmeclient.Challenge{Way: acmeclient.Manual}}}
	if _, err := client.Obtain(t.Context(), r); err == nil || !strings.Contains(err.Error(), "nobody to ask") {
		t.Error(err)
	}
	r.Ask = func(_ context.Context, text string) error {
		var value string
		for _, word := range strings.Fields(text) {
			if strings.HasPrefix(word, `"`) {
				value = strings.Trim(word, `"`)
			}
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.txt["_acme-challenge.a.test."] = []string{value}
		return nil
	}
	if _, err := client.Obtain(t.Context(), r); err != nil {
		t.Error(err)
	}
}
