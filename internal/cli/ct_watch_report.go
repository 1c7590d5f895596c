package cli

import (
	"bytes"
	"crypto/sha256"
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
	if !w.mayMatter(e.Data) {
		return 0
	}
	var c *cert.Certificate
	der, err := e.Unsigned()
	if err == nil {
		c, err = cert.Parse(der)
	}
	if err != nil {
		w.tellUnreadable(l, index, e)
		return 1
	}
	names := certNames(c)
	if !slices.ContainsFunc(names, w.isWatched) {
		return 0
	}
	event := watchEvent{Event: "certificate", Log: logName(l.Log), Index: &index, Timestamp: ct.SCT{Timestamp: e.Timestamp}.Time(), Precertificate: e.Precertificate,
		Names: names, Serial: hex.EncodeToString(bytes.TrimLeft(c.Serial, "\x00")), NotBefore: c.NotBefore, NotAfter: c.NotAfter, SHA256: entryDigest(e)}
	event.Issuer = issuerText(c.RawIssuer)
	if !w.state.once(c, func() { w.tell(event) }) {
		return 0
	}
	return 1
}

// entryDigest is the fingerprint by which others know the certificate.
func entryDigest(e ct.LogEntry) string {
	data := e.Data
	if e.Precertificate {
		if !e.SameEntry() {
			return "" // what the log gave out beside the entry may be anything
		}
		data = e.Submitted
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// mayMatter passes over the mass of entries without taking them apart: a name stands in a certificate as its letters.
func (w *logWatch) mayMatter(data []byte) bool {
	lower := bytes.ToLower(data)
	return slices.ContainsFunc(w.domains, func(d string) bool { return bytes.Contains(lower, []byte(d)) })
}

// isWatched tells whether a name is a domain that is watched, or below it.
func (w *logWatch) isWatched(name string) bool {
	name = strings.TrimSuffix(strings.TrimPrefix(strings.ToLower(name), "*."), ".")
	return slices.ContainsFunc(w.domains, func(d string) bool { return name == d || strings.HasSuffix(name, "."+d) })
}

// certNames are the names for which clients may take a certificate: alternative names and, as old ones did, the common
// name.
func certNames(c *cert.Certificate) []string {
	var names []string
	if alt, err := c.AltNames(); err == nil {
		names = alt.DNS
	}
	subject, err := cert.ParseName(c.RawSubject)
	if err != nil {
		return names
	}
	for _, at := range subject {
		if at.Type == "2.5.4.3" && at.Value != "" && !slices.Contains(names, at.Value) {
			names = append(names, at.Value)
		}
	}
	return names
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

func (w *logWatch) tellUnreadable(l *outside.Log, index uint64, e ct.LogEntry) {
	w.tell(watchEvent{Event: "certificate", Log: logName(l.Log), Index: &index, Timestamp: ct.SCT{Timestamp: e.Timestamp}.Time(), Precertificate: e.Precertificate,
		Text: "it holds the domain, but cannot be read", SHA256: entryDigest(e)})
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
