package cli

import "github.com/spf13/cobra"

func newTour(a *app) *cobra.Command {
	return &cobra.Command{Use: "tour", RunE: func(*cobra.Command, []string) error { a.ui.printf("x"); return nil }}
}
