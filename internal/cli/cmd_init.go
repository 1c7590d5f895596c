package cli

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/estate"
	"github.com/tlswright/tlswright/pki"
)

const initLong = `Write a file that describes an estate, with comments: a private CA, a gateway
with one site, a monitor. "tlswright up" runs it as it is; all of it is on
loopback. A file that is there already is left alone.`

// initReport is `init --json`. The names are stable.
type initReport struct {
	File string `json:"file"`
	Next string `json:"next"` // command that runs it
}

func newInit(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:         "init [FILE]",
		Short:       "Write a commented tlswright.yaml to begin with",
		Long:        initLong + "\n\n" + exitCodeHelp,
		Example:     "  tlswright init\n  tlswright init estate.yaml\n  tlswright init - > estate.yaml",
		Annotations: map[string]string{takesArguments: "yes"},
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef(cmd, "%q takes one file, but got also %q", cmd.CommandPath(), args[1])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			name := defaultConfig
			if len(args) > 0 {
				name = args[0]
			}
			if asJSON && name == "-" {
				return usagef(cmd, "with \"-\" the file itself is printed, and --json has nothing to tell")
			}
			return a.initFile(name, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) initFile(name string, asJSON bool) error {
	if name == "-" {
		a.ui.write(&a.ui.out, estate.Sample())
		return nil
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, os.ErrExist) {
		return &failure{kind: kindLocal, text: pki.Printable(name) + " is there already, and stays as it is", err: err,
			hint: "another file: tlswright init FILE; or only look at what would be written: tlswright init -"}
	}
	if isMissing(err) {
		f := cannotRun(err, "")
		f.hint = "make the folder first"
		return f
	}
	if err != nil {
		return cannotRun(err, "")
	}
	_, err = f.WriteString(estate.Sample())
	if err = errors.Join(err, f.Close()); err != nil {
		return cannotRun(err, "")
	}
	next := "tlswright up"
	if name != defaultConfig {
		next += " -c " + pki.Printable(shellWord(name))
	}
	if asJSON {
		return a.ui.printJSON(initReport{name, next})
	}
	a.ui.printf("wrote %s", pki.Printable(name))
	a.ui.printf("next: %s", next)
	return nil
}
