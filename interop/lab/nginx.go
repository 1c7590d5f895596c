package lab

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	strong   = "ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20:@SECLEVEL=0; ssl_prefer_server_ciphers on; "
	twoYears = `add_header Strict-Transport-Security "max-age=63072000; includeSubDomains" always; `
)

// nginxGroup is one nginx with a server for each case: the certificates, and the switches that matter to a grade.
func nginxGroup() *Group {
	good := func(name, identity, grade string) *Config {
		return &Config{Name: "nginx: " + name, Identities: []string{identity}, Grade: grade, text: strong + twoYears, Ring: RingAccept}
	}
	with := func(name, grade, text string) *Config {
		return &Config{Name: "nginx: " + name, Identities: []string{"rsa"}, Grade: grade, text: text, Ring: RingAccept}
	}
	configs := []*Config{
		good("good", "rsa", "A+"), good("ECDSA", "ecdsa", "A+"), good("P-384", "p384", "A+"), good("Ed25519", "ed25519", ""), good("RSA-4096", "rsa4096", "A+"),
		good("RSA-1024", "rsa1024", "B"), good("RSA-512", "rsa512", "F"), good("P-192", "p192", "B"), good("SHA-1", "sha1", "T"), good("MD5", "md5", ""),
		good("wrong name", "wrong name", "M"), good("no SAN", "no SAN", "M"), good("must-staple without a staple", "must-staple", ""),
		good("ten years", "ten years", "A+"), good("wildcard", "wildcard", "A+"), good("expired", "expired", "T"), good("not yet valid", "not yet", "T"),
		good("self-signed", "self-signed", "T"), good("incomplete", "incomplete", "B"), good("root sent", "root sent", "A+"),
		good("out of order", "out of order", "A+"), good("surplus", "surplus", "A+"),
		with("no HSTS", "A", strong),
		with("short HSTS", "A", strong+`add_header Strict-Transport-Security "max-age=300"; `),
		with("HSTS off", "A-", strong+`add_header Strict-Transport-Security "max-age=0"; `),
		with("DHE-1024", "B", "ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers ECDHE+AESGCM:DHE+AESGCM:@SECLEVEL=0; ssl_dhparam DH1024; ssl_prefer_server_ciphers on; "+twoYears),
		with("anonymous", "F", "ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers ECDHE+AESGCM:AECDH-AES256-SHA:@SECLEVEL=0; "+twoYears),
		with("no forward secrecy", "B", "ssl_protocols TLSv1.2; ssl_ciphers kRSA+AESGCM:@SECLEVEL=0; "+twoYears),
		with("CBC only", "B", "ssl_protocols TLSv1.2; ssl_ciphers ECDHE+AES+SHA1:ECDHE-RSA-AES256-SHA384:@SECLEVEL=0; "+twoYears),
		with("TLS 1.2 only", "A-", "ssl_protocols TLSv1.2; ssl_ciphers ECDHE+AESGCM:@SECLEVEL=0; "+twoYears),
		with("TLS 1.3 only", "A+", "ssl_protocols TLSv1.3; "+twoYears),
		with("NULL", "F", "ssl_protocols TLSv1.2; ssl_ciphers eNULL:@SECLEVEL=0; "),
		with("TLS 1.0 only", "C", "ssl_protocols TLSv1; ssl_ciphers ECDHE+AES:kRSA+AES:@SECLEVEL=0; "),
		with("weak curves", "", "ssl_protocols TLSv1.2; ssl_ciphers ECDHE+AESGCM:@SECLEVEL=0; ssl_ecdh_curve secp192r1:secp224r1; "),
		with("old", "F", "ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; ssl_ciphers ALL:COMPLEMENTOFALL:@SECLEVEL=0; ssl_dhparam DH1024; ssl_prefer_server_ciphers on; "),
		with("Mozilla intermediate", "A+", "ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"+
			"ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:@SECLEVEL=1; "+
			"ssl_dhparam DH2048; ssl_prefer_server_ciphers off; ssl_session_tickets off; "+twoYears),
		with("3DES", "", "ssl_protocols TLSv1.2; ssl_ciphers ECDHE+AESGCM:ECDHE-RSA-DES-CBC3-SHA:DES-CBC3-SHA:@SECLEVEL=0; ssl_prefer_server_ciphers on; "+twoYears),
		with("gzip", "", strong+"gzip on; gzip_min_length 1; "),
		with("client certificate", "", strong+"ssl_client_certificate ROOT; ssl_verify_client on; "),
		with("0-RTT", "", strong+"ssl_early_data on; "+twoYears),
	}
	dual := good("RSA and ECDSA", "rsa", "A+")
	dual.Identities = []string{"rsa", "ecdsa"}
	refusing := with("no name, no service", "", strong+twoYears)
	refusing.more = []string{"strict"}
	configs = append(configs, dual, refusing)
	small := "good, no HSTS, DHE-1024, anonymous, CBC only, wrong name, no SAN, incomplete, TLS 1.2 only, TLS 1.3 only, RSA-1024, expired, old, RSA and ECDSA"
	for _, c := range configs {
		for _, name := range strings.Split(small, ", ") {
			if c.Name == "nginx: "+name {
				c.Ring = RingCI
			}
		}
	}
	return &Group{Program: "nginx", Configs: configs, start: startNginx}
}

// BenchGroup is an nginx with the good server, the old one, and one that listens on n addresses of loopback, FleetAddress of 0
// to n-1, beside its own.
func BenchGroup(n int) *Group {
	all := nginxGroup()
	g := &Group{Program: "nginx", start: startNginx}
	for _, c := range all.Configs {
		if c.Name == "nginx: good" || c.Name == "nginx: old" {
			g.Configs = append(g.Configs, c)
		}
	}
	g.Configs = append(g.Configs, &Config{Name: "fleet", Identities: []string{"ecdsa"}, text: strong + twoYears, addresses: n})
	return g
}

// FleetAddress is the i-th address of a fleet on loopback.
func FleetAddress(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{127, 1, byte(i / 250), byte(i%250 + 1)})
}

// Accepted is how many connections the group's nginx has taken so far, over all its ports.
func (l *Lab) Accepted(g *Group) (int, error) {
	conn, err := net.Dial("unix", filepath.Join(g.dir, "status"))
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("GET / HTTP/1.0\r\n\r\n")); err != nil {
		return 0, err
	}
	text, err := io.ReadAll(conn)
	if err != nil {
		return 0, err
	}
	_, numbers, ok := strings.Cut(string(text), "requests\n")
	if f := strings.Fields(numbers); ok && len(f) > 0 {
		return strconv.Atoi(f[0])
	}
	return 0, fmt.Errorf("nginx says %q", text)
}

const nginxMain = `daemon off; master_process off; worker_processes 1; pid DIR/pid; error_log DIR/error.log notice; worker_rlimit_nofile 4096;
events { worker_connections 2048; }
http {
 access_log off; client_body_temp_path DIR/body; proxy_temp_path DIR/proxy; fastcgi_temp_path DIR/fastcgi; uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;
 server { listen unix:DIR/status; location / { stub_status; } }
 default_type text/html; ssl_session_cache shared:SSL:1m;
`

func startNginx(l *Lab, g *Group) (stopper, error) {
	dir, err := l.place("nginx")
	if err != nil {
		return nil, err
	}
	g.dir = dir
	if err := writeDH(dir); err != nil {
		return nil, err
	}
	if _, err := write(dir, "index.html", "<!doctype html><title>lab</title><p>"+strings.Repeat("A page of the lab. ", 40)); err != nil {
		return nil, err
	}
	text := strings.NewReplacer("DH1024", filepath.Join(dir, "dh1024.pem"), "DH2048", filepath.Join(dir, "dh2048.pem"), "ROOT", l.Root)
	var b strings.Builder
	b.WriteString(strings.ReplaceAll(nginxMain, "DIR", dir))
	for _, c := range g.Configs {
		ids, err := l.identities(c)
		if err != nil {
			return nil, err
		}
		if slices.Contains(c.more, "strict") { // connections without its name are refused
			fmt.Fprintf(&b, " server { listen %s ssl default_server; ssl_reject_handshake on; }\n", c.Addr())
		}
		fmt.Fprintf(&b, " server { listen %s ssl; server_name %s; root %s; %s", c.Addr(), Host, dir, text.Replace(c.text))
		for i := range c.addresses {
			fmt.Fprintf(&b, "listen %s:%d ssl; ", FleetAddress(i), c.Port)
		}
		for _, id := range ids {
			fmt.Fprintf(&b, "ssl_certificate %s; ssl_certificate_key %s; ", id.Chain, id.Key)
		}
		b.WriteString("}\n")
	}
	b.WriteString("}\n")
	file, err := write(dir, "nginx.conf", b.String())
	if err != nil {
		return nil, err
	}
	cmd, err := command(dir, nil, "nginx", "-p", dir, "-c", file, "-e", filepath.Join(dir, "error.log"))
	if err != nil {
		return nil, err
	}
	return run(cmd, g.asked()...)
}

// dh1024 is the prime of Oakley group 2 (RFC 2409, Section 6.2), the one that LOGJAM warns of; dh2048 is ffdhe2048 of RFC 7919.
const (
	dh1024 = `-----BEGIN DH PARAMETERS-----
MIGHAoGBAP//////////yQ/aoiFowjTExmKLgNwc0SkCTgiKZ8x0Agu+pjsTmyJR
Sgh5jjQE3e+VGbPNOkMbMCsKbfJfFDdP4TVtbVHCReSFtXZiXn7G9ExC6aY37WsL
/1y29Aa37e44a/taiZ+lrp8kEXxLH+ZJKGZR7OZTgf//////////AgEC
-----END DH PARAMETERS-----
`
	dh2048 = `-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
`
)

func writeDH(dir string) error {
	if _, err := write(dir, "dh1024.pem", dh1024); err != nil {
		return err
	}
	_, err := write(dir, "dh2048.pem", dh2048)
	return err
}
