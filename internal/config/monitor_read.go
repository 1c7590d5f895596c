package config

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/tlswright/tlswright/internal/watch"
)

// Bounds on one monitor.
const (
	maxWatched  = 5000 // in the file itself; lists of their own may hold more
	maxChannels = 50

	maxMonitorFile    = 2 << 20 // bytes: some thousand targets with all that belongs to them
	maxMonitorEntries = 100_000
)

// monitorReader reads one section.
type monitorReader struct{ m *Monitor }

// ReadMonitor reads the section "monitor" of a file, YAML or JSON. Other sections are not looked at. File names are as they
// were written: see [Monitor.RelativeTo]. What is wrong is an [*Error] with line and column.
func ReadMonitor(text []byte) (*Monitor, error) {
	root, ok, err := parseWithin(text, maxMonitorFile, maxMonitorEntries)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, &Error{Text: "the file is empty", Hint: "begin with monitor:"}
	}
	top, err := root.fields(sections())
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(top, func(f field) bool { return f.name == "monitor" })
	if i < 0 {
		return nil, fail(root.ast, "begin with monitor:", "there is no section monitor in the file")
	}
	m, err := readMonitor(top[i])
	if err != nil {
		return nil, err
	}
	if len(m.Targets) == 0 && len(m.Lists) == 0 {
		hint := "add targets: [{address: \"www.example.com:443\"}]"
		if slices.ContainsFunc(top, func(f field) bool { return f.name == "ca" || f.name == "gateway" }) {
			hint += "; \"tlswright up\" watches what it serves by itself"
		}
		return nil, fail(top[i].key, hint, "there is nothing to watch")
	}
	return m, nil
}

// readMonitor reads the section, which may name no targets.
func readMonitor(section field) (*Monitor, error) {
	r := &monitorReader{m: &Monitor{}}
	if err := r.monitor(section.value); err != nil {
		return nil, err
	}
	for i := range r.m.Targets {
		if w := &r.m.Targets[i]; len(w.CT) > 0 && r.m.CTLogs == "" {
			return nil, &Error{Line: w.Place.Line, Column: w.Place.Column, Text: "there are domains for CT logs, and no list of logs", Hint: "add ct-logs: log_list.json below monitor; Chrome's is at https://www.gstatic.com/ct/log_list/v3/log_list.json"}
		}
	}
	return r.m, nil
}

// eachOf reads a mapping: what is written under a key goes to its reader, in the order of the file.
func eachOf(n node, readers map[string]func(node) error) error {
	list, err := n.fields(slices.Sorted(maps.Keys(readers)))
	if err != nil {
		return err
	}
	for _, f := range list {
		if err := readers[f.name](f.value); err != nil {
			return err
		}
	}
	return nil
}

func (r *monitorReader) monitor(n node) error {
	m := r.m
	readers := map[string]func(node) error{
		"targets":       r.targets,
		"targets-files": setTexts(&m.Lists),
		"channels":      r.channels,
		"escalate":      r.escalate,
		"database":      setText(&m.Database),
		"inventory":     func(n node) error { return setInventory(n, &m.Inventory) },
		"parallel":      setNumber(&m.Parallel, 10_000),
		"per-host":      setNumber(&m.PerHost, 1000),
		"allow-private": setTruth(&m.AllowPrivate),
		"own": func(n node) error {
			own := true
			err := setTruth(&own)(n)
			m.NotOwn = !own
			return err
		},
		"dashboard":  r.dashboard,
		"ct-logs":    setText(&m.CTLogs),
		"ct-backlog": setBacklog(&m.Backlog),
		"metrics":    func(n node) error { return setLocal(n, &m.Metrics) },
		"keep": func(n node) error {
			return eachOf(n, map[string]func(node) error{"looks": setSpan(&m.Keep.Checks), "days": setSpan(&m.Keep.Rollups), "changes": setSpan(&m.Keep.Changes)})
		},
		"heartbeat": func(n node) error {
			return eachOf(n, map[string]func(node) error{"url": func(n node) error { return setURL(n, &m.Beat.URL, "http", "https") }, "every": setTime(&m.Beat.Every)})
		},
	}
	maps.Copy(readers, scheduleReaders(&m.Defaults))
	maps.Copy(readers, policyReaders(&m.Policy))
	if err := eachOf(n, readers); err != nil {
		return err
	}
	return contradictions(n, &m.Defaults, &m.Policy)
}

// contradictions finds settings that are right by themselves, and not together.
func contradictions(n node, s *Schedule, p *watch.Policy) error {
	w, c := p.Warning, p.Critical
	switch {
	case s.Every != 0 && s.Cron != "":
		return fail(n.ast, "keep one of them", "%s has both every and cron", n.label())
	case w.Time > 0 && c.Time > w.Time && c.Share == 0, w.Share > 0 && c.Share > w.Share && c.Time == 0:
		return fail(n.ast, "let warning be more than critical: it comes first", "%s: critical begins before warning", n.label())
	}
	return nil
}

// scheduleReaders are the keys that say when to look, of a target or of all.
func scheduleReaders(s *Schedule) map[string]func(node) error {
	return map[string]func(node) error{
		"every":   setTime(&s.Every),
		"cron":    setCron(&s.Cron),
		"grade":   setSpan(&s.Grade),
		"timeout": setTime(&s.Timeout),
	}
}

// policyReaders are the keys that say what is all right, of a target or of all.
func policyReaders(p *watch.Policy) map[string]func(node) error {
	return map[string]func(node) error{
		"warning":      setSpanOrShare(&p.Warning),
		"critical":     setSpanOrShare(&p.Critical),
		"renew-before": setSpan(&p.RenewBefore),
		"patience":     setNumber(&p.Patience, 1000),
		"stores":       setTexts(&p.Stores),
		"reload":       setTime(&p.Reload),
		"deploy":       setTime(&p.Deploy),
		"issuers":      setTexts(&p.Issuers),
	}
}

// setTime reads a time that cannot be none.
func setTime(to *time.Duration) func(node) error {
	return func(n node) error {
		err := setSpan(to)(n)
		if err == nil && *to < 0 {
			return fail(n.ast, "write it as 10s, 5m, 1h or 365d", "%s: none is no time here", n.label())
		}
		return err
	}
}

// setNumber reads a number that cannot be none.
func setNumber(to *int, most int) func(node) error {
	return func(n node) error {
		if err := setCount(to)(n); err != nil || *to < 0 || *to > most {
			return fail(n.ast, fmt.Sprintf("write a number from 1 to %d", most), "%s is no number of that kind", n.label())
		}
		return nil
	}
}

// setCron reads an expression of five fields, or one such as @daily, which must come true some day.
func setCron(to *string) func(node) error {
	return func(n node) error {
		text, err := plainText(n)
		if err != nil {
			return err
		}
		schedule, err := cron.ParseStandard(text)
		switch {
		case err != nil:
			return fail(n.ast, "write it as \"30 3 * * *\": minute, hour, day, month, day of the week, in UTC", "%s is %q: %v", n.label(), text, err)
		case schedule.Next(time.Now().UTC()).IsZero():
			return fail(n.ast, "name a day that its month has", "%s is %q, which never comes", n.label(), text)
		}
		*to = text
		return nil
	}
}

// setSpanOrShare reads "30d", "33%", both as "30d or 33%", or "none".
func setSpanOrShare(to *watch.Span) func(node) error {
	return func(n node) error {
		text, err := plainText(n)
		if err != nil {
			return err
		}
		if text == "none" {
			*to = watch.Span{Time: -1}
			return nil
		}
		for _, part := range strings.Split(text, " or ") {
			part = strings.TrimSpace(part)
			if share, ok := strings.CutSuffix(part, "%"); ok {
				percent, err := strconv.ParseFloat(share, 64)
				if err != nil || !(percent > 0 && percent < 100) {
					return fail(n.ast, "write it as 30d, 33% or 30d or 33%", "%s: %q is no share", n.label(), part)
				}
				to.Share = percent / 100
				continue
			}
			if part == "" {
				return fail(n.ast, "write it as 30d, 33% or 30d or 33%", "%s is %q", n.label(), text)
			}
			if to.Time, err = span(n, part); err != nil {
				return err
			}
		}
		return nil
	}
}

func (r *monitorReader) targets(n node) error {
	list, err := n.list()
	if err != nil {
		return fail(n.ast, "write each as - address: www.example.com:443", "%s is not a list", n.label())
	}
	if len(list) > maxWatched {
		return fail(n.ast, "put the addresses into a file, one a line, and name it under targets-files", "%d targets, more than %d", len(list), maxWatched)
	}
	for _, e := range list {
		w, err := r.target(e)
		if err != nil {
			return err
		}
		r.m.Targets = append(r.m.Targets, w)
	}
	return nil
}

// target reads one, which may be an address alone.
func (r *monitorReader) target(n node) (w Watched, err error) {
	w.Place.Line, w.Place.Column = nodePlace(n.ast)
	if _, isText := n.text(); isText == nil {
		w.Address, err = plainText(n)
		return w, err
	}
	readers := map[string]func(node) error{
		"name":               setText(&w.Name),
		"address":            setText(&w.Address),
		"server-name":        func(n node) (err error) { w.ServerName, err = hostName(n); return err },
		"starttls":           setText(&w.StartTLS),
		"addresses":          setAddresses(&w.Addresses),
		"files":              setTexts(&w.Files),
		"ct":                 setTexts(&w.CT),
		"passwords":          setText(&w.Passwords),
		"ca":                 setTexts(&w.CA),
		"system":             setTruth(&w.System),
		"client-certificate": setText(&w.Client),
		"client-key":         setText(&w.ClientKey),
		"only-own":           setTruth(&w.OnlyOwn),
		"labels":             setLabels(&w.Labels),
		"renew": func(n node) error {
			return eachOf(n, map[string]func(node) error{"live": setText(&w.Renew.Live), "reload": setWords(&w.Renew.Reload)})
		},
	}
	maps.Copy(readers, scheduleReaders(&w.Schedule))
	maps.Copy(readers, policyReaders(&w.Policy))
	if err := eachOf(n, readers); err != nil {
		return w, err
	}
	switch {
	case len(w.CT) > 0:
		return w, onlyLogs(n, &w)
	case w.Address == "" && len(w.Files) == 0:
		return w, fail(n.ast, "add address: www.example.com:443, or files: [/etc/ssl/site.pem]", "%s names nothing to look at", n.label())
	case w.Address == "" && (w.StartTLS != "" || w.ServerName != "" || w.Addresses != "" || len(w.CA) > 0 || w.Schedule.Grade > 0 || w.OnlyOwn || w.Renew.Live != "" || w.Client != "" || w.ClientKey != ""):
		return w, fail(n.ast, "add address:, or take them out", "%s has settings of a server, and no address", n.label())
	case len(w.Files) == 0 && w.Passwords != "":
		return w, fail(n.ast, "add files:, or take it out", "%s has passwords, and no files", n.label())
	case (w.Client == "") != (w.ClientKey == ""):
		return w, fail(n.ast, "name both: client-certificate: probe.pem, client-key: probe.key", "%s has a client certificate or its key, and not both", n.label())
	case w.System && len(w.CA) == 0:
		return w, fail(n.ast, "take it out: the system's roots are trusted where ca is not given", "%s: system says nothing without ca", n.label())
	case len(w.Renew.Reload) > 0 && w.Renew.Live == "":
		return w, fail(n.ast, "add live: NAME", "%s reloads, and renews nothing", n.label())
	}
	return w, contradictions(n, &w.Schedule, &w.Policy)
}

// onlyLogs refuses settings that mean nothing for logs.
func onlyLogs(n node, w *Watched) error {
	if w.Address != "" || len(w.Files) > 0 || w.StartTLS != "" || w.ServerName != "" || w.Addresses != "" || len(w.CA) > 0 || w.System || w.Client != "" || w.ClientKey != "" || w.Passwords != "" ||
		w.Schedule.Grade > 0 || w.OnlyOwn || w.Renew.Live != "" || len(w.Renew.Reload) > 0 {
		return fail(n.ast, "make a target of its own of the domains: - ct: "+w.CT[0], "%s has domains for CT logs, and settings of a server or of files", n.label())
	}
	return contradictions(n, &w.Schedule, &w.Policy)
}

// setBacklog reads a number of entries, or all.
func setBacklog(to *int64) func(node) error { return setCountOr(to, "all", 40, "10000") }

// setInventory reads where CAs keep their records.
func setInventory(n node, to *[]string) error {
	if err := setTexts(to)(n); err != nil {
		return err
	}
	for _, place := range *to {
		scheme, _, isURL := strings.Cut(place, "://")
		if isURL && scheme != "postgres" && scheme != "postgresql" {
			return fail(n.ast, "write own, the folder of a CA, or postgres://user@host/name", "%s: %s://… is no PostgreSQL database", n.label(), scheme)
		}
	}
	return nil
}

// setLocal reads an address to listen on. One without a host is on loopback: what is to be reached by others says so.
func setLocal(n node, to *string) error {
	text, err := plainText(n)
	if err != nil {
		return err
	}
	host, err := hostPort(n, text)
	if err != nil {
		return err
	}
	if host == "" {
		text = "127.0.0.1" + text
	}
	*to = text
	return nil
}

// setAddresses reads all, first, or a list of addresses.
func setAddresses(to *string) func(node) error {
	return func(n node) error {
		var list []string
		err := setTexts(&list)(n)
		*to = strings.Join(list, ",")
		return err
	}
}

// setWords reads a command as a list of its words, which may repeat.
func setWords(to *[]string) func(node) error {
	return func(n node) error {
		list, err := n.list()
		if err != nil {
			return err
		}
		for _, e := range list {
			text, err := plainText(e)
			if err != nil {
				return err
			}
			*to = append(*to, text)
		}
		if len(*to) == 0 {
			return fail(n.ast, "write it as [systemctl, reload, nginx]", "%s is empty", n.label())
		}
		return nil
	}
}

func setLabels(to *map[string]string) func(node) error {
	return func(n node) error {
		list, err := n.fields(nil)
		if err != nil {
			return err
		}
		*to = make(map[string]string, len(list))
		for _, f := range list {
			if !siteName.MatchString(f.name) {
				return fail(f.key, "take letters, digits, dots, hyphens and underscores", "%q is no name for a label", f.name)
			}
			if (*to)[f.name], err = plainText(f.value); err != nil {
				return err
			}
		}
		return nil
	}
}

func (r *monitorReader) escalate(n node) error {
	r.m.Escalate = make(map[string]time.Duration)
	readers := make(map[string]func(node) error)
	for _, severity := range []string{"warning", "critical", "emergency"} {
		readers[severity] = func(n node) error {
			var after time.Duration
			err := setSpan(&after)(n)
			r.m.Escalate[severity] = after
			return err
		}
	}
	return eachOf(n, readers)
}

// RelativeTo makes every file name absolute: names that are not are below dir, which is the folder of the file they
// stand in.
func (m *Monitor) RelativeTo(dir string) {
	fix := func(names ...*string) {
		for _, n := range names {
			if *n != "" && !filepath.IsAbs(*n) && !strings.HasPrefix(*n, FromEnvironment) {
				*n = filepath.Join(dir, *n)
			}
		}
	}
	all := func(list []string) {
		for i := range list {
			fix(&list[i])
		}
	}
	all(m.Lists)
	fix(&m.CTLogs)
	for i, ca := range m.Inventory {
		if ca != OwnCA && !strings.Contains(ca, "://") {
			fix(&m.Inventory[i])
		}
	}
	for i := range m.Targets {
		w := &m.Targets[i]
		all(w.Files)
		all(w.CA)
		fix(&w.Passwords, &w.Client)
		if !strings.HasPrefix(w.ClientKey, "pkcs11:") {
			fix(&w.ClientKey)
		}
	}
	for i := range m.Channels {
		c := &m.Channels[i]
		fix(&c.URLFile, &c.Secret, &c.Password, &c.CA)
	}
	d := &m.Dashboard
	fix(&d.Token, &d.Certificate, &d.Key, &d.ClientCA)
	if m.Database != "" && !strings.Contains(m.Database, "://") {
		fix(&m.Database)
	}
}
