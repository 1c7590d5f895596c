package lab

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// proxyGroups are web servers and terminators of TLS.
func proxyGroups() []*Group {
	return []*Group{apacheGroup(), haproxyGroup(), stunnelGroup(), hitchGroup(), caddyGroup()}
}

func apacheGroup() *Group {
	s := service{
		folders: map[string]string{"logs": ""},
		files: map[string]string{"index.html": "<!doctype html><title>lab</title><p>A page of the lab.", "apache.conf": `ServerRoot DIR
PidFile DIR/pid
ServerName HOST
ErrorLog DIR/logs/error
DefaultRuntimeDir DIR
Mutex file:DIR
Listen 127.0.0.1:PORT https
Listen 127.0.0.1:PORT2 https
Listen 127.0.0.1:PORT3 https
DocumentRoot DIR
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule socache_shmcb_module /usr/lib/apache2/modules/mod_socache_shmcb.so
LoadModule headers_module /usr/lib/apache2/modules/mod_headers.so
LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
LoadModule mime_module /usr/lib/apache2/modules/mod_mime.so
TypesConfig /etc/mime.types
LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
ServerLimit 1
StartServers 1
ThreadsPerChild 32
MaxRequestWorkers 32
MinSpareThreads 1
SSLSessionCache shmcb:DIR/sessions(512000)
SSLCertificateFile CHAIN
SSLCertificateKeyFile KEY
<VirtualHost 127.0.0.1:PORT>
 SSLEngine on
 Header always set Strict-Transport-Security "max-age=63072000"
</VirtualHost>
<VirtualHost 127.0.0.1:PORT2>
 SSLEngine on
 SSLProtocol all -SSLv3
 SSLCipherSuite ALL:COMPLEMENTOFALL:@SECLEVEL=0
 SSLHonorCipherOrder on
 SSLCompression off
</VirtualHost>
<VirtualHost 127.0.0.1:PORT3>
 SSLEngine on
 SSLProtocol -all +TLSv1.2
 SSLCipherSuite ECDHE+AESGCM
 SSLSessionTickets off
 SSLVerifyClient optional_no_ca
</VirtualHost>
`},
		args: []string{"-d", "DIR", "-f", "DIR/apache.conf", "-DFOREGROUND"},
	}
	return &Group{Program: "apache2", start: s.launch("rsa"),
		Configs: named(RingAccept, "Apache: default", "", "Apache: everything", "", "Apache: optional client certificate", "")}
}

func haproxyGroup() *Group {
	s := service{
		files: map[string]string{"haproxy.cfg": `global
 maxconn 500
 tune.ssl.default-dh-param 2048
defaults
 mode http
 timeout client 10s
 timeout server 10s
 timeout connect 5s
frontend good
 bind 127.0.0.1:PORT ssl crt DIR/both.pem alpn h2,http/1.1
 http-request return status 200 content-type text/plain string lab hdr Strict-Transport-Security "max-age=63072000"
frontend old
 bind 127.0.0.1:PORT2 ssl crt DIR/both.pem ssl-min-ver TLSv1.0 ciphers ALL:@SECLEVEL=0 no-tls-tickets
 http-request return status 200 content-type text/plain string lab
frontend early
 bind 127.0.0.1:PORT3 ssl crt DIR/both.pem ssl-min-ver TLSv1.3 allow-0rtt
 http-request return status 200 content-type text/plain string lab
`},
		args: []string{"-db", "-f", "DIR/haproxy.cfg"},
	}
	return &Group{Program: "haproxy", Configs: named(RingAccept, "HAProxy: default", "", "HAProxy: everything", "", "HAProxy: 0-RTT", ""), start: joined(s)}
}

func stunnelGroup() *Group {
	s := service{
		files: map[string]string{"stunnel.conf": `foreground = yes
pid =
debug = warning
sslVersionMin = TLSv1
ciphers = ALL:@SECLEVEL=0
cert = CHAIN
key = KEY
securityLevel = 0
[good]
accept = 127.0.0.1:PORT
connect = BACKEND
sslVersionMin = TLSv1.2
ciphers = ECDHE+AESGCM
[old]
accept = 127.0.0.1:PORT2
connect = BACKEND
renegotiation = no
`},
		args: []string{"DIR/stunnel.conf"},
	}
	return &Group{Program: "stunnel4", Configs: named(RingAccept, "stunnel: TLS 1.2", "", "stunnel: everything", ""), start: joined(s)}
}

func hitchGroup() *Group {
	s := service{
		files: map[string]string{"hitch.conf": `frontend = {
 host = "127.0.0.1"
 port = "PORT"
}
frontend = {
 host = "127.0.0.1"
 port = "PORT2"
 tls-protos = TLSv1.2
 ciphers = "ECDHE+AESGCM:DHE+AES"
 prefer-server-ciphers = on
}
backend = "[127.0.0.1]:BACKPORT"
pem-file = "DIR/both.pem"
workers = 1
daemon = off
`},
		args: []string{"--config=DIR/hitch.conf"}, as: "nobody", // hitch refuses to run as root
	}
	return &Group{Program: "hitch", Configs: named(RingAccept, "hitch: default", "", "hitch: TLS 1.2", ""), start: joined(s)}
}

func caddyGroup() *Group {
	s := service{
		files: map[string]string{"Caddyfile": `{
 admin off
 auto_https off
 storage file_system DIR/storage
}
https://HOST:PORT {
 bind 127.0.0.1
 tls CHAIN KEY
 header Strict-Transport-Security "max-age=63072000"
 respond "lab"
}
`},
		args: []string{"run", "--config", "DIR/Caddyfile", "--adapter", "caddyfile"}, env: []string{"HOME=DIR", "XDG_DATA_HOME=DIR", "XDG_CONFIG_HOME=DIR"},
	}
	return &Group{Program: "caddy", Configs: named(RingAccept, "Caddy 2.6", ""), start: s.launch("rsa")}
}

// joined launches a service that wants chain and key in one file, DIR/both.pem, and perhaps a plain web server at BACKEND.
func joined(s service) func(*Lab, *Group) (stopper, error) {
	return func(l *Lab, g *Group) (stopper, error) {
		id, err := l.Identity("rsa")
		if err != nil {
			return nil, err
		}
		if s.files["both.pem"], err = concat(id.Chain, id.Key); err != nil {
			return nil, err
		}
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		backend := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("lab")) // a scanner may have hung up
		})}
		go func() { _ = backend.Serve(listener) }() // until it is closed
		addr := listener.Addr().String()
		for name, text := range s.files {
			if strings.HasSuffix(name, ".pem") {
				continue
			}
			s.files[name] = strings.NewReplacer("BACKEND", addr, "BACKPORT", strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)).Replace(text)
		}
		p, err := s.launch("rsa")(l, g)
		if err != nil {
			backend.Close()
			return nil, err
		}
		return both{p, backend}, nil
	}
}

// both is a server with the plain one behind it.
type both struct {
	stopper
	backend io.Closer
}

func (b both) stop() {
	b.stopper.stop()
	b.backend.Close()
}
