package lab

import (
	"os"
	"path/filepath"
	"strings"
)

// opensslGroups are servers of openssl s_server: every legacy switch that Debian's build has.
func opensslGroups() []*Group {
	var all []*Group
	add := func(name, identity, args string, set func(*Config)) {
		c := &Config{Name: "s_server: " + name, Identities: []string{identity}, text: args, Ring: RingAccept}
		if set != nil {
			set(c)
		}
		all = append(all, &Group{Program: "openssl", Configs: []*Config{c}, start: startOpenSSL})
	}
	ci := func(c *Config) { c.Ring = RingCI }
	add("default", "rsa", "-www", nil)
	add("TLS 1.0", "rsa", "-tls1 -cipher ALL:COMPLEMENTOFALL:@SECLEVEL=0 -www", nil)
	add("TLS 1.1", "rsa", "-tls1_1 -cipher ALL:COMPLEMENTOFALL:@SECLEVEL=0 -www", nil)
	add("NULL", "ecdsa", "-tls1_2 -cipher eNULL:@SECLEVEL=0 -www", nil)
	add("everything, own order", "ecdsa", "-cipher ALL:COMPLEMENTOFALL:@SECLEVEL=0 -serverpref -www", nil)
	add("everything, client's order", "rsa", "-cipher ALL:COMPLEMENTOFALL:@SECLEVEL=0 -www", ci)
	add("ChaCha20 for those who like it", "rsa", "-cipher ECDHE+AESGCM:ECDHE+CHACHA20 -serverpref -prioritize_chacha -www", nil)
	add("CCM", "rsa", "-tls1_3 -ciphersuites TLS_AES_128_CCM_SHA256:TLS_AES_128_CCM_8_SHA256 -www", nil)
	add("DSA", "dsa", "-tls1_2 -cipher ALL:@SECLEVEL=0 -www", nil)
	add("X448 alone", "rsa", "-groups X448 -www", nil)
	add("ffdhe2048 alone", "rsa", "-tls1_3 -groups ffdhe2048 -www", nil)
	add("brainpool", "rsa", "-tls1_2 -groups brainpoolP256r1:brainpoolP384r1 -cipher ECDHE:@SECLEVEL=0 -www", nil)
	add("binary curves", "rsa", "-tls1_2 -groups sect163k1:sect283r1:secp160r1:secp256k1 -cipher ECDHE:@SECLEVEL=0 -www", nil)
	add("client renegotiation", "rsa", "-tls1_2 -client_renegotiation -www", func(c *Config) {
		c.Wrong = []string{"client-renegotiation"}
	})
	add("legacy renegotiation", "rsa", "-tls1_2 -legacy_renegotiation -www", nil)
	add("0-RTT", "rsa", "-tls1_3 -early_data", nil)
	add("one scheme", "rsa", "-sigalgs RSA-PSS+SHA512 -www", nil)
	add("PSK", "rsa", "-nocert -psk 1a2b -cipher PSK:@SECLEVEL=0 -tls1_2 -www", func(c *Config) { c.PSK, c.Identities = true, nil })
	add("no tickets, no EMS", "rsa", "-tls1_2 -no_ticket -no_cache -www", nil)
	add("staple", "rsa", "-status_file STAPLE -www", func(c *Config) { c.Staple = "good" })
	add("records of 512 bytes", "rsa", "-split_send_frag 512 -max_send_frag 512 -www", nil)
	add("P-521", "ecdsa", "-groups P-521 -www", nil)
	return append(all, gostGroup())
}

func startOpenSSL(l *Lab, g *Group) (stopper, error) {
	dir, err := l.place("openssl")
	if err != nil {
		return nil, err
	}
	c := g.Configs[0]
	ids, err := l.identities(c)
	if err != nil {
		return nil, err
	}
	args := []string{"s_server", "-accept", c.Addr(), "-quiet"}
	for _, id := range ids {
		args = append(args, "-cert", id.Leaf, "-key", id.Key, "-cert_chain", filepath.Join(l.Dir, "inter.pem"))
	}
	text := c.text
	if c.Staple != "" {
		file, err := l.staple(dir, ids[0])
		if err != nil {
			return nil, err
		}
		text = strings.ReplaceAll(text, "STAPLE", file)
	}
	if err := writeDH(dir); err != nil {
		return nil, err
	}
	if len(ids) > 0 {
		args = append(args, "-dhparam", filepath.Join(dir, "dh2048.pem"))
	}
	cmd, err := command(dir, nil, "openssl", append(args, strings.Fields(text)...)...)
	if err != nil {
		return nil, err
	}
	return run(cmd, g.ports...)
}

// staple lets openssl sign an OCSP response that says "good", as the intermediate.
func (l *Lab) staple(dir string, id *Identity) (string, error) {
	file := filepath.Join(dir, "staple.der")
	serial, err := output(l.ctx, dir, nil, "openssl", "x509", "-in", id.Leaf, "-noout", "-serial")
	if err != nil {
		return "", err
	}
	_, number, _ := strings.Cut(strings.TrimSpace(string(serial)), "=")
	index, err := write(dir, "index.txt", "V\t350101000000Z\t\t"+number+"\tunknown\t/CN=lab.test\n")
	if err != nil {
		return "", err
	}
	inter := filepath.Join(l.Dir, "inter.pem")
	_, err = output(l.ctx, dir, nil, "openssl", "ocsp", "-index", index, "-CA", inter, "-rsigner", inter, "-rkey", filepath.Join(l.Dir, "inter.key"),
		"-issuer", inter, "-cert", id.Leaf, "-respout", file, "-ndays", "2", "-noverify")
	return file, err
}

// gostConfiguration loads the engine that has the suites of GOST.
const gostConfiguration = `openssl_conf = o
[o]
engines = e
ssl_conf = s
[s]
system_default = d
[d]
MinProtocol = TLSv1
CipherString = ALL:@SECLEVEL=0
[e]
gost = g
[g]
engine_id = gost
dynamic_path = ENGINE
default_algorithms = ALL
`

// gostEngine is where Debian puts it; "" if it is not there.
func gostEngine() string {
	found, _ := filepath.Glob("/usr/lib/*/engines-3/gost.so")
	if len(found) == 0 {
		return ""
	}
	return found[0]
}

// GOSTConfiguration writes the configuration with which OpenSSL's programs know GOST, and returns its file.
func (l *Lab) GOSTConfiguration() (string, error) {
	file := filepath.Join(l.Dir, "gost.cnf")
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	return write(l.Dir, "gost.cnf", strings.ReplaceAll(gostConfiguration, "ENGINE", gostEngine()))
}

func gostGroup() *Group {
	return &Group{Program: "openssl", start: startGOST, Configs: []*Config{
		{Name: "s_server: GOST", GOST: true, Ring: RingAccept, text: "-tls1_2 -cipher ALL:aGOST:@SECLEVEL=0 -www"},
	}}
}

func startGOST(l *Lab, g *Group) (stopper, error) {
	dir, err := l.place("gost")
	if err != nil {
		return nil, err
	}
	file, err := l.GOSTConfiguration()
	if err != nil {
		return nil, err
	}
	c, environment := g.Configs[0], []string{"OPENSSL_CONF=" + file}
	key, cert := filepath.Join(dir, "gost.key"), filepath.Join(dir, "gost.pem")
	make, err := command(dir, environment, "openssl", "req", "-x509", "-newkey", "gost2012_256", "-pkeyopt", "paramset:A", "-nodes",
		"-keyout", key, "-out", cert, "-subj", "/CN="+Host, "-addext", "subjectAltName=DNS:"+Host, "-config", filepath.Join(l.Dir, "ext.cnf"))
	if err != nil {
		return nil, err
	}
	if out, err := make.CombinedOutput(); err != nil {
		return nil, &failed{"openssl req", err, string(out)}
	}
	cmd, err := command(dir, environment, "openssl", append([]string{"s_server", "-accept", c.Addr(), "-quiet", "-cert", cert, "-key", key}, strings.Fields(c.text)...)...)
	if err != nil {
		return nil, err
	}
	return run(cmd, g.ports...)
}

// failed is a program that ended with an error.
type failed struct {
	what string
	err  error
	said string
}

func (f *failed) Error() string { return f.what + ": " + f.err.Error() + "\n" + f.said }
func (f *failed) Unwrap() error { return f.err }
