package cli

import (
	"bytes"

	"github.com/spf13/cobra"
)

const completionLong = `Print a script that teaches a shell the commands and flags of tlswright. To have
it in every new shell, write the output of "tlswright completion SHELL" to:

  bash        ~/.local/share/bash-completion/completions/tlswright
  zsh         "${fpath[1]}/_tlswright"
  fish        ~/.config/fish/completions/tlswright.fish
  powershell  the end of $PROFILE`

func newCompletion(a *app) *cobra.Command {
	generators := map[string]func(*cobra.Command, *bytes.Buffer) error{
		"bash":       func(root *cobra.Command, b *bytes.Buffer) error { return root.GenBashCompletionV2(b, true) },
		"zsh":        func(root *cobra.Command, b *bytes.Buffer) error { return root.GenZshCompletion(b) },
		"fish":       func(root *cobra.Command, b *bytes.Buffer) error { return root.GenFishCompletion(b, true) },
		"powershell": func(root *cobra.Command, b *bytes.Buffer) error { return root.GenPowerShellCompletionWithDesc(b) },
	}
	return &cobra.Command{
		Use:       "completion bash|zsh|fish|powershell",
		Short:     "Print a completion script for a shell",
		Long:      completionLong,
		Example:   "  source <(tlswright completion bash)",
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		Args:      oneArg("a shell: bash, zsh, fish or powershell"),
		RunE: func(cmd *cobra.Command, args []string) error {
			generate, ok := generators[args[0]]
			if !ok {
				return usagef(cmd, "there is no completion for %q: bash, zsh, fish and powershell are known", args[0])
			}
			var b bytes.Buffer
			if err := generate(cmd.Root(), &b); err != nil {
				return err
			}
			a.ui.write(&a.ui.out, b.String())
			return nil
		},
	}
}
