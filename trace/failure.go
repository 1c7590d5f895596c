package trace

import (
	"fmt"
	"slices"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// Explain tells in sentences how a connection ended that did not end well: which side stopped, after which message, at
// which check, and what to change. It is nil for one that ended well.
func Explain(r *Recording) []string {
	f := r.Failure
	if f == nil {
		return nil
	}
	who := "neither side said that it stopped"
	if f.By.known() {
		who = "the " + string(f.By) + " stopped"
	}
	switch {
	case within(f.After, len(r.Messages), false):
		m := &r.Messages[f.After]
		who += fmt.Sprintf(", after the %s of the %s (message %d)", m.Type, m.From, m.ID)
	case len(r.Records) > 0:
		who += ", before any message was whole"
	}
	if f.Alert != "" {
		who += ", with the alert " + f.Alert
	}
	lines := []string{who}
	if f.Check != "" {
		lines = append(lines, "the check that failed: "+f.Check)
	}
	lines = append(lines, f.Text)
	if f.Change != "" {
		lines = append(lines, "what to change: "+f.Change)
	}
	return lines
}

// explain says how the connection ended, if it did not end well.
func (d *decoder) explain() {
	alert, at := d.lastAlert()
	f := &Failure{After: -1, Said: d.c.Failure, Code: d.c.FailureCode}
	switch {
	case at >= 0:
		f.By = d.r.Records[at].From
		f.Alert = alert.Code.String()
		f.After = d.lastBefore(at, f.By.Other())
		f.Section = "RFC 8446, Section 6.2"
	case d.c.Failure != "":
		f.By = d.c.Observed
		if d.c.FailureCode == tlscore.CodePeerClosedEarly.String() {
			f.By = f.By.Other()
		}
		f.After = d.lastBefore(len(d.r.Records), f.By.Other())
		if d.c.FailureCode == "" { // an error from below TLS, or from above
			f.By, f.After = "", len(d.r.Messages)-1
		}
	case d.r.Summary.Complete:
		return
	default:
		d.unfinished(f)
		d.r.Failure = f
		return
	}
	d.reason(f, alert.Code, at >= 0)
	d.r.Failure = f
}

// lastAlert returns the last alert that says something went wrong, and the ID of its record; -1: there is none.
func (d *decoder) lastAlert() (wire.Alert, int) {
	for i := len(d.r.Records) - 1; i >= 0; i-- {
		rec := &d.r.Records[i]
		kind := rec.Inner
		if kind == "" {
			kind = rec.Type
		}
		if kind != wire.ContentAlert.String() || rec.Problem != "" {
			continue
		}
		a, err := wire.ParseAlert(rec.Content)
		if err != nil || a.Code == wire.AlertCloseNotify || a.Code == wire.AlertUserCanceled || a.Code == wire.AlertNoRenegotiation {
			continue
		}
		return a, i
	}
	return wire.Alert{}, -1
}

// lastBefore returns the ID of the last message of a side that was whole before a record; -1: there is none.
func (d *decoder) lastBefore(record int, from Side) int {
	for i := len(d.r.Messages) - 1; i >= 0; i-- {
		m := &d.r.Messages[i]
		if m.From == from && len(m.Spans) > 0 && m.Spans[len(m.Spans)-1].Record < record {
			return i
		}
	}
	return -1
}

// reason says why, by what was recorded from within, by what the checks found, and by the alert.
func (d *decoder) reason(f *Failure, alert wire.AlertCode, alerted bool) {
	code := d.c.FailureCode
	inside := d.c.Failure != "" && f.By == d.c.Observed && code != ""
	wrong := slices.IndexFunc(d.r.Checks, func(c Check) bool { return c.Result == resultWrong && c.Name != "key schedule" })
	switch {
	case inside:
		f.Text, f.Check, f.Change = d.c.Failure, code, d.changeForCode(code)
		f.Section = sectionOfCode(code)
		if alerted && code == tlscore.CodeCertificateRejected.String() {
			f.Change = d.changeForAlert(alert, f.By) // it says more than the code
		}
	case alerted:
		f.Text = fmt.Sprintf("the alert %s says: %s", alert, meaningOfAlert(alert))
		f.Change = d.changeForAlert(alert, f.By)
		if alert == wire.AlertIllegalParameter && f.By == Client && d.marked() {
			f.Text += "; the server marked its random as one that speaks a later version, which the client may have offered before somebody changed its offer"
			f.Change = d.changeForCode(tlscore.CodeDowngraded.String())
		}
	default:
		f.Text, f.Check, f.Change = d.c.Failure, code, d.changeForCode(code)
		f.Section = sectionOfCode(code)
		if code == "" {
			f.Change = "the reason lies outside of TLS: in the network, in a time limit, or in the log of the side that fell silent"
		}
	}
	if m := d.lastIn(f.By.Other(), wire.TypeCertificate); m != nil && alerted && aboutCertificate(alert) {
		f.After = m.ID
	}
	if wrong < 0 {
		return
	}
	c := &d.r.Checks[wrong]
	if f.Check == "" {
		f.Check = c.Name
	}
	f.Text += "; computed anew, this check does not hold: " + c.Name + ": " + c.Text
	if c.Message >= 0 && d.r.Messages[c.Message].From != f.By {
		f.After = c.Message
	}
}

// aboutCertificate reports whether an alert is about a certificate, and not about what came with it.
func aboutCertificate(a wire.AlertCode) bool {
	switch a {
	case wire.AlertBadCertificate, wire.AlertUnsupportedCertificate, wire.AlertCertificateRevoked, wire.AlertCertificateExpired,
		wire.AlertCertificateUnknown, wire.AlertUnknownCA, wire.AlertAccessDenied, wire.AlertCertificateRequired,
		wire.AlertBadCertificateStatusResponse:
		return true
	}
	return false
}

// unfinished explains a handshake that just ends.
func (d *decoder) unfinished(f *Failure) {
	f.After = len(d.r.Messages) - 1
	f.Section = "RFC 8446, Section 6.1"
	switch {
	case len(d.r.Rest) > 0 && len(d.r.Messages) == 0:
		rest := &d.r.Rest[0]
		f.Check, f.Text = tlscore.CodeNotTLS.String(), "what the "+string(rest.From)+" sent: "+rest.Why
		f.Change = d.changeForCode(f.Check)
	case len(d.r.Records) == 0:
		f.Text, f.Change = "nothing was sent", "is this the right connection, and was it recorded from its first byte on?"
	case d.closedRecords():
		f.Text = "the records after the hellos cannot be opened here, so that nobody can say whether the handshake was complete"
		f.Change = "decode it together with the key log of one of the two sides, written while they spoke"
	default:
		last := "nothing"
		if f.After >= 0 {
			m := &d.r.Messages[f.After]
			last = "the " + m.Type + " of the " + string(m.From)
			f.By = m.From.Other()
			if !m.whole() {
				last = "the beginning of " + last
				f.By = m.From
			}
		}
		f.Text = "the recording ends before the handshake does; the last that was said was " + last + ", and no alert says why"
		f.Change = "look into the log of the side that fell silent; a firewall or a time limit may have cut the connection, too"
	}
}

// whole reports whether a message is as long as its header says.
func (m *Message) whole() bool {
	return len(m.Raw) >= handshakeHeader && len(m.Raw)-handshakeHeader == int(m.Raw[1])<<16+int(m.Raw[2])<<8+int(m.Raw[3])
}

// closedRecords reports whether there are records that no keys opened.
func (d *decoder) closedRecords() bool {
	return slices.ContainsFunc(d.r.Records, func(r Record) bool {
		return r.Problem != "" && !r.Opened && r.Epoch != epochPlaintext && r.Epoch != epochEarly
	})
}
