package grade

// shell says that a snippet is a command.
const shell = "a shell, as root"

const updateDebian = "apt-get update && apt-get install --only-upgrade openssl libssl3"

// certificateSnippets are the changes to certificates and to what is installed.
var certificateSnippets = map[fixKind][]Snippet{
	fixChain: {
		{nginx, nginxSite, "ssl_certificate /etc/letsencrypt/live/HOST/fullchain.pem;\nssl_certificate_key /etc/letsencrypt/live/HOST/privkey.pem;\n"},
		{apache, apacheSite, "SSLCertificateFile /etc/letsencrypt/live/HOST/fullchain.pem\nSSLCertificateKeyFile /etc/letsencrypt/live/HOST/privkey.pem\n"},
		{haproxy, shell, "cat /etc/letsencrypt/live/HOST/fullchain.pem /etc/letsencrypt/live/HOST/privkey.pem > /etc/haproxy/certs/HOST.pem\nchmod 600 /etc/haproxy/certs/HOST.pem && systemctl reload haproxy\n"},
		{caddy, caddySite, "tls /etc/letsencrypt/live/HOST/fullchain.pem /etc/letsencrypt/live/HOST/privkey.pem\n"},
		{goLang, goServer, "certificate, err := tls.LoadX509KeyPair(\"/etc/letsencrypt/live/HOST/fullchain.pem\", \"/etc/letsencrypt/live/HOST/privkey.pem\")\n"},
		{java, shell, "openssl pkcs12 -export -in fullchain.pem -inkey privkey.pem -name server -out keystore.p12\n"},
		{openSSL, shell, "cat cert.pem intermediate.pem > fullchain.pem && openssl verify -untrusted intermediate.pem cert.pem\n"},
		{postfix, postfixMain, "smtpd_tls_chain_files = /etc/letsencrypt/live/HOST/privkey.pem, /etc/letsencrypt/live/HOST/fullchain.pem\n"},
		{dovecot, dovecotSSL, "ssl_cert = </etc/letsencrypt/live/HOST/fullchain.pem\nssl_key = </etc/letsencrypt/live/HOST/privkey.pem\n"},
	},
	fixRenew: {
		{nginx, shell, "certbot --nginx -d HOST\n"},
		{apache, shell, "certbot --apache -d HOST\n"},
		{haproxy, shell, "certbot certonly --standalone -d HOST\ncat /etc/letsencrypt/live/HOST/fullchain.pem /etc/letsencrypt/live/HOST/privkey.pem > /etc/haproxy/certs/HOST.pem\nsystemctl reload haproxy\n"},
		{caddy, "/etc/caddy/Caddyfile", "HOST {\n\t# without a line \"tls\" Caddy gets and renews the certificate by itself\n\trespond \"ok\"\n}\n"},
		{goLang, goServer, "certificate, err := tls.LoadX509KeyPair(\"/etc/letsencrypt/live/HOST/fullchain.pem\", \"/etc/letsencrypt/live/HOST/privkey.pem\") // again after each renewal\n"},
		{java, shell, "certbot certonly --standalone -d HOST\nopenssl pkcs12 -export -in /etc/letsencrypt/live/HOST/fullchain.pem -inkey /etc/letsencrypt/live/HOST/privkey.pem -name server -out keystore.p12\n"},
		{openSSL, "a shell; the request then goes to your CA", "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout privkey.pem -out request.pem -subj /CN=HOST -addext subjectAltName=DNS:HOST\n"},
		{postfix, shell, "certbot certonly --standalone -d HOST --deploy-hook 'systemctl reload postfix'\n"},
		{dovecot, shell, "certbot certonly --standalone -d HOST --deploy-hook 'systemctl reload dovecot'\n"},
	},
	fixKey: {
		{nginx, shell, "certbot --nginx --key-type ecdsa --elliptic-curve secp256r1 --force-renewal -d HOST\n"},
		{apache, shell, "certbot --apache --key-type ecdsa --elliptic-curve secp256r1 --force-renewal -d HOST\n"},
		{haproxy, shell, "certbot certonly --standalone --key-type ecdsa --elliptic-curve secp256r1 --force-renewal -d HOST\n"},
		{caddy, "/etc/caddy/Caddyfile, in the global block", "{\n\tkey_type p256\n}\n"},
		{java, shell, "keytool -genkeypair -alias server -keyalg EC -groupname secp256r1 -dname CN=HOST -ext san=dns:HOST -keystore keystore.p12\n"},
		{openSSL, "a shell; the request then goes to your CA", "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout privkey.pem -out request.pem -subj /CN=HOST -addext subjectAltName=DNS:HOST\n"},
		{postfix, shell, "certbot certonly --standalone --key-type ecdsa --force-renewal -d HOST --deploy-hook 'systemctl reload postfix'\n"},
		{dovecot, shell, "certbot certonly --standalone --key-type ecdsa --force-renewal -d HOST --deploy-hook 'systemctl reload dovecot'\n"},
	},
	fixStaple: {
		{nginx, nginxSite, "ssl_stapling on;\nssl_stapling_verify on;\nssl_trusted_certificate /etc/letsencrypt/live/HOST/chain.pem;\nresolver 127.0.0.1; # a DNS resolver that nginx may ask\n"},
		{apache, "/etc/apache2/mods-enabled/ssl.conf, outside of every <VirtualHost>", "SSLUseStapling on\nSSLStaplingCache shmcb:${APACHE_RUN_DIR}/ssl_stapling(32768)\nSSLStaplingReturnResponderErrors off\n"},
		{haproxy, "/etc/haproxy/haproxy.cfg, in the frontend (HAProxy 2.8 or newer)", "# /etc/haproxy/certs.list holds one line: /etc/haproxy/certs/HOST.pem [ocsp-update on] HOST\nbind :443 ssl crt-list /etc/haproxy/certs.list\n"},
		{goLang, goServer, "certificate.OCSPStaple = response // DER from the responder; fetch a new one before NextUpdate\n"},
		{java, javaStart, "-Djdk.tls.server.enableStatusRequestExtension=true\n"},
	},
	fixUpdate: {
		{nginx, shell, updateDebian + " nginx && systemctl restart nginx\n"},
		{apache, shell, updateDebian + " apache2 && systemctl restart apache2\n"},
		{haproxy, shell, updateDebian + " haproxy && systemctl restart haproxy\n"},
		{caddy, shell, "apt-get update && apt-get install --only-upgrade caddy && systemctl restart caddy\n"},
		{goLang, "a shell, in the module's folder", "go get go@latest && go mod tidy && go build ./...\n"},
		{java, shell, "apt-get update && apt-get install --only-upgrade default-jre-headless\n"},
		{openSSL, shell, updateDebian + " # then restart every service that uses it\n"},
		{postfix, shell, updateDebian + " postfix && systemctl restart postfix\n"},
		{dovecot, shell, updateDebian + " dovecot-core && systemctl restart dovecot\n"},
	},
}
