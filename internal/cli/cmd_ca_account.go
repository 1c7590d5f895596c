package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/internal/admin"
	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
)

func newCAAccount(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "account",
		Short: "The ACME accounts of the CA's clients",
		Long: `The accounts that ACME clients have made with "ca serve": who is reached how,
what each may have, what it ordered; and to take one out of use.`,
		Example: "  tlswright ca account list\n  tlswright ca account show ID\n  tlswright ca account deactivate ID",
	}, newCAAccountList(a), newCAAccountShow(a), newCAAccountDeactivate(a))
}

// withStore runs something on the records of the CA.
func (a *app) withStore(ctx context.Context, do func(*store.Store) error) (err error) {
	au, err := a.openAuthority(ctx, &caFlags{}, false)
	if err != nil {
		return err
	}
	defer closing(au, &err)
	return do(au.Store)
}

// completeAccounts offers the newest accounts.
func (a *app) completeAccounts(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeFromStore(cmd, func(s *store.Store) (words []string, err error) {
		all, err := s.ACMEAccountPage(cmd.Context(), store.AccountQuery{Limit: maxCompletions})
		for i := range all {
			words = append(words, all[i].ID+"\t"+all[i].Status)
		}
		return words, err
	})
}

func newCAAccountList(a *app) *cobra.Command {
	var status, contains string
	var limit int
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the accounts, the newest first",
		Example: "  tlswright ca account list\n  tlswright ca account list --contact ops@corp.example\n  tlswright ca account list --status valid --json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf(cmd, "status", status, acme.StatusValid, acme.StatusDeactivated, acme.StatusRevoked); err != nil {
				return err
			}
			if limit < 1 {
				return usagef(cmd, "--limit %d is no number of accounts", limit)
			}
			return a.withStore(cmd.Context(), func(s *store.Store) error {
				rows, err := s.ACMEAccountPage(cmd.Context(), store.AccountQuery{Status: status, Contains: contains, Limit: limit})
				if err != nil {
					return caFailure(err, "listing the accounts")
				}
				cells := [][]string{{"account", "status", "made", "contact", "may have"}}
				for i := range rows {
					v, err := admin.NewAccount(&rows[i])
					if err != nil {
						return caFailure(err, "listing the accounts")
					}
					if asJSON {
						if err := a.ui.printJSONLine(v); err != nil {
							return err
						}
						continue
					}
					cells = append(cells, []string{v.ID, v.Status, dateOf(v.Created), orWord(cut(listed(v.Contact), maxNameWidth), "-"), cut(rightsText(&v), maxNameWidth)})
				}
				if asJSON {
					return nil
				}
				if len(rows) == 0 {
					a.ui.notef("there are none")
					return nil
				}
				a.ui.write(&a.ui.out, a.ui.out.grid(cells, func(row, col int) style { return acmeStyle(cells[row][col], col == 1) }))
				return nil
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&status, "status", "", "only accounts of this `STATUS`: valid, deactivated (by the client), revoked (by the CA)")
	f.StringVar(&contains, "contact", "", "only accounts with this `TEXT` in a contact, or whose ID begins with it")
	f.IntVar(&limit, "limit", 100, "at most `N` of them")
	f.BoolVar(&asJSON, "json", false, "print JSON, one object a line")
	complete(cmd, "status", []string{acme.StatusValid, acme.StatusDeactivated, acme.StatusRevoked})
	return cmd
}

// oneOf refuses a flag that is given and none of some words.
func oneOf(cmd *cobra.Command, flag, value string, words ...string) error {
	if value == "" {
		return nil
	}
	for _, w := range words {
		if value == w {
			return nil
		}
	}
	return usagef(cmd, "--%s %q is not one of %s", flag, pki.Printable(value), strings.Join(words, ", "))
}

// acmeStyle colours the status of an ACME object, where a cell is one.
func acmeStyle(word string, isStatus bool) style {
	if !isStatus {
		return plain
	}
	switch word {
	case acme.StatusValid, acme.StatusReady:
		return good
	case acme.StatusInvalid, acme.StatusRevoked, acme.StatusDeactivated:
		return bad
	case acme.StatusPending, acme.StatusProcessing:
		return caution
	}
	return plain
}

// rightsText says what an account may have.
func rightsText(v *admin.Account) string {
	return orWord(listed(append(append([]string{}, v.Names...), v.Networks...)), "what the CA grants")
}

// notOnFile says that there is no such thing.
func notOnFile(cmd *cobra.Command, err error, what, id, hint string) error {
	if !errors.Is(err, store.ErrNotFound) {
		return caFailure(err, "reading the "+what)
	}
	f := usagef(cmd, "there is no %s %s", what, pki.Printable(id))
	f.hint = hint
	return f
}

// accountReport is `ca account show --json`.
type accountReport struct {
	admin.Account
	Orders []admin.Order `json:"orders"` // the newest
}

// shownOrders is how many orders are shown with their account.
const shownOrders = 20

func newCAAccountShow(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "show ID",
		Short:   "Show an account and what it ordered last",
		Example: "  tlswright ca account show 5WZDXZKEMHQ4TP3SC3UFRJTQY7 --json",
		Args:    oneArg("the ID of the account"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(s *store.Store) error {
				v, err := admin.LoadAccount(cmd.Context(), s, args[0])
				if err != nil {
					return notOnFile(cmd, err, "account", args[0], "see: tlswright ca account list")
				}
				orders, err := a.ordersOf(cmd.Context(), s, store.OrderQuery{Account: v.ID, Limit: shownOrders})
				if err != nil {
					return err
				}
				if asJSON {
					return a.ui.printJSON(accountReport{v, orders})
				}
				out := &a.ui.out
				a.ui.write(out, out.paint(bold, "account "+v.ID)+"\n"+out.rows(accountRows(&v)))
				if len(orders) > 0 {
					a.ui.write(out, "\n"+a.orderGrid(orders))
				}
				return nil
			})
		},
	}
	cmd.ValidArgsFunction = a.completeAccounts
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func accountRows(v *admin.Account) []row {
	bound := "no"
	if v.Bound {
		bound = "by the key " + orWord(pki.Printable(v.Binding), "(taken back since)")
	}
	return []row{
		{label: "status", value: v.Status, style: acmeStyle(v.Status, true)},
		{label: "made", value: timeOf(v.Created)},
		{label: "directory", value: orWord(v.Directory, "the first")},
		{label: "contact", value: orWord(listed(v.Contact), "none")},
		{label: "bound", value: bound},
		{label: "may have", value: rightsText(v)},
		{label: "key", value: "thumbprint " + v.Thumbprint},
	}
}

func newCAAccountDeactivate(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "deactivate ID",
		Short: "Take an account out of use, for good",
		Long: `Take an account out of use, for good: every request of it is refused from now on
(status "revoked", RFC 8555, Section 7.1.6). Its certificates stay valid; revoke
them with "ca revoke". A client could make another account, unless they must be
bound ("ca serve --require-binding").`,
		Example: "  tlswright ca account deactivate 5WZDXZKEMHQ4TP3SC3UFRJTQY7",
		Args:    oneArg("the ID of the account"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(s *store.Store) error {
				v, err := admin.Deactivate(cmd.Context(), s, args[0], store.By{Actor: actor(), At: a.now()})
				if errors.Is(err, store.ErrTaken) {
					return &failure{kind: kindLocal, text: "the account is not in use any more", err: err, hint: "see: tlswright ca account show " + pki.Printable(args[0])}
				}
				if err != nil {
					return notOnFile(cmd, err, "account", args[0], "see: tlswright ca account list")
				}
				if asJSON {
					return a.ui.printJSON(v)
				}
				a.ui.printf("the account %s is out of use", v.ID)
				return nil
			})
		},
	}
	cmd.ValidArgsFunction = a.completeAccounts
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newCAOrder(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:     "order",
		Short:   "What ACME clients have ordered, and how they proved it",
		Example: "  tlswright ca order list --status invalid\n  tlswright ca order show ID",
	}, newCAOrderList(a), newCAOrderShow(a))
}

// ordersOf lists orders as people see them.
func (a *app) ordersOf(ctx context.Context, s *store.Store, q store.OrderQuery) ([]admin.Order, error) {
	rows, err := s.ACMEOrderPage(ctx, q)
	if err != nil {
		return nil, caFailure(err, "listing the orders")
	}
	orders := make([]admin.Order, 0, len(rows))
	for i := range rows {
		v, err := admin.NewOrder(&rows[i], nil, a.now())
		if err != nil {
			return nil, caFailure(err, "listing the orders")
		}
		orders = append(orders, v)
	}
	return orders, nil
}

func (a *app) orderGrid(orders []admin.Order) string {
	cells := [][]string{{"order", "status", "at", "account", "serial", "names"}}
	for i := range orders {
		o := &orders[i]
		cells = append(cells, []string{o.ID, o.Status, o.Created.UTC().Format(time.DateTime), o.Account[:min(8, len(o.Account))],
			orWord(o.Serial[:min(12, len(o.Serial))], "-"), cut(listed(o.Identifiers), maxNameWidth)})
	}
	return a.ui.out.grid(cells, func(row, col int) style { return acmeStyle(cells[row][col], col == 1) })
}

func newCAOrderList(a *app) *cobra.Command {
	var q store.OrderQuery
	var asJSON bool
	words := []string{acme.StatusPending, acme.StatusReady, acme.StatusProcessing, acme.StatusValid, acme.StatusInvalid}
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the orders, the newest first",
		Long:    "List the orders, the newest first. The status is that of the last change: one\nthat nobody has asked for since may have failed or expired meanwhile, which\n\"ca order show\" tells.",
		Example: "  tlswright ca order list\n  tlswright ca order list --account ID --status invalid --json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf(cmd, "status", q.Status, words...); err != nil {
				return err
			}
			if q.Limit < 1 {
				return usagef(cmd, "--limit %d is no number of orders", q.Limit)
			}
			return a.withStore(cmd.Context(), func(s *store.Store) error {
				orders, err := a.ordersOf(cmd.Context(), s, q)
				if err != nil {
					return err
				}
				if !asJSON {
					if len(orders) == 0 {
						a.ui.notef("there are none")
						return nil
					}
					a.ui.write(&a.ui.out, a.orderGrid(orders))
					return nil
				}
				for _, o := range orders {
					if err := a.ui.printJSONLine(o); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&q.Account, "account", "", "only orders of the account with this `ID`")
	f.StringVar(&q.Status, "status", "", "only orders of this `STATUS`: "+strings.Join(words, ", "))
	f.IntVar(&q.Limit, "limit", 100, "at most `N` of them")
	f.BoolVar(&asJSON, "json", false, "print JSON, one object a line")
	complete(cmd, "status", words)
	_ = cmd.RegisterFlagCompletionFunc("account", a.completeAccounts)
	return cmd
}

func newCAOrderShow(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "show ID",
		Short:   "Show an order: who asked, what was proven how, what came of it",
		Example: "  tlswright ca order show TBQ2M6YJQH4XLJ5OWZ7VJ3R2QE",
		Args:    oneArg("the ID of the order"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(s *store.Store) error {
				o, err := admin.LoadOrder(cmd.Context(), s, args[0], a.now())
				if err != nil {
					return notOnFile(cmd, err, "order", args[0], "see: tlswright ca order list")
				}
				if asJSON {
					return a.ui.printJSON(o)
				}
				out := &a.ui.out
				a.ui.write(out, out.paint(bold, "order "+o.ID)+"\n"+out.rows(orderRows(&o)))
				return nil
			})
		},
	}
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func orderRows(o *admin.Order) []row {
	rows := []row{
		{label: "status", value: o.Status, style: acmeStyle(o.Status, true)},
		{label: "account", value: o.Account},
		{label: "names", value: listed(o.Identifiers)},
		{label: "at", value: timeOf(o.Created)},
		{label: "client", value: agentText(o.Client.Agent, o.Client.Address)},
		{label: "profile", value: orWord(pki.Printable(o.Profile), "none asked for")},
	}
	if o.Replaces != "" {
		rows = append(rows, row{label: "replaces", value: pki.Printable(o.Replaces)})
	}
	if o.Serial != "" {
		rows = append(rows, row{label: "certificate", value: o.Serial})
	} else {
		rows = append(rows, row{label: "expires", value: timeOf(o.Expires)})
	}
	if o.Error != nil {
		rows = append(rows, row{label: "because", value: pki.Printable(o.Error.Error())})
	}
	for i := range o.Authorizations {
		az := &o.Authorizations[i]
		rows = append(rows, row{label: "name", value: fmt.Sprintf("%s: %s", pki.Printable(az.Identifier), az.Status), style: acmeStyle(az.Status, true)})
		for _, c := range az.Challenges {
			text := c.Type + ": " + c.Status
			if !c.Validated.IsZero() {
				text += " since " + timeOf(c.Validated)
			}
			if c.Error != nil {
				text += ", " + pki.Printable(c.Error.Error())
			}
			rows = append(rows, row{value: text})
		}
	}
	return rows
}

// agentText says which program asked, and from where.
func agentText(agent, address string) string {
	switch {
	case agent == "" && address == "":
		return "not noted"
	case address == "":
		return pki.Printable(agent)
	}
	return orWord(pki.Printable(agent), "a program without a name") + " from " + pki.Printable(address)
}
