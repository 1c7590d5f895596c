package cli

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/pki"
)

func newCAShow(a *app) *cobra.Command {
	var asPEM, asJSON bool
	cmd := &cobra.Command{
		Use:     "show",
		Short:   "Show the CA; with --pem print its root certificate",
		Example: "  tlswright ca show\n  tlswright ca show --pem > root.pem",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asPEM && asJSON {
				return usagef(cmd, "--pem and --json exclude each other")
			}
			ca, err := a.openCA()
			switch {
			case err != nil:
				return err
			case asPEM:
				a.ui.write(&a.ui.out, string(pki.AppendCertificatePEM(nil, ca.Root.Raw)))
			case asJSON:
				return a.ui.printJSON(a.newCAReport(ca))
			default:
				a.printCA(ca, "the CA in "+filepath.Clean(ca.Dir))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asPEM, "pem", false, "print the root certificate as PEM, for others to trust")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
