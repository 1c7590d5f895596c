package monitor

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/follow"
	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/scan"
)

// Defaults of schedules.
const (
	DefaultEvery   = 6 * time.Hour
	DefaultGrade   = 24 * time.Hour
	DefaultTimeout = 10 * time.Second
	leastEvery     = time.Second
	defaultCTEvery = 10 * time.Minute
)

// spec is a target as the monitor works with it.
type spec struct {
	config.Watched
	target    scan.Target // where Address is set
	addresses []netip.Addr
	first     bool          // one address of the name is enough
	schedule  cron.Schedule // nil: Every
	domains   follow.Domains
}

// Name is what a target is called: its name, its address, or its first file.
func Name(w *config.Watched) string {
	switch {
	case w.Name != "":
		return w.Name
	case w.Address != "":
		return w.Address
	case len(w.Files) > 0:
		return w.Files[0]
	case len(w.CT) > 0:
		return "ct " + w.CT[0]
	}
	return ""
}

// compile checks a target. The error says which setting does not fit.
func compile(w config.Watched) (*spec, error) {
	s := &spec{Watched: w}
	s.Name = Name(&w)
	if w.Address == "" && len(w.Files) == 0 && len(w.CT) == 0 {
		return nil, errors.New("a target needs an address, files or domains")
	}
	for _, text := range w.CT {
		domain, err := follow.ParseDomain(text)
		if err != nil {
			return nil, err
		}
		s.domains = append(s.domains, domain)
	}
	if w.Address != "" {
		text := w.Address
		if w.StartTLS != "" && !strings.Contains(text, "/") {
			text += "/" + w.StartTLS
		}
		var err error
		if s.target, err = scan.ParseTarget(text); err != nil {
			return nil, err
		}
		if w.ServerName != "" {
			s.target.ServerName = w.ServerName
		}
	}
	if err := s.compileAddresses(); err != nil {
		return nil, err
	}
	if w.Schedule.Cron != "" {
		var err error
		if s.schedule, err = cron.ParseStandard(w.Schedule.Cron); err != nil {
			return nil, fmt.Errorf("cron %q: %w", w.Schedule.Cron, err)
		}
	}
	if w.Schedule.Every != 0 && w.Schedule.Every < leastEvery {
		return nil, fmt.Errorf("every %v is too often: a second is the least", w.Schedule.Every)
	}
	return s, nil
}

func (s *spec) compileAddresses() error {
	switch s.Addresses {
	case "", "all":
		return nil
	case "first":
		s.first = true
		return nil
	}
	for _, text := range strings.Split(s.Addresses, ",") {
		a, err := netip.ParseAddr(strings.TrimSpace(text))
		if err != nil {
			return fmt.Errorf("addresses %q: write all, first, or addresses with commas between", s.Addresses)
		}
		s.addresses = append(s.addresses, a)
	}
	return nil
}

// host is what politeness goes by: looks at one host come one after the other.
func (s *spec) host() string {
	if s.Address == "" {
		return ""
	}
	return s.target.Host
}

// TargetError says what is wrong with a target of a configuration.
type TargetError struct {
	Name  string
	Place config.Place // in the file; zero: in a list of addresses
	Err   error
}

// Error implements error.
func (e *TargetError) Error() string {
	if e.Place.Line == 0 {
		return fmt.Sprintf("target %s: %v", e.Name, e.Err)
	}
	return fmt.Sprintf("line %d, column %d: target %s: %v", e.Place.Line, e.Place.Column, e.Name, e.Err)
}

// Unwrap returns the cause.
func (e *TargetError) Unwrap() error { return e.Err }

// Wanted turns targets of a file into those of a history; what they do not say themselves is taken from the defaults.
func Wanted(c *config.Monitor, now time.Time) ([]history.Wanted, error) {
	list := make([]history.Wanted, 0, len(c.Targets))
	seen := make(map[string]bool)
	targets, err := withLists(c)
	if err != nil {
		return nil, err
	}
	for i, w := range targets {
		w = withDefaults(w, c)
		s, err := compile(w)
		if err == nil && seen[s.Name] {
			err = errors.New("another target is called so: give one of them another name")
		}
		if err != nil {
			return nil, &TargetError{Name: Name(&w), Place: w.Place, Err: err}
		}
		seen[s.Name] = true
		w.Place = config.Place{} // a line more above it is no change
		text, err := json.Marshal(&w)
		if err != nil {
			return nil, err
		}
		// What is new is looked at soon, but not all in the same moment.
		list = append(list, history.Wanted{Name: s.Name, Spec: text, First: now.Add(time.Duration(i) * 20 * time.Millisecond), Grade: s.gradeEvery()})
	}
	return list, nil
}

// One turns a single target into one of a history, to be looked at at once.
func One(w config.Watched, c *config.Monitor, now time.Time) (history.Wanted, error) {
	w = withDefaults(w, c)
	s, err := compile(w)
	if err != nil {
		return history.Wanted{}, err
	}
	text, err := json.Marshal(&w)
	return history.Wanted{Name: s.Name, Spec: text, First: now}, err
}

// maxListed bounds how many targets files with addresses may add.
const maxListed = 1_000_000

// withLists adds to the targets of the file those of its lists of addresses.
func withLists(c *config.Monitor) ([]config.Watched, error) {
	all := slices.Clone(c.Targets)
	for _, path := range c.Lists {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		for t, err := range scan.Targets(f) {
			if err == nil && len(all) >= maxListed {
				err = fmt.Errorf("more than %d targets", maxListed)
			}
			if err != nil {
				return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
			}
			all = append(all, config.Watched{Address: addressOf(t), ServerName: t.ServerName, StartTLS: t.StartTLS})
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func addressOf(t scan.Target) string { return net.JoinHostPort(t.Host, strconv.Itoa(t.Port)) }

func withDefaults(w config.Watched, c *config.Monitor) config.Watched {
	if len(w.CT) > 0 {
		w.CTLogs, w.Backlog = c.CTLogs, c.Backlog
		if w.Schedule.Every == 0 && w.Schedule.Cron == "" {
			w.Schedule.Every = defaultCTEvery // what is right for servers is seldom for logs
		}
	}
	if w.Schedule.Every == 0 && w.Schedule.Cron == "" {
		w.Schedule.Every, w.Schedule.Cron = c.Defaults.Every, c.Defaults.Cron
	}
	if w.Schedule.Grade == 0 {
		w.Schedule.Grade = c.Defaults.Grade
	}
	if w.Schedule.Timeout == 0 {
		w.Schedule.Timeout = c.Defaults.Timeout
	}
	p, d := &w.Policy, &c.Policy
	if p.Warning.Time == 0 && p.Warning.Share == 0 {
		p.Warning = d.Warning
	}
	if p.Critical.Time == 0 && p.Critical.Share == 0 {
		p.Critical = d.Critical
	}
	if p.RenewBefore == 0 {
		p.RenewBefore = d.RenewBefore
	}
	if p.Patience == 0 {
		p.Patience = d.Patience
	}
	if len(p.Stores) == 0 {
		p.Stores = d.Stores
	}
	if p.Reload == 0 {
		p.Reload = d.Reload
	}
	if p.Deploy == 0 {
		p.Deploy = d.Deploy
	}
	if len(p.Issuers) == 0 {
		p.Issuers = d.Issuers
	}
	return w
}

// next is when a target is looked at again after a look. An interval is spread by a tenth, so that targets which began
// together do not stay together; chance is from 0 to 1.
func (s *spec) next(now time.Time, chance float64) time.Time {
	if s.schedule != nil {
		return s.schedule.Next(now.UTC())
	}
	every := s.Schedule.Every
	if every <= 0 {
		every = DefaultEvery
	}
	return now.Add(every - every/20 + time.Duration(chance*float64(every)/10))
}

// timeout is for one step of a look.
func (s *spec) timeout() time.Duration {
	if s.Schedule.Timeout > 0 {
		return s.Schedule.Timeout
	}
	return DefaultTimeout
}

// wantsGrade reports whether a full scan is due.
func (s *spec) wantsGrade(t *history.Target, now time.Time) bool {
	every := s.gradeEvery()
	return every > 0 && now.Sub(t.GradedAt) >= every && !now.Before(t.GradeFrom)
}

// gradeEvery is how often a full scan is made; 0: never.
func (s *spec) gradeEvery() time.Duration {
	switch every := s.Schedule.Grade; {
	case s.Address == "", every < 0:
		return 0
	case every == 0:
		return DefaultGrade
	default:
		return every
	}
}
