package cli

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/trace"
)

// shownTurns is how many turns of a conversation are listed; the others are counted.
const shownTurns = 12

// printView shows what somebody on the path learns, beside what not.
func (a *app) printView(s *stream, v *trace.View) {
	text := "\n" + s.paint(bold, "what somebody on the path learns") + "\n" + s.rows(sightRows(v.Seen, "hidden by", caution))
	text += "\n" + s.paint(bold, "when who speaks, and how much") + "\n" + turnsText(s, v.Turns)
	text += "\n" + s.paint(bold, "what stays between the two") + "\n" + s.rows(sightRows(v.Hidden, "given away by", good))
	a.ui.write(s, text)
}

// sightRows are the lines about each sight: what it is, where it stands, and what would change that.
func sightRows(sights []trace.Sight, change string, st style) []row {
	var rows []row
	for _, sight := range sights {
		r := row{label: sight.What, value: sight.Value, style: st}
		if r.value == "" {
			r.value, r.style = sight.Where, plain
		} else {
			r.value += " (" + sight.Where + ")"
		}
		rows = append(rows, r)
		if sight.Hides != "" {
			rows = append(rows, row{label: "", value: change + ": " + sight.Hides, style: faint})
		}
	}
	if len(rows) == 0 {
		rows = append(rows, row{label: "nothing", value: ""})
	}
	return rows
}

// turnsText draws the rhythm of a connection: an arrow for each turn.
func turnsText(s *stream, turns []trace.Turn) string {
	var rows []row
	for i, t := range turns {
		if i == shownTurns {
			rows = append(rows, row{label: "...", value: fmt.Sprintf("and %d more", len(turns)-i)})
			break
		}
		arrow := "client -> server"
		if t.From == trace.Server {
			arrow = "client <- server"
		}
		words := make([]string, 0, len(t.Records))
		for _, n := range t.Records[:min(len(t.Records), 8)] {
			words = append(words, fmt.Sprint(n))
		}
		if more := len(t.Records) - len(words); more > 0 {
			words = append(words, fmt.Sprintf("%d more", more))
		}
		what := "closed"
		if t.Open {
			what = "open, in whole or in part"
		}
		rows = append(rows, row{label: milliseconds(t.At), value: fmt.Sprintf("%s  %s: records of %s (%s)", arrow, byteCount(int64(t.Bytes)), strings.Join(words, ", "), what)})
	}
	return s.rows(rows)
}

// sightsBefore is what was said in plain text before TLS began: to a proxy, and to a server of --starttls.
func sightsBefore(o *outcome, proxy *url.URL) []trace.Sight {
	var sights []trace.Sight
	if proxy != nil {
		sights = append(sights, trace.Sight{What: "what the proxy is asked for", Value: o.target.String(), Where: "in plain text, on the way to " + proxy.Host,
			Hides: "a proxy that speaks TLS itself; the proxy knows it in any case"})
	}
	if o.upgrade != nil {
		sights = append(sights, trace.Sight{What: "the words before TLS", Value: pki.Printable(o.upgrade.Greeting + ", " + o.upgrade.Command), Where: "in plain text",
			Hides: "a port that speaks TLS from the first byte"})
	}
	return sights
}
