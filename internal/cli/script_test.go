package cli

import (
	"errors"
	"flag"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tlswright/tlswright/internal/freeport"
	"github.com/tlswright/tlswright/internal/logtest"
)

// -update rewrites what tests compare with: the manual pages.
var _ = flag.Bool("update", false, "rewrite the manual pages in docs/man")

// TestMain makes the test binary the command itself: the scripts call it as tlswright.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"tlswright": func() { os.Exit(Main(os.Args[1:], settledInput(os.Stdin), os.Stdout, os.Stderr)) },
		"lonely":    beLonely,
	})
}

// settledInput waits for the first word of a pipe, or its end. Whoever runs a script gives each program a pipe, and fills or
// closes it beside: on a machine that has no time for that, the program would take an empty pipe for one that will say something.
func settledInput(in *os.File) *os.File {
	info, err := in.Stat()
	if err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		return in
	}
	first := make([]byte, 32<<10) // that much has room in a pipe of which nobody reads
	n, err := in.Read(first)
	r, w, pipeErr := os.Pipe()
	if pipeErr != nil {
		panic(pipeErr)
	}
	if _, werr := w.Write(first[:n]); werr != nil {
		panic(werr)
	}
	if err != nil {
		w.Close()
		return r
	}
	go func() {
		io.Copy(w, in)
		w.Close()
	}()
	return r
}

// scriptPatience bounds every wait of a script. It is spent only where something is wrong, or the machine has no time.
const scriptPatience = time.Minute

// TestScripts runs the sessions at the shell in testdata/script. Besides the commands of testscript they have:
//
//	exits CODE PROGRAM ARG...   run to the end and demand an exit code
//	server NAME ARG...          run `tlswright serve ARG...`; sets $NAME to its host:port and $NAME_PORT to the port;
//	                            its output is in NAME.out and NAME.err
//	gateway NAME ARG...         run `tlswright gateway run ARG...`, as server does
//	whole NAME ARG...           run `tlswright up ARG...` until all is up
//	reload NAME                 have it read its file again, and wait until it has
//	soon NAME TEXT              wait until NAME has said TEXT
//	eventually CODE PROGRAM ... as exits, tried again for a while
//	halt NAME                   end it with SIGINT and demand that it ends well (testscript has a "stop" of its own,
//	                            which ends the script)
//	tcp NAME DOES               a TCP server that is no TLS server; see tcpServers
//	daemon NAME KIND FOLDER ...  a foreign server; see startDaemon. [peer:KIND] says whether it can be run
//	big FILE BYTES              make a file
//	responder NAME              an OCSP responder over HTTP: `tlswright ca ocsp`; sets $NAME to its host:port
//	zone NAME FILE              a DNS server with the records of a file; sets $NAME to its host:port
//	ctlogs FILE NAME...         logs of Certificate Transparency, and a list of them; those called tiled… are of the static form
//	ctfault NAME [FAULT]        a log misbehaves, see internal/logtest, or no more
//	flip FILE                   change its last byte
//	watcher NAME ARG...         run `tlswright monitor run ARG...`
//	take NAME FILE REGEXP       set $NAME to what the first group finds in a file
//	expand FILE                 put the values of variables into it
//	lines FILE COUNT            demand so many lines
//	shorten FILE BYTES          cut so many off at the end
//	showall FILE PREFIX ARG...  show a recording in every format, into PREFIX.FORMAT
//	secretless SECRETS FILE...  no file may hold a secret of the key log or recording SECRETS, in any spelling; FILE may be a pattern
//	alone                       forget all programs but tlswright
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(e *testscript.Env) error {
			e.Values[serversKey{}] = map[string]*server{}
			e.Values[logsKey{}] = map[string]*logtest.Log{}
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("TLSWRIGHT_HOME", filepath.Join(e.WorkDir, "home"))
			// The roots of the machine are none of the test's business, and loading them takes its time.
			e.Setenv("SSL_CERT_FILE", filepath.Join(e.WorkDir, "no-system-roots.pem"))
			e.Setenv("SSL_CERT_DIR", filepath.Join(e.WorkDir, "no-system-roots"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":      exits,
			"server":     startServer,
			"lesson":     startLesson,
			"office":     startOffice,
			"gateway":    startGateway,
			"whole":      startWhole,
			"reload":     reloadGateway,
			"soon":       soon,
			"eventually": eventually,
			"port":       freePort,
			"halt":       haltServer,
			"tcp":        startTCP,
			"big":        makeBig,
			"alone":      beAlone,
			"daemon":     startDaemon,
			"responder":  startResponder,
			"zone":       startZone,
			"ctlogs":     startLogs,
			"ctfault":    spoilLog,
			"flip":       flipLast,
			"take":       takeFrom,
			"watcher":    startWatcher,
			"viewer":     startViewer,
			"expand":     expandFile,
			"lines":      countLines,
			"shorten":    shortenFile,
			"secretless": holdNoSecrets,
			"showall":    showEverywhere,
		},
		Condition: condition,
	})
}

// condition is [terminal] in scripts, there are pseudo-terminals (no program that could be installed makes them), or
// [peer:NAME].
func condition(cond string) (bool, error) {
	if cond != "terminal" {
		return peerCondition(cond)
	}
	f, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		return false, nil
	}
	return true, f.Close()
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// server is a `tlswright serve` of a script.
type server struct {
	cmd   *exec.Cmd
	ended chan error
}

type serversKey struct{}

func startServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: server NAME ARG...")
	}
	startOurs(ts, args[0], append([]string{"serve", "--listen", "127.0.0.1:0"}, args[1:]...))
}

// startLesson is `lesson NAME ARG...`: the server of the simplified TLS.
func startLesson(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: lesson NAME ARG...")
	}
	startOurs(ts, args[0], append([]string{"learn", "server", "--listen", "127.0.0.1:0"}, args[1:]...))
}

// startOffice is `office NAME ARG...`: a CA as a service. $NAME_WEB is its plain http side.
func startOffice(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: office NAME ARG...")
	}
	startOurs(ts, args[0], append([]string{"ca", "serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"}, args[1:]...))
	web := regexp.MustCompile(`(?m)^roots, OCSP and CRLs: (http://\S+)/$`)
	for deadline := time.Now().Add(scriptPatience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if m := web.FindStringSubmatch(ts.ReadFile(args[0] + ".out")); m != nil {
			ts.Setenv(args[0]+"_WEB", m[1])
			return
		}
	}
	ts.Fatalf("the office does not say where its plain side is")
}

// freePort is `port NAME`: $NAME_PORT is one that is free now.
func freePort(ts *testscript.TestScript, _ bool, args []string) {
	port, err := freeport.Number()
	ts.Check(err)
	ts.Setenv(args[0]+"_PORT", port)
}

// launch starts tlswright in the background. Its output is in NAME.out and NAME.err.
func launch(ts *testscript.TestScript, name string, args []string) *server {
	cmd := exec.Command("tlswright", args...)
	cmd.Dir = ts.MkAbs(".")
	for _, key := range []string{"HOME", "TLSWRIGHT_HOME", "PATH", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "GOCOVERDIR"} {
		cmd.Env = append(cmd.Env, key+"="+ts.Getenv(key))
	}
	out, err := os.Create(ts.MkAbs(name + ".out"))
	ts.Check(err)
	defer out.Close()
	errOut, err := os.Create(ts.MkAbs(name + ".err"))
	ts.Check(err)
	defer errOut.Close()
	cmd.Stdout, cmd.Stderr = out, errOut
	ts.Check(cmd.Start())
	s := &server{cmd: cmd, ended: make(chan error, 1)}
	go func() { s.ended <- cmd.Wait() }()
	ts.Defer(func() { cmd.Process.Kill() })
	return s
}

// startOurs starts a server, and sets $NAME to the address that it says it listens on.
func startOurs(ts *testscript.TestScript, name string, args []string) {
	s := launch(ts, name, args)
	ts.Value(serversKey{}).(map[string]*server)[name] = s
	line := regexp.MustCompile(`(?m)(?:^listening on (?:(?:tls|https)://)?|"url":"(?:tls|https)://)(127\.0\.0\.1:(\d+))`)
	for deadline := time.Now().Add(scriptPatience); time.Now().Before(deadline); {
		if m := line.FindStringSubmatch(ts.ReadFile(name + ".out")); m != nil {
			ts.Setenv(name, m[1])
			ts.Setenv(name+"_PORT", m[2])
			return
		}
		select {
		case err := <-s.ended:
			ts.Fatalf("the server ended at once: %v\n%s", err, ts.ReadFile(name+".err"))
		case <-time.After(5 * time.Millisecond):
		}
	}
	ts.Fatalf("the server does not listen:\n%s", ts.ReadFile(name+".err"))
}

func haltServer(ts *testscript.TestScript, _ bool, args []string) {
	s := ts.Value(serversKey{}).(map[string]*server)[args[0]]
	ts.Check(s.cmd.Process.Signal(syscall.SIGINT))
	select {
	case err := <-s.ended:
		ts.Check(err)
	case <-time.After(scriptPatience):
		ts.Fatalf("the server does not end")
	}
	ts.Logf("[%s.out]\n%s[%s.err]\n%s", args[0], ts.ReadFile(args[0]+".out"), args[0], ts.ReadFile(args[0]+".err"))
}

func startTCP(ts *testscript.TestScript, _ bool, args []string) {
	does := tcpServers()[args[1]]
	if does == nil {
		ts.Fatalf("what does %q mean?", args[1])
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	ts.Setenv(args[0], l.Addr().String())
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go does(c)
		}
	}()
}

func makeBig(ts *testscript.TestScript, _ bool, args []string) {
	size, err := strconv.Atoi(args[1])
	ts.Check(err)
	line := "All work and no play makes Jack a dull boy.\n"
	text := strings.Repeat(line, size/len(line)+1)[:size]
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o644))
}

func beAlone(ts *testscript.TestScript, _ bool, _ []string) {
	// testscript puts the folder with the commands of the test first.
	first, _, _ := strings.Cut(ts.Getenv("PATH"), string(filepath.ListSeparator))
	ts.Setenv("PATH", first)
}

// TestOtherProgramsAreThere makes the lines of the scripts that need other programs count: a machine without them skips
// those lines, but one that builds this project for others must have them.
func TestOtherProgramsAreThere(t *testing.T) {
	for _, name := range []string{"certutil", "curl", "openssl", "nginx"} {
		t.Run(name, func(t *testing.T) {
			switch {
			case findProgram(name) != "":
			case os.Getenv("CI") == "true":
				t.Errorf("%s is not installed, and CI=true", name)
			default:
				t.Skipf("%s is not installed: the lines of testdata/script and of the tour that need it are skipped", name)
			}
		})
	}
}
