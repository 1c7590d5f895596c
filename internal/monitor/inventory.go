package monitor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/incident"
	"github.com/tlswright/tlswright/internal/watch"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/scan"
)

// KindInventory is the kind of incident that records are which cannot be read.
const KindInventory = "inventory"

// CA is one of our own, whose records can be read.
type CA struct {
	Name string // for people; a database without its password
	// Read gives the certificates that were asked for since a time, and all that are revoked or on hold; those that have ended
	// long since may be missing.
	Read func(ctx context.Context, since time.Time, give func(Issuance)) error
}

// Issuance is a certificate that a CA has issued.
type Issuance struct {
	DER     []byte
	Profile string
	State   string // "issued", "revoked", "on hold"
	At      time.Time
	Revoked time.Time
}

// How old what is known of the CAs' records may be: at a look, and before a certificate is called a stranger, which may have been
// issued just now. A request that is begun before another one may be issued after it, but not an hour after.
const (
	inventoryAge    = time.Minute
	strangerAge     = 5 * time.Second
	inventoryOver   = time.Hour
	inventoryWithin = time.Minute // bounds one reading
	maxIssuedListed = 20          // certificates that are listed with a target
)

// inventory keeps what our CAs have issued in the history, so that all nodes and pages have it.
type inventory struct {
	e   *Engine
	cas []CA

	mu    sync.Mutex
	tried map[string]time.Time // by CA
	read  map[string]time.Time
}

func newInventory(e *Engine, cas []CA) *inventory {
	return &inventory{e: e, cas: cas, tried: make(map[string]time.Time), read: make(map[string]time.Time)}
}

// refresh reads the records of CAs that were not read for a while. With wait it waits for who does so just now.
func (i *inventory) refresh(ctx context.Context, age time.Duration, wait bool) error {
	if len(i.cas) == 0 {
		return nil
	}
	if wait {
		i.mu.Lock()
	} else if !i.mu.TryLock() {
		return nil
	}
	defer i.mu.Unlock()
	var failed []error
	for n := range i.cas {
		ca := &i.cas[n]
		now := i.e.o.Now()
		if last, ok := i.tried[ca.Name]; ok && now.Sub(last) < age && now.Sub(last) >= 0 {
			if i.read[ca.Name].Before(last) {
				failed = append(failed, fmt.Errorf("the records of %s could not be read", ca.Name))
			}
			continue
		}
		i.tried[ca.Name] = now
		err := i.readOne(ctx, ca, now)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		i.tell(ctx, ca, now, err)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		i.read[ca.Name] = now
	}
	return errors.Join(failed...)
}

// readOne takes over what a CA has issued since it was last read, by whichever process.
func (i *inventory) readOne(ctx context.Context, ca *CA, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, inventoryWithin)
	defer cancel()
	fact := "inventory " + ca.Name
	_, since, err := i.e.o.History.Fact(ctx, fact)
	if err != nil {
		return err
	}
	if !since.IsZero() {
		since = since.Add(-inventoryOver)
	}
	var list []history.Issued
	held := make(map[string]bool)
	err = ca.Read(ctx, since, func(c Issuance) {
		described := scan.Describe(c.DER)
		row := history.Issued{Certificate: certificateOf(&described), CA: ca.Name, Profile: c.Profile, State: c.State, At: c.At, Revoked: c.Revoked}
		if row.IsCA {
			return // nobody serves it alone, so nobody would ever see it
		}
		if c.State == "on hold" {
			held[row.Fingerprint] = true
		}
		list = append(list, row)
	})
	if err == nil {
		err = i.e.o.History.NoteIssued(ctx, ca.Name, list)
	}
	if err == nil {
		err = i.e.o.History.Released(ctx, ca.Name, held)
	}
	if err == nil {
		err = i.e.o.History.SetFact(ctx, now, fact, "")
	}
	return err
}

// tell makes an incident of records that cannot be read, and ends it.
func (i *inventory) tell(ctx context.Context, ca *CA, now time.Time, trouble error) {
	var findings []incident.Finding
	if trouble != nil {
		i.e.o.Log.Warn("the records of a CA could not be read", "ca", ca.Name, "error", trouble.Error())
		findings = []incident.Finding{{Key: incident.Key{Kind: KindInventory, Subject: ca.Name}, Severity: incident.Warning, Seen: 3,
			Title: "the records of the CA " + ca.Name + " cannot be read", Text: pki.Printable(trouble.Error())}}
	}
	notices, err := i.e.o.History.Report(ctx, now, "inventory "+ca.Name, findings, i.e.c.Load().rules)
	i.e.logNotices(notices)
	if err != nil && ctx.Err() == nil {
		i.e.o.Log.Warn("what became of the records of a CA could not be kept", "error", err.Error())
	}
}

// estateOf is what our CAs know of a target.
type estateOf struct {
	records map[string]watch.Record
	known   map[string]bool // certificates that are ours; nil: it does not matter, or cannot be known
	seen    map[string]bool // certificates in logs that are known here, by identity
}

// about finds out what our CAs have issued for what a target shows. The list is added to what was seen.
func (i *inventory) about(ctx context.Context, s *spec, all []*watch.Observation) ([]*watch.Observation, estateOf) {
	if len(s.domains) > 0 {
		return all, i.aboutLogged(ctx, s, all)
	}
	if len(i.cas) == 0 {
		return all, estateOf{}
	}
	readErr := i.refresh(ctx, inventoryAge, false)
	prints, names := shownBy(s, all)
	now := i.e.o.Now()
	issued, err := i.e.o.History.IssuedFor(ctx, now, prints, names)
	isUnknown := func() bool {
		return slices.ContainsFunc(prints, func(p string) bool { _, ok := issued[p]; return !ok })
	}
	if err == nil && s.OnlyOwn && isUnknown() {
		if readErr = i.refresh(ctx, strangerAge, true); readErr == nil {
			issued, err = i.e.o.History.IssuedFor(ctx, now, prints, names)
		}
	}
	if err != nil {
		i.e.o.Log.Warn("what was issued could not be looked up", "target", s.Name, "error", err.Error())
		return all, estateOf{}
	}
	e := estateOf{records: make(map[string]watch.Record, len(issued))}
	if s.OnlyOwn && readErr == nil {
		e.known = make(map[string]bool, len(issued))
	}
	for print, c := range issued {
		e.records[print] = watch.Record{CA: c.CA, State: c.State, At: c.At, Revoked: c.Revoked, Seen: c.Seen}
		if e.known != nil {
			e.known[print] = true
		}
	}
	return append(all, listings(s.Name, issued, now)...), e
}

// aboutLogged finds out which certificates in logs are known here.
func (i *inventory) aboutLogged(ctx context.Context, s *spec, all []*watch.Observation) estateOf {
	var serials []string
	for _, o := range all {
		for n := range o.Leaves {
			if c := o.Leaves[n].Leaf(); c != nil {
				serials = append(serials, c.Serial)
			}
		}
	}
	slices.Sort(serials)
	serials = slices.Compact(serials)
	if len(serials) > 0 {
		_ = i.refresh(ctx, strangerAge, true) // what cannot be read is an incident of its own
	}
	seen, err := i.e.o.History.SeenIdentities(ctx, serials)
	if err != nil {
		i.e.o.Log.Warn("what is known of certificates in logs could not be looked up", "target", s.Name, "error", err.Error())
	}
	return estateOf{seen: seen}
}

// shownBy lists the certificates that a target shows, and the names for which others may have been issued.
func shownBy(s *spec, all []*watch.Observation) (prints, names []string) {
	note := func(list *[]string, text string) {
		if !slices.Contains(*list, text) && len(*list) < 200 {
			*list = append(*list, text)
		}
	}
	if host := s.asked(); host != "" {
		note(&names, host)
		if _, parent, ok := strings.Cut(host, "."); ok {
			note(&names, "*."+parent)
		}
	}
	for _, o := range all {
		if o.Source != watch.Served {
			continue
		}
		for i := range o.Leaves {
			if c := o.Leaves[i].Leaf(); c != nil {
				note(&prints, c.Fingerprint)
				for _, n := range c.Names {
					note(&names, strings.ToLower(n))
				}
			}
		}
	}
	return prints, names
}

// asked is the name that a target is asked for; "": it has none.
func (s *spec) asked() string {
	if s.Address == "" {
		return ""
	}
	host := s.target.ServerName
	if host == "" {
		host = s.target.Host
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return ""
	}
	return strings.ToLower(host)
}

// listings makes observations of what was issued and counts, one for each CA.
func listings(target string, issued map[string]history.Issued, now time.Time) []*watch.Observation {
	byCA := make(map[string]*watch.Observation)
	newest := slices.SortedFunc(maps.Values(issued), func(a, b history.Issued) int {
		if c := b.At.Compare(a.At); c != 0 {
			return c
		}
		return strings.Compare(a.Fingerprint, b.Fingerprint)
	})
	for _, c := range newest {
		if c.State != "issued" || !c.NotAfter.After(now) {
			continue
		}
		o := byCA[c.CA]
		if o == nil {
			o = &watch.Observation{Target: target, Place: "CA " + c.CA, Source: watch.Issued, At: now, Outcome: watch.Answered}
			byCA[c.CA] = o
		}
		if len(o.Leaves) < maxIssuedListed {
			o.Leaves = append(o.Leaves, watch.Leaf{Chain: []watch.Certificate{c.Certificate}})
		}
	}
	var list []*watch.Observation
	for _, name := range slices.Sorted(maps.Keys(byCA)) {
		list = append(list, byCA[name])
	}
	return list
}
