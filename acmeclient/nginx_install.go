package acmeclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

// Nginx says how the nginx of this machine is reached. It is kept for renewals.
type Nginx struct {
	Program  string `json:"program,omitempty"`  // "": nginx on the PATH or where it usually lies
	Config   string `json:"config,omitempty"`   // its main file; "": the one that it was built for
	Prefix   string `json:"prefix,omitempty"`   // its folder; "": the one that it was built for
	Reload   string `json:"reload,omitempty"`   // a shell command; "": nginx -s reload
	Port     string `json:"port,omitempty"`     // of HTTPS where a block has none yet; "": 443
	Redirect bool   `json:"redirect,omitempty"` // send plain HTTP to HTTPS where a block gets HTTPS
}

// NginxServer is what Renewal.Installer says for nginx.
const NginxServer = "nginx"

// InstallOptions say how a certificate is installed.
type InstallOptions struct {
	Nginx
	DryRun   bool             // change nothing, and say what would be changed
	Patience time.Duration    // how long nginx may take to begin with the certificate; 0: 20 seconds
	Now      func() time.Time // nil: time.Now
	Say      func(string)     // nil: nobody listens
}

// Installation is what was done.
type Installation struct {
	Name    string
	Changed []ChangedFile
	Blocks  []string // "FILE:LINE" of the server blocks that serve the certificate
	Seen    []string // "NAME at ADDRESS": handshakes in which it was seen
	Notes   []string // what a person should look at
	Running bool     // nginx runs, and has read its configuration again
	Backup  string   // folder of the files as they were; "": none was changed
}

// ChangedFile is a file of a configuration that was changed, or would be.
type ChangedFile struct {
	Path string
	Diff string // as patch reads it
}

// InstallError says why a certificate could not be installed. Unless Err says otherwise everything is as it was.
type InstallError struct {
	Text   string
	Output string // of the server, fit to print
	Undone bool   // something had been changed, and was taken back
	Err    error
}

// Error tells what happened, and what the server said.
func (e *InstallError) Error() string {
	text := e.Text
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	if e.Output != "" {
		text += ": " + e.Output
	}
	if e.Undone {
		text += "; everything is as it was before"
	}
	return text
}

// Unwrap gives the cause.
func (e *InstallError) Unwrap() error { return e.Err }

// InstallNginx has nginx serve a certificate of the tree: it edits the server blocks for its names, has nginx test and read
// its configuration again, and looks by a handshake whether the certificate is served. If anything fails every file is put
// back as it was, byte for byte. What is so already is left alone. Renewals then reload nginx and look again.
func (t *Tree) InstallNginx(ctx context.Context, name string, o InstallOptions) (*Installation, error) {
	release, err := t.hold(name)
	if err != nil {
		return nil, err
	}
	defer release()
	c, err := t.Find(name)
	if err != nil {
		return nil, err
	}
	done, err := t.installNginx(ctx, c, o)
	if err != nil || o.DryRun {
		return done, err
	}
	kept := o.Nginx
	c.Renewal.Installer, c.Renewal.Nginx, c.Renewal.InstallPending = NginxServer, &kept, false
	return done, t.saveRenewal(name, c.Renewal)
}

// installNginx does it; the caller holds the certificate.
func (t *Tree) installNginx(ctx context.Context, c *Certificate, o InstallOptions) (*Installation, error) {
	if c.Generation == 0 {
		return nil, fmt.Errorf("%s: %w", c.Name, ErrNotFound)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Say == nil {
		o.Say = func(string) {}
	}
	n, err := newNginx(o)
	if err != nil {
		return nil, err
	}
	release, undone, err := t.holdChanges(NginxServer)
	if err != nil {
		return nil, err
	}
	defer func() { _ = release() }()
	if undone {
		o.Say("an earlier installation died half-way: its changes of nginx's files were taken back")
	}
	plan, err := n.plan(ctx, t, c)
	if err != nil {
		return nil, err
	}
	done := &Installation{Name: c.Name, Notes: plan.notes}
	for _, s := range plan.chosen {
		done.Blocks = append(done.Blocks, s.place())
	}
	files := plan.files()
	for _, f := range files {
		done.Changed = append(done.Changed, ChangedFile{Path: f.path, Diff: unifiedDiff(f.path, f.before, f.after)})
	}
	if o.DryRun {
		return done, nil
	}
	var made *change
	if len(files) > 0 {
		if made, err = t.beginChange(NginxServer, c.Name, o.Now(), files); err != nil {
			return nil, err
		}
		done.Backup = made.dir
	}
	if err := n.apply(ctx, files, plan, done); err != nil {
		return nil, n.takeBack(ctx, made, done, err)
	}
	if made != nil {
		return done, made.mark(changeDone)
	}
	return done, nil
}

// takeBack puts the files back after a failure, and has nginx read them. It goes on when the caller is interrupted.
func (n *nginxRunner) takeBack(ctx context.Context, made *change, done *Installation, cause error) error {
	if made == nil {
		return cause
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	if err := made.undo(); err != nil {
		return errors.Join(cause, err)
	}
	if done.Running {
		if err := n.reload(ctx); err != nil {
			return errors.Join(cause, fmt.Errorf("the files are as they were before, but nginx could not be told: %w", err))
		}
	}
	var failed *InstallError
	if errors.As(cause, &failed) {
		failed.Undone = true
		return cause
	}
	return &InstallError{Text: "the installation failed", Err: cause, Undone: true}
}

// nginxRunner runs the program.
type nginxRunner struct {
	o    InstallOptions
	path string
	args []string
}

func newNginx(o InstallOptions) (*nginxRunner, error) {
	n := &nginxRunner{o: o}
	wanted := orDefault(o.Program, "nginx")
	var err error
	if n.path, err = exec.LookPath(wanted); err != nil && o.Program == "" {
		for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", "/usr/local/nginx/sbin", "/opt/nginx/sbin", "/usr/local/bin"} {
			if n.path, err = exec.LookPath(filepath.Join(dir, wanted)); err == nil {
				break
			}
		}
	}
	if err != nil {
		return nil, &InstallError{Text: "nginx is not to be found: is it installed on this machine?", Err: err}
	}
	if o.Prefix != "" {
		n.args = append(n.args, "-p", o.Prefix)
	}
	if o.Config != "" {
		n.args = append(n.args, "-c", o.Config)
	}
	return n, nil
}

// run runs nginx, and returns what it writes to its standard output; what it complains about is in the error.
func (n *nginxRunner) run(ctx context.Context, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, n.path, slices.Concat(n.args, args)...)
	cmd.WaitDelay = 5 * time.Second
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err == nil {
		return out, nil
	}
	return nil, &InstallError{Text: "nginx " + strings.Join(args, " ") + " fails", Err: err, Output: firstComplaint(complaints.String())}
}

// firstComplaint is the line of nginx's that says what is wrong.
func firstComplaint(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for _, mark := range []string{"[emerg]", "[error]", "[crit]", "[alert]", ""} {
		for _, l := range lines {
			if _, said, ok := strings.Cut(l, mark); ok {
				said = strings.TrimSpace(said)
				return pki.Printable(said[:min(len(said), 300)])
			}
		}
	}
	return ""
}

// plan reads the configuration as it is, which must be sound, and finds what to change.
func (n *nginxRunner) plan(ctx context.Context, t *Tree, c *Certificate) (*nginxPlan, error) {
	dump, err := n.run(ctx, "-T", "-q")
	if err != nil {
		return nil, &InstallError{Text: "nginx does not take its configuration as it is now, before any change", Err: err}
	}
	conf, err := readNginx(dump)
	if err != nil {
		return nil, &InstallError{Text: "nginx's configuration cannot be read", Err: err}
	}
	live, err := filepath.Abs(t.Live(c.Name))
	if err != nil {
		return nil, err
	}
	if strings.ContainsAny(live, "$\n\r") {
		return nil, &InstallError{Text: "nginx cannot be told of a folder with such a name: " + pki.Printable(live)}
	}
	leaf, err := cert.ParseX509(c.Chain[0])
	if err != nil {
		return nil, err
	}
	if now := n.o.Now(); now.After(leaf.NotAfter) {
		return nil, &InstallError{Text: "the certificate " + c.Name + " has expired: renew it first"}
	}
	return planNginx(conf, nginxWish{names: c.Renewal.Names, leaf: leaf, cert: filepath.Join(live, "fullchain.pem"), key: filepath.Join(live, "privkey.pem"),
		port: orDefault(n.o.Port, "443"), redirect: n.o.Redirect})
}

// files are the changes, by path.
func (p *nginxPlan) files() []newText {
	var all []newText
	for f := range p.edits {
		all = append(all, newText{path: f.real, before: f.text, after: p.result(f)})
	}
	slices.SortFunc(all, func(a, b newText) int { return strings.Compare(a.path, b.path) })
	return all
}

// apply writes the files, has nginx test and read them, and looks.
func (n *nginxRunner) apply(ctx context.Context, files []newText, p *nginxPlan, done *Installation) error {
	for _, f := range files {
		if err := replaceFile(f.path, f.after); err != nil {
			return err
		}
	}
	if _, err := n.run(ctx, "-t", "-q"); err != nil {
		return &InstallError{Text: "nginx does not take the changed configuration", Err: err}
	}
	switch err := n.reload(ctx); {
	case errors.Is(err, errNotRunning):
		done.Notes = append(done.Notes, "nginx does not run: the certificate is in its configuration, and was not seen in a handshake")
		return nil
	case err != nil:
		return err
	}
	done.Running = true
	for _, c := range p.checks {
		seen, err := c.wait(ctx, p.wish.leaf, cmp.Or(n.o.Patience, nginxPatience))
		if err != nil {
			return err
		}
		done.Seen = append(done.Seen, seen)
	}
	return nil
}

// errNotRunning says that there is no nginx to reload.
var errNotRunning = errors.New("nginx does not run")

var notRunning = regexp.MustCompile(`invalid PID number|open\(\) ".*" failed \(2: |kill\(.*\) failed \(3: `)

func (n *nginxRunner) reload(ctx context.Context) error {
	if n.o.Reload != "" {
		return shell(ctx, n.o.Reload)
	}
	_, err := n.run(ctx, "-s", "reload")
	var failed *InstallError
	if errors.As(err, &failed) && notRunning.MatchString(failed.Output) {
		return errNotRunning
	}
	return err
}
