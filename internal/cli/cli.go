package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// app is what all commands share.
type app struct {
	ui       *ui
	homeFlag string           // --home as typed, "" when absent
	now      func() time.Time // the only clock of this package
	database string           // where the CA's records are to be; "": where the home says
}

// commands lists every command of tlswright.
func (a *app) commands() []*cobra.Command {
	return []*cobra.Command{
		newUp(a),
		newInit(a),
		newTour(a),
		newConnect(a),
		newDev(a),
		newServe(a),
		newGateway(a),
		newMonitor(a),
		newScan(a),
		newCA(a),
		newCert(a),
		newCT(a),
		newACME(a),
		newCiphers(a),
		newECH(a),
		newTrace(a),
		newLearn(a),
		newVersion(a),
		newCompletion(a),
	}
}

// Main runs tlswright with the arguments after the program's name and returns the exit code. The first SIGINT or
// SIGTERM ends the command in good order; a second one ends the process at once.
func Main(args []string, stdin, stdout, stderr *os.File) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	a := &app{ui: newUI(stdin, stdout, stderr), now: time.Now}
	root := newRoot(a)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil && a.ui.out.err != nil {
		err = cannotRun(a.ui.out.err, "writing the output")
	}
	if err == nil {
		return exitDone
	}
	f := asFailure(err)
	if !f.told {
		a.ui.fail(f)
	}
	return f.kind.exitCode()
}

const rootLong = `tlswright is TLS and PKI done right, in one binary: a private CA with ACME,
HTTPS before your applications, a scanner that grades, a monitor that tells you
in time, and a client that shows every byte, on a TLS stack of its own.
"tlswright tour" shows all of it on this machine in a few seconds; "tlswright
up" runs it.

` + exitCodeHelp

const rootExample = `  tlswright tour                  the story on loopback, checking itself
  tlswright up                    a CA, HTTPS and a monitor on this machine
  tlswright dev 3000              trusted HTTPS before a program on port 3000
  tlswright connect example.com   what does it speak, and can it be trusted?
  tlswright scan example.com      how good is it, A+ to F, and what is to mend?
  tlswright ca issue app.test     a server certificate from the own CA
  tlswright serve --dir ./public  a folder over HTTPS, HTTP/1.1 and HTTP/2`

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:           "tlswright",
		Short:         "TLS and PKI done right",
		Long:          rootLong,
		Example:       rootExample,
		Version:       buildVersion().String(),
		SilenceErrors: true, // Main tells them, in one form
		SilenceUsage:  true,
		Args:          noSuchCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SuggestionsMinimumDistance = suggestionDistance
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetUsageTemplate(usageTemplate)
	root.SetHelpFunc(showHelp)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef(cmd, "%s", err.Error())
	})
	root.CompletionOptions.DisableDefaultCmd = true
	root.PersistentFlags().StringVar(&a.homeFlag, "home", "",
		"the `DIR` where keys, certificates and state live (default $TLSWRIGHT_HOME, else the XDG data directory)")
	root.PersistentFlags().BoolP("help", "h", false, "show this help")
	_ = root.MarkPersistentFlagDirname("home")
	root.AddCommand(a.commands()...)
	root.SetHelpCommand(newHelp())
	return root
}

// showHelp prints what a command does and how it is called, and the exit codes at the end.
func showHelp(cmd *cobra.Command, _ []string) {
	about, codes, hasCodes := strings.Cut(cmd.Long, exitCodeTitle)
	if about = strings.TrimSpace(about); about == "" {
		about = cmd.Short
	}
	text := about + "\n\n" + strings.TrimRight(cmd.UsageString(), "\n") + "\n"
	if hasCodes {
		text += "\n" + exitCodeTitle + strings.TrimRight(codes, "\n") + "\n"
	}
	_, _ = io.WriteString(cmd.OutOrStdout(), text)
}

// group makes a command that only holds others. Alone, or with a word it does not know, it is a wrong command line;
// cobra alone would print the help and report success.
func group(cmd *cobra.Command, children ...*cobra.Command) *cobra.Command {
	cmd.Args = noSuchCommand
	cmd.SuggestionsMinimumDistance = suggestionDistance
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var names []string
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() {
				names = append(names, c.Name())
			}
		}
		f := usagef(cmd, "%q needs one of: %s", cmd.CommandPath(), strings.Join(names, ", "))
		return f
	}
	cmd.AddCommand(children...)
	return cmd
}

// suggestionDistance is how many letters a word may differ from a command to be taken for it.
const suggestionDistance = 2

func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	f := usagef(cmd, "%q is no command of %q", args[0], cmd.CommandPath())
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		f.hint = "did you mean: " + cmd.CommandPath() + " " + strings.Join(near, ", or ")
	}
	return f
}

// noArgs refuses arguments where a command takes none.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef(cmd, "%q takes no argument, but got %q", cmd.CommandPath(), args[0])
	}
	return nil
}

// oneArg wants exactly one argument, called what in the message.
func oneArg(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == 0:
			return usagef(cmd, "%q needs %s", cmd.CommandPath(), what)
		case len(args) > 1:
			return usagef(cmd, "%q takes one argument, but got also %q", cmd.CommandPath(), args[1])
		}
		return nil
	}
}

func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Show the help of a command",
		Example: "  tlswright help connect",
		RunE: func(cmd *cobra.Command, args []string) error {
			target, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				var f *failure
				if errors.As(err, &f) {
					return f
				}
				return noSuchCommand(target, rest)
			}
			return target.Help()
		},
	}
}

// usageTemplate is cobra's, in the order in which people read: how to call it, examples, commands, flags.
const usageTemplate = `Usage:
{{- if not .HasAvailableSubCommands}}
  {{.UseLine}}{{else}}{{if index .Annotations "takes-arguments"}}
  {{.UseLine}}{{end}}
  {{.CommandPath}} COMMAND{{end}}{{if .HasExample}}

Examples:
{{.Example}}{{end}}{{if .HasAvailableSubCommands}}

Commands:{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding }} {{.Short}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsagesWrapped 80 | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableInheritedFlags}}

Global flags:
{{.InheritedFlags.FlagUsagesWrapped 80 | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableSubCommands}}

"{{.CommandPath}} COMMAND --help" tells more about a command.{{end}}
`
