package acmeclient

import (
	"fmt"
	"path/filepath"
	"strings"
)

// SnippetServers are the servers that [Snippet] knows.
func SnippetServers() []string { return []string{"nginx", "apache", "haproxy", "caddy"} }

// Snippet is the piece of a server's configuration that uses a certificate of the tree, with settings that score: the live
// links, so that a renewal needs a reload and nothing else.
func (t *Tree) Snippet(server, name string) (string, error) {
	c, err := t.Find(name)
	if err != nil {
		return "", err
	}
	live, err := filepath.Abs(t.Live(name))
	if err != nil {
		return "", err
	}
	names := strings.Join(c.Renewal.Names, " ")
	first := c.Renewal.Names[0]
	switch server {
	case "nginx":
		return fmt.Sprintf(`server {
    listen 443 ssl http2;
    listen [::]:443 ssl http2;
    server_name %[1]s;
    ssl_certificate     %[2]s/fullchain.pem;
    ssl_certificate_key %[2]s/privkey.pem;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305;
    ssl_session_cache shared:tls:10m;
    ssl_session_tickets off;
    add_header Strict-Transport-Security "max-age=63072000" always;
}
server {
    listen 80;
    listen [::]:80;
    server_name %[1]s;
    return 301 https://$host$request_uri;
}
`, names, live), nil
	case "apache":
		alias := ""
		if rest := c.Renewal.Names[1:]; len(rest) > 0 {
			alias = "\n    ServerAlias " + strings.Join(rest, " ")
		}
		return fmt.Sprintf(`<VirtualHost *:443>
    ServerName %[1]s%[3]s
    SSLEngine on
    SSLCertificateFile    %[2]s/fullchain.pem
    SSLCertificateKeyFile %[2]s/privkey.pem
    SSLProtocol -all +TLSv1.2 +TLSv1.3
    SSLCipherSuite ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305
    SSLSessionTickets off
    Header always set Strict-Transport-Security "max-age=63072000"
</VirtualHost>
<VirtualHost *:80>
    ServerName %[1]s%[3]s
    Redirect permanent / https://%[1]s/
</VirtualHost>
`, first, live, alias), nil
	case "haproxy":
		return fmt.Sprintf(`# HAProxy reads certificate and key from one folder: fullchain.pem and, beside it, the key by this map.
#   cat %[2]s/fullchain.pem %[2]s/privkey.pem > /etc/haproxy/certs/%[1]s.pem   && chmod 600 /etc/haproxy/certs/%[1]s.pem
frontend https
    bind :443 ssl crt /etc/haproxy/certs/%[1]s.pem alpn h2,http/1.1 ssl-min-ver TLSv1.2
    bind :80
    http-request redirect scheme https code 301 unless { ssl_fc }
    http-response set-header Strict-Transport-Security "max-age=63072000"
`, name, live), nil
	case "caddy":
		return fmt.Sprintf(`%s {
    tls %[2]s/fullchain.pem %[2]s/privkey.pem
    header Strict-Transport-Security "max-age=63072000"
}
`, strings.Join(c.Renewal.Names, ", "), live), nil
	}
	return "", fmt.Errorf("%q is no server that is known here; known are %s", server, strings.Join(SnippetServers(), ", "))
}
