package cli

import (
	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/tlscore"
)

// varietyFlags are the flags about what means nothing, and is there so that nobody comes to rely on its absence.
type varietyFlags struct {
	grease, permute bool
}

func (v *varietyFlags) register(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&v.grease, "grease", false, "put reserved values into what we send, which the peer must ignore (RFC 8701)")
}

func (v *varietyFlags) registerClient(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&v.permute, "permute-extensions", false, "send the extensions of the ClientHello in an order of chance")
}

// apply puts the flags into a configuration.
func (v *varietyFlags) apply(c *tlscore.Config) {
	c.Grease, c.PermuteExtensions = v.grease, v.permute
}
