package revoked

import (
	"cmp"
	"slices"
	"time"

	"github.com/tlswright/tlswright/pki"
)

// Status is how things stand with what a pool knows.
type Status struct {
	Lists    []ListStatus // by place
	Answers  int          // OCSP answers that are kept
	Trouble  int          // of those, how many could not be brought up to date
	Live     []LiveStatus // one for each of PoolOptions.Live
	Revoked  int          // certificates that are remembered as revoked
	Watching int          // connections that would be told
}

// ListStatus is how things stand with a CRL.
type ListStatus struct {
	Place      string // a file or a URL, fit to print
	Entries    int
	ThisUpdate time.Time // of the newest CRL there; zero: there is none
	NextUpdate time.Time
	Problem    string // why it could not be brought up to date, fit to print; "": it could
}

// LiveStatus is how things stand with the records of a CA.
type LiveStatus struct {
	Current bool      // changes are heard at once
	Sure    time.Time // all changes until then have been heard; zero: none
	Problem string    // fit to print
}

// Status tells how things stand.
func (p *Pool) Status() Status {
	var s Status
	p.mu.Lock()
	lists := make([]*list, 0, len(p.lists))
	for _, l := range p.lists {
		lists = append(lists, l)
	}
	answers := make([]*answer, 0, len(p.answers))
	for _, a := range p.answers {
		answers = append(answers, a)
	}
	for c := range p.checkers {
		c.mu.RLock()
		s.Watching += len(c.watches)
		c.mu.RUnlock()
	}
	p.mu.Unlock()
	for _, l := range lists {
		s.Lists = append(s.Lists, l.status())
	}
	slices.SortFunc(s.Lists, func(a, b ListStatus) int { return cmp.Compare(a.Place, b.Place) })
	for _, a := range answers {
		a.mu.Lock()
		if s.Answers++; a.problem != "" {
			s.Trouble++
		}
		a.mu.Unlock()
	}
	for _, f := range p.lives {
		l := LiveStatus{Current: f.isCurrent()}
		if at := f.sure.Load(); at != 0 {
			l.Sure = f.began.Add(time.Duration(at))
		}
		if text := f.problem.Load(); text != nil {
			l.Problem = *text
		}
		s.Live = append(s.Live, l)
	}
	p.journal.mu.Lock()
	s.Revoked = len(p.journal.known)
	p.journal.mu.Unlock()
	return s
}

func (l *list) status() ListStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := ListStatus{Place: pki.Printable(l.place), Problem: l.problem}
	for i, c := range l.lists {
		if s.Entries += c.Count; i == 0 {
			s.ThisUpdate, s.NextUpdate = c.ThisUpdate, c.NextUpdate
		}
	}
	return s
}
