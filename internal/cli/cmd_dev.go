package cli

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/devhttps"
	stores "github.com/tlswright/tlswright/internal/trust"
	"github.com/tlswright/tlswright/pki"
)

// devFlags are the flags of `dev`.
type devFlags struct {
	port     int
	name     string
	hosts    []string
	lifetime time.Duration
	isLAN    bool
	isUndo   bool
	export   string
	verbose  bool
	asJSON   bool
	trust    devTrustFlags
}

const devLong = `Trusted HTTPS before an application on this machine: every request to
https://NAME.localhost:3443 is handed on to it, over HTTP/1.1, HTTP/2 and
WebSocket. NAME is the name of the folder, or --name. The application is

  PORT   a server on this machine: 3000 is http://localhost:3000
  DIR    the files of a folder
  URL    a server elsewhere: http://10.0.0.7:8080

It need not run yet: the page waits for it.

The first call makes a root of its own, which may certify local names and
addresses and nothing else: localhost, .test, .internal, .local, .home.arpa, and
private networks. It then asks whether the programs of this machine shall trust
that root: the system's store (curl, git, Python; this one belongs to root, so
sudo asks for your password), Chromium's and Firefox's databases, and Java's.
What it says about a store was shown by a handshake. Where nobody can be asked,
nothing is installed without --yes.

The certificate lives for seven days, and is renewed while it is served.

--lan serves the local network, too, with QR codes for a phone. "dev env" sets
the environment for programs with roots of their own, such as Node. --export
writes the root for containers. --undo takes the root out of every store and
removes everything that was made.

` + exitCodeHelp

const devExample = `  tlswright dev 3000
  tlswright dev ./public --name shop
  tlswright dev 8080 --host shop.test --port 8443
  tlswright dev 3000 --lan
  eval "$(tlswright dev env)"
  tlswright dev --undo`

func newDev(a *app) *cobra.Command {
	o := &devFlags{}
	cmd := &cobra.Command{
		Use:         "dev PORT | DIR | URL",
		Short:       "Trusted HTTPS before an application on this machine, and the way back",
		Long:        devLong,
		Example:     devExample,
		Annotations: map[string]string{takesArguments: "yes"},
		Args:        cobra.ArbitraryArgs, // whether one is needed depends on the flags
		RunE:        func(cmd *cobra.Command, args []string) error { return a.dev(cmd, o, args) },
	}
	f := cmd.Flags()
	f.IntVar(&o.port, "port", 0, "the `PORT` to serve on (default 3443, or the next that is free)")
	f.StringVar(&o.name, "name", "", "the `NAME` below localhost (default: that of the folder)")
	f.StringSliceVar(&o.hosts, "host", nil, "have the certificate for this `NAME`, too, such as shop.test; may be repeated")
	f.DurationVar(&o.lifetime, "lifetime", devhttps.DefaultLifetime, "how long a certificate lives, as a `TIME` such as 24h; it is renewed after two thirds of it")
	f.BoolVar(&o.isLAN, "lan", false, "serve the local network, too, and show QR codes for a phone")
	f.BoolVar(&o.isUndo, "undo", false, "take the root out of every store, and remove everything that was made")
	f.StringVar(&o.export, "export", "", "write the root into `DIR`, and say what a Dockerfile needs")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "tell every request")
	f.BoolVar(&o.asJSON, "json", false, "tell what happens as JSON, a line each")
	o.trust.register(cmd)
	_ = cmd.MarkFlagDirname("export")
	cmd.AddCommand(newDevEnv(a))
	return cmd
}

func (a *app) dev(cmd *cobra.Command, o *devFlags, args []string) error {
	if err := o.check(cmd, args); err != nil {
		return err
	}
	switch {
	case o.isUndo:
		return a.devUndo(cmd, o)
	case o.export != "":
		return a.devExport(cmd, o)
	}
	t, err := devTargetOf(cmd, o, args[0])
	if err != nil {
		return err
	}
	return a.devServe(cmd, o, t)
}

// check refuses a command line that makes no sense, before anything is made.
func (o *devFlags) check(cmd *cobra.Command, args []string) error {
	if err := o.trust.check(cmd); err != nil {
		return err
	}
	if o.isUndo || o.export != "" {
		if len(args) > 0 || o.isUndo && o.export != "" {
			return usagef(cmd, "--undo and --export take no argument, and exclude each other")
		}
		return nil
	}
	if len(args) != 1 {
		f := usagef(cmd, "%q needs one application: a PORT, a DIR or a URL", cmd.CommandPath())
		f.hint = "for one on port 3000: tlswright dev 3000"
		return f
	}
	if o.port < 0 || o.port > 65535 {
		return usagef(cmd, "--port %d: ports are from 1 to 65535", o.port)
	}
	if err := devhttps.CheckLifetime(o.lifetime); err != nil {
		return usagef(cmd, "--lifetime: %v", err)
	}
	for _, n := range o.hosts {
		if err := devhttps.CheckName(strings.ToLower(n)); err != nil {
			f := cannotRun(err, "--host")
			f.kind = kindUsage
			return f
		}
	}
	if o.name != "" && devhttps.Label(o.name) != o.name {
		f := usagef(cmd, "--name %s is no label of a host name", pki.Printable(o.name))
		f.hint = "use letters, digits and hyphens: --name " + firstOf(devhttps.Label(o.name), "app")
		return f
	}
	return nil
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// devTarget is the application.
type devTarget struct {
	url  string // "": dir
	dir  string
	name string // below localhost
}

func (t *devTarget) String() string {
	if t.url != "" {
		return t.url
	}
	return t.dir
}

// devTargetOf reads what the application is: a port, a URL, or a folder.
func devTargetOf(cmd *cobra.Command, o *devFlags, arg string) (*devTarget, error) {
	t := &devTarget{name: o.name}
	folder := "."
	switch port, err := strconv.Atoi(arg); {
	case err == nil:
		if port < 1 || port > 65535 {
			return nil, usagef(cmd, "%d is no port: they are from 1 to 65535", port)
		}
		// By its name: many servers listen on [::1] alone, others on 127.0.0.1.
		t.url = "http://localhost:" + arg
	case strings.Contains(arg, "://"):
		u, err := proxyURL(cmd, arg)
		if err != nil {
			return nil, err
		}
		t.url = u.String()
	default:
		info, err := os.Stat(arg)
		if err != nil || !info.IsDir() {
			f := usagef(cmd, "%s is no port, no URL and no folder", pki.Printable(arg))
			f.hint = "write 3000, ./public or http://10.0.0.7:8080"
			return nil, f
		}
		folder = arg
	}
	abs, err := filepath.Abs(folder)
	if err != nil {
		return nil, cannotRun(err, "")
	}
	if t.url == "" {
		t.dir = abs
	}
	if t.name == "" {
		t.name = firstOf(devhttps.Label(filepath.Base(abs)), "app")
	}
	if t.name == "localhost" {
		t.name = "app"
	}
	return t, nil
}

// openDev opens the local root, or makes it.
func (a *app) openDev(cmd *cobra.Command) (ca *devhttps.CA, made bool, err error) {
	home, err := a.home()
	if err != nil {
		return nil, false, err
	}
	if ca, made, err = devhttps.OpenOrMake(cmd.Context(), home, a.now()); err != nil {
		return nil, false, cannotRun(err, "")
	}
	return ca, made, nil
}

const devExportLong = "COPY it into an image and have it trusted there: add these lines to the Dockerfile"

func (a *app) devExport(cmd *cobra.Command, o *devFlags) error {
	ca, _, err := a.openDev(cmd)
	if err != nil {
		return err
	}
	file, lines, err := ca.Export(o.export)
	if err != nil {
		return cannotRun(err, "")
	}
	if o.asJSON {
		return a.ui.printJSON(struct {
			File       string `json:"file"`
			Dockerfile string `json:"dockerfile"`
		}{file, lines})
	}
	a.ui.notef("wrote the root to %s; %s", pki.Printable(file), devExportLong)
	a.ui.write(&a.ui.out, lines)
	return nil
}

const devEnvLong = `Print the environment in which programs with roots of their own trust the
local root: Node, Deno, Python, curl, git, Cargo, and Java, where it is
installed. Have the shell take it over:

  eval "$(tlswright dev env)"

Variables that replace a program's roots name a file with those of the machine
(or of $SSL_CERT_FILE, where that is set) and the local root. It is written anew
with each call.`

func newDevEnv(a *app) *cobra.Command {
	var shell string
	var unset, asJSON bool
	cmd := &cobra.Command{
		Use:   "env",
		Short: "Print the environment for programs with roots of their own: Node, Python, Java",
		Long:  devEnvLong,
		Example: "  eval \"$(tlswright dev env)\"\n  tlswright dev env --shell fish | source\n" +
			"  tlswright dev env --shell powershell | Invoke-Expression\n  eval \"$(tlswright dev env --unset)\"",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if shell == "" {
				shell = shellOfUser()
			}
			if !isOneOf(shell, devhttps.Shells()) {
				return usagef(cmd, "--shell %q is not one of %s", shell, strings.Join(devhttps.Shells(), ", "))
			}
			return a.devEnv(cmd, shell, unset, asJSON)
		},
	}
	f := cmd.Flags()
	f.StringVar(&shell, "shell", "", "write for this `SHELL`: "+strings.Join(devhttps.Shells(), ", ")+" (default: what $SHELL names)")
	f.BoolVar(&unset, "unset", false, "have the shell forget the variables")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	complete(cmd, "shell", devhttps.Shells())
	return cmd
}

func isOneOf(s string, list []string) bool {
	for _, known := range list {
		if s == known {
			return true
		}
	}
	return false
}

func shellOfUser() string {
	switch {
	case filepath.Base(os.Getenv("SHELL")) == "fish":
		return "fish"
	case runtime.GOOS == "windows":
		return "powershell"
	}
	return "sh"
}

func (a *app) devEnv(cmd *cobra.Command, shell string, unset, asJSON bool) error {
	ca, _, err := a.openDev(cmd)
	if err != nil {
		return err
	}
	vars, all, err := ca.Environment(devhttps.EnvOptions{Getenv: os.Getenv, Java: stores.HasJava()})
	if err != nil {
		return cannotRun(err, "")
	}
	if !all {
		a.ui.warnf("the roots of this machine are not to be found: only programs that add a root to their own get a variable")
	}
	if asJSON {
		return a.ui.printJSON(vars)
	}
	a.ui.write(&a.ui.out, devhttps.Script(shell, vars, unset))
	return nil
}
