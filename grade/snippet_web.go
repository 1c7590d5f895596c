package grade

// tomcatHSTS is the filter of Tomcat that sends HSTS and two more headers.
const tomcatHSTS = `<filter>
  <filter-name>security</filter-name>
  <filter-class>org.apache.catalina.filters.HttpHeaderSecurityFilter</filter-class>
  <init-param><param-name>hstsMaxAgeSeconds</param-name><param-value>63072000</param-value></init-param>
  <init-param><param-name>antiClickJackingOption</param-name><param-value>DENY</param-value></init-param>
</filter>
<filter-mapping><filter-name>security</filter-name><url-pattern>/*</url-pattern></filter-mapping>
`

const tomcatFile = "WEB-INF/web.xml (Tomcat), in <web-app>"

// webSnippets are the changes to what is said above TLS.
var webSnippets = map[fixKind][]Snippet{
	fixHSTS: {
		{nginx, nginxSite, "add_header Strict-Transport-Security \"max-age=63072000\" always;\n"},
		{apache, apacheSite + " (a2enmod headers)", "Header always set Strict-Transport-Security \"max-age=63072000\"\n"},
		{haproxy, haproxyFront, "http-after-response set-header Strict-Transport-Security \"max-age=63072000\" if { ssl_fc }\n"},
		{caddy, caddySite, "header Strict-Transport-Security \"max-age=63072000\"\n"},
		{goLang, "the Go source, in the handler", "w.Header().Set(\"Strict-Transport-Security\", \"max-age=63072000\")\n"},
		{java, tomcatFile, tomcatHSTS},
	},
	fixRedirect: {
		{nginx, "/etc/nginx/sites-enabled/HOST", "server {\n\tlisten 80;\n\tserver_name HOST;\n\treturn 301 https://$host$request_uri;\n}\n"},
		{apache, "/etc/apache2/sites-enabled/HOST.conf", "<VirtualHost *:80>\n\tServerName HOST\n\tRedirect permanent / https://HOST/\n</VirtualHost>\n"},
		{haproxy, haproxyFront, "http-request redirect scheme https code 301 unless { ssl_fc }\n"},
		{caddy, "/etc/caddy/Caddyfile", "http://HOST {\n\tredir https://HOST{uri} 301\n}\n"},
		{goLang, goServer, "go http.ListenAndServe(\":80\", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {\n\thttp.Redirect(w, r, \"https://HOST\"+r.URL.RequestURI(), http.StatusMovedPermanently)\n}))\n"},
		{java, tomcatFile, "<security-constraint>\n  <web-resource-collection><web-resource-name>all</web-resource-name><url-pattern>/*</url-pattern></web-resource-collection>\n  <user-data-constraint><transport-guarantee>CONFIDENTIAL</transport-guarantee></user-data-constraint>\n</security-constraint>\n"},
	},
	fixHeaders: {
		{nginx, nginxSite, "add_header Content-Security-Policy \"default-src 'self'\" always;\nadd_header X-Content-Type-Options nosniff always;\nadd_header X-Frame-Options DENY always;\nadd_header Referrer-Policy strict-origin-when-cross-origin always;\nadd_header Permissions-Policy \"camera=(), microphone=(), geolocation=()\" always;\n"},
		{apache, apacheSite + " (a2enmod headers)", "Header always set Content-Security-Policy \"default-src 'self'\"\nHeader always set X-Content-Type-Options nosniff\nHeader always set X-Frame-Options DENY\nHeader always set Referrer-Policy strict-origin-when-cross-origin\nHeader always set Permissions-Policy \"camera=(), microphone=(), geolocation=()\"\n"},
		{haproxy, haproxyFront, "http-after-response set-header Content-Security-Policy \"default-src 'self'\"\nhttp-after-response set-header X-Content-Type-Options nosniff\nhttp-after-response set-header X-Frame-Options DENY\nhttp-after-response set-header Referrer-Policy strict-origin-when-cross-origin\nhttp-after-response set-header Permissions-Policy \"camera=(), microphone=(), geolocation=()\"\n"},
		{caddy, caddySite, "header {\n\tContent-Security-Policy \"default-src 'self'\"\n\tX-Content-Type-Options nosniff\n\tX-Frame-Options DENY\n\tReferrer-Policy strict-origin-when-cross-origin\n\tPermissions-Policy \"camera=(), microphone=(), geolocation=()\"\n}\n"},
		{goLang, "the Go source, in the handler", "w.Header().Set(\"Content-Security-Policy\", \"default-src 'self'\")\nw.Header().Set(\"X-Content-Type-Options\", \"nosniff\")\nw.Header().Set(\"X-Frame-Options\", \"DENY\")\nw.Header().Set(\"Referrer-Policy\", \"strict-origin-when-cross-origin\")\nw.Header().Set(\"Permissions-Policy\", \"camera=(), microphone=(), geolocation=()\")\n"},
		{java, tomcatFile, tomcatHSTS},
	},
	fixCookies: {
		{nginx, "/etc/nginx/sites-enabled/HOST, beside proxy_pass, if the application cannot be changed", "proxy_cookie_flags ~ secure httponly samesite=lax;\n"},
		{apache, apacheSite + " (a2enmod headers), if the application cannot be changed", "Header always edit Set-Cookie ^(.*)$ \"$1; Secure; HttpOnly; SameSite=Lax\"\n"},
		{haproxy, haproxyFront + ", if the application cannot be changed", "http-response replace-header Set-Cookie (.*) \"\\1; Secure; HttpOnly; SameSite=Lax\"\n"},
		{caddy, "/etc/caddy/Caddyfile, in reverse_proxy, if the application cannot be changed", "header_down Set-Cookie (.*) \"$1; Secure; HttpOnly; SameSite=Lax\"\n"},
		{goLang, "the Go source, in the handler", "http.SetCookie(w, &http.Cookie{Name: \"__Host-session\", Value: value, Path: \"/\", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})\n"},
		{java, "WEB-INF/web.xml, in <web-app>", "<session-config>\n  <cookie-config><http-only>true</http-only><secure>true</secure></cookie-config>\n</session-config>\n"},
	},
	fixVersion: {
		{nginx, "/etc/nginx/nginx.conf, in http { }", "server_tokens off;\n"},
		{apache, "/etc/apache2/conf-enabled/security.conf", "ServerTokens Prod\nServerSignature Off\n"},
		{haproxy, haproxyFront, "http-response del-header Server\nhttp-response del-header X-Powered-By\n"},
		{caddy, caddySite, "header -X-Powered-By\n"},
		{goLang, "the Go source, in the handler", "w.Header().Del(\"X-Powered-By\")\n"},
		{java, "conf/server.xml (Tomcat), at the <Connector>", "server=\"web\"\n"},
	},
	fixHTTPCompression: {
		{nginx, "/etc/nginx/sites-enabled/HOST, in the location { } whose pages hold secrets", "gzip off;\n"},
		{apache, "/etc/apache2/sites-enabled/HOST.conf, in the <Location> whose pages hold secrets", "SetEnv no-gzip 1\n"},
		{haproxy, "/etc/haproxy/haproxy.cfg, in the backend whose pages hold secrets", "http-request del-header Accept-Encoding\n"},
		{goLang, "the Go source, around the handlers whose pages hold secrets", "r.Header.Del(\"Accept-Encoding\") // before the handler that compresses\n"},
		{java, "conf/server.xml (Tomcat), at the <Connector>", "compression=\"off\"\n"},
	},
	fixHTTP2: {
		{nginx, nginxSite, "listen 443 ssl http2; # since nginx 1.25.1: listen 443 ssl; and http2 on;\n"},
		{apache, apacheSite + " (a2enmod http2)", "Protocols h2 http/1.1\n"},
		{haproxy, haproxyFront, "bind :443 ssl crt /etc/haproxy/certs/ alpn h2,http/1.1\n"},
		{goLang, goServer, "config := &tls.Config{NextProtos: []string{\"h2\", \"http/1.1\"}} // net/http does it by itself\n"},
		{java, "conf/server.xml (Tomcat), in the <Connector>", "<UpgradeProtocol className=\"org.apache.coyote.http2.Http2Protocol\" />\n"},
	},
}
