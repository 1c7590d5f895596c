package cli

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	outside "github.com/tlswright/tlswright/internal/fetch"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/pki/ct"
)

// watchEvent is a line of `ct watch --json`.
type watchEvent struct {
	Event          string     `json:"event"` // "certificate", "misbehaviour" or "trouble"
	Log            string     `json:"log"`
	Index          *uint64    `json:"index,omitempty"`
	Timestamp      time.Time  `json:"timestamp,omitzero"` // of the log
	Precertificate bool       `json:"precertificate,omitempty"`
	Names          []string   `json:"names,omitempty"`
	Issuer         string     `json:"issuer,omitempty"`
	Serial         string     `json:"serial,omitempty"`
	NotBefore      time.Time  `json:"not_before,omitzero"`
	NotAfter       time.Time  `json:"not_after,omitzero"`
	SHA256         string     `json:"sha256,omitempty"` // of the certificate, or of the precertificate as it was submitted
	Text           string     `json:"text,omitempty"`
	Before         *watchHead `json:"before,omitempty"` // the tree head that was known
	Shown          *watchHead `json:"shown,omitempty"`  // and the one that does not go with it
}

// watchHead is a signed tree head: evidence that anybody can check.
type watchHead struct {
	Size      uint64 `json:"tree_size"`
	Timestamp uint64 `json:"timestamp"`
	Root      []byte `json:"sha256_root_hash"`
	Signature []byte `json:"tree_head_signature"`
}

func newWatchHead(h *ct.TreeHead) *watchHead {
	if h == nil {
		return nil
	}
	return &watchHead{h.Size, h.Timestamp, h.Root[:], h.AppendSignature(nil)}
}

// look tells of an entry if it is for one of the domains and was not told before; 1 if it has.
func (w *logWatch) look(l *outside.Log, index uint64, e ct.LogEntry) int {
	f, ok := w.domains.Find(index, e)
	if !ok {
		return 0
	}
	event := watchEvent{Event: "certificate", Log: logName(l.Log), Index: &index, Timestamp: f.Logged, Precertificate: f.Precertificate, SHA256: f.SHA256}
	c := f.Certificate
	if c == nil {
		event.Text = "it holds the domain, but cannot be read"
		w.tell(event)
		return 1
	}
	event.Names, event.Serial, event.NotBefore, event.NotAfter, event.Issuer = f.Names, hex.EncodeToString(bytes.TrimLeft(c.Serial, "\x00")), c.NotBefore, c.NotAfter, issuerText(c.RawIssuer)
	if !w.state.once(f.Identity(), c.NotAfter, func() { w.tell(event) }) {
		return 0
	}
	return 1
}

// issuerText is a distinguished name for people: its common name and organisation, or what there is.
func issuerText(der []byte) string {
	list, err := cert.ParseName(der)
	if err != nil {
		return "(unreadable)"
	}
	var parts []string
	for _, at := range list {
		switch at.Type {
		case "2.5.4.3":
			parts = append(parts, "CN="+at.Value)
		case "2.5.4.10":
			parts = append(parts, "O="+at.Value)
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// tell writes an event, whole, whatever others write at the same time.
func (w *logWatch) tell(e watchEvent) {
	ui := w.app.ui
	if w.flags.asJSON {
		if err := ui.printJSONLine(e); err != nil {
			ui.warnf("%v", err)
		}
		return
	}
	kind := "certificate"
	if e.Precertificate {
		kind = "precertificate"
	}
	names := make([]string, 0, len(e.Names))
	for _, n := range e.Names {
		names = append(names, pki.Printable(n))
	}
	rows := []row{{label: "names", value: strings.Join(names, ", ")}, {label: "issuer", value: pki.Printable(e.Issuer)}, {label: "serial", value: e.Serial}}
	if e.Text != "" {
		rows = []row{{label: "names", value: e.Text, style: caution}}
	} else {
		rows = append(rows, row{label: "valid", value: dateOf(e.NotBefore) + " until " + dateOf(e.NotAfter)})
	}
	rows = append(rows, row{label: "log", value: e.Log + ", " + placeText(*e.Index) + ", " + timeOf(e.Timestamp)})
	if e.SHA256 != "" {
		rows = append(rows, row{label: "sha256", value: e.SHA256})
	}
	ui.write(&ui.out, ui.out.paint(bold, "new "+kind)+"\n"+ui.out.rows(rows))
}

// trouble tells what is wrong with a log.
func (w *logWatch) trouble(l *outside.Log, err error, before, shown *ct.TreeHead) *failure {
	f := logFailure(l.Log, err)
	switch {
	case f.kind == kindInterrupted:
		return f
	case w.flags.asJSON:
		e := watchEvent{Event: "trouble", Log: logName(l.Log), Text: f.text}
		if f.kind == kindTrust {
			e.Event, e.Before, e.Shown = "misbehaviour", newWatchHead(before), newWatchHead(shown)
		}
		w.tell(e)
	case f.kind == kindTrust:
		w.app.ui.warnf("a log misbehaves: %s", f.text)
	default:
		w.app.ui.warnf("%s", f.text)
	}
	return f
}
