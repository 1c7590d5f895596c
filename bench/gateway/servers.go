package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// server is one terminator under test.
type server struct {
	name string
	http bool // it parses HTTP; otherwise it hands on bytes
	// start runs it; it is to listen on two addresses, of which the second asks for client certificates.
	start func(h *hall) (*process, error)

	dir          string
	open, mutual string // addresses
	process      *process
}

// hall is what the servers of a run share.
type hall struct {
	o       *options
	s       *server // the one that is started
	certs   *certificates
	backend string
	self    string
}

// servers are all those that can be had here.
func servers(o *options) (found []*server, missing []string) {
	all := []struct {
		program string
		server  server
	}{
		{"", server{name: "go-term", start: startRole("go-term")}},
		{"", server{name: "tlsnet-term", start: startRole("tlsnet-term")}},
		{o.tlswright, server{name: "tlswright tcp", start: startGateway}},
		{o.tlswright, server{name: "tlswright http", http: true, start: startGateway}},
		{"haproxy", server{name: "haproxy tcp", start: startHAProxy}},
		{"haproxy", server{name: "haproxy http", http: true, start: startHAProxy}},
		{"nginx", server{name: "nginx stream", start: startNginx}},
		{"nginx", server{name: "nginx http", http: true, start: startNginx}},
		{o.caddy, server{name: "caddy", http: true, start: startCaddy}},
	}
	for i := range all {
		a := &all[i]
		if !o.servers.MatchString(a.server.name) && a.server.name != "go-term" {
			continue
		}
		if strings.HasPrefix(a.server.name, "tlswright") && a.program == "" {
			missing = append(missing, a.server.name+" (no -tlswright)")
			continue
		}
		if _, err := exec.LookPath(a.program); a.program != "" && err != nil {
			missing = append(missing, a.server.name)
			continue
		}
		found = append(found, &a.server)
	}
	return found, missing
}

// run starts the server and waits for it.
func (h *hall) run(s *server) error {
	var err error
	if s.open, err = freeAddr(); err != nil {
		return err
	}
	if s.mutual, err = freeAddr(); err != nil {
		return err
	}
	s.dir = filepath.Join(h.certs.dir, strings.ReplaceAll(s.name, " ", "-"))
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	of := *h
	of.s = s
	if s.process, err = s.start(&of); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	if err := s.process.waitFor(s.open, s.mutual); err != nil {
		s.process.stop()
		return fmt.Errorf("%s: %w", s.name, err)
	}
	return nil
}

// startBackend starts where all servers hand their connections on to.
func (h *hall) startBackend() (*process, error) {
	var err error
	if h.backend, err = freeAddr(); err != nil {
		return nil, err
	}
	p, err := startProcess(loadProcessor, h.certs.dir, []string{"GOMAXPROCS=1"}, h.self, "-role", "backend", "-listen", h.backend)
	if err != nil {
		return nil, err
	}
	if err := p.waitFor(h.backend); err != nil {
		p.stop()
		return nil, fmt.Errorf("backend: %w", err)
	}
	return p, nil
}

// config writes the server's configuration; names in braces are replaced.
func (h *hall) config(name, text string) (string, error) {
	text = strings.NewReplacer("{open}", h.s.open, "{mutual}", h.s.mutual, "{backend}", h.backend, "{certs}", h.certs.dir,
		"{dir}", h.s.dir, "{client}", clientName, "{server}", serverName,
		"{files}", strconv.Itoa(mostFiles()), "{pairs}", strconv.Itoa(mostConnections())).Replace(text)
	file := filepath.Join(h.s.dir, name)
	return file, os.WriteFile(file, []byte(text), 0o600)
}

func startRole(role string) func(*hall) (*process, error) {
	return func(h *hall) (*process, error) {
		return startProcess(serverProcessor, h.s.dir, []string{"GOMAXPROCS=1"}, h.self, "-role", role, "-dir", h.certs.dir, "-backend", h.backend,
			"-listen", h.s.open, "-listen-mtls", h.s.mutual)
	}
}

const haproxyCommon = `global
  nbthread 1
  maxconn {pairs}
  ssl-default-bind-options ssl-min-ver TLSv1.3
defaults
  timeout connect 5s
  timeout client 300s
  timeout server 300s
  maxconn {pairs}
`

func startHAProxy(h *hall) (*process, error) {
	text := haproxyCommon + `
frontend open
  mode tcp
  bind {open} ssl crt {certs}/both.pem
  default_backend app
frontend mutual
  mode tcp
  bind {mutual} ssl crt {certs}/both.pem ca-file {certs}/root.pem verify required
  tcp-request session reject unless { ssl_c_s_dn(cn) -m str {client} }
  default_backend app
backend app
  mode tcp
  server a {backend}
`
	if h.s.http {
		text = haproxyCommon + `
frontend open
  mode http
  bind {open} ssl crt {certs}/both.pem alpn h2,http/1.1
  default_backend app
frontend mutual
  mode http
  bind {mutual} ssl crt {certs}/both.pem ca-file {certs}/root.pem verify required alpn h2,http/1.1
  http-request deny unless { ssl_c_s_dn(cn) -m str {client} }
  default_backend app
backend app
  mode http
  server a {backend}
`
	}
	file, err := h.config("haproxy.cfg", text)
	if err != nil {
		return nil, err
	}
	return startProcess(serverProcessor, h.s.dir, nil, "haproxy", "-db", "-f", file)
}

const nginxCommon = `daemon off;
worker_processes 1;
pid {dir}/nginx.pid;
error_log {dir}/error.log;
worker_rlimit_nofile {files};
events { worker_connections {files}; }
`

func startNginx(h *hall) (*process, error) {
	text := nginxCommon + `
stream {
  upstream app { server {backend}; }
  ssl_certificate {certs}/server.pem;
  ssl_certificate_key {certs}/server.key;
  ssl_protocols TLSv1.3;
  server { listen {open} ssl; proxy_pass app; }
  server {
    listen {mutual} ssl; proxy_pass app;
    ssl_verify_client on; ssl_client_certificate {certs}/root.pem;
  }
}
`
	if _, err := os.Stat("/usr/lib/nginx/modules/ngx_stream_module.so"); err == nil {
		text = "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\n" + text
	}
	if h.s.http {
		text = nginxCommon + `
http {
  access_log off;
  client_body_temp_path {dir}/b; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  upstream app { server {backend}; keepalive 64; }
  map $ssl_client_s_dn $known { default 0; "~CN={client}" 1; }
  ssl_certificate {certs}/server.pem;
  ssl_certificate_key {certs}/server.key;
  ssl_protocols TLSv1.3;
  keepalive_requests 1000000;
  keepalive_timeout 300s;
  server {
    listen {open} ssl http2;
    location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; }
  }
  server {
    listen {mutual} ssl http2;
    ssl_verify_client on; ssl_client_certificate {certs}/root.pem;
    if ($known = 0) { return 403; }
    location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; }
  }
}
`
	}
	file, err := h.config("nginx.conf", text)
	if err != nil {
		return nil, err
	}
	return startProcess(serverProcessor, h.s.dir, nil, "nginx", "-p", h.s.dir, "-c", file)
}

func startCaddy(h *hall) (*process, error) {
	file, err := h.config("Caddyfile", `{
	admin off
	auto_https off
	persist_config off
	log {
		level ERROR
	}
	servers {
		protocols h1 h2
	}
}
https://{server}:{openport}, https://127.0.0.1:{openport} {
	bind 127.0.0.1
	tls {certs}/server.pem {certs}/server.key
	reverse_proxy {backend}
}
https://{server}:{mutualport}, https://127.0.0.1:{mutualport} {
	bind 127.0.0.1
	tls {certs}/server.pem {certs}/server.key {
		client_auth {
			mode require_and_verify
			trusted_ca_cert_file {certs}/root.pem
		}
	}
	@known vars_regexp {http.request.tls.client.subject} CN={client}
	handle @known {
		reverse_proxy {backend}
	}
	respond 403
}
`)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	_, open, _ := strings.Cut(h.s.open, ":")
	_, mutual, _ := strings.Cut(h.s.mutual, ":")
	ports := strings.NewReplacer("{openport}", open, "{mutualport}", mutual)
	if err := os.WriteFile(file, []byte(ports.Replace(string(text))), 0o600); err != nil {
		return nil, err
	}
	env := []string{"GOMAXPROCS=1", "HOME=" + h.s.dir, "XDG_DATA_HOME=" + h.s.dir, "XDG_CONFIG_HOME=" + h.s.dir}
	return startProcess(serverProcessor, h.s.dir, env, h.o.caddy, "run", "--config", file, "--adapter", "caddyfile")
}

// startGateway runs ours.
func startGateway(h *hall) (*process, error) {
	target, protocol := "tcp://{backend}", "tls"
	if h.s.http {
		target, protocol = "http://{backend}", "https"
	}
	site := func(name, clients string) string {
		return "    " + name + ":\n      certificate: {files: [{chain: \"{certs}/server.pem\", key: \"{certs}/server.key\"}]}\n      target: " + target + "\n" + clients
	}
	file, err := h.config("gateway.yaml", `gateway:
  listeners:
    - {name: open, address: "{open}", protocol: `+protocol+`, sites: [open]}
    - {name: mutual, address: "{mutual}", protocol: `+protocol+`, sites: [mutual]}
  sites:
`+site("open", "")+site("mutual", `      clients: {ca: "{certs}/root.pem", allow: {cn: {client}}, revocation: off}
`))
	if err != nil {
		return nil, err
	}
	env := []string{"GOMAXPROCS=1", "TLSWRIGHT_HOME=" + h.s.dir}
	return startProcess(serverProcessor, h.s.dir, env, h.o.tlswright, "gateway", "run", "--quiet", "-c", file)
}
