package acme

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/acme"
)

var update = flag.Bool("update", false, "write docs/interop-acme.md anew")

// table is where docs keep what this test finds.
const table = "../../docs/interop-acme.md"

// act is something a client does; each runs after the ones before it.
type act struct {
	name string
	run  func(o *office) error // nil: the client has no such thing
	not  string                // why not
}

// peer is a client.
type peer struct {
	name    string
	program string // that must be installed; "": none
	acts    []act
}

// The acts, in the order of the table's columns.
func columns() []string {
	return []string{"http-01", "dns-01, wildcard", "tls-alpn-01", "renew", "revoke", "revoke by key", "new account key", "bound account (EAB)"}
}

func TestAcceptRealClients(t *testing.T) {
	if os.Getenv("TLSWRIGHT_ACCEPT") == "" {
		t.Skip("runs in make accept")
	}
	program := build(t)
	var rows []string
	for _, p := range []peer{certbot(), lego(), dehydrated(), uacme(), caddy(), cryptoACME(), acmezClient(), ourselves(program)} {
		t.Run(p.name, func(t *testing.T) { rows = append(rows, p.row(t, program)) })
	}
	var b strings.Builder
	b.WriteString("# ACME clients against our CA\n\nWritten by `TLSWRIGHT_ACCEPT=1 go test ./interop/acme -update`: each client as Debian 12 has it, unmodified, against `tlswright ca serve`. A dash is what the client has not, or what was not tried.\n\n")
	b.WriteString("| client | " + strings.Join(columns(), " | ") + " |\n|" + strings.Repeat(" --- |", len(columns())+1) + "\n")
	b.WriteString(strings.Join(rows, "\n") + "\n")
	if *update {
		if err := os.WriteFile(table, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if kept, err := os.ReadFile(table); !t.Failed() && (err != nil || string(kept) != b.String()) {
		t.Errorf("%s is not fresh (%v): run it again with -update\n%s", table, err, b.String())
	}
}

// row runs all that a client can do and renders it.
func (p peer) row(t *testing.T, program string) string {
	if p.program != "" {
		if _, err := exec.LookPath(p.program); err != nil {
			missing(t, p.program+" is not installed")
		}
	}
	o := newOffice(t, program)
	cells := []string{p.name}
	for _, name := range columns() {
		cell := "-"
		for _, a := range p.acts {
			switch {
			case a.name != name:
			case a.run == nil:
				cell = a.not
			default:
				cell = "yes"
				if err := a.run(o); err != nil {
					cell = "FAILS"
					t.Errorf("%s: %v\n%s", name, err, lastLines(o.log()))
				}
			}
		}
		cells = append(cells, cell)
	}
	return "| " + strings.Join(cells, " | ") + " |"
}

func lastLines(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-12):], "\n")
}

func run(env func(o *office) []string, program string, args func(o *office) []string, name, state string) func(*office) error {
	return func(o *office) error {
		if _, err := o.run(env(o), program, args(o)...); err != nil {
			return err
		}
		return o.want(name, state)
	}
}

// bound is a second service that only takes accounts with a key, and that key.
func bound(o *office, name string) (second *office, kid, key string) {
	second = newOffice(o.t, o.program, "--require-binding")
	out := second.ours("ca", "binding", "add", name, "--json")
	return second, name, regexp.MustCompile(`"hmac_key":\s*"([^"]+)"`).FindStringSubmatch(out)[1]
}

func certbot() peer {
	env := func(o *office) []string { return []string{"REQUESTS_CA_BUNDLE=" + o.root} }
	base := func(o *office, args ...string) []string {
		return append(args, "-n", "--server", o.directory, "--config-dir", "cb", "--work-dir", "cbw", "--logs-dir", "cbl")
	}
	obtain := func(name string, more ...string) func(*office) []string {
		return func(o *office) []string {
			return base(o, append([]string{"certonly", "-d", name, "--agree-tos", "--register-unsafely-without-email", "--http-01-port", o.webPort}, more...)...)
		}
	}
	return peer{name: "certbot", program: "certbot", acts: []act{
		{name: "http-01", run: run(env, "certbot", obtain("http.cb.test", "--standalone"), "http.cb.test", "valid")},
		{name: "dns-01, wildcard", run: func(o *office) error {
			hook := o.script("cbhook", `curl -sf --get --data-urlencode "name=_acme-challenge.$CERTBOT_DOMAIN" --data-urlencode "value=$CERTBOT_VALIDATION" `+o.control+"/set")
			return run(env, "certbot", obtain("*.wild.cb.test", "--manual", "--preferred-challenges", "dns", "--manual-auth-hook", hook), "*.wild.cb.test", "valid")(o)
		}},
		{name: "tls-alpn-01", not: "-"},
		{name: "renew", run: run(env, "certbot", func(o *office) []string {
			return base(o, "renew", "--force-renewal", "--no-random-sleep-on-renew", "--cert-name", "http.cb.test", "--http-01-port", o.webPort)
		}, "http.cb.test", "valid")},
		{name: "revoke", run: run(env, "certbot", func(o *office) []string {
			return base(o, "revoke", "--cert-name", "http.cb.test", "--reason", "superseded", "--no-delete-after-revoke")
		}, "http.cb.test", "revoked")},
		{name: "revoke by key", run: func(o *office) error {
			if err := run(env, "certbot", obtain("key.cb.test", "--standalone"), "key.cb.test", "valid")(o); err != nil {
				return err
			}
			return run(env, "certbot", func(o *office) []string {
				return base(o, "revoke", "--cert-path", "cb/live/key.cb.test/cert.pem", "--key-path", "cb/live/key.cb.test/privkey.pem", "--no-delete-after-revoke")
			}, "key.cb.test", "revoked")(o)
		}},
		{name: "new account key", not: "-"},
		{name: "bound account (EAB)", run: func(o *office) error {
			second, kid, key := bound(o, "certbot")
			return run(env, "certbot", obtain("eab.cb.test", "--standalone", "--eab-kid", kid, "--eab-hmac-key", key), "eab.cb.test", "valid")(second)
		}},
	}}
}

func lego() peer {
	env := func(o *office) []string {
		return []string{"LEGO_CA_CERTIFICATES=" + o.root, "EXEC_PATH=" + filepath.Join(o.dir, "legohook"), "EXEC_POLLING_INTERVAL=1"}
	}
	args := func(name string, flags []string, command ...string) func(*office) []string {
		return func(o *office) []string {
			all := []string{"--server", o.directory, "--email", "a@lego.test", "-a", "-d", name, "--path", "lego"}
			for _, f := range flags {
				all = append(all, strings.NewReplacer("WEB", "127.0.0.1:"+o.webPort, "TLS", "127.0.0.1:"+o.tlsPort, "NAMES", o.names).Replace(f))
			}
			return append(all, command...)
		}
	}
	web := []string{"--http", "--http.port", "WEB"}
	return peer{name: "lego", program: "lego", acts: []act{
		{name: "http-01", run: run(env, "lego", args("http.lego.test", web, "run"), "http.lego.test", "valid")},
		{name: "dns-01, wildcard", run: func(o *office) error {
			o.script("legohook", `[ "$1" = present ] || exit 0`+"\n"+`curl -sf --get --data-urlencode "name=$2" --data-urlencode "value=$3" `+o.control+"/set")
			return run(env, "lego", args("*.wild.lego.test", []string{"--dns", "exec", "--dns.disable-cp", "--dns.resolvers", "NAMES"}, "run"), "*.wild.lego.test", "valid")(o)
		}},
		{name: "tls-alpn-01", run: run(env, "lego", args("tls.lego.test", []string{"--tls", "--tls.port", "TLS"}, "run"), "tls.lego.test", "valid")},
		{name: "renew", run: run(env, "lego", args("http.lego.test", web, "renew", "--days", "999", "--no-random-sleep"), "http.lego.test", "valid")},
		{name: "revoke", run: run(env, "lego", args("http.lego.test", web, "revoke"), "http.lego.test", "revoked")},
		{name: "bound account (EAB)", run: func(o *office) error {
			second, kid, key := bound(o, "lego")
			return run(env, "lego", args("eab.lego.test", append([]string{"--eab", "--kid", kid, "--hmac", key}, web...), "run"), "eab.lego.test", "valid")(second)
		}},
	}}
}

func dehydrated() peer {
	env := func(*office) []string { return nil }
	prepare := func(o *office, more string) error {
		for _, d := range []string{"dh", "dhroot/.well-known/acme-challenge"} {
			if err := os.MkdirAll(filepath.Join(o.dir, d), 0o755); err != nil {
				return err
			}
		}
		text := fmt.Sprintf("CA=%q\nBASEDIR=%q\nWELLKNOWN=%q\nCURL_OPTS=\"--cacert %s\"\nRENEW_DAYS=30\n%s", o.directory, filepath.Join(o.dir, "dh"),
			filepath.Join(o.dir, "dhroot/.well-known/acme-challenge"), o.root, more)
		if err := os.WriteFile(filepath.Join(o.dir, "dh/config"), []byte(text), 0o600); err != nil {
			return err
		}
		_, err := o.run(nil, "dehydrated", "--config", "dh/config", "--register", "--accept-terms")
		return err
	}
	withWeb := func(f func(*office) error) func(*office) error {
		return func(o *office) error {
			stop, err := o.webroot(filepath.Join(o.dir, "dhroot"))
			if err != nil {
				return err
			}
			defer stop()
			return f(o)
		}
	}
	cron := func(name string, more ...string) func(*office) []string {
		return func(*office) []string {
			return append([]string{"--config", "dh/config", "--cron", "-d", name, "--alias", strings.TrimPrefix(name, "*.")}, more...)
		}
	}
	return peer{name: "dehydrated", program: "dehydrated", acts: []act{
		{name: "http-01", run: func(o *office) error {
			if err := prepare(o, ""); err != nil {
				return err
			}
			return withWeb(run(env, "dehydrated", cron("http.dh.test"), "http.dh.test", "valid"))(o)
		}},
		{name: "dns-01, wildcard", run: func(o *office) error {
			hook := o.script("dhhook", `[ "$1" = deploy_challenge ] || exit 0`+"\n"+`curl -sf --get --data-urlencode "name=_acme-challenge.$2" --data-urlencode "value=$4" `+o.control+"/set")
			return run(env, "dehydrated", cron("*.wild.dh.test", "-t", "dns-01", "-k", hook), "*.wild.dh.test", "valid")(o)
		}},
		{name: "renew", run: withWeb(run(env, "dehydrated", cron("http.dh.test", "-x"), "http.dh.test", "valid"))},
		{name: "revoke", run: run(env, "dehydrated", func(*office) []string {
			return []string{"--config", "dh/config", "--revoke", "dh/certs/http.dh.test/cert.pem"}
		}, "http.dh.test", "revoked")},
		{name: "bound account (EAB)", run: func(o *office) error {
			second, kid, key := bound(o, "dehydrated")
			if err := prepare(second, fmt.Sprintf("EAB_KID=%q\nEAB_HMAC_KEY=%q\n", kid, key)); err != nil {
				return err
			}
			return withWeb(run(env, "dehydrated", cron("eab.dh.test"), "eab.dh.test", "valid"))(second)
		}},
	}}
}

// uacme only trusts the system's roots: it runs where ours lies over them, in a mount namespace of its own.
func uacme() peer {
	call := func(args ...string) func(*office) error {
		return func(o *office) error {
			hook := o.script("uahook", `[ "$1" = begin ] && [ "$2" = http-01 ] || { [ "$1" != begin ]; exit; }`+"\n"+`mkdir -p uaroot/.well-known/acme-challenge`+"\n"+`printf %s "$5" >uaroot/.well-known/acme-challenge/$4`)
			all := append([]string{"-m", "sh", "-c", `mount --bind "$0" /etc/ssl/certs/ca-certificates.crt && exec uacme "$@"`, o.root, "-a", o.directory, "-c", "ua", "-y", "-h", hook}, args...)
			_, err := o.run(nil, "unshare", all...)
			return err
		}
	}
	obtain := func(name string, args ...string) func(*office) error {
		return func(o *office) error {
			if os.Geteuid() != 0 {
				return fmt.Errorf("only root can show it our root")
			}
			if err := os.MkdirAll(filepath.Join(o.dir, "uaroot"), 0o755); err != nil {
				return err
			}
			stop, err := o.webroot(filepath.Join(o.dir, "uaroot"))
			if err != nil {
				return err
			}
			defer stop()
			if err := call(append(args, "issue", name)...)(o); err != nil {
				return err
			}
			return o.want(name, "valid")
		}
	}
	return peer{name: "uacme", program: "uacme", acts: []act{
		{name: "http-01", run: func(o *office) error {
			if err := call("new")(o); err != nil {
				return err
			}
			return obtain("http.ua.test")(o)
		}},
		{name: "renew", run: obtain("http.ua.test", "-f")},
		{name: "new account key", run: call("newkey")},
		{name: "revoke", run: func(o *office) error {
			if err := call("revoke", "ua/http.ua.test/cert.pem")(o); err != nil {
				return err
			}
			return o.want("http.ua.test", "revoked")
		}},
	}}
}

func caddy() peer {
	obtain := func(name, disabled string) func(*office) error {
		return func(o *office) error {
			file := filepath.Join(o.dir, "Caddyfile")
			if err := os.WriteFile(file, []byte(caddyfile(o, name, disabled)), 0o600); err != nil {
				return err
			}
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			cmd := exec.CommandContext(ctx, "caddy", "run", "--config", file, "--adapter", "caddyfile")
			cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+filepath.Join(o.dir, "caddydata"), "XDG_CONFIG_HOME="+filepath.Join(o.dir, "caddyconfig"), "HOME="+o.dir)
			log, err := os.Create(filepath.Join(o.dir, "caddy.log"))
			if err != nil {
				return err
			}
			cmd.Stdout, cmd.Stderr = log, log
			if err := cmd.Start(); err != nil {
				return err
			}
			defer func() { cancel(); _ = cmd.Wait() }()
			for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
				if o.state(name) == "valid" {
					return nil
				}
			}
			said, _ := os.ReadFile(log.Name())
			return fmt.Errorf("no certificate: %s", tail(said))
		}
	}
	return peer{name: "Caddy", program: "caddy", acts: []act{
		{name: "http-01", run: obtain("http.caddy.test", "disable_tlsalpn_challenge")},
		{name: "tls-alpn-01", run: obtain("tls.caddy.test", "disable_http_challenge")},
	}}
}

func caddyfile(o *office, name, option string) string {
	return fmt.Sprintf("{\n\tadmin off\n\thttp_port %s\n\thttps_port %s\n}\n%s {\n\ttls {\n\t\tissuer acme {\n\t\t\tdir %s\n\t\t\ttrusted_roots %s\n\t\t\t%s\n\t\t}\n\t}\n\trespond ok\n}\n",
		o.webPort, o.tlsPort, name, o.directory, o.root, option)
}

// cryptoACME is golang.org/x/crypto/acme, the library.
func cryptoACME() peer {
	var client *acme.Client
	var cert []byte
	var certKey *ecdsa.PrivateKey
	obtain := func(name, kind string) func(*office) error {
		return func(o *office) error {
			der, key, err := cryptoObtain(o, client, name, kind)
			cert, certKey = der, key
			if err != nil {
				return err
			}
			return o.want(name, "valid")
		}
	}
	return peer{name: "x/crypto/acme", acts: []act{
		{name: "http-01", run: func(o *office) (err error) {
			if client, err = cryptoClient(o); err != nil {
				return err
			}
			if _, err := client.Register(o.t.Context(), &acme.Account{}, acme.AcceptTOS); err != nil {
				return err
			}
			return obtain("http.xc.test", "http-01")(o)
		}},
		{name: "tls-alpn-01", run: func(o *office) error { return obtain("tls.xc.test", "tls-alpn-01")(o) }},
		{name: "revoke", run: func(o *office) error {
			if err := client.RevokeCert(o.t.Context(), nil, cert, acme.CRLReasonSuperseded); err != nil {
				return err
			}
			return o.want("tls.xc.test", "revoked")
		}},
		{name: "revoke by key", run: func(o *office) error {
			if err := obtain("key.xc.test", "http-01")(o); err != nil {
				return err
			}
			if err := client.RevokeCert(o.t.Context(), certKey, cert, acme.CRLReasonKeyCompromise); err != nil {
				return err
			}
			return o.want("key.xc.test", "revoked")
		}},
		{name: "new account key", run: func(o *office) error {
			key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				return err
			}
			if err := client.AccountKeyRollover(o.t.Context(), key); err != nil {
				return err
			}
			return obtain("rolled.xc.test", "http-01")(o)
		}},
		{name: "bound account (EAB)", run: func(o *office) error {
			second, kid, key := bound(o, "xc")
			raw, err := base64.RawURLEncoding.DecodeString(key)
			if err != nil {
				return err
			}
			other, err := cryptoClient(second)
			if err != nil {
				return err
			}
			_, err = other.Register(o.t.Context(), &acme.Account{ExternalAccountBinding: &acme.ExternalAccountBinding{KID: kid, Key: raw}}, acme.AcceptTOS)
			return err
		}},
	}}
}

func cryptoClient(o *office) (*acme.Client, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(o.root)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return &acme.Client{Key: key, DirectoryURL: o.directory, HTTPClient: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}}, nil
}

func cryptoObtain(o *office, c *acme.Client, name, kind string) ([]byte, *ecdsa.PrivateKey, error) {
	ctx := o.t.Context()
	ordered, err := c.AuthorizeOrder(ctx, acme.DomainIDs(name))
	if err != nil {
		return nil, nil, err
	}
	for _, url := range ordered.AuthzURLs {
		a, err := c.GetAuthorization(ctx, url)
		if err != nil {
			return nil, nil, err
		}
		for _, ch := range a.Challenges {
			if ch.Type != kind {
				continue
			}
			stop, err := o.present(c, ch, name)
			if err != nil {
				return nil, nil, err
			}
			defer stop()
			if _, err := c.Accept(ctx, ch); err != nil {
				return nil, nil, err
			}
		}
		if _, err := c.WaitAuthorization(ctx, url); err != nil {
			return nil, nil, err
		}
	}
	if ordered, err = c.WaitOrder(ctx, ordered.URI); err != nil {
		return nil, nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{name}}, key)
	if err != nil {
		return nil, nil, err
	}
	chain, _, err := c.CreateOrderCert(ctx, ordered.FinalizeURL, csr, true)
	if err != nil {
		return nil, nil, err
	}
	return chain[0], key, nil
}

// present answers a challenge for the library.
func (o *office) present(c *acme.Client, ch *acme.Challenge, name string) (stop func(), err error) {
	if ch.Type == "tls-alpn-01" {
		cert, err := c.TLSALPN01ChallengeCert(ch.Token, name)
		if err != nil {
			return nil, err
		}
		return o.shakeHands(&cert)
	}
	proof, err := c.HTTP01ChallengeResponse(ch.Token)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:"+o.webPort)
	if err != nil {
		return nil, err
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, proof) })}
	go func() { _ = s.Serve(l) }()
	return func() { _ = s.Close() }, nil
}

// shakeHands serves tls-alpn-01 by a certificate, until stop.
func (o *office) shakeHands(cert *tls.Certificate) (stop func(), err error) {
	l, err := tls.Listen("tcp", "127.0.0.1:"+o.tlsPort, &tls.Config{Certificates: []tls.Certificate{*cert}, NextProtos: []string{acme.ALPNProto}})
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = conn.Read(make([]byte, 1))
				_ = conn.Close()
			}()
		}
	}()
	return func() { _ = l.Close() }, nil
}

// ourselves is `tlswright acme`.
func ourselves(program string) peer {
	env := func(o *office) []string { return []string{"TLSWRIGHT_HOME=" + o.home} }
	obtain := func(name string, more ...string) func(*office) []string {
		return func(o *office) []string {
			all := []string{"acme", "obtain", name, "--server", o.directory}
			for _, f := range more {
				all = append(all, strings.NewReplacer("WEB", "127.0.0.1:"+o.webPort, "TLS", "127.0.0.1:"+o.tlsPort, "HOOK", filepath.Join(o.dir, "ourhook")).Replace(f))
			}
			return all
		}
	}
	do := func(args ...string) func(*office) []string { return func(*office) []string { return args } }
	return peer{name: "tlswright acme", acts: []act{
		{name: "http-01", run: run(env, program, obtain("http.our.test", "--listen", "WEB"), "http.our.test", "valid")},
		{name: "dns-01, wildcard", run: func(o *office) error {
			o.script("ourhook", `[ "$1" = add ] || exit 0`+"\n"+`curl -sf --get --data-urlencode "name=$3" --data-urlencode "value=$4" `+o.control+"/set")
			return run(env, program, obtain("*.wild.our.test", "--dns-hook", "HOOK"), "*.wild.our.test", "valid")(o)
		}},
		{name: "tls-alpn-01", run: run(env, program, obtain("tls.our.test", "--tls-alpn", "--listen", "TLS"), "tls.our.test", "valid")},
		{name: "renew", run: run(env, program, do("acme", "renew", "http.our.test", "--force"), "http.our.test", "valid")},
		{name: "revoke by key", run: run(env, program, do("acme", "revoke", "http.our.test"), "http.our.test", "revoked")},
		{name: "revoke", run: func(o *office) error {
			return run(env, program, func(o *office) []string {
				return []string{"acme", "revoke", "--cert", filepath.Join(o.home, "acme/live/tls.our.test/cert.pem"), "--server", o.directory}
			}, "tls.our.test", "revoked")(o)
		}},
		{name: "new account key", run: func(o *office) error {
			_, err := o.run(env(o), program, "acme", "account", "--server", o.directory, "--new-key")
			return err
		}},
		{name: "bound account (EAB)", run: func(o *office) error {
			second, kid, key := bound(o, "ours")
			file := filepath.Join(second.dir, "hmac")
			if err := os.WriteFile(file, []byte(key+"\n"), 0o600); err != nil {
				return err
			}
			return run(env, program, obtain("eab.our.test", "--listen", "WEB", "--eab-kid", kid, "--eab-key-file", file), "eab.our.test", "valid")(second)
		}},
	}}
}
