package config

import (
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tlswright/tlswright/internal/access"
)

func gatewayExample(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/gateway.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestGatewaysAreRead(t *testing.T) {
	g, err := ReadGateway(gatewayExample(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(g.Listeners) != 5 || len(g.Sites) != 6 || g.AccessLog != "access.log" || g.Metrics != "127.0.0.1:9443" || g.User != "www-data" || g.Tickets != "tickets.key" || !g.AllowPrivate {
		t.Errorf("%+v", g)
	}
	want := Limits{Connections: 10000, PerAddress: -1, Handshake: 10 * time.Second, HeaderTime: 10 * time.Second, BodyTime: -1, Idle: 2 * time.Minute, HeaderBytes: 64 << 10, BodyBytes: 10 << 20}
	if g.Limits != want {
		t.Errorf("%+v", g.Limits)
	}
	for i, want := range []Listener{
		{Name: "web", Address: ":8443", Protocol: ProtocolHTTPS, Sites: []string{"app", "api", "files"}, Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.7/32")},
			ECHKeys: []ECHKeyFile{{File: "ech.pem", Place: Place{9, 18}}, {File: "ech-2025.pem", Old: true, Place: Place{10, 22}}},
			Limits:  Limits{Connections: 5000, PerAddress: 100}, Place: Place{4, 7}},
		{Address: ":8080", Protocol: ProtocolHTTP, Sites: []string{"app", "api", "files"}, Place: Place{12, 7}},
		{Name: "database", Address: "127.0.0.1:5433", Protocol: ProtocolTLS, Sites: []string{"database"}, Place: Place{13, 7}},
		{Name: "out", Address: "unix:run/out.sock", Protocol: ProtocolPlain, Sites: []string{"partner"}, Place: Place{17, 7}},
		{Address: "systemd:spare", Protocol: ProtocolTLS, Sites: []string{"echo"}, Place: Place{21, 7}},
	} {
		if d := cmp.Diff(want, g.Listeners[i], cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); d != "" {
			t.Error(d)
		}
	}
	app := g.Sites[0]
	if !cmp.Equal(app.Hosts, []string{"app.example", "*.app.example", "192.0.2.1"}) || len(app.Certificate.Files) != 2 || app.Certificate.OCSP != StapleOff || app.Profile != "modern" || !app.Page || !app.NoRedirect ||
		app.Target.URL != "http://127.0.0.1:3000" || app.Place != (Place{24, 5}) {
		t.Errorf("%+v", app)
	}
	clients := Clients{Mode: ClientsRequest, CA: []string{"clients.pem"}, OwnCA: true, CRL: []string{"extra.crl", "http://ca.example/more.crl"}, Revocation: RevocationSoft, CloseOnRevoke: true,
		Policy: &access.Policy{Name: "sites.app.clients", Allow: []access.Rule{{Name: "sites.app.clients.allow", Anyone: true}}, Deny: []access.Rule{{Name: "sites.app.clients.deny[0]", Serial: "1A:2B"}}}}
	if d := cmp.Diff(&clients, app.Clients); d != "" {
		t.Error(d)
	}
	headers := Headers{HSTS: 365 * day, HSTSSubdomains: true, HSTSPreload: true, CSP: "strict", Frame: "SAMEORIGIN", Extra: map[string]string{"X-Robots-Tag": "noindex", "Server": ""}}
	if d := cmp.Diff(headers, app.Headers); d != "" {
		t.Error(d)
	}
	testRoutes(t, app.Routes)
	api, files, database := g.Sites[1], g.Sites[2], g.Sites[3]
	acme := &ACME{Directory: "https://acme.example/directory", Email: "ops@corp.example", CA: "acme.pem", Profile: "tlsserver", Binding: "binding.json", Challenge: "http-01"}
	if !cmp.Equal(api.Certificate.ACME, acme) || api.EarlyData != 16<<10 || !api.Headers.Off || api.Target.URL != "unix+http:run/api.sock" || !cmp.Equal(api.Hosts, []string{"api.example"}) {
		t.Errorf("%+v", api)
	}
	if files.Certificate.Live != "files.example" || files.Target.Dir != "./public" || !database.Certificate.Own || !database.Clients.OwnCA || database.Clients.Mode != ClientsRequire || !database.Target.ProxyProtocol ||
		!database.Clients.Policy.Allow[0].IsEmpty() || database.Clients.Policy.LetsAnonymousIn() || !g.Sites[5].Target.Echo {
		t.Errorf("%+v, %+v", files, database)
	}
}

func TestDocumentedGatewaysAreRead(t *testing.T) {
	page, err := os.ReadFile("../../docs/gateway.md")
	if err != nil {
		t.Fatal(err)
	}
	whole := 0
	for _, part := range strings.Split(string(page), "```yaml\n")[1:] {
		text, _, _ := strings.Cut(part, "```")
		if !strings.Contains(text, "gateway:\n") {
			continue
		}
		whole++
		if _, err := ReadGateway([]byte(text)); err != nil {
			t.Errorf("%s\n%v", text, err)
		}
	}
	if whole < 2 || !strings.Contains(string(page), string(gatewayExample(t))) {
		t.Errorf("%d whole files on the page; is the one with every key there?", whole)
	}
}

func testRoutes(t *testing.T, routes []Route) {
	t.Helper()
	if len(routes) != 5 || routes[0].Path != "/admin" || !cmp.Equal(routes[0].Methods, []string{"GET", "POST"}) || routes[2].Path != "=/health" || routes[2].Target.Status != 204 || routes[3].Target.Dir != "public" {
		t.Fatalf("%+v", routes)
	}
	p := routes[0].Policy
	const name = "sites.app.routes[GET,POST /admin]"
	if len(p.Allow) != 7 || p.Name != name || p.Allow[0] != (access.Rule{Name: name + ".allow[0]", CN: "alice", OU: "ops"}) || p.Allow[1].CN != "bob" || p.Allow[1].OU != "ops" || p.Allow[2].DNS != "*.corp.example" ||
		p.Allow[2].Name != name+".allow[1]" || len(p.Deny) != 1 || p.Deny[0].CN != "mallory" || p.Deny[0].Name != name+".deny" {
		t.Errorf("%+v", p)
	}
	if closed := routes[1].Policy; closed == nil || len(closed.Allow)+len(closed.Deny) != 0 || closed.Decide(access.Subject{Present: true}).Allowed {
		t.Errorf("%+v", closed)
	}
	if tools := routes[4].Target; tools.CA != "tools.pem" || tools.Cert != "gateway.pem" || tools.Key != "gateway.key" || tools.ServerName != "tools.corp.example" || len(tools.Pins) != 1 || !tools.PinsAlone {
		t.Errorf("%+v", tools)
	}
}

// site and listener wrap a piece into a whole file.
func site(body string) string {
	return "gateway:\n  listeners: [{address: ':8443'}]\n  sites:\n    app: " + body
}

func listener(body string) string {
	return "gateway:\n  listeners: [" + body + "]\n  sites: {app: {target: 404}}"
}

func TestWhatBindsToNothingIsAnError(t *testing.T) {
	tls := func(body string) string {
		return "gateway: {listeners: [{address: ':1', protocol: tls}], sites: {app: " + body + "}}"
	}
	for _, c := range []struct{ text, want string }{
		{"", "the file is empty"}, {"monitor: {}", "no section gateway"}, {"gatway: {}", `unknown key "gatway"`},
		{"gateway: {sites: {app: {target: 404}}}", "listens nowhere"}, {"gateway: {listeners: [':8443']}", "has no sites"},
		// Sites and listeners that do not meet.
		{"gateway: {listeners: [{address: ':1', protocol: tls}], sites: {app: {target: 404}}}", "listener :1 reaches no site"},
		{"gateway: {listeners: [':1'], sites: {app: {target: 404}, db: {target: 'tcp://127.0.0.1:1'}}}", "no listener reaches site db"},
		{"gateway: {listeners: [{address: ':1', sites: [app]}], sites: {app: {target: 404}, b: {hosts: b, target: 404}}}", "no listener reaches site b"},
		{"gateway: {listeners: [{address: ':1', protocol: http}], sites: {app: {target: 404}}}", "listener :1 reaches no site"},
		{"gateway: {listeners: [{address: ':1', sites: [db]}], sites: {db: {target: 'tcp://127.0.0.1:1'}}}", "is not HTTP; a listener with protocol: tls"},
		{"gateway: {listeners: [{address: ':1', protocol: tls, sites: [a]}], sites: {a: {target: 404}}}", "it is a site of HTTP"},
		{"gateway: {listeners: [{address: ':1', sites: [ap]}], sites: {app: {target: 404}}}", `there is no site "ap"`},
		{"gateway: {listeners: [':1', {address: ':2', protocol: tls}, {address: ':3', protocol: http, sites: [b]}], sites: {a: {target: 404}, b: {target: 'tcp://b:1'}}}", "nothing to redirect to"},
		{"gateway: {listeners: [{address: ':1', sites: []}], sites: {app: {target: 404}}}", "sites is empty"},
		{"gateway: {listeners: [{address: ':1', protocol: plain}], sites: {a: {target: 'tls://a:1'}, b: {target: 'tls://b:1'}}}", "have no names to choose by"},
		{"gateway: {listeners: [{address: ':1', protocol: plain, sites: [a]}], sites: {a: {target: 'tls://a:1', hosts: a.example}}}", "knows no hosts"},
		{"gateway: {listeners: [{address: ':1', protocol: plain, sites: [a]}], sites: {a: {target: 'tcp://a:1'}}}", "tls://HOST:PORT"},
		{"gateway: {listeners: [':1', ':1'], sites: {app: {target: 404}}}", "two listeners are called :1"},
		{"gateway: {listeners: [{name: a, address: ':1'}, {name: b, address: ':1'}], sites: {app: {target: 404}}}", "two listeners have the address :1"},
		{"gateway: {listeners: [{name: a, address: ':1'}, {name: a, address: ':2'}], sites: {app: {target: 404}}}", "two listeners are called a"},
		{"gateway: {listeners: [':1'], sites: {a: {target: 404}, b: {target: 404}}}", "sites a and b of listener :1 have no hosts both"},
		{"gateway: {listeners: [':1'], sites: {a: {hosts: x.example, target: 404}, b: {hosts: [y.example, X.example], target: 404}}}", "x.example leads to the sites a and b"},
		// Settings without effect.
		{tls("{target: 'tcp://a:1', page: true}"), "page has no effect"}, {tls("{target: 'tcp://a:1', headers: off}"), "headers has no effect"},
		{tls("{target: 'tcp://a:1', routes: [{path: /a, target: 404}]}"), "routes has no effect"}, {tls("{target: 'tcp://a:1', early-data: 1KiB}"), "early-data has no effect"},
		{tls("{target: echo, headers: off}"), "no listener reaches it by HTTP"},
		{site("{target: 404, page: true}"), "nobody is refused here"}, {site("{target: 404, redirect: false}"), "nothing is redirected"},
		{site("{target: 404, early-data: 1KiB, clients: {ca: own, allow: verified}}"), "before anybody has proven who they are"},
		{site("{hosts: a}"), "site app has no target"}, {site("{target: {url: 'http://a', ca: x}}"), "does not speak TLS"}, {site("{target: {url: 'http://a', proxy-protocol: true}}"), "for tcp:, tls: and unix: targets"},
		{site("{target: {url: 'http://a', dir: b}}"), "2 targets"}, {site("{target: {}}"), "0 targets"}, {site("{target: {ca: b}}"), "0 targets"}, {site("{target: {url: 'https://a', cert: b}}"), "a certificate and no key"},
		{site("{target: {url: 'https://a', pins: [sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=]}}"), "has no backup"}, {site("{target: {url: 'https://a', pins-alone: true}}"), "for a single pin"},
		// Clients.
		{site("{target: 404, clients: {allow: verified}}"), "whose certificates count"}, {site("{target: 404, clients: {ca: own}}"), "does not say who may come in"},
		{site("{target: 404, clients: {ca: own, deny: [{cn: a}]}}"), "does not say who may come in"}, {site("{target: 404, clients: {ca: own, allow: anyone}}"), "and yet a certificate is required"},
		{site("{target: 404, clients: {ca: own, allow: []}}"), "is empty"}, {site("{target: 404, clients: {ca: own, allow: [{}]}}"), "asks for nothing"}, {site("{target: 404, clients: {ca: own, allow: [alice]}}"), "is no rule"}, {site("{target: 404, clients: {ca: own, allow: alice}}"), "is not known"},
		{site("{target: 404, clients: {ca: own, allow: verified, revocation: off, close-on-revoke: true}}"), "revocation is off"}, {site("{target: 404, clients: {ca: own, allow: verified, revocation: off, crl: a}}"), "revocation is off"},
		{site("{target: 404, clients: {ca: own, allow: [{dns: 'a..b'}]}}"), "empty label"}, {site("{target: 404, clients: {ca: own, allow: [{cn: ''}]}}"), "is empty"},
		// Routes.
		{site("{target: 404, routes: [{path: /a}]}"), "changes nothing"}, {site("{target: 404, routes: [{allow: nobody}]}"), "has no path"}, {site("{target: 404, routes: [{path: /a, allow: verified}]}"), "asks nobody for a certificate"},
		{site("{target: 404, routes: [{path: /a, target: 404}, {path: /a/, target: 403}]}"), "nothing gets here"}, {site("{target: 404, routes: [{path: /a, methods: GET, target: 404}, {path: /a, methods: [PUT, GET], target: 403}]}"), "same path and method GET"},
		{site("{target: 404, clients: {ca: own, allow: verified}, routes: [{path: /a, allow: anyone}]}"), "a route can only narrow"}, {site("{target: 404, clients: {ca: own, allow: verified}, routes: [{path: /a, deny: {cn: x}}]}"), "does not say who may come in"},
		{site("{target: 404, routes: [{path: /a, target: 'tcp://a:1'}]}"), "is not HTTP"},
		{site("{hosts: '*.a.example', target: 404, certificate: {acme: {directory: 'https://a'}}}"), "cannot be proven"}, {site("{target: 404, certificate: {acme: {directory: 'https://a'}}}"), "needs the names"},
		{site("{hosts: a.example, target: 404, certificate: {acme: {directory: 'https://a', challenge: http-01}}}"), "nothing answers http-01"},
	} {
		testRefused(t, c.text, c.want)
	}
}

// testRefused demands an error with a place and a text; what it says is on one line.
func testRefused(t *testing.T, text, want string) {
	t.Helper()
	g, err := ReadGateway([]byte(text))
	var e *Error
	switch {
	case err == nil:
		t.Errorf("%s: was read: %+v", text, g)
	case !errors.As(err, &e) || !strings.Contains(e.Text, want) || strings.Contains(e.Text, "\n"):
		t.Errorf("%s: %v, want %q", text, err, want)
	case e.Line == 0 && text != "":
		t.Errorf("%s: %v: without a place", text, err)
	case text != "" && !strings.Contains(e.Excerpt([]byte(text)), "^\n"):
		t.Errorf("%s: no excerpt: %q", text, e.Excerpt([]byte(text)))
	}
}

func TestBadValuesOfGatewaysAreRefused(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{listener("{address: '8443'}"), "not an address with a port"}, {listener("{address: 'a.example:1'}"), "not an address of this machine"}, {listener("{address: ':99999'}"), "is no port"}, {listener("{address: ':https'}"), "is no port"},
		{listener("{address: 'unix:'}"), "names no socket"}, {listener("{address: 'systemd:'}"), "names no socket"}, {listener("{protocol: http}"), "has no address"}, {listener("{address: ':1', protocol: htps}"), `"htps" is not known`},
		{listener("{address: ':1', name: 'a b'}"), "is no name"}, {listener("{address: ':1', proxies: [10.0.0.1/8]}"), "bits beyond its length"}, {listener("{address: ':1', proxies: 0.0.0.0/0}"), "let everybody say"}, {listener("{address: ':1', proxies: proxy}"), "neither an address nor a network"},
		{listener("{address: ':1', proxies: [10.0.0.1, 10.0.0.1]}"), "listed twice"},
		{listener("{address: ':1', ech-keys: []}"), "ech-keys is empty"}, {listener("{address: ':1', ech-keys: [a, b, a]}"), `"a" is listed twice`}, {listener("{address: ':1', ech-keys: a, ech-old-keys: a}"), "listed twice"}, {listener("{address: ':1', ech-old-keys: a}"), "none for clients to use"},
		{listener("{address: ':1', protocol: http, ech-keys: a}"), "no effect with protocol: http"}, {listener("{address: ':1', ech-keys: [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q]}"), "more than 16 keys"},
		{listener("{address: ':1', limits: {connections: 0}}"), `connections is "0"`}, {listener("{address: ':1', limits: {handshake: 10}}"), "is no time"}, {listener("{address: ':1', limits: {handshake: 0s}}"), "is no time"}, {listener("{address: ':1', limits: {idle: -5s}}"), "is no time"},
		{listener("{address: ':1', limits: {header-bytes: 8GiB}}"), "is no size"}, {listener("{address: ':1', limits: {body-bytes: 1 XB}}"), "is no size"}, {listener("{address: ':1', limits: {conections: 1}}"), "unknown key"},
		{"gateway: {listeners: ':1'}", "the gateway has no sites"}, {"gateway: {listeners: {address: ':1'}}", "is not a list"}, {"gateway: {metrics: ':9000'}", "can be reached by others"}, {"gateway: {metrics: '192.0.2.1:9000'}", "can be reached by others"},
		{"gateway: {sites: {'a b': {target: 404}}}", "no name for a site"}, {"gateway: {sites: {a: {target: 404}, a: {target: 404}}}", "already defined"}, {"gateway: {access-log: }", "has no value"}, {"gateway: {user: \"a\\u202eb\"}", "cannot be seen"},
		{site("{target: 404, hosts: 'https://a.example/'}"), "is no host"}, {site("{target: 404, hosts: 'a.*.example'}"), "does not belong into a name"}, {site("{target: 404, hosts: bücher.example}"), "xn--"}, {site("{target: 404, hosts: [a, A]}"), "listed twice"}, {site("{target: 404, hosts: []}"), "is empty"}, {site("{target: 404, hosts: '-a.b'}"), "hyphen"},
		{site("{target: 404, certificate: letsencrypt}"), "is not known"}, {site("{target: 404, certificate: {chain: a}}"), "a chain and no key"}, {site("{target: 404, certificate: {key: a}}"), "a key and no chain"}, {site("{target: 404, certificate: {chain: a, key: b, live: c}}"), "several sources: chain and key and live"},
		{site("{target: 404, certificate: {staple: off}}"), "does not say where"}, {site("{target: 404, certificate: {own: false}}"), "comes from nowhere"}, {site("{target: 404, certificate: {files: []}}"), "is empty"}, {site("{target: 404, certificate: {files: [{chain: a, key: b}, {chain: a, key: b}]}}"), "listed twice"},
		{site("{target: 404, certificate: {acme: {directory: 'http://a'}}}"), "no https URL"}, {site("{target: 404, certificate: {acme: {email: a}}}"), "does not say which server"}, {site("{target: 404, certificate: {acme: {directory: a}}}"), "no https URL"}, {site("{target: 404, certificate: {acme: {directory: 'https://a', email: b}}}"), "no e-mail address"},
		{site("{target: 302}"), "is no status"}, {site("{target: 999}"), "is no status"}, {site("{target: '127.0.0.1:3000'}"), "no scheme that is known"}, {site("{target: 'ftp://a'}"), `the scheme "ftp" is not known`}, {site("{target: 'http://u:p@a'}"), "would stand in logs"}, {site("{target: 'http://a?x=1'}"), "would be lost"},
		{site("{target: 'http://{host}'}"), "no http URL"}, {site("{target: 'http://*.a'}"), "not one host"}, {site("{target: 'tcp://a'}"), "has no port"}, {site("{target: 'tcp://a:1/x'}"), "has no paths"}, {site("{target: 'unix://a'}"), "names no socket"}, {site("{target: public}"), "is no target"}, {site("{target: 'http://a:0'}"), "is no port"},
		{site("{target: 404, profile: old}"), "is not known"}, {site("{target: 404, headers: on}"), "is not known"}, {site("{target: 404, headers: {hsts: 1}}"), "is no time"}, {site("{target: 404, headers: {hsts: off, hsts-subdomains: true}}"), "is off, and yet"}, {site("{target: 404, headers: {hsts-preload: true}}"), "all their subdomains"},
		{site("{target: 404, headers: {hsts: 30d, hsts-preload: true, hsts-subdomains: true}}"), "for a year or longer"}, {site("{target: 404, headers: {defaults: false, hsts-subdomains: true}}"), "the defaults are off"}, {site("{target: 404, headers: {set: {Content-Length: 1}}}"), "belongs to the connection"},
		{site("{target: 404, headers: {set: {'X A': 1}}}"), "no name of a header"}, {site("{target: 404, headers: {set: {X-A: \"a\\r\\nb\"}}}"), "not a value"}, {site("{target: 404, headers: {set: {X-A: a, x-a: b}}}"), "two spellings"}, {site("{target: 404, headers: {set: {Strict-Transport-Security: a}}}"), "is set by hsts"},
		{site("{target: 404, routes: [{path: admin, target: 404}]}"), "is no path"}, {site("{target: 404, routes: [{path: /a/*, target: 404}]}"), "have no patterns"}, {site("{target: 404, routes: [{path: /a%20b, target: 404}]}"), "no plain path"}, {site("{target: 404, routes: [{path: /a/../b, target: 404}]}"), "no request has the path"},
		{site("{target: 404, routes: [{path: //a, target: 404}]}"), "no request has the path"}, {site("{target: 404, routes: [{path: /a, methods: get, target: 404}]}"), "is no method"}, {site("{target: 404, routes: []}"), "0 entries"},
		{site("{target: 404, clients: {ca: own, allow: verified, crl: 'ftp://a'}}"), "neither a file nor an http URL"}, {site("{target: 404, clients: {ca: [own, own], allow: verified}}"), "listed twice"},
		{site("{target: {url: 'https://a', pins: [x, y]}}"), "44 characters"},
	} {
		testRefused(t, c.text, c.want)
	}
}

func TestRulesAreBounded(t *testing.T) {
	var values []string
	for i := range 40 {
		values = append(values, "v"+strings.Repeat("x", i))
	}
	list := "[" + strings.Join(values, ", ") + "]"
	testRefused(t, site("{target: 404, clients: {ca: own, allow: [{cn: "+list+", ou: "+list+"}]}}"), "more than 1000 combinations")
	entry := "{cn: " + list + ", ou: [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t]}"
	testRefused(t, site("{target: 404, clients: {ca: own, allow: ["+entry+", "+entry+"]}}"), "more than 1000 rules")
}

func TestExcerptsPointAtTheMistake(t *testing.T) {
	text := []byte("gateway:\n\n  listeners:\n    - adress: 127.0.0.1:1\n")
	_, err := ReadGateway(text)
	var e *Error
	if !errors.As(err, &e) || e.Hint != `did you mean "address"?` {
		t.Fatalf("%v", err)
	}
	if got, want := e.Excerpt(text), "  3 |   listeners:\n  4 |     - adress: 127.0.0.1:1\n    |       ^\n"; got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	for _, e := range []Error{{}, {Line: 99, Column: 1}} {
		if got := e.Excerpt(text); got != "" {
			t.Errorf("%q", got)
		}
	}
	hostile := []byte("a\x1b[31mb: " + strings.Repeat("x", 500))
	for _, column := range []int{0, 1, 7, 400, 509, 9999} {
		got := (&Error{Line: 1, Column: column}).Excerpt(hostile)
		if strings.Contains(got, "\x1b") || len(got) > 700 || strings.Count(got, "\n") != 2 {
			t.Errorf("column %d: %q", column, got)
		}
	}
}

func TestFileNamesAreRelativeToTheFile(t *testing.T) {
	g, err := ReadGateway(gatewayExample(t))
	if err != nil {
		t.Fatal(err)
	}
	g.RelativeTo("/etc/tlswright")
	app, api := g.Sites[0], g.Sites[1]
	for got, want := range map[string]string{
		g.AccessLog: "/etc/tlswright/access.log", g.Tickets: "/etc/tlswright/tickets.key", g.Listeners[3].Address: "unix:/etc/tlswright/run/out.sock", g.Listeners[0].Address: ":8443",
		app.Certificate.Files[1].Key: "/etc/tlswright/app-rsa.key", app.Clients.CA[0]: "/etc/tlswright/clients.pem", app.Clients.CRL[0]: "/etc/tlswright/extra.crl", app.Clients.CRL[1]: "http://ca.example/more.crl",
		app.Routes[3].Target.Dir: "/etc/tlswright/public", app.Routes[4].Target.CA: "/etc/tlswright/tools.pem", app.Routes[4].Target.URL: "https://tools.internal:8443/base",
		api.Certificate.ACME.CA: "/etc/tlswright/acme.pem", api.Certificate.ACME.Binding: "/etc/tlswright/binding.json", api.Target.URL: "unix+http:/etc/tlswright/run/api.sock", g.Sites[2].Target.Dir: "/etc/tlswright/public",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	const token = "pkcs11:token=gate;object=key"
	standard := &Gateway{AccessLog: "-", Sites: []Site{{Certificate: Certificates{Files: []CertificateFiles{{Chain: "chain.pem", Key: token}}}}}}
	standard.RelativeTo("/x")
	if pair := standard.Sites[0].Certificate.Files[0]; standard.AccessLog != "-" || standard.Tickets != "" || pair.Chain != "/x/chain.pem" || pair.Key != token {
		t.Errorf("%+v", standard)
	}
}

func FuzzReadGateway(f *testing.F) {
	f.Add(gatewayExample(f))
	f.Add([]byte(site("{target: 404, clients: {ca: own, allow: [{cn: [a, b]}]}, routes: [{path: /a, allow: nobody}]}")))
	f.Add([]byte(listener("{address: 'unix:x', limits: {idle: 1h}}")))
	f.Fuzz(func(t *testing.T, text []byte) {
		g, err := ReadGateway(text)
		var e *Error
		if err != nil {
			if !errors.As(err, &e) || strings.ContainsAny(e.Text+e.Hint, "\n\x1b") || strings.Contains(e.Excerpt(text), "\x1b") {
				t.Fatalf("%v", err)
			}
			return
		}
		for _, l := range g.Listeners {
			if l.Address == "" || len(l.Sites) == 0 {
				t.Fatalf("%+v", l)
			}
		}
		for _, s := range g.Sites {
			if s.Clients != nil && s.Clients.Policy == nil {
				t.Fatalf("%+v lets everybody in without a word", s)
			}
		}
	})
}
