package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// service is a server that is configured by files in a folder. In their text DIR, CHAIN, KEY, ROOT and PORT, PORT2, … are
// replaced.
type service struct {
	files   map[string]string
	folders map[string]string // owners by name
	args    []string
	as      string   // user; "" is ours
	env     []string //
	key     string   // owner of the key, "" is root
	prepare func(dir string) error
}

// launch prepares a group whose configurations are the services of one program.
func (s service) launch(identity string) func(*Lab, *Group) (stopper, error) {
	return func(l *Lab, g *Group) (stopper, error) {
		dir, err := l.place(filepath.Base(g.Program))
		if err != nil {
			return nil, err
		}
		id, err := l.Identity(identity)
		if err != nil {
			return nil, err
		}
		if err := writeDH(dir); err != nil {
			return nil, err
		}
		key, err := os.ReadFile(id.Key)
		if err != nil {
			return nil, err
		}
		s.files["key.pem"] = string(key)
		with := s.replacer(l, dir, id, g.ports)
		if err := s.lay(dir, with); err != nil {
			return nil, err
		}
		args := make([]string, len(s.args))
		for i := range args {
			args[i] = with.Replace(s.args[i])
		}
		var env []string
		for _, e := range s.env {
			env = append(env, with.Replace(e))
		}
		if s.prepare != nil {
			if err := s.prepare(dir); err != nil {
				return nil, err
			}
		}
		cmd, err := command(dir, env, g.Program, args...)
		if err != nil {
			return nil, err
		}
		if err := become(cmd, s.as); err != nil {
			return nil, err
		}
		return run(cmd, g.ports...)
	}
}

func (s service) replacer(l *Lab, dir string, id *Identity, ports []int) *strings.Replacer {
	pairs := []string{"DIR", dir, "CHAIN", id.Chain, "LEAF", id.Leaf, "KEY", filepath.Join(dir, "key.pem"), "ROOT", l.Root, "HOST", Host}
	for i := len(ports) - 1; i > 0; i-- {
		pairs = append(pairs, fmt.Sprintf("PORT%d", i+1), strconv.Itoa(ports[i]))
	}
	return strings.NewReplacer(append(pairs, "PORT", strconv.Itoa(ports[0]))...)
}

func (s service) lay(dir string, with *strings.Replacer) error {
	for name, owner := range s.folders {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(at, 0o755); err != nil {
			return err
		}
		if err := giveTo(at, owner); err != nil {
			return err
		}
	}
	for name, text := range s.files {
		if !strings.HasSuffix(name, ".pem") {
			text = with.Replace(text)
		}
		file, err := write(dir, name, text)
		if err != nil {
			return err
		}
		if name != "key.pem" {
			continue
		}
		if err := os.Chmod(file, 0o600); err != nil {
			return err
		}
		if err := giveTo(file, s.key); err != nil {
			return err
		}
	}
	return nil
}

// named makes the configurations of a service: name, protocol, …
func named(ring Ring, pairs ...string) []*Config {
	var all []*Config
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, &Config{Name: pairs[i], StartTLS: pairs[i+1], Identities: []string{"rsa"}, Ring: ring})
	}
	return all
}

// serviceGroups are the servers of mail, files, directories, chat, databases and desktops.
func serviceGroups() []*Group {
	return []*Group{
		postfixGroup(), dovecotGroup(), vsftpdGroup(), slapdGroup(), prosodyGroup(), postgresGroup(), mariaGroup(), xrdpGroup(), innGroup(),
	}
}

func postfixGroup() *Group {
	s := service{
		folders: map[string]string{"queue": "root", "queue/pid": "root", "data": "postfix", "queue/private": "postfix", "queue/public": "postfix"},
		files: map[string]string{"main.cf": `compatibility_level = 3.6
queue_directory = DIR/queue
data_directory = DIR/data
maillog_file = DIR/maillog
maillog_file_prefixes = DIR
myhostname = HOST
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
smtpd_tls_chain_files = KEY, CHAIN
smtpd_tls_security_level = may
smtpd_tls_protocols = >=TLSv1
smtpd_tls_ciphers = low
tls_low_cipherlist = ALL:@SECLEVEL=0
smtpd_client_connection_rate_limit = 0
smtpd_client_connection_count_limit = 0
`, "master.cf": `127.0.0.1:PORT inet n - n - - smtpd
127.0.0.1:PORT2 inet n - n - - smtpd
 -o smtpd_tls_wrappermode=yes
anvil unix - - n - 1 anvil
tlsmgr unix - - n - 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
`},
		args: []string{"-c", "DIR", "-d"}, env: []string{"MAIL_CONFIG=DIR"},
	}
	return &Group{Program: "/usr/lib/postfix/sbin/master", NeedsRoot: true, start: s.launch("rsa"),
		Configs: named(RingAccept, "Postfix: smtp", "smtp", "Postfix: smtps", "")}
}

func dovecotGroup() *Group {
	s := service{
		files: map[string]string{"dovecot.conf": `base_dir = DIR/run
state_dir = DIR/state
log_path = /dev/stderr
protocols = imap pop3 lmtp sieve
listen = 127.0.0.1
ssl = yes
ssl_min_protocol = TLSv1
ssl_cipher_list = ALL:!aNULL:@SECLEVEL=0
ssl_cert = <CHAIN
ssl_key = <KEY
passdb {
  driver = static
  args = nopassword=y
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=DIR
}
service imap-login {
  inet_listener imap {
    port = PORT
  }
  inet_listener imaps {
    port = PORT5
    ssl = yes
  }
}
service pop3-login {
  inet_listener pop3 {
    port = PORT2
  }
  inet_listener pop3s {
    port = 0
  }
}
service lmtp {
  inet_listener lmtp {
    port = PORT3
  }
}
service managesieve-login {
  inet_listener sieve {
    port = PORT4
  }
}
`},
		args: []string{"-F", "-c", "DIR/dovecot.conf"},
	}
	return &Group{Program: "dovecot", NeedsRoot: true, start: s.launch("rsa"),
		Configs: named(RingAccept, "Dovecot: imap", "imap", "Dovecot: pop3", "pop3", "Dovecot: lmtp", "lmtp", "Dovecot: sieve", "sieve", "Dovecot: imaps", "")}
}

func vsftpdGroup() *Group {
	s := service{
		folders: map[string]string{"empty": "root"},
		files: map[string]string{"vsftpd.conf": `listen=YES
background=NO
listen_address=127.0.0.1
listen_port=PORT
anonymous_enable=YES
anon_root=DIR/empty
ssl_enable=YES
ssl_tlsv1=YES
ssl_ciphers=ALL:@SECLEVEL=0
allow_anon_ssl=YES
rsa_cert_file=CHAIN
rsa_private_key_file=KEY
secure_chroot_dir=DIR/empty
seccomp_sandbox=NO
max_per_ip=0
`},
		args: []string{"DIR/vsftpd.conf"},
	}
	return &Group{Program: "vsftpd", NeedsRoot: true, start: s.launch("rsa"), Configs: named(RingAccept, "vsftpd: ftp", "ftp")}
}

func slapdGroup() *Group {
	s := service{
		files: map[string]string{"slapd.conf": `pidfile DIR/pid
argsfile DIR/args
TLSCertificateFile CHAIN
TLSCertificateKeyFile KEY
TLSCACertificateFile ROOT
`},
		args: []string{"-d", "0", "-f", "DIR/slapd.conf", "-h", "ldap://127.0.0.1:PORT/ ldaps://127.0.0.1:PORT2/"},
	}
	g := &Group{Program: "slapd", start: s.launch("rsa"), Configs: named(RingAccept, "slapd: ldap", "ldap", "slapd: ldaps", "")}
	for _, c := range g.Configs {
		c.Wrong = []string{"client-renegotiation"} // Debian's slapd is made with GnuTLS
	}
	return g
}

func prosodyGroup() *Group {
	s := service{
		folders: map[string]string{"data": "prosody"}, key: "prosody", as: "prosody",
		files: map[string]string{"prosody.cfg.lua": `daemonize = false
pidfile = "DIR/data/pid"
data_path = "DIR/data"
modules_enabled = { "tls", "saslauth", "dialback", "roster" }
modules_disabled = { "s2s_auth_certs" }
log = { warn = "*console" }
interfaces = { "127.0.0.1" }
c2s_ports = { PORT }
s2s_ports = { PORT2 }
ssl = { certificate = "CHAIN", key = "KEY", protocol = "tlsv1+", ciphers = "ALL:!aNULL:@SECLEVEL=0" }
VirtualHost "HOST"
  ssl = { certificate = "CHAIN", key = "KEY", protocol = "tlsv1+", ciphers = "ALL:!aNULL:@SECLEVEL=0" }
`},
		args: []string{"--config", "DIR/prosody.cfg.lua", "-F"},
	}
	return &Group{Program: "prosody", NeedsRoot: true, start: s.launch("rsa"),
		Configs: named(RingAccept, "prosody: xmpp", "xmpp", "prosody: xmpp-server", "xmpp-server")}
}

func postgresGroup() *Group {
	s := service{
		folders: map[string]string{"data": "postgres"}, key: "postgres", as: "postgres",
		prepare: func(dir string) error {
			data := filepath.Join(dir, "data")
			if err := os.Chmod(data, 0o700); err != nil {
				return err
			}
			cmd, err := command(dir, nil, "initdb", "-D", data, "-A", "trust", "-N", "-E", "UTF8")
			if err != nil {
				return err
			}
			if err := become(cmd, "postgres"); err != nil {
				return err
			}
			if out, err := cmd.CombinedOutput(); err != nil {
				return &failed{"initdb", err, string(out)}
			}
			return nil
		},
		files: map[string]string{},
		args: []string{"-D", "DIR/data", "-c", "port=PORT", "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "ssl=on",
			"-c", "ssl_cert_file=CHAIN", "-c", "ssl_key_file=KEY", "-c", "ssl_min_protocol_version=TLSv1", "-c", "ssl_ciphers=ALL:@SECLEVEL=0"},
	}
	return &Group{Program: "postgres", start: s.launch("rsa"), Configs: named(RingAccept, "PostgreSQL", "postgres")}
}

func mariaGroup() *Group {
	s := service{
		folders: map[string]string{"data": "mysql", "tmp": "mysql"}, key: "mysql", as: "mysql",
		files: map[string]string{},
		args: []string{"--no-defaults", "--datadir=DIR/data", "--tmpdir=DIR/tmp", "--socket=DIR/data/sock", "--pid-file=DIR/data/pid", "--port=PORT",
			"--bind-address=127.0.0.1", "--skip-grant-tables", "--skip-networking=0", "--ssl-cert=CHAIN", "--ssl-key=KEY",
			"--tls-version=TLSv1.0,TLSv1.1,TLSv1.2,TLSv1.3", "--ssl-cipher=ALL:@SECLEVEL=0", "--max-connect-errors=1000000", "--innodb-buffer-pool-size=16M"},
	}
	return &Group{Program: "mariadbd", start: s.launch("rsa"), Configs: named(RingAccept, "MariaDB", "mysql")}
}

func xrdpGroup() *Group {
	s := service{
		files: map[string]string{"xrdp.ini": `[Globals]
ini_version=1
fork=true
port=tcp://127.0.0.1:PORT
security_layer=tls
certificate=CHAIN
key_file=KEY
ssl_protocols=TLSv1, TLSv1.1, TLSv1.2, TLSv1.3
tls_ciphers=ALL:@SECLEVEL=0
[Logging]
LogFile=DIR/xrdp.log
LogLevel=WARNING
EnableSyslog=false
`},
		args: []string{"--nodaemon", "-c", "DIR/xrdp.ini"},
	}
	return &Group{Program: "xrdp", NeedsRoot: true, start: s.launch("rsa"), Configs: named(RingAccept, "xrdp", "rdp")}
}

func innGroup() *Group {
	s := service{
		folders: map[string]string{"db": "news", "run": "news", "tmp": "news", "logs": "news", "spool": "news", "spool/overview": "news"},
		key:     "news", as: "news", env: []string{"INNCONF=DIR/inn.conf"},
		files: map[string]string{
			"db/active": "control 0000000000 0000000001 n\n", "db/active.times": "", "db/newsgroups": "", "db/history": "", "storage.conf": "",
			"readers.conf": "auth all {\n hosts: *\n default: <user>\n}\naccess all {\n users: *\n newsgroups: *\n}\n",
			"inn.conf": `domain: news.test
pathhost: news.test
mta: "/bin/true %s"
hismethod: hisv6
ovmethod: tradindexed
pathnews: /usr/lib/news
pathbin: /usr/lib/news/bin
pathetc: DIR
pathdb: DIR/db
pathrun: DIR/run
pathtmp: DIR/tmp
pathlog: DIR/logs
pathspool: DIR/spool
tlscertfile: CHAIN
nnrpdloadlimit: 0
tlskeyfile: KEY
`},
		prepare: func(dir string) error { // the empty index that nnrpd wants to read
			cmd, err := command(dir, []string{"INNCONF=" + filepath.Join(dir, "inn.conf")}, "overchan")
			if err != nil {
				return err
			}
			if err := become(cmd, "news"); err != nil {
				return err
			}
			if out, err := cmd.CombinedOutput(); err != nil {
				return &failed{"overchan", err, string(out)}
			}
			return nil
		},
		args: []string{"-D", "-f", "-b", "127.0.0.1", "-p", "PORT", "-c", "DIR/readers.conf"},
	}
	return &Group{Program: "nnrpd", NeedsRoot: true, start: s.launch("rsa"), Configs: named(RingAccept, "INN: nntp", "nntp")}
}
