package cli

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/estate"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
)

const upLong = `Run everything that a file describes, until SIGINT or SIGTERM: a private CA with
ACME, OCSP and CRLs; a gateway, that is HTTPS before your applications; and a
monitor that watches all of it, with pages for the browser.

The file is tlswright.yaml in this folder. Without one the settings are those
that "tlswright init" writes: everything on loopback, with a welcome page on a
certificate of the CA. Each section of the file may be left out; "ca serve",
"gateway run" and "monitor run" run single parts of the same file.

A change of the file counts as soon as it is saved, and by SIGHUP: all of it or,
where something is wrong, nothing. What has changed is told, key by key.

--check says whether the file is right, and runs nothing.`

const upExample = `  tlswright up
  tlswright up -c /etc/tlswright/tlswright.yaml
  tlswright up --check
  tlswright up --json`

// upFlags are the flags of `up`.
type upFlags struct {
	caFlags
	file    string
	isCheck bool
	asJSON  bool
	verbose bool
}

func newUp(a *app) *cobra.Command {
	o := &upFlags{}
	cmd := &cobra.Command{
		Use:     "up",
		Short:   "The whole estate from one file: CA, gateway, monitor, dashboard",
		Long:    upLong + "\n\n" + exitCodeHelp,
		Example: upExample,
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.up(cmd, o) },
	}
	f := cmd.Flags()
	f.StringVarP(&o.file, "config", "c", defaultConfig, "the `FILE` that describes the estate")
	f.BoolVar(&o.isCheck, "check", false, "only say whether the file is right")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "tell what happens, too: requests for certificates, renewals, looks")
	f.BoolVar(&o.asJSON, "json", false, "tell all as JSON, a line each")
	o.registerSecret(cmd)
	_ = cmd.MarkFlagFilename("config", "yaml", "yml", "json")
	return cmd
}

// estateFile is a file with an estate, as it was read.
type estateFile struct {
	name   string // "": there is none, and the settings are the usual ones
	text   []byte
	estate *config.Estate
}

func (a *app) up(cmd *cobra.Command, o *upFlags) error {
	file, err := a.readEstate(o.file, cmd.Flags().Changed("config"))
	if err != nil {
		return err
	}
	b, err := a.upBase(o)
	if err != nil {
		return err
	}
	if o.isCheck {
		return a.upCheck(cmd.Context(), b, file, o)
	}
	told := newUpLog(a, o)
	b.Log = slog.New(told)
	hasCA := hasOwnCA(b)
	e, err := estate.Open(cmd.Context(), b, file.estate, estate.Options{Gateway: estate.GatewayOutput{Events: told.gateway, AccessLog: a.ui.out.w}, Looked: told.looked, MonitorLog: slog.New(told)})
	if isGivenUp(cmd.Context(), err) {
		told.stopped()
		return nil
	}
	if err != nil {
		return a.upFailure(file, err)
	}
	stop := a.upReloads(cmd.Context(), e, &reloaded{name: o.file, inForce: file, seen: file.text}, told)
	err = e.Run(cmd.Context(), func() { told.ready(e, file, !hasCA && hasOwnCA(b)) })
	stop()
	if err != nil {
		return a.upFailure(file, err)
	}
	told.stopped()
	return nil
}

// hasOwnCA reports whether the home has a CA.
func hasOwnCA(b *estate.Base) bool {
	_, err := keystore.ReadCA(b.Home)
	return err == nil
}

// upBase is serviceBase with a passphrase that is asked for once: certificates are renewed while nobody is there.
func (a *app) upBase(o *upFlags) (*estate.Base, error) {
	b, err := a.base(&o.caFlags)
	if err != nil {
		return nil, err
	}
	ask := b.Passphrase
	var mu sync.Mutex
	known := make(map[string][]byte)
	b.Passphrase = func(path string) ([]byte, error) {
		mu.Lock()
		defer mu.Unlock()
		if text, ok := known[path]; ok {
			return text, nil
		}
		text, err := ask(path)
		if err == nil {
			known[path] = text
		}
		return text, err
	}
	return b, nil
}

// reloaded is the file of an estate that runs.
type reloaded struct {
	name    string
	inForce *estateFile
	seen    []byte // the last text that was read, be it right or wrong
}

// upReloads reads the file again when it changes, also when it is there for the first time, and when SIGHUP asks for it.
func (a *app) upReloads(ctx context.Context, e *estate.Estate, file *reloaded, told *upLog) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP)
	changed := make(chan struct{}, 1)
	var running sync.WaitGroup
	running.Go(func() {
		estate.Watch(ctx, file.name, func() {
			select {
			case changed <- struct{}{}:
			default:
			}
		})
	})
	running.Go(func() {
		for {
			select {
			case <-again:
				a.reloadEstate(ctx, e, file, told, true)
			case <-changed:
				a.reloadEstate(ctx, e, file, told, false)
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		signal.Stop(again)
		cancel()
		running.Wait()
	}
}

// reloadEstate takes over the file as it is now. What is wrong is told, and all stays as it was. Where nobody has asked, what
// was read before is not read again.
func (a *app) reloadEstate(ctx context.Context, e *estate.Estate, file *reloaded, told *upLog, isAsked bool) {
	text, _, err := a.readBytes(file.name)
	if isMissing(err) && file.inForce.name == "" {
		if isAsked {
			told.note("there is no " + pki.Printable(file.name) + " to read: the usual settings stay")
		}
		return
	}
	if err == nil && !isAsked && bytes.Equal(text, file.seen) || ctx.Err() != nil {
		return
	}
	file.seen = text
	next, err := a.readEstate(file.name, true)
	if err == nil {
		if err = e.Apply(ctx, next.estate); err != nil {
			err = a.upFailure(next, err)
		}
	}
	if ctx.Err() != nil {
		return // it is ending
	}
	if err != nil {
		told.staysAsItWas(asFailure(err))
		return
	}
	if file.inForce.name == "" {
		told.note(pki.Printable(file.name) + " is there now, and counts")
	}
	told.changed(config.Differences(file.inForce.text, next.text))
	file.inForce = next
}

// upCheck says that a file is right, or what is wrong with it.
func (a *app) upCheck(ctx context.Context, b *estate.Base, file *estateFile, o *upFlags) error {
	b.Log = slog.New(slog.DiscardHandler)
	if err := estate.Check(ctx, b, file.estate); err != nil {
		return a.upFailure(file, err)
	}
	return a.tellEstate(file, o.asJSON)
}

// isMissing reports whether an error says that a file is not there.
func isMissing(err error) bool { return errors.Is(err, os.ErrNotExist) }
