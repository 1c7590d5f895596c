package cli

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/estate"
	"github.com/tlswright/tlswright/internal/gateway"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/watch"
	"github.com/tlswright/tlswright/pki"
)

// upLog tells what an estate does: to people what they can open, what has changed and what is wrong, and nothing else; to
// programs, and with --verbose, all of it.
type upLog struct {
	app     *app
	o       *upFlags
	part    string // of records; "": they say it
	gates   *gatewayLog
	watcher *monitorLog
}

func newUpLog(a *app, o *upFlags) *upLog {
	return &upLog{app: a, o: o, gates: &gatewayLog{app: a, asJSON: o.asJSON, isQuiet: !o.verbose && !o.asJSON},
		watcher: &monitorLog{app: a, asJSON: o.asJSON, states: make(map[string]string)}}
}

// upEvent is one line of `up --json`, beside those of `gateway run` and `monitor run`.
type upEvent struct {
	Event   string            `json:"event"` // link, root, ready, changed, note, warning, stopped
	Time    string            `json:"time"`
	Part    string            `json:"part,omitempty"`
	What    string            `json:"what,omitempty"`
	How     string            `json:"how,omitempty"` // of a change
	URL     string            `json:"url,omitempty"`
	File    string            `json:"file,omitempty"`
	SHA256  string            `json:"sha256,omitempty"` // of the root's certificate
	Text    string            `json:"text,omitempty"`
	Hint    string            `json:"hint,omitempty"`
	Details map[string]string `json:"details,omitempty"`
}

func (l *upLog) json(e upEvent) {
	e.Time = l.app.now().UTC().Format(time.RFC3339Nano)
	_ = l.app.ui.printJSONLine(e) // an event holds nothing that cannot be encoded
}

// ready says what there is to open, and what comes next.
func (l *upLog) ready(e *estate.Estate, file *estateFile, madeCA bool) {
	links := e.Links()
	root := ""
	if c, err := keystore.ReadCertificates(e.RootPath()); err == nil && len(c) > 0 {
		root = pki.Fingerprint(c[0].Raw)
	}
	if l.o.asJSON {
		for _, k := range links {
			l.json(upEvent{Event: "link", Part: k.Part, What: k.What, URL: k.URL})
		}
		if root != "" {
			l.json(upEvent{Event: "root", File: e.RootPath(), SHA256: root})
		}
		l.json(upEvent{Event: "ready"})
		return
	}
	var rows []row
	for _, part := range []string{"gateway", "monitor", "ca"} { // what people open first
		for _, k := range links {
			if k.Part == part {
				rows = append(rows, row{label: pki.Printable(k.What), value: pki.Printable(k.URL), style: bold})
			}
		}
	}
	if root != "" {
		where := e.RootPath()
		if madeCA {
			where += " (the CA was made just now)"
		}
		rows = append(rows, row{label: "root of the CA", value: where}, row{label: "its SHA-256", value: root})
	}
	out := &l.app.ui.out
	text := "up: " + strings.Join(file.estate.Sections(), ", ")
	if file.name == "" {
		text += ", all on loopback, as no " + defaultConfig + " says otherwise"
	} else {
		text += ", as " + pki.Printable(file.name) + " says"
	}
	l.app.ui.write(out, text+"\n\n"+out.rows(rows)+"\n"+l.next(links, root != "")+"\n")
}

// next is the one thing to do now.
func (l *upLog) next(links []estate.Link, hasRoot bool) string {
	var site, pages string
	for _, k := range links {
		if k.Part == "gateway" && site == "" {
			site = k.URL
		}
		if k.What == "dashboard" {
			pages = k.URL
		}
	}
	home := ""
	if l.app.homeFlag != "" {
		home = " --home " + pki.Printable(shellWord(l.app.homeFlag))
	}
	switch {
	case site != "" && hasRoot:
		return "next: tlswright ca trust" + home + "   has this machine's browsers trust the CA; then open " + site
	case site != "":
		return "next: open " + site
	case hasRoot:
		return "next: tlswright ca trust" + home + "   has this machine's programs trust the CA"
	case pages != "":
		return "next: open " + pages
	}
	return "stop it with Ctrl-C"
}

// gateway tells an event of the gateway. Where it listens stands in the table.
func (l *upLog) gateway(e gateway.Event) {
	if !l.o.verbose && !l.o.asJSON && e.Denial != nil && isKnock(e.Denial) {
		return
	}
	if e.Kind == "warning" && strings.HasPrefix(e.Text, "the configuration stays as it was: ") {
		return // it is told once, of the whole file
	}
	if e.Kind == "listening" && !l.o.asJSON || e.Kind == "stopping" && !l.o.verbose && !l.o.asJSON || e.Kind == "reload" {
		return
	}
	l.gates.event(e)
}

// isKnock reports whether a refusal is of somebody who tries what a server speaks, as our own monitor does when it grades:
// no visitor, and no trouble. `gateway denials` has them all.
func isKnock(d *gateway.Denial) bool {
	switch d.Reason {
	case "not-tls", "old-version", "nothing-in-common", "no-shared-protocol", "broken-handshake":
		return true
	}
	return strings.HasSuffix(d.ServerName, ".invalid") // no name ever ends so (RFC 6761, Section 6.4)
}

// looked tells when a target stands otherwise than before; that all is well at first is what one expects.
func (l *upLog) looked(target string, v watch.Verdict, took time.Duration) {
	if !l.o.verbose && !l.o.asJSON && v.State == watch.OK {
		l.watcher.mu.Lock()
		_, known := l.watcher.states[target]
		if !known {
			l.watcher.states[target] = v.State.String()
		}
		l.watcher.mu.Unlock()
	}
	l.watcher.looked(target, v, took)
}

// note tells something that can be missed.
func (l *upLog) note(text string) {
	if l.o.asJSON {
		l.json(upEvent{Event: "note", Text: text})
		return
	}
	l.app.ui.notef("%s", text)
}

// changed tells what is different since the file was read again.
func (l *upLog) changed(all []config.Difference) {
	if len(all) == 0 {
		l.note("read again: nothing has changed")
		return
	}
	for _, d := range all {
		if l.o.asJSON {
			l.json(upEvent{Event: "changed", Part: d.Section, What: d.Key, How: d.How})
			continue
		}
		l.app.ui.notef("read again: %s", pki.Printable(d.String()))
	}
}

// staysAsItWas tells why the file was not taken over.
func (l *upLog) staysAsItWas(f *failure) {
	if l.o.asJSON {
		l.json(upEvent{Event: "warning", Text: "all stays as it was: " + f.text, Hint: f.hint})
		return
	}
	l.app.ui.warnf("all stays as it was: %s", f.text)
	if f.hint != "" {
		errOut := &l.app.ui.err
		l.app.ui.write(errOut, errOut.paint(caution, "hint:")+"  "+f.hint+"\n")
	}
}

// stopped is the last word.
func (l *upLog) stopped() {
	if l.o.asJSON {
		l.json(upEvent{Event: "stopped"})
		return
	}
	l.app.ui.printf("stopped")
}

// Enabled implements slog.Handler.
func (l *upLog) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

// Handle implements slog.Handler.
func (l *upLog) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "incident" {
		return l.watcher.Handle(ctx, r)
	}
	isTrouble := r.Level >= slog.LevelWarn
	if !isTrouble && !l.o.verbose && !l.o.asJSON {
		return nil
	}
	part, text, details := l.part, pki.Printable(r.Message), make(map[string]string)
	r.Attrs(func(at slog.Attr) bool {
		value := pki.Printable(at.Value.String())
		if at.Key == "part" {
			part = value
			return true
		}
		details[at.Key] = value
		text += ", " + at.Key + ": " + value
		return true
	})
	switch {
	case l.o.asJSON && isTrouble:
		l.json(upEvent{Event: "warning", Part: part, Text: pki.Printable(r.Message), Details: details})
	case l.o.asJSON:
		l.json(upEvent{Event: "note", Part: part, Text: pki.Printable(r.Message), Details: details})
	case isTrouble:
		l.app.ui.warnf("%s", withPart(part, text))
	default:
		l.app.ui.notef("%s", withPart(part, text))
	}
	return nil
}

func withPart(part, text string) string {
	if part == "" {
		return text
	}
	return part + ": " + text
}

// WithAttrs implements slog.Handler: the part that speaks is remembered.
func (l *upLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *l
	for _, at := range attrs {
		if at.Key == "part" {
			with.part = at.Value.String()
		}
	}
	return &with
}

// WithGroup implements slog.Handler; nobody here uses it.
func (l *upLog) WithGroup(string) slog.Handler { return l }

// estateReport is `up --check --json`.
type estateReport struct {
	File  string              `json:"file"` // "": the usual settings
	OK    bool                `json:"ok"`
	Parts map[string][]string `json:"parts"` // what each is about
}

// tellEstate says what a file is about, once it has been found right.
func (a *app) tellEstate(file *estateFile, asJSON bool) error {
	r := estateReport{File: file.name, OK: true, Parts: make(map[string][]string)}
	var rows []row
	add := func(part string, lines ...string) {
		r.Parts[part] = lines
		label := part
		for _, line := range lines {
			rows = append(rows, row{label: label, value: line})
			label = ""
		}
	}
	if c := file.estate.CA; c != nil {
		lines := []string{"ACME on https://" + c.Listen}
		if c.HTTP != "" {
			lines = append(lines, "OCSP, CRLs and roots on http://"+c.HTTP)
		}
		add("ca", lines...)
	}
	if g := file.estate.Gateway; g != nil {
		var lines []string
		for i := range g.Listeners {
			l := &g.Listeners[i]
			lines = append(lines, string(l.Protocol)+" on "+l.Address+": "+strings.Join(l.Sites, ", "))
		}
		for i := range g.Sites {
			lines = append(lines, "site "+g.Sites[i].Name+": "+siteLine(&g.Sites[i]))
		}
		add("gateway", lines...)
	}
	if m := file.estate.Monitor; m != nil {
		text := countOf(len(m.Targets), "target") + " of the file"
		if !m.NotOwn && (file.estate.CA != nil || file.estate.Gateway != nil) {
			text += ", and all that is served above"
		}
		lines := []string{text}
		if m.Dashboard.Listen != "" {
			lines = append(lines, "dashboard on "+m.Dashboard.Listen)
		}
		add("monitor", lines...)
	}
	if asJSON {
		return a.ui.printJSON(r)
	}
	verdict := pki.Printable(file.name) + ": all of it is right"
	if file.name == "" {
		verdict = "there is no " + defaultConfig + ": the usual settings count"
	}
	a.ui.write(&a.ui.out, verdict+"\n"+a.ui.out.rows(rows))
	return nil
}
