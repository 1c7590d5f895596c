package cli

import (
	"strings"

	"github.com/tlswright/tlswright/internal/gateway"
	"github.com/tlswright/tlswright/pki"
)

// gatewayLog tells what a gateway does, a line for each thing that happens: to people, or as JSON lines.
type gatewayLog struct {
	app     *app
	asJSON  bool
	isQuiet bool
}

// gatewayEvent is a line of `gateway run --json`.
type gatewayEvent struct {
	gateway.Event
	URL string `json:"url,omitempty"` // of a listener
}

// event tells one event. It is called from many goroutines.
func (l *gatewayLog) event(e gateway.Event) {
	out, errOut := &l.app.ui.out, &l.app.ui.err
	isTrouble := e.Kind == "denied" || e.Kind == "warning" || e.Kind == "limited" || e.Kind == "withheld" || e.Kind == "upstream"
	if l.isQuiet && !isTrouble && e.Kind != "listening" {
		return
	}
	text := pki.Printable(e.Text)
	if l.asJSON {
		line := gatewayEvent{Event: e}
		line.URL, _ = strings.CutPrefix(text, "listening on ")
		if e.Kind != "listening" {
			line.URL = ""
		}
		_ = l.app.ui.printJSONLine(line) // an event holds nothing that cannot be encoded
		return
	}
	switch e.Kind {
	case "listening":
		if e.Listener != "" && e.Listener != e.Address && !strings.HasSuffix(e.Address, e.Listener) {
			text += " (" + pki.Printable(e.Listener) + ")"
		}
		l.app.ui.write(out, text+"\n")
	case "denied":
		if rest, ok := strings.CutPrefix(text, "refused "); ok {
			text = errOut.paint(caution, "refused") + " " + rest
		}
		l.app.ui.write(errOut, text+"\n")
	case "upstream":
		head, rest, reason := upstreamText(e)
		l.app.ui.warnf("%s", withSite(e.Site, head+" "+rest+": "+reason))
	case "withheld":
		l.app.ui.warnf("%s", withSite(e.Site, "not served: "+pki.Printable(e.Path)+": "+text))
	case "warning", "limited":
		l.app.ui.warnf("%s", withSite(e.Site, text))
	case "reload":
		// What has changed is told by whoever asked for it.
	default:
		l.app.ui.notef("%s", withSite(e.Site, text))
	}
}

// upstreamText says whom a target has not answered, and why.
func upstreamText(e gateway.Event) (head, rest, reason string) {
	reason = pki.Printable(e.Text)
	if e.Err != nil {
		if known := explainConnection(e.Err); known.kind != kindNetwork {
			reason = known.text
		}
	}
	if e.Path == "" {
		return "no connection for", pki.Printable(e.Address), reason
	}
	return "no answer for", strings.TrimSpace(pki.Printable(e.Method + " " + e.Path)), reason
}

func withSite(site, text string) string {
	if site == "" || strings.Contains(text, site) {
		return text
	}
	return "site " + pki.Printable(site) + ": " + text
}

// changed tells what a reload has done.
func (l *gatewayLog) changed(changes []gateway.Change) {
	if l.isQuiet || l.asJSON { // the event has been told
		return
	}
	if len(changes) == 0 {
		l.app.ui.notef("read again: nothing has changed; certificates and CAs were opened anew")
		return
	}
	parts := make([]string, 0, len(changes))
	for _, c := range changes {
		parts = append(parts, strings.TrimSpace(c.What+" "+pki.Printable(c.Name))+" "+c.How)
	}
	l.app.ui.notef("read again: %s", strings.Join(parts, ", "))
}

// staysAsItWas tells why a reload has done nothing.
func (l *gatewayLog) staysAsItWas(f *failure) {
	if l.asJSON {
		_ = l.app.ui.printJSONLine(gatewayEvent{Event: gateway.Event{Kind: "warning", Time: l.app.now().UTC(), Text: "the configuration stays as it was: " + f.text}})
		return
	}
	l.app.ui.warnf("the configuration stays as it was: %s", f.text)
	if f.hint != "" {
		l.app.ui.notef("%s", f.hint)
	}
}
