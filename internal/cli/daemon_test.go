package cli

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tlswright/tlswright/internal/freeport"
)

// daemon is a foreign server of a script: a temporary instance on free ports of loopback, with a folder of its own.
type daemon struct {
	dir   string
	ports []string
	args  []string
}

// kind says how to run one kind of daemon.
type kind struct {
	program      string
	talksOnStdin bool // it says there why it does not start
	needsRoot    bool
	needs        string                // another program that it runs; may be empty
	ports        int                   // on which it listens; 0: one
	isExtra      bool                  // it may be missing where CI=true, unless scripts/peers.sh lists its program
	prepare      func(d *daemon) error // may be nil
	command      func(d *daemon, program string) *exec.Cmd
}

func kinds() map[string]kind {
	return map[string]kind{
		"openssl":  {program: "openssl", command: opensslServer},
		"postfix":  {program: "/usr/lib/postfix/sbin/master", needsRoot: true, prepare: preparePostfix, command: postfixMaster},
		"mailbox":  {program: "/usr/lib/postfix/sbin/master", ports: 2, needsRoot: true, prepare: prepareMailbox, command: postfixMaster},
		"dovecot":  {program: "dovecot", ports: 3, needsRoot: true, prepare: prepareDovecot, command: dovecot},
		"vsftpd":   {program: "vsftpd", needsRoot: true, talksOnStdin: true, prepare: prepareVsftpd, command: vsftpd},
		"inn":      {program: "nnrpd", needsRoot: true, prepare: prepareINN, command: nnrpd},
		"slapd":    {program: "slapd", ports: 2, prepare: prepareSlapd, command: slapd},
		"nginx":    {program: "nginx", prepare: prepareNginx, command: nginx},
		"postgres": {program: "postgres", prepare: preparePostgres, command: postgres},

		"dovecot-delivery": {program: "/usr/lib/dovecot/managesieve-login", ports: 2, needs: "/usr/lib/dovecot/lmtp", isExtra: true, needsRoot: true, prepare: prepareDelivery, command: deliveryDovecot},
		"prosody":          {program: "prosody", ports: 2, isExtra: true, prepare: prepareProsody, command: prosody},
		"mariadb":          {program: "mariadbd", isExtra: true, prepare: prepareMariaDB, command: mariaDB},
		"xrdp":             {program: "xrdp", isExtra: true, needsRoot: true, prepare: prepareXRDP, command: xrdp},
	}
}

// find looks for a program where Debian puts servers, too.
func (k kind) find() (string, error) {
	if k.needs != "" {
		if _, err := exec.LookPath(k.needs); err != nil {
			return "", fmt.Errorf("%s is missing", k.needs)
		}
	}
	if path, err := exec.LookPath(k.program); err == nil {
		return path, nil
	}
	for _, pattern := range []string{"/usr/sbin/", "/usr/lib/postgresql/*/bin/", "/usr/lib/news/bin/"} {
		if found, _ := filepath.Glob(pattern + k.program); len(found) > 0 {
			return found[len(found)-1], nil
		}
	}
	return "", fmt.Errorf("%s is missing", k.program)
}

// peerCondition is [peer:NAME] in scripts: the daemon can be run here. With CI=true nothing may be skipped.
func peerCondition(cond string) (bool, error) {
	name, ok := strings.CutPrefix(cond, "peer:")
	k, known := kinds()[name]
	if !ok || !known {
		return false, fmt.Errorf("unknown condition %q", cond)
	}
	_, err := k.find()
	if err == nil && k.needsRoot && os.Getuid() != 0 {
		err = fmt.Errorf("%s must be started by root", name)
	}
	if err != nil && os.Getenv("CI") == "true" && (!k.isExtra || isListedPeer(k.program)) {
		return false, fmt.Errorf("%w, and CI=true skips nothing: see scripts/peers.sh", err)
	}
	return err == nil, nil
}

// startDaemon is `daemon NAME KIND FOLDER ARG...`: it runs a server with fullchain.pem and privkey.pem of the folder, and
// sets $NAME to its host:port, $NAME_PORT to the port, $NAME_PORT2 and $NAME_PORT3 to those of its further services, and
// $NAME_DIR to its folder.
func startDaemon(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: daemon NAME KIND FOLDER ARG...")
	}
	k := kinds()[args[1]]
	program, err := k.find()
	ts.Check(err)
	var d *daemon
	for try := range 5 { // a port that was free may be taken by the time that the daemon wants it
		time.Sleep(time.Duration(try) * 200 * time.Millisecond)
		if d = newDaemon(ts, args[2], args[3:]); d.start(ts, k, program) {
			ts.Setenv(args[0], "127.0.0.1:"+d.ports[0])
			ts.Setenv(args[0]+"_DIR", d.dir)
			for i, suffix := range []string{"_PORT", "_PORT2", "_PORT3"} {
				ts.Setenv(args[0]+suffix, d.ports[i])
			}
			return
		}
	}
	ts.Fatalf("%s does not start:\n%s", args[1], d.log())
}

// newDaemon makes the folder of a daemon.
func newDaemon(ts *testscript.TestScript, certificate string, args []string) *daemon {
	d := &daemon{args: args, ports: freePorts(ts, 3)}
	var err error
	d.dir, err = os.MkdirTemp("", "tlswright-daemon-")
	ts.Check(err)
	ts.Defer(func() { os.RemoveAll(d.dir) })
	ts.Check(os.Chmod(d.dir, 0o755)) // daemons give up root
	ts.Check(d.write("cert.pem", 0o644, ts.ReadFile(filepath.Join(certificate, "fullchain.pem"))))
	ts.Check(d.write("key.pem", 0o600, ts.ReadFile(filepath.Join(certificate, "privkey.pem"))))
	return d
}

// start runs the daemon until the end of the script, and reports whether it listens.
func (d *daemon) start(ts *testscript.TestScript, k kind, program string) bool {
	if k.prepare != nil {
		ts.Check(k.prepare(d))
	}
	log, err := os.Create(d.path("log"))
	ts.Check(err)
	defer log.Close()
	cmd := k.command(d, program)
	cmd.Dir, cmd.Stdout, cmd.Stderr = d.dir, log, log
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	if k.talksOnStdin {
		cmd.Stdin = log
	} else {
		_, err = cmd.StdinPipe() // which stays open: some end with it
		ts.Check(err)
	}
	ts.Check(cmd.Start())
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	ts.Defer(func() {
		stopDaemon(cmd, ended)
		ts.Logf("[log of %s]\n%s", k.program, d.log())
	})
	for _, port := range d.ports[:max(k.ports, 1)] { // some open one after the other, and each is asked by a script
		if !isListening(port, ended) {
			return false
		}
	}
	return true
}

// isListening waits until a port is listened on, or the daemon has ended.
func isListening(port string, ended <-chan struct{}) bool {
	for deadline := time.Now().Add(scriptPatience); time.Now().Before(deadline); {
		if c, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			c.Close()
			return true
		}
		select {
		case <-ended:
			return false
		case <-time.After(10 * time.Millisecond):
		}
	}
	return false
}

func (d *daemon) log() string {
	var all []byte
	for _, name := range []string{"log", "maillog"} {
		text, _ := os.ReadFile(d.path(name))
		all = append(all, text...)
	}
	return string(all)
}

// stopDaemon ends the process group that was started here.
func stopDaemon(cmd *exec.Cmd, ended <-chan struct{}) {
	cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
	}
	syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	<-ended
}

func (d *daemon) path(name string) string { return filepath.Join(d.dir, name) }

func (d *daemon) write(name string, mode os.FileMode, text string) error {
	return os.WriteFile(d.path(name), []byte(strings.NewReplacer("DIR", d.dir).Replace(text)), mode)
}

// configure writes a configuration; DIR and PORT, PORT2 and PORT3 stand for those of the daemon.
func (d *daemon) configure(name, text string) error {
	for i := len(d.ports) - 1; i > 0; i-- {
		text = strings.ReplaceAll(text, "PORT"+strconv.Itoa(i+1), d.ports[i])
	}
	return d.write(name, 0o644, strings.ReplaceAll(text, "PORT", d.ports[0]))
}

func freePorts(ts *testscript.TestScript, count int) []string {
	var ports []string
	for range count {
		port, err := freeport.Number()
		ts.Check(err)
		ports = append(ports, port)
	}
	return ports
}

// folderOf makes a folder that belongs to a user, or to whoever runs the test where that is not root.
func (d *daemon) folderOf(name, owner string) error {
	if err := os.MkdirAll(d.path(name), 0o755); err != nil {
		return err
	}
	return d.giveTo(name, owner)
}

func (d *daemon) giveTo(name, owner string) error {
	id, err := ids(owner)
	if err != nil || id == nil {
		return err
	}
	return os.Chown(d.path(name), int(id.Uid), int(id.Gid))
}

// ids looks a user up; nil where we are not root, and can be nobody else.
func ids(name string) (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}

func opensslServer(d *daemon, program string) *exec.Cmd {
	args := []string{"s_server", "-accept", "127.0.0.1:" + d.ports[0], "-cert", d.path("cert.pem"), "-key", d.path("key.pem"), "-quiet"}
	return exec.Command(program, append(args, d.args...)...)
}

func preparePostfix(d *daemon) error {
	for _, name := range []string{"queue", "queue/pid"} {
		if err := d.folderOf(name, "root"); err != nil {
			return err
		}
	}
	for _, name := range []string{"data", "queue/private", "queue/public"} {
		if err := d.folderOf(name, "postfix"); err != nil {
			return err
		}
	}
	err := d.configure("main.cf", `compatibility_level = 3.6
queue_directory = DIR/queue
data_directory = DIR/data
maillog_file = DIR/maillog
maillog_file_prefixes = DIR
myhostname = localhost
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
smtpd_tls_cert_file = DIR/cert.pem
smtpd_tls_key_file = DIR/key.pem
smtpd_tls_security_level = may
`)
	if err != nil {
		return err
	}
	return d.configure("master.cf", `127.0.0.1:PORT inet n - n - - smtpd
anvil unix - - n - 1 anvil
tlsmgr unix - - n - 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
`)
}

func postfixMaster(d *daemon, program string) *exec.Cmd {
	cmd := exec.Command(program, "-c", d.dir, "-d")
	cmd.Env = append(os.Environ(), "MAIL_CONFIG="+d.dir)
	return cmd
}

func prepareDovecot(d *daemon) error {
	return d.configure("dovecot.conf", `base_dir = DIR/run
state_dir = DIR/state
log_path = /dev/stderr
protocols = imap pop3
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
service imap-login {
  inet_listener imap {
    port = PORT
  }
  inet_listener imaps {
    port = PORT3
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
`)
}

func dovecot(d *daemon, program string) *exec.Cmd {
	return exec.Command(program, "-F", "-c", d.path("dovecot.conf"))
}

func prepareVsftpd(d *daemon) error {
	if err := d.folderOf("empty", "root"); err != nil {
		return err
	}
	return d.configure("vsftpd.conf", `listen=YES
background=NO
listen_address=127.0.0.1
listen_port=PORT
anonymous_enable=YES
anon_root=DIR/empty
ssl_enable=YES
allow_anon_ssl=YES
rsa_cert_file=DIR/cert.pem
rsa_private_key_file=DIR/key.pem
secure_chroot_dir=DIR/empty
seccomp_sandbox=NO
`)
}

func vsftpd(d *daemon, program string) *exec.Cmd {
	return exec.Command(program, d.path("vsftpd.conf"))
}

// prepareINN makes a news server without articles. Its programs find everything by the inn.conf that INNCONF names.
func prepareINN(d *daemon) error {
	for _, name := range []string{"db", "run", "tmp", "logs", "spool", "spool/overview"} {
		if err := d.folderOf(name, "news"); err != nil {
			return err
		}
	}
	for name, text := range map[string]string{
		"db/active": "control 0000000000 0000000001 n\n", "db/active.times": "", "db/newsgroups": "", "db/history": "", "storage.conf": "",
		"readers.conf": "auth all {\n hosts: *\n default: <user>\n}\naccess all {\n users: *\n newsgroups: *\n}\n",
	} {
		if err := d.write(name, 0o644, text); err != nil {
			return err
		}
	}
	err := d.configure("inn.conf", `domain: news.test
pathhost: news.test
mta: "/bin/true %s"
nnrpdloadlimit: 0
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
tlscertfile: DIR/cert.pem
tlskeyfile: DIR/key.pem
`)
	if err == nil {
		err = d.giveTo("key.pem", "news")
	}
	if err != nil {
		return err
	}
	cmd := asNews(exec.Command("/usr/lib/news/bin/overchan"), d) // makes the empty index that nnrpd wants to read
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("overchan: %w\n%s", err, out)
	}
	return nil
}

func asNews(cmd *exec.Cmd, d *daemon) *exec.Cmd {
	id, _ := ids("news") // Debian has always had this user
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: id}
	cmd.Env = append(os.Environ(), "INNCONF="+d.path("inn.conf"))
	return cmd
}

func nnrpd(d *daemon, program string) *exec.Cmd {
	return asNews(exec.Command(program, "-D", "-f", "-b", "127.0.0.1", "-p", d.ports[0], "-c", d.path("readers.conf")), d)
}

func prepareSlapd(d *daemon) error {
	return d.configure("slapd.conf", `pidfile DIR/pid
argsfile DIR/args
TLSCertificateFile DIR/cert.pem
TLSCertificateKeyFile DIR/key.pem
`)
}

func slapd(d *daemon, program string) *exec.Cmd {
	return exec.Command(program, "-d", "0", "-f", d.path("slapd.conf"), "-h",
		"ldap://127.0.0.1:"+d.ports[0]+"/ ldaps://127.0.0.1:"+d.ports[1]+"/")
}

// preparePostgres makes a database; PostgreSQL does not run as root, so that it belongs to the user postgres there.
func preparePostgres(d *daemon) error {
	if err := d.folderOf("data", "postgres"); err != nil {
		return err
	}
	if err := d.giveTo("key.pem", "postgres"); err != nil {
		return err
	}
	initdb, err := kind{program: "initdb"}.find()
	if err != nil {
		return err
	}
	cmd, err := asPostgres(exec.Command(initdb, "-D", d.path("data"), "-U", "postgres", "-A", "trust", "--no-sync"))
	if err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

func asPostgres(cmd *exec.Cmd) (*exec.Cmd, error) {
	id, err := ids("postgres")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: id}
	return cmd, err
}

func postgres(d *daemon, program string) *exec.Cmd {
	cmd, _ := asPostgres(exec.Command(program, "-D", d.path("data"), "-p", d.ports[0], "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "ssl=on", "-c", "ssl_cert_file="+d.path("cert.pem"), "-c", "ssl_key_file="+d.path("key.pem")))
	return cmd
}
