package scan

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/freeport"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/ocsp"
)

// nginx serves these server blocks until the test ends. PORT0, PORT1 … stand for free ports, which it returns.
func nginx(t *testing.T, count int, blocks string) []int {
	t.Helper()
	dir := t.TempDir()
	ports, err := freeport.Numbers(count)
	if err != nil {
		t.Fatal(err)
	}
	for i := range slices.Backward(ports) {
		blocks = strings.ReplaceAll(blocks, fmt.Sprintf("PORT%d", i), fmt.Sprintf("127.0.0.1:%d", ports[i]))
	}
	config := fmt.Sprintf("daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log; events { }\nhttp { access_log off; default_type text/html;\n"+
		"client_body_temp_path %[1]s/a; proxy_temp_path %[1]s/b; fastcgi_temp_path %[1]s/c; uwsgi_temp_path %[1]s/d; scgi_temp_path %[1]s/e;\n%[2]s\n}\n", dir, blocks)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	startOld(t, ports[count-1], "nginx", "-e", filepath.Join(dir, "error.log"), "-c", file)
	return ports
}

// lookAt scans one port of loopback as lab.test, by the probes of certificates and HTTP alone.
func lookAt(t *testing.T, ca *pkitest.CA, port int, change func(*Options)) *grade.Facts {
	t.Helper()
	o := Options{AllowPrivate: true, HTTPPort: port, Stores: []Store{{Name: "own CA", Roots: ca.Roots()}}}
	if change != nil {
		change(&o)
	}
	h := newHost(New(o), Target{Host: "127.0.0.1", Port: port, ServerName: "lab.test"}, netip.MustParseAddr("127.0.0.1"))
	h.run(t.Context(), slices.Concat(coreProbes(), certificateProbes()))
	return h.finished()
}

func TestNginxSaysWhatItWasToldTo(t *testing.T) {
	o := newOffice(t)
	leaf := o.issue(func(r *pki.Request) { r.OCSPServers = []string{o.url + "/ocsp"} })
	files := leaf.Files()
	staple := filepath.Join(t.TempDir(), "staple")
	if err := os.WriteFile(staple, o.staple(leaf.Certificate, ocsp.Good), 0o600); err != nil {
		t.Fatal(err)
	}
	tls := fmt.Sprintf("ssl_certificate %s; ssl_certificate_key %s; server_name lab.test; ", files.FullChain, files.Key)
	ports := nginx(t, 7, `
server { listen PORT0 ssl; `+tls+`ssl_protocols TLSv1.2 TLSv1.3; ssl_stapling on; ssl_stapling_file `+staple+`;
  add_header Strict-Transport-Security "max-age=63072000; includeSubDomains; preload" always; add_header Set-Cookie "sid=secret; Secure; HttpOnly; SameSite=Lax";
  add_header Content-Security-Policy "default-src 'self'"; add_header Alt-Svc 'h3=":443"'; return 200 "hello"; }
server { listen PORT1 ssl; `+tls+`ssl_protocols TLSv1.2; return 200 "no HSTS"; }
server { listen PORT2 ssl; `+tls+`ssl_protocols TLSv1.3; add_header Strict-Transport-Security "max-age=300"; gzip on; gzip_min_length 1; gzip_types *; return 200 "short"; }
server { listen PORT3 ssl; `+tls+`ssl_protocols TLSv1 TLSv1.1; ssl_ciphers ALL:@SECLEVEL=0; add_header Strict-Transport-Security "max-age=0" always; return 404; }
server { listen PORT4 ssl; `+tls+`ssl_client_certificate `+o.RootFile()+`; ssl_verify_client on; return 200; }
server { listen PORT5; server_name lab.test; return 301 https://lab.test/; }
server { listen PORT6; server_name lab.test; return 200 "plain"; }`)
	check := func(name string, ok bool, f any) {
		t.Helper()
		if !ok {
			t.Errorf("%s: %+v", name, f)
		}
	}
	f := lookAt(t, o.CA, ports[0], func(o *Options) { o.HTTPPort = ports[5] })
	h := f.HTTP
	check("gaps", h != nil && len(f.Gaps) <= 1, f.Gaps)
	check("front page", h.Status == 200 && strings.HasPrefix(h.Server, "nginx") && f.Software == h.Server && h.AltSvc != "", h)
	check("HSTS", h.HSTS.Present && h.HSTS.MaxAge == 63072000 && h.HSTS.SubDomains && h.HSTS.Preload && h.HSTS.Invalid == "", h.HSTS)
	check("preload", h.HSTS.Preloadble == grade.Yes, h.HSTS)
	check("cookie", len(h.Cookies) == 1 && h.Cookies[0] == grade.Cookie{Name: "sid", Secure: true, HTTPOnly: true, SameSite: "Lax"}, h.Cookies)
	check("redirect", h.PlainHTTP == grade.Yes && h.RedirectsToHTTPS == grade.Yes && h.Permanent == grade.Yes && len(h.Redirects) == 1, h)
	check("chain", len(f.Chains) == 1 && f.Chains[0].Trusted == grade.Yes && f.Chains[0].NameMatches == grade.Yes && f.Chains[0].Revoked == grade.No, f.Chains)
	check("staple", f.Chains[0].Staple != nil && f.Chains[0].Staple.Valid && f.Chains[0].Staple.Status == "good", f.Chains[0].Staple)

	f = lookAt(t, o.CA, ports[1], func(o *Options) { o.HTTPPort = ports[6] })
	check("no HSTS", f.HTTP != nil && f.HTTP.Status == 200 && !f.HTTP.HSTS.Present && f.HTTP.HSTS.Preloadble == grade.Unasked, f.HTTP)
	check("no redirect", f.HTTP.PlainHTTP == grade.Yes && f.HTTP.RedirectsToHTTPS == grade.No, f.HTTP)
	check("no staple", f.Chains[0].Staple == nil, f.Chains[0].Staple)

	f = lookAt(t, o.CA, ports[2], func(o *Options) { o.Offline = true })
	check("short HSTS", f.HTTP != nil && f.HTTP.HSTS.MaxAge == 300 && f.HTTP.HSTS.Preloadble == grade.No, f.HTTP)
	check("gzip", f.HTTP.ContentEncoding == "gzip" && f.HTTP.PlainHTTP == grade.Unasked, f.HTTP)

	f = lookAt(t, o.CA, ports[3], nil)
	check("HSTS off, by an old protocol", f.HTTP != nil && f.HTTP.Status == 404 && f.HTTP.HSTS.Present && f.HTTP.HSTS.MaxAge == 0, f.HTTP)

	f = lookAt(t, o.CA, ports[4], nil)
	check("client certificate", f.HTTP != nil && f.HTTP.Status == 400, f.HTTP)
}

func TestQuickScansTellOfHSTSToo(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	files := ca.Server(pkitest.P256, "lab.test").Files()
	ports := nginx(t, 1, fmt.Sprintf(`server { listen PORT0 ssl; ssl_certificate %s; ssl_certificate_key %s; add_header Strict-Transport-Security "max-age=5"; return 200; }`, files.FullChain, files.Key))
	s := New(Options{Quick: true, Stores: []Store{{Name: "own CA", Roots: ca.Roots()}}})
	all, err := s.Scan(t.Context(), Target{Host: "127.0.0.1", Port: ports[0], ServerName: "lab.test"})
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	f := all[0]
	if f.HTTP == nil || f.HTTP.HSTS.MaxAge != 5 || len(f.Chains) != 1 || f.Chains[0].Trusted != grade.Yes || f.Connections != 1 {
		t.Errorf("%+v in %d connections, gaps %v", f.HTTP, f.Connections, f.Gaps)
	}
}

func TestRedirectsWithinTheHostAreFollowed(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	files := ca.Server(pkitest.P256, "lab.test").Files()
	tls := fmt.Sprintf("ssl_certificate %s; ssl_certificate_key %s; server_name lab.test; ", files.FullChain, files.Key)
	ports := nginx(t, 3, `
server { listen PORT0 ssl; `+tls+`absolute_redirect off; add_header Strict-Transport-Security "max-age=7" always;
  location = / { add_header Set-Cookie "a=1"; add_header Strict-Transport-Security "max-age=6" always; return 302 /login; }
  location = /login { add_header Set-Cookie "b=2; Secure"; add_header X-Frame-Options DENY; return 200; } }
server { listen PORT1 ssl; `+tls+`return 301 http://lab.test/; }
server { listen PORT2 ssl; `+tls+`absolute_redirect off; ssl_protocols TLSv1.3; location / { return 301 /x$uri; } }`)
	offline := func(o *Options) { o.Offline = true }
	f := lookAt(t, ca, ports[0], offline).HTTP
	if f == nil || f.Status != 200 || len(f.Followed) != 1 || f.HSTS.MaxAge != 6 || len(f.Cookies) != 2 || f.LeadsToHTTP != grade.No || !strings.HasSuffix(f.URL, "/login") {
		t.Errorf("to a page: %+v", f)
	}
	if !slices.Contains(f.Headers, grade.Header{Name: "X-Frame-Options", Value: "DENY"}) {
		t.Errorf("headers of the page: %+v", f.Headers)
	}
	f = lookAt(t, ca, ports[1], offline).HTTP
	if f == nil || f.Status != 301 || len(f.Followed) != 1 || f.LeadsToHTTP != grade.Yes {
		t.Errorf("to plain HTTP: %+v", f)
	}
	f = lookAt(t, ca, ports[2], offline).HTTP
	if f == nil || f.Status != 301 || len(f.Followed) != maxPages {
		t.Errorf("without end: %+v", f)
	}
}
