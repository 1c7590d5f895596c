package incident

import (
	"strconv"
	"time"
)

// Severity is how bad a trouble is.
type Severity uint8

// The severities. None is the absence of trouble.
const (
	None Severity = iota
	Warning
	Critical
	Emergency
)

// String returns "none", "warning", "critical" or "emergency".
func (s Severity) String() string {
	if int(s) < len(severityNames()) {
		return severityNames()[s]
	}
	return "severity " + strconv.Itoa(int(s))
}

func severityNames() []string { return []string{"none", "warning", "critical", "emergency"} }

// MarshalText gives the name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a name; the error says that it is none.
func (s *Severity) UnmarshalText(text []byte) error {
	for i, name := range severityNames() {
		if name == string(text) {
			*s = Severity(i)
			return nil
		}
	}
	return &unknownError{what: "severity", text: string(text)}
}

type unknownError struct{ what, text string }

func (e *unknownError) Error() string { return "unknown " + e.what + " " + strconv.Quote(e.text) }

// Key says which trouble of which thing: what has the same key is one incident.
type Key struct {
	Kind    string `json:"kind"`    // "expiry", "unreachable", …
	Subject string `json:"subject"` // a certificate's fingerprint, a target, a channel
}

// Finding is one trouble that a check has found.
type Finding struct {
	Key
	Severity Severity
	// Step names the threshold that was crossed, "30d"; each is told once in an incident's life. "": there are none.
	Step string
	// Title is the trouble in a few words, the same at every target; Text is what is special about this one.
	Title, Text string
	// Seen is in how many checks in a row a target must show it before it counts; 0: at once. Gone is in how many it must
	// not be seen until it is over; 0: one.
	Seen, Gone int
}

// Incident is a trouble with its history.
type Incident struct {
	ID       string // the caller's, unique for ever
	Key      Key
	Title    string
	Severity Severity // of now; while resolved, the last one
	Worst    Severity // ever
	Opened   time.Time
	Changed  time.Time
	Resolved time.Time // zero: it is open

	Acknowledged *Acknowledgement // nil: nobody has
	Told         time.Time        // when people last heard how bad it is; zero: never
	Escalated    time.Time        // when it was told, since then, that nobody has acknowledged it; zero: it was not
	Lowered      time.Time        // when it last became less bad; zero: never

	Targets map[string]*Sighting // by target; those where it is over have Active false
	Others  *Others              `json:"-"` // targets that are not among Targets; nil: there are none
	Steps   []string             // thresholds that were told
	Notices int                  // how many were made: the next one's number
	Held    bool                 // a silence keeps it from being told
}

// Others are targets of an incident of which no more is known than it takes to go on: a certificate may be served at thousands
// of addresses, and a look is about one.
type Others struct {
	Severity Severity        // the worst at those where it counts; None: it counts at none
	Affected func() []string // lists those where it counts, where that is needed
}

// Sighting is an incident at one target.
type Sighting struct {
	Active   bool // it counts
	Severity Severity
	Text     string
	Since    time.Time // when it was first seen of late
	Last     time.Time // when it was last seen
	Seen     int       // checks in a row that showed it
	Gone     int       // checks in a row that did not
	Wanted   int       // how many of those end it
	Until    time.Time // when it was over; zero: it is not, or never counted
}

// Acknowledgement says that somebody takes care.
type Acknowledgement struct {
	By, Note string
	At       time.Time
	// Severity is what was acknowledged: what becomes worse is told again.
	Severity Severity
}

// IsOpen reports whether the trouble lasts.
func (i *Incident) IsOpen() bool { return i.Resolved.IsZero() }

// Affected lists the targets where it counts, sorted.
func (i *Incident) Affected() []string {
	var list []string
	for name, s := range i.Targets {
		if s.Active {
			list = append(list, name)
		}
	}
	if i.Others != nil {
		list = append(list, i.Others.Affected()...)
	}
	return sorted(list)
}

// Event is why a notice was made.
type Event string

// The events of a notice.
const (
	Opened       Event = "opened"
	Raised       Event = "raised"       // it is worse, or has crossed the next threshold
	Escalated    Event = "escalated"    // nobody has acknowledged it in time
	ResolvedNow  Event = "resolved"     // it is over
	Acknowledged Event = "acknowledged" // somebody takes care
)

// Notice is one thing to tell. Who delivers it may do so more than once, and the receiver can tell by its ID.
type Notice struct {
	ID       string // incident and number: the same however often it is delivered
	Incident string
	Key      Key
	Event    Event
	At       time.Time
	Severity Severity
	Step     string
	Title    string
	Text     string   // of the target that brought it about
	Targets  []string // affected ones, at most MaxTargets
	Affected int      // how many are affected
	All      []string `json:"-"` // affected ones, all of them, to choose channels by
	Silenced string   // the id of the silence that keeps it from being delivered; "": none
	Since    time.Time
}

// MaxTargets is how many targets a notice lists by name.
const MaxTargets = 20

// Silence keeps notices from being delivered for a while. Incidents go on being kept, and what is still open when it ends
// is told then. The end of what was told before is told all the same: who was called out may go home.
type Silence struct {
	ID       string
	From, To time.Time
	By, Note string
	Target   string // a pattern with * for any run of characters; "": every target
	Kind     string // "": every kind
	Subject  string // "": every subject
}

// covers reports whether a silence is in force for all of an incident's targets.
func (s *Silence) covers(now time.Time, i *Incident) bool {
	if now.Before(s.From) || !now.Before(s.To) || s.Kind != "" && s.Kind != i.Key.Kind || s.Subject != "" && s.Subject != i.Key.Subject {
		return false
	}
	if s.Target == "" {
		return true
	}
	affected := i.Affected()
	for _, t := range affected {
		if !Matches(s.Target, t) {
			return false
		}
	}
	return len(affected) > 0
}
