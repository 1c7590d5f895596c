package cli

import (
	"errors"
	"net/netip"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/acmeclient"
	"github.com/tlswright/tlswright/pki"
)

const acmeInstallLong = `Have a web server of this machine use a certificate.

The server blocks for its names are found in nginx's configuration ("nginx -T"),
and the files that hold them are edited: certificate and key, and settings for
TLS where nothing else is said. A block of plain HTTP gets HTTPS besides; with
--redirect its visitors are sent there. Then nginx tests its configuration and
reads it again, which interrupts no request, and a handshake with each address
shows whether the certificate is served. If any of that fails, every file is put
back byte for byte. The files as they were are kept in backups/ beside live/.

What is so already is left alone. From then on "acme renew" reloads nginx and
looks again. --dry-run shows what would be changed.`

// acmeInstallFlags are the flags of `acme install`.
type acmeInstallFlags struct {
	acmeFlags
	nginx          acmeclient.Nginx
	dryRun, asJSON bool
}

func newACMEInstall(a *app) *cobra.Command {
	o := &acmeInstallFlags{}
	cmd := &cobra.Command{
		Use:     "install nginx NAME",
		Short:   "Have nginx serve a certificate, now and after each renewal",
		Long:    acmeInstallLong,
		Example: "  tlswright acme install nginx www.example.org --dry-run\n  tlswright acme install nginx www.example.org --redirect",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 || args[0] != acmeclient.NginxServer {
				f := usagef(cmd, "install where, and which certificate?")
				f.hint = "for example: tlswright acme install nginx www.example.org"
				return f
			}
			return nil
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return []string{acmeclient.NginxServer}, cobra.ShellCompDirectiveNoFileComp
			}
			return a.completeACME(&o.acmeFlags)(cmd, nil, word)
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.acmeInstall(cmd, o, args[1]) },
	}
	o.registerDir(cmd)
	f := cmd.Flags()
	f.StringVar(&o.nginx.Program, "program", "", "nginx is this `FILE` (default: on the PATH)")
	f.StringVar(&o.nginx.Config, "config", "", "its main configuration is this `FILE` (default: its own)")
	f.StringVar(&o.nginx.Prefix, "prefix", "", "its folder is this `DIR` (default: its own)")
	f.StringVar(&o.nginx.Reload, "reload", "", "`COMMAND` that has it read its configuration again (default: nginx -s reload)")
	f.StringVar(&o.nginx.Port, "port", "", "`PORT` of HTTPS for blocks that have none yet (default: 443)")
	f.BoolVar(&o.nginx.Redirect, "redirect", false, "send plain HTTP to HTTPS where a block gets HTTPS")
	f.BoolVar(&o.dryRun, "dry-run", false, "show what would be changed, and change nothing")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	_ = cmd.MarkFlagFilename("program")
	_ = cmd.MarkFlagFilename("config", "conf")
	_ = cmd.MarkFlagDirname("prefix")
	return cmd
}

func (a *app) acmeInstall(cmd *cobra.Command, o *acmeInstallFlags, name string) error {
	if o.nginx.Port != "" {
		if _, err := netip.ParseAddrPort("127.0.0.1:" + o.nginx.Port); err != nil {
			return usagef(cmd, "--port %q is no port", pki.Printable(o.nginx.Port))
		}
	}
	for _, path := range []*string{&o.nginx.Config, &o.nginx.Prefix} { // a renewal starts elsewhere
		if *path == "" {
			continue
		}
		whole, err := filepath.Abs(*path)
		if err != nil {
			return cannotRun(err, "")
		}
		*path = whole
	}
	t, err := a.acmeTree(&o.acmeFlags)
	if err != nil {
		return err
	}
	done, err := t.InstallNginx(cmd.Context(), name, acmeclient.InstallOptions{Nginx: o.nginx, DryRun: o.dryRun, Now: a.now, Say: func(line string) { a.ui.notef("%s", line) }})
	if err != nil {
		return installFailure(err)
	}
	return a.tellInstalled(done, o)
}

// installFailure puts an error of an installer into words.
func installFailure(err error) error {
	var failed *acmeclient.InstallError
	switch {
	case errors.Is(err, acmeclient.ErrNoServer):
		return &failure{kind: kindFinding, text: pki.Printable(err.Error()), hint: "add a server block with that server_name, or show one with: tlswright acme snippet nginx NAME", err: err}
	case errors.As(err, &failed):
		return &failure{kind: kindLocal, text: pki.Printable(err.Error()), err: err}
	}
	return acmeFailure(err)
}

// installReport is `acme install --json`.
type installReport struct {
	Name    string              `json:"name"`
	Server  string              `json:"server"`
	Outcome string              `json:"outcome"` // installed, unchanged, would change, would not change
	Changed []installedFileJSON `json:"changed"`
	Blocks  []string            `json:"blocks"`
	Seen    []string            `json:"seen"`
	Running bool                `json:"running"`
	Backup  string              `json:"backup,omitempty"`
	Notes   []string            `json:"notes"`
}

type installedFileJSON struct {
	Path string `json:"path"`
	Diff string `json:"diff"`
}

func (a *app) tellInstalled(done *acmeclient.Installation, o *acmeInstallFlags) error {
	r := installReport{Name: done.Name, Server: acmeclient.NginxServer, Outcome: "installed", Changed: []installedFileJSON{}, Blocks: orEmpty(done.Blocks), Seen: orEmpty(done.Seen),
		Running: done.Running, Backup: done.Backup, Notes: orEmpty(done.Notes)}
	switch {
	case o.dryRun && len(done.Changed) == 0:
		r.Outcome = "would not change"
	case o.dryRun:
		r.Outcome = "would change"
	case len(done.Changed) == 0:
		r.Outcome = "unchanged"
	}
	for _, c := range done.Changed {
		r.Changed = append(r.Changed, installedFileJSON{c.Path, c.Diff})
	}
	if o.asJSON {
		return a.ui.printJSON(r)
	}
	for _, n := range done.Notes {
		a.ui.notef("%s", pki.Printable(n))
	}
	if o.dryRun {
		for _, c := range done.Changed {
			a.ui.write(&a.ui.out, printableLines(c.Diff))
		}
		if len(done.Changed) == 0 {
			a.ui.notef("nothing would be changed")
		}
		return nil
	}
	rows := []row{{label: "certificate", value: pki.Printable(done.Name), style: bold}, {label: "outcome", value: r.Outcome}, {label: "served by", value: listed(done.Blocks)}}
	for _, c := range done.Changed {
		rows = append(rows, row{label: "edited", value: pki.Printable(c.Path)})
	}
	if done.Backup != "" {
		rows = append(rows, row{label: "backup", value: pki.Printable(done.Backup)})
	}
	for _, s := range done.Seen {
		rows = append(rows, row{label: "seen", value: pki.Printable(s), style: good})
	}
	a.ui.write(&a.ui.out, a.ui.out.rows(rows))
	return nil
}

// printableLines makes each line of a text fit to print; tabs stay.
func printableLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		pieces := strings.Split(l, "\t")
		for j, p := range pieces {
			pieces[j] = pki.Printable(p)
		}
		lines[i] = strings.Join(pieces, "\t")
	}
	return strings.Join(lines, "\n")
}
