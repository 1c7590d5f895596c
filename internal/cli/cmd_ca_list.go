package cli

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
)

type caListFlags struct {
	caFlags
	states   []string
	profile  string
	expiring int
	limit    int
	all      bool
	asJSON   bool
	asCSV    bool
	account  string
	accounts map[string]string // by serial number: who ordered over ACME
}

// listStates are the words of --state and what they mean in the records.
func listStates() map[string][]store.State {
	return map[string][]store.State{
		"valid": {store.StateIssued}, "expired": {store.StateIssued}, "revoked": {store.StateRevoked, store.StateOnHold},
		"lost": {store.StateLost}, "refused": {store.StateRefused}, "reserved": {store.StateReserved},
	}
}

const listWords = "valid, expired, revoked, lost, refused, reserved"

func newCAList(a *app) *cobra.Command {
	o := &caListFlags{}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List what the CA has issued",
		Long: `List the certificates of the CA, the newest first: valid, expired and revoked
ones. --expiring 30 lists what ends within thirty days, so that it can be
renewed in time, and ends with exit code 1 if there is any. Of what was ordered
over ACME the account is named; "ca show" tells more of it.`,
		Example: "  tlswright ca list\n  tlswright ca list --expiring 30\n  tlswright ca list --state revoked --json\n  tlswright ca list --account 5WZDXZKEMHQ4TP3SC3UFRJTQY7",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.caList(cmd, o, "") },
	}
	o.registerList(cmd, a)
	cmd.Flags().StringVar(&o.account, "account", "", "only what the ACME account with this `ID` has ordered")
	_ = cmd.RegisterFlagCompletionFunc("account", a.completeAccounts)
	cmd.Flags().IntVar(&o.expiring, "expiring", 0, "only what is valid and ends within `DAYS`; exit code 1 if there is any")
	return cmd
}

func newCASearch(a *app) *cobra.Command {
	o := &caListFlags{}
	cmd := &cobra.Command{
		Use:   "search TEXT",
		Short: "Search the certificates of the CA by name or serial number",
		Long: `Search what the CA has issued: TEXT is part of a subject or of a name, or the
beginning of a serial number. Where nothing is found so, TEXT is part of what an
ACME account gave as its contact, or the beginning of its ID, and what it has
ordered is listed. Exit code 1 if nothing is found.`,
		Example:           "  tlswright ca search app.test\n  tlswright ca search 4f21 --json\n  tlswright ca search ops@corp.example",
		Args:              oneArg("the TEXT to search for"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.caList(cmd, o, args[0]) },
	}
	o.registerList(cmd, a)
	return cmd
}

func (o *caListFlags) registerList(cmd *cobra.Command, a *app) {
	o.registerIssuer(cmd, a)
	f := cmd.Flags()
	f.StringSliceVar(&o.states, "state", nil, "only these `STATES`: "+listWords)
	f.StringVar(&o.profile, "profile", "", "only certificates of this `PROFILE`")
	f.IntVar(&o.limit, "limit", 50, "at most `N` of them")
	f.BoolVar(&o.all, "all", false, "all of them, however many")
	f.BoolVar(&o.asJSON, "json", false, "print JSON, one object a line")
	f.BoolVar(&o.asCSV, "csv", false, "print comma-separated values, for a spreadsheet")
	exclusive(cmd, "json", "csv")
	complete(cmd, "state", strings.Split(listWords, ", "))
}

// query turns flags into a question to the records.
func (o *caListFlags) query(cmd *cobra.Command, text string, now time.Time) (authority.Query, error) {
	q := authority.Query{Profile: o.profile, Account: o.account, Newest: true, Light: !o.asJSON}
	words := listStates()
	for _, s := range o.states {
		states, ok := words[s]
		if !ok {
			return q, usagef(cmd, "--state %q is not one of %s", s, listWords)
		}
		q.States = append(q.States, states...)
	}
	if len(o.states) == 0 {
		q.States = []store.State{store.StateIssued, store.StateRevoked, store.StateOnHold}
	}
	// One query has one range of dates: asked for together, the two are sorted out line by line.
	if len(o.states) == 1 && o.states[0] == "valid" {
		q.EndsFrom = now
	}
	if len(o.states) == 1 && o.states[0] == "expired" {
		q.EndsTo = now
	}
	if cmd.Flags().Changed("expiring") {
		if o.expiring < 1 {
			return q, usagef(cmd, "--expiring %d is no number of days", o.expiring)
		}
		q.States, q.EndsFrom, q.EndsTo = []store.State{store.StateIssued}, now, now.Add(time.Duration(o.expiring)*day)
		q.Newest = false
	}
	if o.limit < 1 {
		return q, usagef(cmd, "--limit %d is no number of certificates", o.limit)
	}
	if _, err := authority.ParseSerial(text); err == nil && len(text) >= 4 {
		q.Serial = strings.ToLower(strings.NewReplacer(":", "", " ", "").Replace(text))
	} else {
		q.Contains = text
	}
	return q, nil
}

func (a *app) caList(cmd *cobra.Command, o *caListFlags, text string) (err error) {
	now := a.now()
	q, err := o.query(cmd, text, now)
	if err != nil {
		return err
	}
	au, err := a.openAuthority(cmd.Context(), &o.caFlags, false)
	if err != nil {
		return err
	}
	defer closing(au, &err)
	records, total, err := o.find(cmd, au, q, text)
	if err == nil {
		o.accounts, err = accountsOf(cmd.Context(), au, records)
	}
	if err != nil {
		return caFailure(err, "reading the records")
	}
	if len(records) > 0 || text == "" || o.asCSV {
		err = a.printRecords(o, records, now)
	}
	if err != nil {
		return err
	}
	if more := total - int64(len(records)); more > 0 {
		a.ui.notef("%d more: see all with --all", more)
	}
	switch {
	case o.expiring > 0 && len(records) > 0:
		return &failure{kind: kindFinding, text: fmt.Sprintf("%s within %s", endsText(total), countOf(o.expiring, "day")), hint: "renew with: tlswright ca renew SERIAL --out DIR"}
	case text != "" && len(records) == 0:
		f := &failure{kind: kindFinding, text: fmt.Sprintf("nothing is found for %q", pki.Printable(text))}
		if others := a.issuersThatKnow(cmd.Context(), au, text); len(others) > 0 {
			f.hint = "--issuer " + strings.Join(others, " or --issuer ") + " has something"
		}
		return f
	}
	return nil
}

func endsText(n int64) string {
	if n == 1 {
		return "1 certificate ends"
	}
	return fmt.Sprintf("%d certificates end", n)
}

// find reads the records. What looks like the beginning of a serial number may as well be part of a name.
func (o *caListFlags) find(cmd *cobra.Command, au *authority.Authority, q authority.Query, text string) ([]authority.Record, int64, error) {
	ctx := cmd.Context()
	total, err := au.Count(ctx, q)
	if err != nil {
		return nil, 0, err
	}
	if total == 0 && q.Serial != "" {
		q.Serial, q.Contains = "", text
		if total, err = au.Count(ctx, q); err != nil {
			return nil, 0, err
		}
	}
	limit := o.limit
	if o.all {
		limit = math.MaxInt
	}
	if total == 0 && text != "" {
		return findByAccount(ctx, au, q, text, limit)
	}
	var records []authority.Record
	for r, err := range au.Search(ctx, q) {
		if err != nil {
			return nil, 0, err
		}
		if len(records) == limit {
			break
		}
		records = append(records, r)
	}
	return records, total, nil
}

func (a *app) printRecords(o *caListFlags, records []authority.Record, now time.Time) error {
	switch {
	case o.asJSON:
		for _, r := range records {
			j := newRecordReport(r, now)
			j.Account = o.accounts[j.Serial]
			if err := a.ui.printJSONLine(j); err != nil {
				return err
			}
		}
		return nil
	case o.asCSV:
		return a.printRecordsCSV(records, o.accounts, now)
	case len(records) == 0:
		a.ui.notef("there are none")
		return nil
	}
	out := &a.ui.out
	cells := [][]string{{"serial", "state", "profile", "ends", "days", "name"}}
	if len(o.accounts) > 0 {
		cells[0] = append(cells[0], "ACME account")
	}
	for _, r := range records {
		days := ""
		if !r.NotAfter.IsZero() {
			days = fmt.Sprint(int(r.NotAfter.Sub(now) / day))
		}
		line := []string{serialShort(r.Serial), recordState(r, now), r.Profile, dateOrNone(r.NotAfter), days, recordName(r)}
		if len(o.accounts) > 0 {
			line = append(line, orWord(o.accounts[authority.SerialText(serialOf(r.Serial))], "-"))
		}
		cells = append(cells, line)
	}
	a.ui.write(out, out.grid(cells, func(row, col int) style {
		if col == 1 {
			return stateStyle(cells[row][1])
		}
		return plain
	}))
	return nil
}

func dateOrNone(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return dateOf(t)
}

// maxNameWidth keeps the table on one line.
const maxNameWidth = 48

// recordName is what a person knows a certificate by: its names, else its subject.
func recordName(r authority.Record) string {
	text := strings.Join(r.Names, ", ")
	if text == "" {
		text = r.Subject
	}
	if text == "" {
		text = r.Reason
	}
	return cut(pki.Printable(text), maxNameWidth)
}
