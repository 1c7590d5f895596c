package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
)

// maxCompletions bounds what the shell is offered.
const maxCompletions = 50

// completeIssuers offers the intermediates of the CA, and its root.
func (a *app) completeIssuers(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	words := []string{authority.RootIssuer}
	if ca, err := a.readCA(); err == nil {
		if all, err := ca.Intermediates(); err == nil {
			for _, i := range all {
				words = append(words, i.Name)
			}
		}
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

// completeRecords offers the names of certificates that are on record, for a first argument.
func (a *app) completeRecords(f *caFlags) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx := cmd.Context()
		if ctx == nil {
			ctx = context.Background()
		}
		au, err := a.openAuthority(ctx, f, false)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer func() { _ = au.Close() }() // there is nobody to tell
		words := []string{}
		seen := map[string]bool{}
		q := authority.Query{Contains: typed, Newest: true, States: []store.State{store.StateIssued, store.StateOnHold, store.StateRevoked}}
		for r, err := range au.Search(ctx, q) {
			if err != nil || len(words) >= maxCompletions {
				break
			}
			name := folderName(&r)
			// What is not printable as it stands would do something in the shell.
			if seen[name] || name != pki.Printable(name) || strings.ContainsAny(name, "\t\n") || !strings.HasPrefix(name, typed) {
				continue
			}
			seen[name] = true
			words = append(words, name+"\t"+recordState(r, a.now())+", "+r.Profile)
		}
		return words, cobra.ShellCompDirectiveNoFileComp
	}
}
