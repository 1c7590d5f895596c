package watch

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// State is how a target stands, worst last.
type State uint8

// The states.
const (
	OK State = iota
	Unknown
	Warning
	Error // it could not be looked at, or what it presents cannot be used
	Critical
	Expired
)

// String returns "OK", "UNKNOWN", "WARNING", "ERROR", "CRITICAL" or "EXPIRED".
func (s State) String() string {
	names := [...]string{"OK", "UNKNOWN", "WARNING", "ERROR", "CRITICAL", "EXPIRED"}
	if int(s) < len(names) {
		return names[s]
	}
	return "state " + strconv.Itoa(int(s))
}

// MarshalText gives the name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a name in capital or small letters; the error says that it is none.
func (s *State) UnmarshalText(text []byte) error {
	for c := OK; c <= Expired; c++ {
		if strings.EqualFold(c.String(), string(text)) {
			*s = c
			return nil
		}
	}
	return fmt.Errorf("unknown state %q", text)
}

// Span is a time before the end of a certificate: so long, or such a share of its lifetime, whichever is less.
type Span struct {
	Time  time.Duration // 0: the share alone counts
	Share float64       // of the lifetime, 0 to 1; 0: the time alone counts
}

// Before returns how long before the end of a certificate of that lifetime the span begins.
func (s Span) Before(lifetime time.Duration) time.Duration {
	share := time.Duration(s.Share * float64(lifetime))
	switch {
	case s.Share <= 0:
		return s.Time
	case s.Time <= 0 || share < s.Time:
		return share
	}
	return s.Time
}

// String returns "30d", "33%" or "30d or 33%".
func (s Span) String() string {
	var parts []string
	if s.Time > 0 {
		parts = append(parts, short(s.Time))
	}
	if s.Share > 0 {
		parts = append(parts, strconv.FormatFloat(s.Share*100, 'f', -1, 64)+"%")
	}
	return strings.Join(parts, " or ")
}

// Policy is how a target is judged. The zero Policy takes the defaults.
type Policy struct {
	Warning, Critical Span // zero: DefaultWarning, DefaultCritical
	// RenewBefore is when the certificate is renewed by whoever does that (cert-manager's renewBefore, the window of ARI): a
	// certificate that is still there a tenth of that time later is overdue. Zero: not known.
	RenewBefore time.Duration
	// Patience is in how many looks a failure to connect must be seen until it counts; 0: three. Certificates count at once.
	Patience int
	// Stores that must trust the chain; empty: all that were asked.
	Stores []string
	// Reload is how long what lies on disk may be newer than what is served; 0: ten minutes.
	Reload time.Duration
	// Deploy is how long a certificate of our own CA may be issued before it is served; 0: a day.
	Deploy time.Duration
	// Issuers that may issue for the target, as parts of the issuer's name; empty: any.
	Issuers []string
}

// DefaultWarning and DefaultCritical are 30 and 7 days before the end, and for certificates that do not live long a third and
// a tenth of their life.
func DefaultWarning() Span { return Span{Time: 30 * day, Share: 1.0 / 3} }

// DefaultCritical is described with [DefaultWarning].
func DefaultCritical() Span { return Span{Time: 7 * day, Share: 0.1} }

const day = 24 * time.Hour

func (p Policy) warning() Span {
	if p.Warning == (Span{}) {
		return DefaultWarning()
	}
	return p.Warning
}

func (p Policy) critical() Span {
	if p.Critical == (Span{}) {
		return DefaultCritical()
	}
	return p.Critical
}

func (p Policy) patience() int {
	if p.Patience <= 0 {
		return 3
	}
	return p.Patience
}

// short writes a duration as people do: "30d", "36h", "10m".
func short(d time.Duration) string {
	switch {
	case d >= 2*day && d%day == 0:
		return strconv.FormatInt(int64(d/day), 10) + "d"
	case d >= time.Hour && d%time.Hour == 0:
		return strconv.FormatInt(int64(d/time.Hour), 10) + "h"
	case d >= time.Minute:
		return strconv.FormatInt(int64(d/time.Minute), 10) + "m"
	}
	return d.String()
}

// left writes what is left of a certificate's life: "12 days", "3 hours".
func left(d time.Duration) string {
	n, unit := int64(d/day), "day"
	switch {
	case d < time.Hour:
		n, unit = int64(d/time.Minute), "minute"
	case d < 2*day:
		n, unit = int64(d/time.Hour), "hour"
	}
	if n == 1 {
		return "1 " + unit
	}
	return strconv.FormatInt(n, 10) + " " + unit + "s"
}
