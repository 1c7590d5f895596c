package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// isListedPeer reports whether scripts/peers.sh promises a program.
func isListedPeer(program string) bool {
	list, err := os.ReadFile(filepath.Join("..", "..", "scripts", "peers.sh"))
	always, onlyAccept, _ := strings.Cut(string(list), "= accept ]")
	if os.Getenv("TLSWRIGHT_ACCEPT") != "" {
		always += onlyAccept
	}
	return err == nil && strings.Contains(always, "\n"+filepath.Base(program)+" ")
}

// prepareDelivery sets Dovecot up as those see it who bring mail, by LMTP, and who sort it, by ManageSieve.
func prepareDelivery(d *daemon) error {
	return d.configure("dovecot.conf", `base_dir = DIR/run
state_dir = DIR/state
log_path = /dev/stderr
protocols = lmtp sieve
listen = 127.0.0.1
ssl = yes
ssl_cert = <DIR/cert.pem
ssl_key = <DIR/key.pem
passdb {
  driver = static
  args = nopassword=y
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=DIR
}
service lmtp {
  inet_listener lmtp {
    address = 127.0.0.1
    port = PORT
  }
}
service managesieve-login {
  inet_listener sieve {
    port = PORT2
  }
}
`)
}

func deliveryDovecot(d *daemon, _ string) *exec.Cmd {
	program, err := kinds()["dovecot"].find()
	if err != nil {
		program = "dovecot"
	}
	return dovecot(d, program)
}

func prepareProsody(d *daemon) error {
	if err := d.folderOf("data", "prosody"); err != nil {
		return err
	}
	if err := d.giveTo("key.pem", "prosody"); err != nil {
		return err
	}
	return d.configure("prosody.cfg.lua", `data_path = "DIR/data"
pidfile = "DIR/data/pid"
run_as_root = true
log = { { levels = { min = "warn" }, to = "console" } }
interfaces = { "127.0.0.1" }
c2s_ports = { PORT }
s2s_ports = { PORT2 }
modules_enabled = { "tls", "saslauth", "dialback" }
VirtualHost "localhost"
    ssl = { key = "DIR/key.pem"; certificate = "DIR/cert.pem" }
`)
}

func prosody(d *daemon, program string) *exec.Cmd {
	return exec.Command(program, "--config", d.path("prosody.cfg.lua"), "-F")
}

func prepareMariaDB(d *daemon) error {
	if err := d.folderOf("data", "nobody"); err != nil {
		return err
	}
	return d.giveTo("key.pem", "nobody")
}

// mariaDB has no accounts, for nobody logs in.
func mariaDB(d *daemon, program string) *exec.Cmd {
	args := []string{
		"--no-defaults", "--skip-grant-tables", "--datadir=" + d.path("data"), "--tmpdir=" + d.path("data"), "--socket=" + d.path("data/sock"), "--bind-address=127.0.0.1", "--port=" + d.ports[0],
		"--ssl-cert=" + d.path("cert.pem"), "--ssl-key=" + d.path("key.pem"), "--pid-file=" + d.path("data/pid"), "--innodb-buffer-pool-size=8M", "--innodb-log-file-size=4M",
	}
	if os.Getuid() == 0 {
		args = append(args, "--user=nobody")
	}
	return exec.Command(program, args...)
}

func prepareXRDP(d *daemon) error {
	return d.configure("xrdp.ini", `[Globals]
ini_version=1
fork=true
port=tcp://127.0.0.1:PORT
security_layer=tls
certificate=DIR/cert.pem
key_file=DIR/key.pem
ssl_protocols=TLSv1.2, TLSv1.3

[Logging]
LogFile=DIR/maillog
LogLevel=INFO
EnableSyslog=false

[Xorg]
name=none
lib=libxup.so
ip=127.0.0.1
port=-1
`)
}

func xrdp(d *daemon, program string) *exec.Cmd {
	return exec.Command(program, "--nodaemon", "-c", d.path("xrdp.ini"))
}

// prepareNginx writes a configuration with a site of plain HTTP for localhost.
func prepareNginx(d *daemon) error {
	user := ""
	if os.Getuid() == 0 {
		user = "user root;"
	}
	err := d.configure("nginx.conf", user+`pid DIR/pid; error_log DIR/error.log; daemon off;
events { }
http {
  access_log off;
  client_body_temp_path DIR/a; proxy_temp_path DIR/b; fastcgi_temp_path DIR/c; uwsgi_temp_path DIR/d; scgi_temp_path DIR/e;
  include site.conf;
}
`)
	if err != nil {
		return err
	}
	return d.configure("site.conf", `server {
    listen 127.0.0.1:PORT;
    server_name localhost;
    return 200 hello;
}
`)
}

func nginx(d *daemon, program string) *exec.Cmd {
	return exec.Command(program, "-p", d.dir, "-c", d.path("nginx.conf"), "-e", d.path("error.log"))
}
