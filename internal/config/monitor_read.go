package config

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

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
	r := &monitorReader{m: &Monitor{}}
	if err := r.monitor(top[i].value); err != nil {
		return nil, err
	}
	if len(r.m.Targets) == 0 && len(r.m.Lists) == 0 {
		return nil, fail(top[i].key, "add targets: [{address: \"www.example.com:443\"}]", "there is nothing to watch")
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
		"parallel":      setCount(&m.Parallel),
		"per-host":      setCount(&m.PerHost),
		"allow-private": setTruth(&m.AllowPrivate),
		"metrics":       func(n node) error { return setLocal(n, &m.Metrics) },
		"keep": func(n node) error {
			return eachOf(n, map[string]func(node) error{"looks": setSpan(&m.Keep.Checks), "days": setSpan(&m.Keep.Rollups), "changes": setSpan(&m.Keep.Changes)})
		},
		"heartbeat": func(n node) error {
			return eachOf(n, map[string]func(node) error{"url": func(n node) error { return setURL(n, &m.Beat.URL, "http", "https") }, "every": setSpan(&m.Beat.Every)})
		},
	}
	maps.Copy(readers, scheduleReaders(&m.Defaults))
	maps.Copy(readers, policyReaders(&m.Policy))
	return eachOf(n, readers)
}

// scheduleReaders are the keys that say when to look, of a target or of all.
func scheduleReaders(s *Schedule) map[string]func(node) error {
	return map[string]func(node) error{
		"every":   setSpan(&s.Every),
		"cron":    setText(&s.Cron),
		"grade":   setSpan(&s.Grade),
		"timeout": setSpan(&s.Timeout),
	}
}

// policyReaders are the keys that say what is all right, of a target or of all.
func policyReaders(p *watch.Policy) map[string]func(node) error {
	return map[string]func(node) error{
		"warning":      setSpanOrShare(&p.Warning),
		"critical":     setSpanOrShare(&p.Critical),
		"renew-before": setSpan(&p.RenewBefore),
		"patience":     setCount(&p.Patience),
		"stores":       setTexts(&p.Stores),
		"reload":       setSpan(&p.Reload),
		"issuers":      setTexts(&p.Issuers),
	}
}

// setSpanOrShare reads "30d", "33%", or both: "30d or 33%".
func setSpanOrShare(to *watch.Span) func(node) error {
	return func(n node) error {
		text, err := plainText(n)
		if err != nil {
			return err
		}
		for _, part := range strings.Split(text, " or ") {
			part = strings.TrimSpace(part)
			if share, ok := strings.CutSuffix(part, "%"); ok {
				percent, err := strconv.ParseFloat(share, 64)
				if err != nil || percent <= 0 || percent >= 100 {
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
		"name":        setText(&w.Name),
		"address":     setText(&w.Address),
		"server-name": func(n node) (err error) { w.ServerName, err = hostName(n); return err },
		"starttls":    setText(&w.StartTLS),
		"addresses":   setAddresses(&w.Addresses),
		"files":       setTexts(&w.Files),
		"passwords":   setText(&w.Passwords),
		"ca":          setTexts(&w.CA),
		"system":      setTruth(&w.System),
		"only-own":    setTruth(&w.OnlyOwn),
		"labels":      setLabels(&w.Labels),
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
	case w.Address == "" && len(w.Files) == 0:
		return w, fail(n.ast, "add address: www.example.com:443, or files: [/etc/ssl/site.pem]", "%s names nothing to look at", n.label())
	case w.Address == "" && (w.StartTLS != "" || w.ServerName != "" || w.Addresses != "" || len(w.CA) > 0 || w.Schedule.Grade > 0 || w.OnlyOwn || w.Renew.Live != ""):
		return w, fail(n.ast, "add address:, or take them out", "%s has settings of a server, and no address", n.label())
	case len(w.Files) == 0 && w.Passwords != "":
		return w, fail(n.ast, "add files:, or take it out", "%s has passwords, and no files", n.label())
	case w.System && len(w.CA) == 0:
		return w, fail(n.ast, "take it out: the system's roots are trusted where ca is not given", "%s: system says nothing without ca", n.label())
	case w.Schedule.Every != 0 && w.Schedule.Cron != "":
		return w, fail(n.ast, "keep one of them", "%s has both every and cron", n.label())
	case len(w.Renew.Reload) > 0 && w.Renew.Live == "":
		return w, fail(n.ast, "add live: NAME", "%s reloads, and renews nothing", n.label())
	}
	return w, nil
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

func (r *monitorReader) channels(n node) error {
	list, err := n.list()
	if err != nil || len(list) > maxChannels {
		return fail(n.ast, "write each as - name: ops, kind: email, …", "%s is not a list of at most %d channels", n.label(), maxChannels)
	}
	for _, e := range list {
		c, err := readChannel(e)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(r.m.Channels, func(other Channel) bool { return other.Name == c.Name }) {
			return fail(e.ast, "choose another name", "two channels are called %s", c.Name)
		}
		r.m.Channels = append(r.m.Channels, c)
	}
	return nil
}

// channelKeys are the keys that each kind of channel has, beside those of all.
func channelKeys() map[string][]string {
	return map[string][]string{
		"email":   {"server", "security", "user", "password-file", "from", "to", "ca"},
		"slack":   {"url", "url-file", "ca"},
		"webhook": {"url", "url-file", "secret-file", "ca"},
		"command": {"command"},
	}
}

func readChannel(n node) (c Channel, err error) {
	c.Place.Line, c.Place.Column = nodePlace(n.ast)
	written := make(map[string]ast.Node)
	readers := map[string]func(node) error{
		"name":          func(n node) error { return setName(n, &c.Name) },
		"kind":          setWord(&c.Kind, map[string]string{"email": "email", "slack": "slack", "webhook": "webhook", "command": "command"}),
		"from-severity": setWord(&c.Least, map[string]string{"warning": "warning", "critical": "critical", "emergency": "emergency"}),
		"targets":       setTexts(&c.Targets),
		"url":           setText(&c.URL),
		"url-file":      setText(&c.URLFile),
		"secret-file":   setText(&c.Secret),
		"server":        setText(&c.Server),
		"security":      setWord(&c.Security, map[string]string{"starttls": "starttls", "tls": "tls", "none": "none"}),
		"user":          setText(&c.User),
		"password-file": setText(&c.Password),
		"from":          setText(&c.From),
		"to":            setTexts(&c.To),
		"ca":            setText(&c.CA),
		"command":       setWords(&c.Command),
	}
	for name, read := range readers {
		readers[name] = func(n node) error { written[name] = n.ast; return read(n) }
	}
	if err := eachOf(n, readers); err != nil {
		return c, err
	}
	switch {
	case c.Kind == "":
		return c, fail(n.ast, "add kind: email, slack, webhook or command", "%s has no kind", n.label())
	case c.Name == "":
		c.Name = c.Kind
	case c.URL != "" && c.URLFile != "":
		return c, fail(written["url-file"], "keep one of them", "%s has both url and url-file", n.label())
	}
	known := append(channelKeys()[c.Kind], "name", "kind", "from-severity", "targets")
	for _, name := range slices.Sorted(maps.Keys(written)) {
		if !slices.Contains(known, name) {
			return c, fail(written[name], fmt.Sprintf("channels of kind %s have: %s", c.Kind, strings.Join(channelKeys()[c.Kind], ", ")), "%s of a channel of kind %s means nothing", name, c.Kind)
		}
	}
	return c, nil
}

// RelativeTo makes every file name absolute: names that are not are below dir, which is the folder of the file they
// stand in.
func (m *Monitor) RelativeTo(dir string) {
	fix := func(names ...*string) {
		for _, n := range names {
			if *n != "" && !filepath.IsAbs(*n) {
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
	for i := range m.Targets {
		w := &m.Targets[i]
		all(w.Files)
		all(w.CA)
		fix(&w.Passwords)
	}
	for i := range m.Channels {
		c := &m.Channels[i]
		fix(&c.URLFile, &c.Secret, &c.Password, &c.CA)
	}
	if m.Database != "" && !strings.Contains(m.Database, "://") {
		fix(&m.Database)
	}
}
