package cli

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/incident"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/monitor"
	"github.com/tlswright/tlswright/internal/watch"
	"github.com/tlswright/tlswright/pki"
)

// monitorReportFlags are the flags of `monitor report`.
type monitorReportFlags struct {
	monitorFlags
	format string
	out    string
	days   int
}

func newMonitorReport(a *app) *cobra.Command {
	o := &monitorReportFlags{}
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Show how everything stands: as text, an HTML page, JSON or CSV",
		Long: `Show how everything stands, from what was kept, without looking anew: the most
urgent targets first, open incidents, what has changed. The HTML page is one
file that needs nothing else, and prints well.`,
		Example: "  tlswright monitor report\n  tlswright monitor report --format html -o report.html\n  tlswright monitor report --format csv",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.monitorReport(cmd, o) },
	}
	o.register(cmd)
	f := cmd.Flags()
	f.StringVar(&o.format, "format", "text", "as `FORMAT`: text, html, json or csv")
	complete(cmd, "format", []string{"text", "html", "json", "csv"})
	f.StringVarP(&o.out, "output", "o", "", "write to `FILE`")
	f.IntVar(&o.days, "days", 30, "with what has changed in the last `DAYS`")
	return cmd
}

func (a *app) monitorReport(cmd *cobra.Command, o *monitorReportFlags) error {
	if o.asJSON {
		o.format = "json"
	}
	if err := checkDays(cmd, o.days); err != nil {
		return err
	}
	return a.withHistory(cmd.Context(), &o.monitorFlags, func(h *history.History, _ *config.Monitor) error {
		r, err := monitor.NewReport(cmd.Context(), h, a.now(), a.now().Add(-time.Duration(o.days)*day))
		if err != nil {
			return cannotRun(err, "")
		}
		var b bytes.Buffer
		switch o.format {
		case "html":
			err = r.HTML(&b)
		case "csv":
			err = r.CSV(&b)
		case "json":
			return a.reportJSON(r, o)
		case "text":
			if o.out != "" {
				return usagef(cmd, "-o goes with --format html or csv")
			}
			a.reportText(r)
			return nil
		default:
			return usagef(cmd, "--format %q is none of text, html, json and csv", o.format)
		}
		if err != nil {
			return cannotRun(err, "")
		}
		if o.out == "" {
			a.ui.write(&a.ui.out, b.String())
			return nil
		}
		if err := keystore.WriteFile(o.out, b.Bytes(), 0o644); err != nil {
			return cannotRun(err, "")
		}
		a.ui.notef("%s, %s", o.out, byteCount(int64(b.Len())))
		return nil
	})
}

// monitorReportJSON is the report in --format json. The names are stable.
type monitorReportJSON struct {
	Made      string            `json:"made"`
	Targets   []targetReport    `json:"targets"`
	Incidents []incidentReport  `json:"incidents"`
	Changes   []history.Changed `json:"changes"`
	States    map[string]int    `json:"states"`
	Total     int               `json:"total"`
}

// incidentReport is an incident in --json. The names are stable.
type incidentReport struct {
	ID           string            `json:"id"`
	Kind         string            `json:"kind"`
	Subject      string            `json:"subject"`
	Title        string            `json:"title"`
	Severity     incident.Severity `json:"severity"`
	Worst        incident.Severity `json:"worst"`
	Open         bool              `json:"open"`
	Opened       string            `json:"opened"`
	Resolved     string            `json:"resolved,omitempty"`
	Acknowledged string            `json:"acknowledged_by,omitempty"`
	Note         string            `json:"note,omitempty"`
	Affected     []string          `json:"affected,omitempty"`
}

func ofIncident(i *incident.Incident) incidentReport {
	r := incidentReport{ID: i.ID, Kind: i.Key.Kind, Subject: i.Key.Subject, Title: i.Title, Severity: i.Severity, Worst: i.Worst, Open: i.IsOpen(),
		Opened: jsonTime(i.Opened), Resolved: jsonTime(i.Resolved), Affected: whereIs(i)}
	if i.Acknowledged != nil {
		r.Acknowledged, r.Note = i.Acknowledged.By, i.Acknowledged.Note
	}
	return r
}

func (a *app) reportJSON(r *monitor.Report, o *monitorReportFlags) error {
	out := monitorReportJSON{Made: jsonTime(r.Made), Targets: []targetReport{}, Incidents: []incidentReport{}, Changes: append([]history.Changed{}, r.Changes...), States: make(map[string]int), Total: r.Total}
	for i := range r.Targets {
		out.Targets = append(out.Targets, ofTarget(&r.Targets[i].Target, r.Made))
	}
	for _, i := range r.Incidents {
		out.Incidents = append(out.Incidents, ofIncident(i))
	}
	for s, n := range r.Summary.States {
		out.States[s.String()] = n
	}
	if o.out == "" {
		return a.ui.printJSON(out)
	}
	text, err := safeJSON(out, "  ")
	if err == nil {
		err = keystore.WriteFile(o.out, []byte(text), 0o644)
	}
	if err != nil {
		return cannotRun(err, "")
	}
	return nil
}

func (a *app) reportText(r *monitor.Report) {
	var rows []targetReport
	for i := range r.Targets {
		rows = append(rows, ofTarget(&r.Targets[i].Target, r.Made))
	}
	if r.Total == 0 {
		a.ui.printf("nothing is watched: \"tlswright monitor check -c FILE\" looks at what a file names")
		return
	}
	a.targetTable(rows)
	a.ui.printf("%s: %s", countOf(r.Total, "target"), stateCount(r.Summary.States))
	var open []*incident.Incident
	for _, i := range r.Incidents {
		if i.IsOpen() {
			open = append(open, i)
		}
	}
	if len(open) > 0 {
		a.ui.printf("")
		a.incidentTable(open)
	}
	if len(r.Changes) > 0 {
		a.ui.printf("\n%s since %s; \"tlswright monitor diff\" shows them", countOf(len(r.Changes), "change"), dateOf(r.Since))
	}
	if r.Summary.Overdue > 0 {
		a.ui.warnf("%s should have been looked at before %s: is \"tlswright monitor run\" running?", countOf(r.Summary.Overdue, "target"), timeOf(r.Summary.Oldest))
	}
}

func (a *app) incidentTable(list []*incident.Incident) {
	cells := [][]string{{"INCIDENT", "SEVERITY", "SINCE", "WHAT", "WHERE", "TAKEN BY"}}
	for _, i := range list {
		by := "-"
		if i.Acknowledged != nil {
			by = i.Acknowledged.By
		}
		if !i.IsOpen() {
			by = "over since " + timeOf(i.Resolved)
		}
		affected := whereIs(i)
		where := strings.Join(affected[:min(len(affected), 3)], ", ")
		if len(affected) > 3 {
			where += fmt.Sprintf(" and %d more", len(affected)-3)
		}
		cells = append(cells, []string{i.ID, i.Severity.String(), timeOf(i.Opened), cutColumns(pki.Printable(i.Title), 70), cutColumns(pki.Printable(where), 40), pki.Printable(by)})
	}
	out := &a.ui.out
	a.ui.write(out, out.grid(cells, func(row, col int) style {
		switch {
		case row == 0:
			return faint
		case col == 1 && !list[row-1].IsOpen():
			return faint
		case col == 1 && list[row-1].Severity >= incident.Critical:
			return bad
		case col == 1:
			return caution
		}
		return plain
	}))
}

// whereIs lists the targets of an incident; of one that is over, those where it was.
func whereIs(i *incident.Incident) []string {
	if i.IsOpen() {
		return i.Affected()
	}
	return slices.Sorted(maps.Keys(i.Targets))
}

func newMonitorIncidents(a *app) *cobra.Command {
	o := &monitorFlags{}
	var all bool
	var target string
	cmd := &cobra.Command{
		Use:     "incidents [INCIDENT]",
		Short:   "List open incidents, or tell the story of one",
		Long:    "List the incidents that are open, the worst first; or tell what was seen and\ntold of one of them, and which channel has got it.",
		Example: "  tlswright monitor incidents\n  tlswright monitor incidents --all --json\n  tlswright monitor incidents 9d1c2f80a1b2c3d4",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withHistory(cmd.Context(), o, func(h *history.History, _ *config.Monitor) error {
				if len(args) == 1 {
					return a.monitorIncident(cmd, o, h, args[0])
				}
				list, total, err := h.Incidents(cmd.Context(), history.IncidentQuery{Open: !all, Target: target, Page: history.Page{Limit: 1000}})
				if err != nil {
					return cannotRun(err, "")
				}
				if o.asJSON {
					out := []incidentReport{}
					for _, i := range list {
						out = append(out, ofIncident(i))
					}
					return a.ui.printJSON(out)
				}
				if len(list) == 0 {
					a.ui.printf("%s", map[bool]string{false: "no incident is open", true: "there was no incident"}[all])
					return nil
				}
				a.incidentTable(list)
				if total > len(list) {
					a.ui.printf("and %d more", total-len(list))
				}
				return nil
			})
		},
	}
	o.register(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "those that are over, too")
	cmd.Flags().StringVar(&target, "target", "", "only those of `TARGET`")
	return cmd
}

// monitorIncident tells the story of one.
func (a *app) monitorIncident(cmd *cobra.Command, o *monitorFlags, h *history.History, id string) error {
	i, err := h.Incident(cmd.Context(), id)
	if err != nil {
		return historyFailure(err, "\"tlswright monitor incidents --all\" lists them")
	}
	told, err := h.Notices(cmd.Context(), id)
	if err != nil {
		return cannotRun(err, "")
	}
	if o.asJSON {
		return a.ui.printJSON(map[string]any{"incident": ofIncident(i), "notices": ofNotices(told)})
	}
	out := &a.ui.out
	a.ui.printf("%s", out.paint(bold, pki.Printable(i.Title)))
	rows := []row{{label: "severity", value: i.Severity.String()}, {label: "kind", value: i.Key.Kind}, {label: "subject", value: pki.Printable(i.Key.Subject)}, {label: "since", value: timeOf(i.Opened)}}
	if !i.IsOpen() {
		rows = append(rows, row{label: "until", value: timeOf(i.Resolved)})
	}
	if k := i.Acknowledged; k != nil {
		rows = append(rows, row{label: "taken by", value: pki.Printable(strings.TrimSuffix(k.By+": "+k.Note, ": "))})
	}
	for _, t := range slices.Sorted(maps.Keys(i.Targets)) {
		s, label := i.Targets[t], "at"
		if !s.Active {
			label = "was at"
		}
		rows = append(rows, row{label: label, value: pki.Printable(strings.TrimSuffix(t+": "+s.Text, ": "))})
	}
	for _, n := range told {
		text := fmt.Sprintf("%s, %s", n.Event, n.Severity)
		if n.Silenced != "" {
			text += ", kept back"
		}
		for _, c := range n.Channels {
			switch {
			case !c.Delivered.IsZero():
				text += fmt.Sprintf("; %s got it", c.Channel)
			case c.Trouble != "":
				text += fmt.Sprintf("; %s has not got it after %s: %s", c.Channel, countOf(c.Tries, "attempt"), c.Trouble)
			default:
				text += fmt.Sprintf("; %s gets it soon", c.Channel)
			}
		}
		rows = append(rows, row{label: timeOf(n.At), value: pki.Printable(text)})
	}
	a.ui.write(out, out.rows(rows))
	return nil
}

func newMonitorHistory(a *app) *cobra.Command {
	o := &monitorFlags{}
	var days int
	cmd := &cobra.Command{
		Use:     "history TARGET",
		Short:   "Show what a target has shown, and when that changed",
		Long:    "Show how a target stands at each of its addresses and files, its last days, and\nevery change: certificate, issuer, key, names, chain, version, suite, grade.",
		Example: "  tlswright monitor history www.example.com:443\n  tlswright monitor history --days 365 --json www.example.com:443",
		Args:    oneArg("the TARGET"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkDays(cmd, days); err != nil {
				return err
			}
			return a.withHistory(cmd.Context(), o, func(h *history.History, _ *config.Monitor) error {
				return a.monitorHistory(cmd, o, h, args[0], days)
			})
		},
	}
	o.register(cmd)
	cmd.Flags().IntVar(&days, "days", 90, "of the last `DAYS`")
	return cmd
}

func (a *app) monitorHistory(cmd *cobra.Command, o *monitorFlags, h *history.History, name string, days int) error {
	ctx, since := cmd.Context(), a.now().Add(-time.Duration(days)*day)
	t, err := h.Target(ctx, name)
	if err != nil {
		return historyFailure(err, "\"tlswright monitor report\" lists the targets")
	}
	places, err := h.Places(ctx, name)
	if err != nil {
		return cannotRun(err, "")
	}
	changes, err := h.Changes(ctx, name, since, history.Page{Limit: 1000})
	if err != nil {
		return cannotRun(err, "")
	}
	list, err := h.Days(ctx, name, since)
	if err != nil {
		return cannotRun(err, "")
	}
	if o.asJSON {
		report := ofTarget(&t, a.now())
		for _, p := range places {
			report.Places = append(report.Places, placeReport{State: p.State, Reason: p.Reason, Observation: p.Observation})
		}
		return a.ui.printJSON(map[string]any{"target": report, "changes": append([]history.Changed{}, changes...), "days": append([]history.Day{}, list...)})
	}
	out := &a.ui.out
	a.ui.printf("%s %s: %s", out.paint(watchStyle(t.State), t.State.String()), out.paint(bold, pki.Printable(t.Name)), t.Reason)
	a.ui.write(out, out.rows(placeRows(places)))
	if len(list) > 0 {
		a.ui.printf("\n%s: %s", countOf(len(list), "day"), dayStrip(out, list))
	}
	a.ui.printf("")
	a.changeTable(changes)
	return nil
}

// placeRows tells of each place what it shows.
func placeRows(places []history.Place) []row {
	var rows []row
	for _, p := range places {
		text := p.State.String()
		if p.Observation.Version != "" {
			text += ", " + p.Observation.Version + ", " + p.Observation.Suite
		}
		for i := range p.Observation.Leaves {
			leaf := p.Observation.Leaves[i].Leaf()
			text += fmt.Sprintf("; %s until %s by %s", leaf.Key, dateOf(leaf.NotAfter), leaf.Issuer)
		}
		if p.Observation.Error != "" {
			text += ": " + p.Observation.Error
		}
		rows = append(rows, row{label: pki.Printable(p.Observation.Place), value: pki.Printable(text)})
	}
	return rows
}

// dayStrip draws a letter for each day: the worst state of it.
func dayStrip(s *stream, days []history.Day) string {
	var b strings.Builder
	for _, d := range days {
		b.WriteString(s.paint(watchStyle(d.Worst), map[watch.State]string{watch.OK: "o", watch.Unknown: "?", watch.Warning: "w", watch.Error: "e", watch.Critical: "C", watch.Expired: "X"}[d.Worst]))
	}
	return b.String()
}

func (a *app) changeTable(changes []history.Changed) {
	if len(changes) == 0 {
		a.ui.printf("nothing has changed")
		return
	}
	cells := [][]string{{"WHEN", "TARGET", "WHAT", "BEFORE", "AFTER"}}
	for _, c := range changes {
		cells = append(cells, []string{timeOf(c.At), pki.Printable(c.Target), c.Field, pki.Printable(cutColumns(c.Before, 40)), pki.Printable(cutColumns(c.After, 40))})
	}
	a.ui.write(&a.ui.out, a.ui.out.grid(cells, func(row, _ int) style {
		if row == 0 {
			return faint
		}
		return plain
	}))
}

func newMonitorDiff(a *app) *cobra.Command {
	o := &monitorFlags{}
	var days int
	cmd := &cobra.Command{
		Use:     "diff [TARGET]",
		Short:   "Show what has changed: before and after",
		Long:    "Show what has changed lately at one target or at all of them: certificate,\nissuer, key, names, chain, version, suite, grade; before and after. Exit code 1\nif anything has.",
		Example: "  tlswright monitor diff\n  tlswright monitor diff --days 1 --json www.example.com:443",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			target := strings.Join(args, "")
			if err := checkDays(cmd, days); err != nil {
				return err
			}
			return a.withHistory(cmd.Context(), o, func(h *history.History, _ *config.Monitor) error {
				changes, err := h.Changes(cmd.Context(), target, a.now().Add(-time.Duration(days)*day), history.Page{Limit: 10_000})
				if err != nil {
					return cannotRun(err, "")
				}
				if o.asJSON {
					err = a.ui.printJSON(append([]history.Changed{}, changes...))
				} else {
					a.changeTable(changes)
				}
				if err == nil && len(changes) > 0 {
					return &failure{kind: kindFinding, text: countOf(len(changes), "change"), told: true}
				}
				return err
			})
		},
	}
	o.register(cmd)
	cmd.Flags().IntVar(&days, "days", 7, "in the last `DAYS`")
	return cmd
}
