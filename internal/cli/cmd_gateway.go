package cli

import (
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/estate"
	"github.com/tlswright/tlswright/internal/gateway"
)

func newGateway(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "gateway",
		Short: "A TLS front door for other servers, from a file: run, check, explain refusals",
		Long: `A TLS server and reverse proxy: it takes TLS off, demands client certificates
where it is told to, decides by rules who may go where, and hands connections
and requests on. Whoever is refused is told so, and the operator is told why.

What it does stands in a file, in the section "gateway". "gateway check" says
whether the file is right, and what would become of a certificate or a request.

` + exitCodeHelp,
		Example: `  tlswright gateway check -c tlswright.yaml
  tlswright gateway run -c tlswright.yaml
  tlswright gateway check -c tlswright.yaml alice.pem GET /admin
  tlswright gateway denials --since 1h
  tlswright gateway explain 7k2m9qx04d`,
	}
	return group(cmd, newGatewayRun(a), newGatewayCheck(a), newGatewayDenials(a), newGatewayExplain(a))
}

// gatewayFlags are what the commands about a gateway share.
type gatewayFlags struct {
	file   string
	asJSON bool
}

// defaultConfig is the file that commands look for where none is named.
const defaultConfig = "tlswright.yaml"

func (f *gatewayFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.file, "config", "c", defaultConfig, "the `FILE` with the section gateway")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
}

const gatewayRunLong = `Run the gateway that a file describes, until SIGINT or SIGTERM: then no new
connections are taken, and what is under way may finish.

SIGHUP has the file read again. All of it comes into force, or, where something
is wrong, nothing: no connection is dropped that the new rules would let in.
Certificates and CAs are watched, and need no signal. What connections,
addresses and rules are for stands in docs/gateway.md.

Each listener is one line "listening on URL" on standard output. Every refusal
is one line on standard error: who, which certificate, which rule, what to do;
they are kept for "tlswright gateway denials" and "explain".

Under systemd, Type=notify-reload and socket activation work as they are.

` + exitCodeHelp

// gatewayRunFlags are the flags of `gateway run`.
type gatewayRunFlags struct {
	gatewayFlags
	isQuiet bool
}

func newGatewayRun(a *app) *cobra.Command {
	o := &gatewayRunFlags{}
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the gateway that a file describes",
		Long:  gatewayRunLong,
		Example: `  tlswright gateway run
  tlswright gateway run -c /etc/tlswright/gateway.yaml --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.gatewayRun(cmd, o) },
	}
	o.register(cmd)
	cmd.Flags().Lookup("json").Usage = "tell what happens as JSON, a line each"
	cmd.Flags().BoolVarP(&o.isQuiet, "quiet", "q", false, "tell refusals and trouble only")
	return cmd
}

func (a *app) gatewayRun(cmd *cobra.Command, o *gatewayRunFlags) (err error) {
	file, err := a.readGateway(o.file)
	if err != nil {
		return err
	}
	told := &gatewayLog{app: a, asJSON: o.asJSON, isQuiet: o.isQuiet}
	b, err := a.serviceBase(nil)
	if err != nil {
		return err
	}
	g, err := estate.OpenGateway(cmd.Context(), b, file.gateway, estate.GatewayOutput{Events: told.event, AccessLog: a.ui.out.w})
	if isGivenUp(cmd.Context(), err) {
		return nil
	}
	if err != nil {
		return a.bindFailure(file, err)
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP)
	defer signal.Stop(again)
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		for {
			select {
			case <-again:
				a.reloadGateway(g, file.name, told)
			case <-ended:
				return
			}
		}
	}()
	return g.Run(cmd.Context())
}

// reloadGateway reads the file again. What is wrong is told, and all stays as it was.
func (a *app) reloadGateway(g *estate.Gateway, name string, told *gatewayLog) {
	file, err := a.readGateway(name)
	var changes []gateway.Change
	if err == nil {
		if changes, err = g.Reload(file.gateway); err != nil {
			err = a.gatewayFailure(file, err)
		}
	}
	if err != nil {
		told.staysAsItWas(asFailure(err))
		return
	}
	told.changed(changes)
}
