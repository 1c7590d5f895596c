package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/gateway"
	"github.com/tlswright/tlswright/pki"
)

// denialFlags are the flags of `gateway denials`.
type denialFlags struct {
	since  string
	site   string
	reason string
	last   int
	asJSON bool
}

func newGatewayDenials(a *app) *cobra.Command {
	o := &denialFlags{}
	cmd := &cobra.Command{
		Use:   "denials",
		Short: "List who was refused, and why",
		Long: `List the refusals that a gateway with this home has kept, oldest first: the
last tens of thousands of them, over restarts. "tlswright gateway explain ID"
tells all about one.

` + exitCodeHelp,
		Example: `  tlswright gateway denials
  tlswright gateway denials --since 1h --site app
  tlswright gateway denials --reason expired -n 5 --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.gatewayDenials(cmd, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.since, "since", "", "those since then: a `TIME` ago such as 90m or 2d, or a date")
	f.StringVar(&o.site, "site", "", "those of the site `NAME`")
	f.StringVar(&o.reason, "reason", "", "those for this `REASON`, such as no-rule or expired")
	f.IntVarP(&o.last, "last", "n", 50, "the newest so many; 0: all (a `NUMBER`)")
	f.BoolVar(&o.asJSON, "json", false, "print JSON, an object a line")
	complete(cmd, "reason", slices.Sorted(maps.Keys(gateway.Reasons())))
	return cmd
}

// since reads a time ago, or a date.
func (a *app) sinceTime(cmd *cobra.Command, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	span := text
	var days time.Duration
	if before, rest, ok := strings.Cut(text, "d"); ok {
		var n int
		if _, err := fmt.Sscanf(before+" ", "%d ", &n); err == nil && n >= 0 && n < 100_000 {
			days, span = time.Duration(n)*24*time.Hour, rest
		}
	}
	d, err := time.Duration(0), error(nil)
	if span != "" {
		d, err = time.ParseDuration(span)
	}
	if err != nil || d < 0 {
		f := usagef(cmd, "--since %q is no time", text)
		f.hint = "write it as 90m, 2d or 2026-11-22"
		return time.Time{}, f
	}
	return a.now().Add(-days - d), nil
}

// readDenials reads what is kept; nothing is kept before a gateway has run.
func (a *app) readDenials(q gateway.DenialQuery) ([]gateway.Denial, error) {
	home, err := a.home()
	if err != nil {
		return nil, err
	}
	list, err := gateway.ReadDenials(filepath.Join(home, "gateway", "denials.jsonl"), q)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &failure{kind: kindLocal, err: err, text: "no gateway with this home has run yet: " + home,
			hint: "is it the home of the one that refused? see --home"}
	}
	if err != nil {
		return nil, cannotRun(err, "reading the refusals")
	}
	return list, nil
}

func (a *app) gatewayDenials(cmd *cobra.Command, o *denialFlags) error {
	if o.last < 0 {
		return usagef(cmd, "-n %d: at least 0", o.last)
	}
	since, err := a.sinceTime(cmd, o.since)
	if err != nil {
		return err
	}
	if o.reason != "" && gateway.Reasons()[o.reason] == "" {
		f := usagef(cmd, "--reason %q is not known", o.reason)
		f.hint = "known are: " + strings.Join(slices.Sorted(maps.Keys(gateway.Reasons())), ", ")
		return f
	}
	q := gateway.DenialQuery{Since: since, Site: o.site}
	if o.reason == "" {
		q.Last = o.last
	}
	list, err := a.readDenials(q)
	if err != nil {
		return err
	}
	if o.reason != "" {
		list = ofReason(list, o.reason)
		if o.last > 0 && len(list) > o.last {
			list = list[len(list)-o.last:]
		}
	}
	if o.asJSON {
		for i := range list {
			if err := a.ui.printJSONLine(&list[i]); err != nil {
				return err
			}
		}
		return nil
	}
	if len(list) == 0 {
		a.ui.notef("nobody was refused")
		return nil
	}
	a.ui.write(&a.ui.out, a.denialTable(list))
	if len(list) == o.last {
		a.ui.notef("the newest %d; -n 0 shows all", o.last)
	}
	return nil
}

func ofReason(list []gateway.Denial, reason string) []gateway.Denial {
	var of []gateway.Denial
	for _, d := range list {
		if d.Reason == reason {
			of = append(of, d)
		}
	}
	return of
}

// denialTable is a line for each refusal.
func (a *app) denialTable(list []gateway.Denial) string {
	cells := [][]string{{"when", "id", "site", "reason", "who", "from", "wanted"}}
	for i := range list {
		d := &list[i]
		who := "no certificate"
		if d.Cert != nil {
			who = subjectOf(d.Cert)
		}
		wanted := d.ServerName
		if d.Method != "" {
			wanted = d.Method + " " + d.Path
		}
		cells = append(cells, []string{d.Time.UTC().Format("2006-01-02 15:04:05"), d.ID, orDash(d.Site), d.Reason, clipText(who, 40), hostPart(d.Remote), clipText(orDash(wanted), 40)})
	}
	for _, line := range cells[1:] {
		for i := range line {
			line[i] = pki.Printable(line[i])
		}
	}
	return a.ui.out.grid(cells, func(_, col int) style {
		if col == 3 {
			return caution
		}
		return plain
	})
}

func subjectOf(c *gateway.Certificate) string {
	switch {
	case c.Subject != "":
		return c.Subject
	case len(c.SANs) > 0:
		return c.SANs[0]
	}
	return "serial " + c.Serial
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// clipText keeps a cell to a width.
func clipText(s string, most int) string {
	r := []rune(s)
	if len(r) > most {
		return string(r[:most-3]) + "..."
	}
	return s
}

// hostPart is an address without its port.
func hostPart(addr string) string {
	if i := strings.LastIndexByte(addr, ':'); i > 0 {
		return strings.Trim(addr[:i], "[]")
	}
	return orDash(addr)
}

func newGatewayExplain(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "explain ID",
		Short: "Tell all about one refusal",
		Long: `Tell all that is known about a refusal: who came, with which certificate, what
it wanted, which rule decided, what would have been let in, and what to do. The
ID stands in the log line, in the answer that the client got, and in "tlswright
gateway denials".

` + exitCodeHelp,
		Example: "  tlswright gateway explain 7k2m9qx04d",
		Args:    oneArg("the ID of a refusal"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			list, err := a.readDenials(gateway.DenialQuery{Last: 20})
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			ids := make([]string, 0, len(list))
			for i := len(list) - 1; i >= 0; i-- {
				ids = append(ids, list[i].ID+"\t"+list[i].Reason)
			}
			return ids, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			list, err := a.readDenials(gateway.DenialQuery{ID: strings.ToLower(strings.TrimSpace(args[0]))})
			if err != nil {
				return err
			}
			if len(list) == 0 {
				return &failure{kind: kindUsage, text: "there is no refusal " + pki.Printable(args[0]), hint: "the ones that are kept: tlswright gateway denials -n 0"}
			}
			if asJSON {
				return a.ui.printJSON(&list[0])
			}
			a.ui.write(&a.ui.out, a.denialText(&list[0]))
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// denialText is a refusal in full.
func (a *app) denialText(d *gateway.Denial) string {
	out := &a.ui.out
	head := "refusal " + pki.Printable(d.ID)
	rows := []row{{label: "why", value: pki.Printable(d.Text), style: bad}}
	add := func(label, value string) {
		if value != "" {
			rows = append(rows, row{label: label, value: pki.Printable(value)})
		}
	}
	if d.Rule != "" {
		add("decided by", d.Rule)
	}
	add("nearest", d.Nearest)
	if d.Fix != "" {
		rows = append(rows, row{label: "what to do", value: pki.Printable(d.Fix), style: good})
	}
	add("reason", d.Reason)
	add("when", d.Time.UTC().Format("2006-01-02 15:04:05.000 MST"))
	add("from", d.Remote)
	add("listener", d.Listener)
	add("site", d.Site)
	add("route", d.Route)
	add("server name", d.ServerName)
	add("host", d.Host)
	if d.Method != "" {
		add("request", d.Method+" "+d.Path)
	}
	switch {
	case d.Alert != "":
		add("answered", "TLS alert "+d.Alert)
	case d.Status != 0:
		add("answered", fmt.Sprintf("HTTP status %d", d.Status))
	}
	if d.Resumed {
		add("session", "resumed, and judged again")
	}
	text := out.paint(bold, head) + "\n" + out.rows(rows)
	c := d.Cert
	if c == nil {
		return text + out.paint(bold, "certificate") + "\n" + out.rows([]row{{label: "none", value: "the client showed none"}})
	}
	rows = nil
	add("subject", c.Subject)
	add("names", strings.Join(c.SANs, ", "))
	add("issuer", c.Issuer)
	add("serial", c.Serial)
	add("valid", fmt.Sprintf("%s to %s", timeOf(c.NotBefore), timeOf(c.NotAfter)))
	add("sha256", c.SHA256)
	add("pin", c.Pin)
	return text + out.paint(bold, "certificate") + "\n" + out.rows(rows)
}
