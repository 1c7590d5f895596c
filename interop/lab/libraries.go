package lab

import (
	_ "embed"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// gnutlsGroups are servers of gnutls-serv, by priority string. Debian's GnuTLS has no SSLv3.
func gnutlsGroups() []*Group {
	var all []*Group
	// GnuTLS lets clients renegotiate as they like, and the last and second do so without RFC 5746 as well.
	renegotiates, insecurely := []string{"client-renegotiation"}, []string{"client-renegotiation", "insecure-renegotiation"}
	for _, c := range []*Config{
		{Name: "gnutls-serv: default", text: "NORMAL", Wrong: renegotiates, Ring: RingCI},
		{Name: "gnutls-serv: legacy", Old: true, Wrong: insecurely, Ring: RingAccept, more: []string{"--heartbeat"},
			text: "NORMAL:+VERS-TLS1.0:+VERS-TLS1.1:+ARCFOUR-128:+3DES-CBC:+NULL:+MD5:+ANON-ECDH:+ANON-DH:%UNSAFE_RENEGOTIATION"},
		{Name: "gnutls-serv: own order", Wrong: renegotiates, GnuTLS: true, text: "NORMAL:+DHE-RSA:+AES-128-CCM:+AES-256-CCM-8:+CAMELLIA-128-GCM:+CAMELLIA-256-CBC:%SERVER_PRECEDENCE", Ring: RingAccept},
		{Name: "gnutls-serv: TLS 1.3 only", text: "NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-FFDHE3072:+GROUP-SECP521R1", Ring: RingAccept},
		{Name: "gnutls-serv: no renegotiation info", Wrong: insecurely, text: "NORMAL:-VERS-ALL:+VERS-TLS1.2:%DISABLE_SAFE_RENEGOTIATION:%NO_EXTENSIONS", Ring: RingAccept},
	} {
		c.Identities = []string{"rsa", "ecdsa"}
		all = append(all, &Group{Program: "gnutls-serv", Configs: []*Config{c}, start: startGnuTLS})
	}
	return all
}

func startGnuTLS(l *Lab, g *Group) (stopper, error) {
	dir, err := l.place("gnutls")
	if err != nil {
		return nil, err
	}
	c := g.Configs[0]
	ids, err := l.identities(c)
	if err != nil {
		return nil, err
	}
	if err := writeDH(dir); err != nil {
		return nil, err
	}
	args := []string{"--http", "-p", strconv.Itoa(c.Port), "--dhparams", filepath.Join(dir, "dh2048.pem"), "--priority", c.text}
	for _, id := range ids {
		args = append(args, "--x509certfile", id.Chain, "--x509keyfile", id.Key)
	}
	cmd, err := command(dir, nil, "gnutls-serv", append(args, c.more...)...)
	if err != nil {
		return nil, err
	}
	return run(cmd, g.asked()...)
}

// nssGroups are servers of NSS's selfserv: SSLv3, and every staple that a server may send.
func nssGroups() []*Group {
	var all []*Group
	add := func(c *Config) {
		c.Name, c.Identities = "selfserv: "+c.Name, []string{"rsa"}
		all = append(all, &Group{Program: "selfserv", Configs: []*Config{c}, start: startNSS})
	}
	wrong := []string{"client-renegotiation"}
	add(&Config{Name: "SSLv3 to TLS 1.2", text: "-V ssl3:tls1.2 -H 1", Wrong: wrong, Old: true, Ring: RingAccept})
	add(&Config{Name: "TLS 1.0 to TLS 1.3", text: "-V tls1.0:tls1.3", Wrong: wrong, Old: true, Ring: RingAccept})
	// selfserv signs with SHA-1, so that none of its responses holds.
	for _, staple := range [][2]string{{"good", "good, but invalid"}, {"revoked", "revoked"}, {"unknown", "unknown"}, {"failure", "tryLater"},
		{"badsig", "good, but invalid"}, {"corrupted", "malformed"}} {
		add(&Config{Name: "staple " + staple[0], Staple: staple[1], text: "-V tls1.2:tls1.3 -T " + staple[0] + " -A labca", Wrong: wrong, Old: true, Ring: RingAccept})
	}
	add(&Config{Name: "0-RTT", text: "-V tls1.3:tls1.3 -u -Z", Ring: RingAccept})
	return all
}

func startNSS(l *Lab, g *Group) (stopper, error) {
	dir, err := l.place("nss")
	if err != nil {
		return nil, err
	}
	c := g.Configs[0]
	ids, err := l.identities(c)
	if err != nil {
		return nil, err
	}
	db, inter := "sql:"+dir, filepath.Join(l.Dir, "inter")
	for _, step := range [][]string{
		{"openssl", "pkcs12", "-export", "-in", ids[0].Leaf, "-inkey", ids[0].Key, "-name", "rsa", "-out", "leaf.p12", "-passout", "pass:x"},
		{"openssl", "pkcs12", "-export", "-in", inter + ".pem", "-inkey", inter + ".key", "-name", "labca", "-out", "ca.p12", "-passout", "pass:x"},
		{"certutil", "-N", "-d", db, "--empty-password"},
		{"pk12util", "-i", "leaf.p12", "-d", db, "-W", "x", "-K", ""},
		{"pk12util", "-i", "ca.p12", "-d", db, "-W", "x", "-K", ""},
		{"certutil", "-M", "-d", db, "-n", "labca", "-t", "CT,,"},
	} {
		if _, err := output(l.ctx, dir, nil, step[0], step[1:]...); err != nil {
			return nil, err
		}
	}
	args := append([]string{"-d", db, "-n", "rsa", "-p", strconv.Itoa(c.Port)}, strings.Fields(c.text)...)
	cmd, err := command(dir, nil, "selfserv", args...)
	if err != nil {
		return nil, err
	}
	return run(cmd, g.asked()...)
}

//go:embed java/Serve.java
var serveJava string

// javaGroups are servers of Java's JSSE with its limits lifted: the last one to speak SSLv3 with RC4, DES, export and NULL
// suites that a distribution still ships. One virtual machine serves them all.
func javaGroups() []*Group {
	everything := &Config{Name: "JSSE: everything", text: "SSLv3,TLSv1,TLSv1.1,TLSv1.2,TLSv1.3", Old: true, Ring: RingAccept}
	ssl3 := &Config{Name: "JSSE: SSLv3 alone", text: "SSLv3", Old: true, Ring: RingAccept}
	rc4 := &Config{Name: "JSSE: RC4 alone", text: "TLSv1,TLSv1.1,TLSv1.2", more: []string{"_RC4_"}, Old: true, Ring: RingAccept}
	export := &Config{Name: "JSSE: export alone", text: "SSLv3,TLSv1", more: []string{"_EXPORT_"}, Old: true, Ring: RingAccept}
	static := &Config{Name: "JSSE: static RSA", text: "TLSv1.2", more: []string{"TLS_RSA_WITH_AES_"}, Ring: RingAccept}
	var all []*Config
	for _, c := range []*Config{everything, ssl3, rc4, export, static} {
		c.Identities, c.Wrong = []string{"rsa"}, []string{"client-renegotiation"}
		if c == ssl3 || c == export { // of which OpenSSL sees nothing: parameters of 1024 bits, and of 512 for export
			c.Wrong = append(c.Wrong, "weak-dh")
		}
		all = append(all, c)
	}
	return []*Group{{Program: "java", Configs: all, start: startJava}}
}

func startJava(l *Lab, g *Group) (stopper, error) {
	dir, err := l.place("java")
	if err != nil {
		return nil, err
	}
	id, err := l.Identity("rsa")
	if err != nil {
		return nil, err
	}
	if _, err := output(l.ctx, dir, nil, "openssl", "pkcs12", "-export", "-in", id.Chain, "-inkey", id.Key, "-name", "rsa", "-out", "rsa.p12", "-passout", "pass:changeit"); err != nil {
		return nil, err
	}
	if _, err := write(dir, "Serve.java", serveJava); err != nil {
		return nil, err
	}
	args := append(javaLimits(), "Serve.java", "rsa.p12")
	for _, c := range g.Configs {
		args = append(args, strconv.Itoa(c.Port), c.text, strings.Join(append([]string{""}, c.more...), ""))
	}
	var cmd *exec.Cmd
	if cmd, err = command(dir, nil, "java", args...); err != nil {
		return nil, err
	}
	return run(cmd, g.asked()...)
}

// javaLimits are a virtual machine's arguments: small, quick to start, and with weak keys.
func javaLimits() []string {
	return []string{"-Xshare:auto", "-XX:TieredStopAtLevel=1", "-Xmx256m", "-Djdk.tls.ephemeralDHKeySize=1024",
		"-Djdk.tls.namedGroups=secp256r1,secp384r1,secp521r1,x25519,ffdhe2048"}
}
