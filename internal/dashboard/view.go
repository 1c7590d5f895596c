package dashboard

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"html/template"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/incident"
	"github.com/tlswright/tlswright/internal/watch"
)

const day = 24 * time.Hour

// frame is what stands around every page.
type frame struct {
	Title   string
	Nav     string // which of the places in the navigation it is
	Here    string // the page's own address
	Now     time.Time
	User    string // who may change things; "": nobody yet
	CSRF    string
	CanLog  bool // somebody can log in by a token
	CanQuit bool // and who is here has
	Files   map[string]string
	HasCA   bool
	Version string
	Data    any
}

// show writes a page.
func (c *call) show(status int, view, nav, title string, data any) error {
	f := frame{Title: title, Nav: nav, Here: c.URL.RequestURI(), Now: c.now, User: c.user.name, CSRF: c.s.sessions.csrf(c.user),
		CanQuit: c.user.id != "" && !c.user.isAPI,
		CanLog:  c.s.o.Token != "" && c.s.o.Keeper != nil, HasCA: c.s.o.HasCA, Version: c.s.o.Version, Files: make(map[string]string), Data: data}
	for short, name := range map[string]string{"style": "dashboard.css", "script": "dashboard.js", "htmx": "htmx-4.0.1.min.js", "plot": "uplot-1.6.32.min.js", "plotStyle": "uplot-1.6.32.min.css", "icon": "icon.svg"} {
		var err error
		if f.Files[short], err = c.s.fromFile(name); err != nil {
			return err
		}
	}
	var b bytes.Buffer // so that half a page is never sent
	if err := c.s.views[view].ExecuteTemplate(&b, "frame", &f); err != nil {
		return fmt.Errorf("the page %s: %w", view, err)
	}
	h := c.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	c.send(status, b.Bytes())
	return nil
}

// functions are those of the pages' templates.
func functions() template.FuncMap {
	return template.FuncMap{
		"day":      func(t time.Time) string { return orDash(t, time.DateOnly) },
		"moment":   func(t time.Time) string { return orDash(t, "2006-01-02 15:04:05 UTC") },
		"iso":      func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"ago":      ago,
		"left":     left,
		"took":     took,
		"class":    func(s watch.State) string { return strings.ToLower(s.String()) },
		"symbol":   symbol,
		"severity": func(s incident.Severity) string { return s.String() },
		"short":    func(n int, s string) string { return cut(s, n) },
		"link":     link,
		"join":     func(list []string) string { return strings.Join(list, ", ") },
		"first":    first,
		"more":     func(n int, list []string) int { return max(0, len(list)-n) },
		"plural":   plural,
		"half":     func(print string) string { return cut(print, 16) },
		"kind":     func(s string) string { return strings.ReplaceAll(s, "-", " ") },
		"word":     func(s any) string { return fmt.Sprint(s) },
		"trusted":  trusted,
		"value":    shortValue,
		"seen":     seen,

		"whereabouts": whereabouts,

		"places":  func(n int, list []history.Where) []history.Where { return list[:min(n, len(list))] },
		"unshown": func(n int, list []history.Where) int { return max(0, len(list)-n) },

		"leaves": leaves,
		"hidden": func(o *watch.Observation) int { return len(o.Leaves) - len(leaves(o)) },
		"count":  func(n uint64) int { return int(min(n, math.MaxInt32)) },
		"with2":  func(list any, now time.Time) part { return part{List: list, Now: now} },
		"with3":  func(list any, now time.Time, withTarget bool) part { return part{list, now, withTarget} },
	}
}

// whereabouts are the targets of an incident; of one that is over, those that had it.
func whereabouts(i *incident.Incident) []string {
	if i.IsOpen() {
		return i.Affected()
	}
	return slices.Sorted(maps.Keys(i.Targets))
}

// leavesShown is how many certificates of one place are shown. A log may have hundreds.
const leavesShown = 20

// leaves are the certificates of a place: of a log the newest, those in front.
func leaves(o *watch.Observation) []watch.Leaf {
	list := o.Leaves[max(0, len(o.Leaves)-leavesShown):]
	if o.Source == watch.Logged {
		list = slices.Clone(list)
		slices.Reverse(list)
	}
	return list
}

// seen leaves out where a certificate was not seen, but is known to have been made for.
func seen(list []history.Where) []history.Where {
	return slices.DeleteFunc(slices.Clone(list), func(w history.Where) bool { return w.Source == watch.Issued || w.Source == watch.Logged })
}

// shortValue is a value before or after a change, in short. The beginning of a fingerprint will do.
func shortValue(s string) string {
	if raw, err := hex.DecodeString(s); err == nil && len(raw) == 32 {
		return cut(s, 16)
	}
	return cut(s, 160)
}

// trusted reports whether a trust store knows a chain. One that others know need not be known to all: private CAs are not.
func trusted(l watch.Leaf) bool {
	return slices.ContainsFunc(l.Trust, func(t watch.Trust) bool { return t.Trusted })
}

// part is what a part of a page gets.
type part struct {
	List       any
	Now        time.Time
	WithTarget bool
}

// Sources are the kinds of places where certificates are seen, to choose from.
func (frame) Sources() map[string]string {
	return map[string]string{string(watch.Served): "served", string(watch.Disk): "on disk", string(watch.Shown): "shown by us to servers", string(watch.Issued): "issued by our CA", string(watch.Logged): "in CT logs"}
}

// Spans are the days of history to choose from.
func (frame) Spans() []int { return []int{7, 30, usualDays, 365} }

func orDash(t time.Time, layout string) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format(layout)
}

// ago is how long ago something was, or in how long it will be.
func ago(t, now time.Time) string {
	if t.IsZero() {
		return "never"
	}
	d := now.Sub(t)
	if d < 0 {
		return "in " + span(-d)
	}
	return span(d) + " ago"
}

// span writes a duration with one unit.
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return plural(int(d/time.Second), "second")
	case d < time.Hour:
		return plural(int(d/time.Minute), "minute")
	case d < 2*day:
		return plural(int(d/time.Hour), "hour")
	case d < 2*365*day:
		return plural(int(d/day), "day")
	}
	return plural(int(d/(365*day)), "year")
}

// left is what is left until the end of a certificate, in short.
func left(end, now time.Time) string {
	if end.IsZero() {
		return "–"
	}
	switch d := end.Sub(now); {
	case d <= -2*day:
		return fmt.Sprintf("%d d over", int(-d/day))
	case d <= 0:
		return fmt.Sprintf("%d h over", int(-d/time.Hour))
	case d < 2*day:
		return fmt.Sprintf("%d h", int(d/time.Hour))
	default:
		return fmt.Sprintf("%d d", int(d/day))
	}
}

func took(d time.Duration) string {
	switch {
	case d == 0:
		return "–"
	case d < time.Second:
		return fmt.Sprintf("%.3g ms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%.3g s", d.Seconds())
}

// symbol stands beside a colour, for who cannot tell colours apart.
func symbol(s watch.State) string {
	return map[watch.State]string{watch.OK: "✓", watch.Unknown: "?", watch.Warning: "!", watch.Error: "⚡", watch.Critical: "‼", watch.Expired: "✕"}[s]
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if stem, ok := strings.CutSuffix(what, "try"); ok {
		return strconv.Itoa(n) + " " + stem + "tries"
	}
	return strconv.Itoa(n) + " " + what + "s"
}

func first(n int, list []string) []string { return list[:min(n, len(list))] }

// link makes an address of ours: a path, and names and values of its query; what is empty is left out.
func link(path string, query ...any) string {
	q := url.Values{}
	for i := 0; i+1 < len(query); i += 2 {
		if v := fmt.Sprint(query[i+1]); v != "" {
			q.Set(fmt.Sprint(query[i]), v)
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// pager is where a list stands.
type pager struct {
	Page, Pages, Total int
	First, Last        int // rows that are shown, from 1
	Before, Next       string
}

func newPager(u *url.URL, n, size, shown, total int) pager {
	p := pager{Page: n, Pages: max(1, (total+size-1)/size), Total: total, First: (n-1)*size + 1, Last: (n-1)*size + shown}
	if shown == 0 {
		p.First = 0
	}
	at := func(page int) string {
		q := u.Query()
		q.Set("page", strconv.Itoa(page))
		return u.Path + "?" + q.Encode()
	}
	if n > 1 {
		p.Before = at(min(n-1, p.Pages))
	}
	if n < p.Pages {
		p.Next = at(n + 1)
	}
	return p
}

// bar is one of a diagram that is drawn as SVG, whose attributes need no style.
type bar struct {
	Label, Title string
	Class        string
	Count        int
	Link         string
	X, Y, W, H   float64
}

// bars lays counts out side by side in a drawing of a size. Roots make small counts visible beside large ones.
func bars(list []bar, width, height float64) []bar {
	most := 0.0
	for _, b := range list {
		most = math.Max(most, math.Sqrt(float64(b.Count)))
	}
	step := width / float64(len(list))
	for i := range list {
		b := &list[i]
		b.X, b.W = float64(i)*step+2, step-4
		if b.Count > 0 {
			b.H = math.Max(3, math.Sqrt(float64(b.Count))/most*height)
		}
		b.Y = height - b.H
	}
	return list
}

// dayMark is one day of a strip.
type dayMark struct {
	X, W         float64
	Class, Title string
}

// strip draws days side by side, the worst state of each.
func strip(days []history.Day, width float64) []dayMark {
	var list []dayMark
	step := width / float64(max(len(days), 30))
	for i, d := range days {
		list = append(list, dayMark{X: float64(i) * step, W: math.Max(step-1, 0.5), Class: strings.ToLower(d.Worst.String()),
			Title: fmt.Sprintf("%s: %s, %s, %d bad", d.Day.Format(time.DateOnly), d.Worst, plural(d.Looks, "look"), d.Bad)})
	}
	return list
}

// statusOf is what is said of a whole in one word: the worst state that any target has.
func statusOf(s map[watch.State]int) watch.State {
	for _, state := range states() {
		if s[state] > 0 && state != watch.Unknown {
			return state
		}
	}
	if s[watch.Unknown] > 0 {
		return watch.Unknown
	}
	return watch.OK
}

// health tells a load balancer, or whatever looks after us, that pages can be made.
func (c *call) health() error {
	if _, _, err := c.s.o.Source.Targets(c.Context(), history.TargetQuery{Page: history.Page{Limit: 1}}); err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	c.send(http.StatusOK, []byte("ok\n"))
	return nil
}
