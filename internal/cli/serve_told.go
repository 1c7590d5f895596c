package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/gateway"
	"github.com/tlswright/tlswright/pki"
)

// gatewayEvent tells what happens to the gateway behind `serve`, in the words that `serve` has.
func (l *serveLog) gatewayEvent(e gateway.Event) {
	ui, text := l.app.ui, pki.Printable(e.Text)
	switch e.Kind {
	case "listening":
		url := strings.TrimPrefix(text, "listening on ")
		l.tell(&ui.out, event{Event: "listening", Address: e.Address, URL: url}, "listening on "+url+"\n")
	case "denied":
		l.denied(e.Denial)
	case "withheld":
		l.tell(&ui.err, event{Event: "withheld", Address: e.Address, Reason: text, Request: &requestJSON{Method: e.Method, Path: e.Path, Protocol: "", Status: 404}},
			fmt.Sprintf("%s %s: %s\n", ui.err.paint(caution, "not served"), pki.Printable(e.Path), text))
	case "upstream":
		e.Method = "" // the line has had none for long
		head, rest, reason := upstreamText(e)
		l.tell(&ui.err, event{Event: "backend", Address: e.Address, Reason: reason}, ui.err.paint(caution, head)+" "+rest+": "+reason+"\n")
	case "warning", "limited":
		l.tell(&ui.err, event{Event: "warning", Address: e.Address, Reason: text}, ui.err.paint(caution, "warning:")+" "+text+"\n")
	case "certificate":
		if !l.isQuiet {
			l.tell(&ui.err, event{Event: "certificate", Reason: text}, ui.err.paint(faint, "note:")+" "+text+"\n")
		}
	}
}

// denied tells in one line who was refused and why, and under which id more is known.
func (l *serveLog) denied(d *gateway.Denial) {
	e := event{Event: "refused", Address: d.Remote, Reason: d.Text, Alert: d.Alert, By: "server", Denial: d}
	word := "refused"
	if d.Reason == "refused-by-client" {
		e.By, word = "client", "refused by"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", l.app.ui.err.paint(caution, word), d.Remote)
	if d.Method != "" {
		fmt.Fprintf(&b, ", %s %s", pki.Printable(d.Method), pki.Printable(d.Path))
	}
	fmt.Fprintf(&b, ": %s", pki.Printable(d.Text))
	switch {
	case d.Alert != "":
		fmt.Fprintf(&b, ", alert %s", d.Alert)
	case d.Status != 0:
		fmt.Fprintf(&b, ", status %d", d.Status)
	}
	if c := d.Cert; c != nil {
		fmt.Fprintf(&b, " [%s, issuer %s, serial %s, until %s, sha256 %s]", pki.Printable(subjectOf(c)), pki.Printable(c.Issuer), c.Serial, dateOf(c.NotAfter), c.SHA256[:min(16, len(c.SHA256))])
		e.Certificate = denialCertificate(c, l.app.now())
	}
	for _, more := range []string{d.Nearest, d.Fix} {
		if more != "" {
			fmt.Fprintf(&b, "; %s", pki.Printable(more))
		}
	}
	fmt.Fprintf(&b, " (id %s)\n", d.ID)
	l.tell(&l.app.ui.err, e, b.String())
}

// denialCertificate says of a certificate what is known of it from a refusal.
func denialCertificate(c *gateway.Certificate, now time.Time) *certReport {
	r := &certReport{Subject: c.Subject, Issuer: c.Issuer, Names: []string{}, Serial: c.Serial, SHA256: c.SHA256, DaysLeft: daysUntil(c.NotAfter, now),
		NotBefore: c.NotBefore.UTC().Format(time.RFC3339), NotAfter: c.NotAfter.UTC().Format(time.RFC3339)}
	for _, n := range c.SANs {
		_, name, _ := strings.Cut(n, ":")
		r.Names = append(r.Names, name)
	}
	return r
}

// answered tells a request, or a connection without HTTP, at its end.
func (l *serveLog) answered(a gateway.AccessLine) {
	if l.isQuiet {
		return
	}
	out := &l.app.ui.out
	if a.Method == "" {
		e := event{Event: "closed", Address: a.Remote, Client: a.Client, Received: &a.Received, Reason: a.Error}
		text := fmt.Sprintf("closed %s: %s received, %s sent", a.Remote, byteCount(a.Received), byteCount(a.Sent))
		if a.Client != "" {
			text += ", client " + pki.Printable(a.Client)
		}
		if a.Error != "" {
			text += "; " + pki.Printable(a.Error)
		}
		l.tell(out, e, text+"\n")
		return
	}
	e := event{Event: "request", Address: a.Remote, Client: a.Client, Request: &requestJSON{
		Method: a.Method, Path: a.Path, Protocol: a.Protocol, Status: a.Status, Bytes: a.Sent, Millis: a.Millis}}
	text := fmt.Sprintf("%s %s %s %s %d, %s", a.Remote, pki.Printable(a.Method), pki.Printable(a.Path), a.Protocol, a.Status, byteCount(a.Sent))
	if a.Client != "" {
		text += ", client " + pki.Printable(a.Client)
	}
	l.tell(out, e, text+"\n")
}
