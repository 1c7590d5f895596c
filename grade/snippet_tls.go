package grade

// The files where configuration usually stands.
const (
	nginxServer   = "/etc/nginx/nginx.conf, in http { }, and in each server { } that sets it too"
	nginxSite     = "/etc/nginx/sites-enabled/HOST, in server { }"
	apacheSSL     = "/etc/apache2/mods-enabled/ssl.conf, and each <VirtualHost> that sets it too"
	apacheSite    = "/etc/apache2/sites-enabled/HOST.conf, in <VirtualHost *:443>"
	haproxyGlobal = "/etc/haproxy/haproxy.cfg, in global"
	haproxyFront  = "/etc/haproxy/haproxy.cfg, in the frontend"
	caddySite     = "/etc/caddy/Caddyfile, in the block of HOST"
	goServer      = "the Go source, where the server is made"
	javaSecurity  = "$JAVA_HOME/conf/security/java.security"
	javaStart     = "the command that starts Java"
	javaServer    = "the Java source, where the SSLServerSocket or SSLEngine is made"
	opensslConf   = "/etc/ssl/openssl.cnf, in the section that ssl_conf's system_default names"
	postfixMain   = "/etc/postfix/main.cf"
	dovecotSSL    = "/etc/dovecot/conf.d/10-ssl.conf"
)

// goodList is what to offer in TLS 1.2: ephemeral elliptic curves with authenticated encryption.
const goodList = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"

const goodListGo = `config := &tls.Config{
	MinVersion: tls.VersionTLS12,
	CipherSuites: []uint16{ // of TLS 1.2; those of 1.3 are always good
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	},
}
`

const goodListCaddy = `tls {
	protocols tls1.2 tls1.3
	ciphers TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
}
`

const goodListJava = `javax.net.ssl.SSLParameters parameters = server.getSSLParameters();
parameters.setProtocols(new String[] {"TLSv1.3", "TLSv1.2"});
parameters.setCipherSuites(new String[] {
	"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
	"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
	"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"});
server.setSSLParameters(parameters);
`

const disabledJava = "jdk.tls.disabledAlgorithms=SSLv3, TLSv1, TLSv1.1, DTLSv1.0, RC4, DES, MD5withRSA, \\\n    DH keySize < 2048, EC keySize < 224, 3DES_EDE_CBC, anon, NULL, ECDH\n"

// protocolSnippets switch everything before TLS 1.2 off.
var protocolSnippets = []Snippet{
	{nginx, nginxServer, "ssl_protocols TLSv1.2 TLSv1.3;\n"},
	{apache, apacheSSL, "SSLProtocol -all +TLSv1.2 +TLSv1.3\n"},
	{haproxy, haproxyGlobal, "ssl-default-bind-options ssl-min-ver TLSv1.2\n"},
	{caddy, caddySite, "tls {\n\tprotocols tls1.2 tls1.3\n}\n"},
	{goLang, goServer, "config := &tls.Config{MinVersion: tls.VersionTLS12}\n"},
	{java, javaSecurity, disabledJava},
	{openSSL, opensslConf, "MinProtocol = TLSv1.2\n"},
	{postfix, postfixMain, "smtpd_tls_protocols = >=TLSv1.2\nsmtpd_tls_mandatory_protocols = >=TLSv1.2\n"},
	{dovecot, dovecotSSL, "ssl_min_protocol = TLSv1.2\n"},
}

// suiteSnippets leave good suites alone.
var suiteSnippets = []Snippet{
	{nginx, nginxServer, "ssl_ciphers " + goodList + ";\nssl_prefer_server_ciphers off; # all of them are good\n"},
	{apache, apacheSSL, "SSLCipherSuite " + goodList + "\nSSLHonorCipherOrder off\n"},
	{haproxy, haproxyGlobal, "ssl-default-bind-ciphers " + goodList + "\nssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256\n"},
	{caddy, caddySite, goodListCaddy},
	{goLang, goServer, goodListGo},
	{java, javaServer, goodListJava},
	{openSSL, opensslConf, "CipherString = ECDHE+AESGCM:ECDHE+CHACHA20:@SECLEVEL=2\n"},
	{postfix, postfixMain, "smtpd_tls_ciphers = high\nsmtpd_tls_mandatory_ciphers = high\ntls_high_cipherlist = " + goodList + "\n"},
	{dovecot, dovecotSSL, "ssl_cipher_list = " + goodList + "\n"},
}

// tlsSnippets are the changes to the protocol.
var tlsSnippets = map[fixKind][]Snippet{
	fixProtocols: protocolSnippets,
	fixTLS13: {
		{nginx, nginxServer, "ssl_protocols TLSv1.2 TLSv1.3; # nginx 1.13 or newer, with OpenSSL 1.1.1 or newer\n"},
		{apache, apacheSSL, "SSLProtocol -all +TLSv1.2 +TLSv1.3\n"},
		{haproxy, haproxyGlobal, "ssl-default-bind-options ssl-min-ver TLSv1.2 ssl-max-ver TLSv1.3\n"},
		{caddy, caddySite, "tls {\n\tprotocols tls1.2 tls1.3\n}\n"},
		{goLang, goServer, "config := &tls.Config{MinVersion: tls.VersionTLS12} // MaxVersion stays unset: TLS 1.3\n"},
		{java, javaStart, "-Djdk.tls.server.protocols=TLSv1.3,TLSv1.2\n"},
		{openSSL, opensslConf, "MinProtocol = TLSv1.2\nMaxProtocol = TLSv1.3\n"},
		{postfix, postfixMain, "smtpd_tls_protocols = >=TLSv1.2\n"},
		{dovecot, dovecotSSL, "ssl_min_protocol = TLSv1.2\n"},
	},
	fixSuites: suiteSnippets,
	fixDH: {
		{nginx, nginxServer, "ssl_ciphers " + goodList + "; # without DHE\n# or keep DHE, with a file made by: openssl genpkey -genparam -algorithm DH -pkeyopt group:ffdhe3072 -out /etc/nginx/dh.pem\n# ssl_dhparam /etc/nginx/dh.pem;\n"},
		{apache, apacheSSL, "SSLCipherSuite " + goodList + "\n"},
		{haproxy, haproxyGlobal, "ssl-default-bind-ciphers " + goodList + "\ntune.ssl.default-dh-param 3072\n"},
		{java, javaStart, "-Djdk.tls.ephemeralDHKeySize=3072\n"},
		{openSSL, opensslConf, "CipherString = ECDHE+AESGCM:ECDHE+CHACHA20:@SECLEVEL=2\n"},
		{postfix, postfixMain, "smtpd_tls_dh1024_param_file = auto\ntls_high_cipherlist = " + goodList + "\n"},
		{dovecot, dovecotSSL, "ssl_cipher_list = " + goodList + "\n"},
	},
	fixGroups: {
		{nginx, nginxServer, "ssl_ecdh_curve X25519MLKEM768:X25519:prime256v1:secp384r1; # the first one needs OpenSSL 3.5\n"},
		{apache, apacheSSL, "# the first group needs OpenSSL 3.5\nSSLOpenSSLConfCmd Groups X25519MLKEM768:X25519:prime256v1:secp384r1\n"},
		{haproxy, haproxyFront, "# the first group needs OpenSSL 3.5\nbind :443 ssl crt /etc/haproxy/certs/ alpn h2,http/1.1 curves X25519MLKEM768:X25519:P-256:P-384\n"},
		{caddy, caddySite, "tls {\n\tcurves x25519mlkem768 x25519 secp256r1 secp384r1 # the first one needs Caddy 2.10\n}\n"},
		{goLang, goServer, "config := &tls.Config{CurvePreferences: []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256, tls.CurveP384}}\n"},
		{java, javaStart, "-Djdk.tls.namedGroups=X25519MLKEM768,x25519,secp256r1,secp384r1\n"},
		{openSSL, opensslConf, "Groups = X25519MLKEM768:X25519:prime256v1:secp384r1\n"},
		{postfix, postfixMain, "tls_eecdh_auto_curves = X25519MLKEM768 X25519 prime256v1 secp384r1\n"},
		{dovecot, dovecotSSL, "ssl_curve_list = X25519MLKEM768:X25519:prime256v1:secp384r1\n"},
	},
	fixCompression: {
		{nginx, "the packages of the machine", "apt-get update && apt-get install --only-upgrade nginx # since 1.3.2 nginx never compresses TLS\n"},
		{apache, apacheSSL, "SSLCompression off\n"},
		{openSSL, opensslConf, "Options = -Compression\n"},
		{postfix, postfixMain, "tls_ssl_options = NO_COMPRESSION\n"},
		{dovecot, dovecotSSL, "ssl_options = no_compression\n"},
	},
	fixRenegotiation: {
		{nginx, "the packages of the machine", "apt-get update && apt-get install --only-upgrade nginx openssl # since 0.8.23 nginx refuses renegotiation by clients\n"},
		{apache, apacheSSL, "SSLInsecureRenegotiation off\n"},
		{java, javaStart, "-Djdk.tls.rejectClientInitiatedRenegotiation=true\n"},
		{openSSL, opensslConf, "Options = NoRenegotiation\n"},
		{postfix, postfixMain, "tls_ssl_options = NO_RENEGOTIATION\n"},
	},
	fixEarlyData: {
		{nginx, nginxServer, "ssl_early_data off;\n"},
		{haproxy, haproxyFront, "http-request wait-for-handshake unless METH_GET\n"},
		{java, javaStart, "# Java's own TLS takes no early data; look at the proxy in front of it\n"},
	},
	fixResumption: {
		{nginx, nginxServer, "ssl_session_cache shared:TLS:10m;\nssl_session_timeout 1d;\nssl_session_tickets off; # the cache serves TLS 1.2 and 1.3\n"},
		{apache, "/etc/apache2/mods-enabled/ssl.conf, outside of every <VirtualHost>", "SSLSessionCache shmcb:${APACHE_RUN_DIR}/ssl_scache(512000)\nSSLSessionCacheTimeout 86400\n"},
		{haproxy, haproxyGlobal, "tune.ssl.cachesize 20000\ntune.ssl.lifetime 86400\n"},
		{goLang, goServer, "config := &tls.Config{SessionTicketsDisabled: false} // the keys change every day by themselves\n"},
		{java, javaStart, "-Djdk.tls.server.enableSessionTicketExtension=true -Djdk.tls.server.sessionTicketTimeout=86400\n"},
		{postfix, postfixMain, "smtpd_tls_session_cache_timeout = 3600s\n"},
	},
	fixStrict: {
		{nginx, "/etc/nginx/conf.d/default.conf", "server {\n\tlisten 443 ssl default_server;\n\tssl_reject_handshake on; # names that no other server { } has\n}\n"},
		{apache, "/etc/apache2/mods-enabled/ssl.conf", "SSLStrictSNIVHostCheck on\n"},
		{haproxy, haproxyFront, "bind :443 ssl crt /etc/haproxy/certs/ strict-sni alpn h2,http/1.1\n"},
		{goLang, goServer, "config := &tls.Config{NextProtos: []string{\"h2\", \"http/1.1\"}} // what else is asked for is refused\n"},
	},
}
