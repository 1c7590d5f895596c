package monitor

import (
	"bufio"
	"context"
	"io"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/incident"
	"github.com/tlswright/tlswright/internal/watch"
)

// estate writes how everything stands. The lines of a place are kept until it shows something else.
type estate struct {
	h *history.History

	mu     sync.Mutex
	places map[placeKey]*knownPlace
}

type placeKey struct{ target, place string }

// knownPlace is a place with its lines. It does not change, so that it can be written while others are made.
type knownPlace struct {
	digest string
	sheet  *sheet
}

// beatFact is what the history calls the time when a sign of life last arrived.
const beatFact = "heartbeat"

// maxChains bounds how many chains of one file are told: bundles of roots have hundreds.
const maxChains = 200

// write writes the page.
func (e *estate) write(ctx context.Context, w io.Writer, now time.Time) error {
	general := &sheet{}
	sheets, err := e.shown(ctx)
	if err == nil {
		err = e.targets(ctx, general)
	}
	if err == nil {
		err = e.summary(ctx, general, now)
	}
	ok := int64(1)
	if err != nil {
		general, sheets, ok = &sheet{}, nil, 0
	}
	general.add(famScrape, ok)
	return writeSheets(bufio.NewWriterSize(w, 64<<10), append(sheets, general))
}

// shown gives the lines of all places, those of before where nothing has changed.
func (e *estate) shown(ctx context.Context) ([]*sheet, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	looked := &sheet{}
	next := make(map[placeKey]*knownPlace, len(e.places))
	var order []placeKey
	var stale []string
	err := e.h.PlaceStates(ctx, func(p history.PlaceState) {
		key := placeKey{p.Target, p.Place}
		order = append(order, key)
		if ip := addressIn(p.Place); ip != "" {
			looked.add(famPlaceLooked, p.At.Unix(), "target", p.Target, "ip", ip)
		}
		if known := e.places[key]; known != nil && known.digest == p.Digest {
			next[key] = known
		} else if len(stale) == 0 || stale[len(stale)-1] != p.Target {
			stale = append(stale, p.Target)
		}
	})
	if err != nil {
		return nil, err
	}
	err = e.h.Shown(ctx, stale, func(p history.PlaceState, now, answered *watch.Observation) {
		key := placeKey{p.Target, p.Place}
		if known := next[key]; known == nil || known.digest != p.Digest {
			next[key] = &knownPlace{p.Digest, linesOf(p.Target, now, answered)}
		}
	})
	if err != nil {
		return nil, err
	}
	e.places = next
	sheets := make([]*sheet, 0, len(order)+2)
	for _, key := range order {
		if known := next[key]; known != nil { // else it was dropped meanwhile
			sheets = append(sheets, known.sheet)
		}
	}
	return append(sheets, looked), nil
}

// addressIn is the address of "192.0.2.1:443"; "" where a place is none.
func addressIn(place string) string {
	host, port, err := net.SplitHostPort(place)
	if _, notNumber := strconv.ParseUint(port, 10, 16); err != nil || notNumber != nil || strings.ContainsAny(host, `/\`) {
		return ""
	}
	return host
}

// linesOf writes what a place shows; of one that does not answer now, what it showed before.
func linesOf(target string, o, answered *watch.Observation) *sheet {
	s := &sheet{}
	shows := o
	success := int64(1)
	if o.Outcome != watch.Answered {
		success = 0
		if answered != nil {
			shows = answered
		}
	}
	switch o.Source {
	case watch.Served:
		ip := addressIn(o.Place)
		s.add(famSuccess, success, "target", target, "ip", ip)
		s.served(target, ip, shows)
	case watch.Disk, watch.Shown:
		s.add(famSourceUp, success, "target", target, "file", o.Place)
		s.file(target, shows)
	case watch.Logged:
		s.add(famLogUp, success, "target", target, "log", o.Place)
		newest := time.Time{}
		for i := range o.Leaves {
			if l := o.Leaves[i].Logged; l != nil && l.At.After(newest) {
				newest = l.At
			}
		}
		s.at(famLogNewest, newest, "target", target, "log", o.Place)
	}
	s.text, s.parts = append([]byte(nil), s.text...), append([]part(nil), s.parts...) // they are kept for long: no slack
	return s
}

// served writes what an address presents.
func (s *sheet) served(target, ip string, o *watch.Observation) {
	if o.Version != "" {
		s.add(famVersion, 1, "target", target, "ip", ip, "version", o.Version)
	}
	if o.Suite != "" {
		s.add(famCipher, 1, "target", target, "ip", ip, "cipher", o.Suite, "group", o.Group)
	}
	seen := make(map[string]bool)
	for i := range o.Leaves {
		l := &o.Leaves[i]
		leaf := l.Leaf()
		if leaf == nil {
			continue
		}
		kind, _, _ := strings.Cut(leaf.Key, " ")
		if seen[kind] {
			continue // two series must not have the same labels
		}
		seen[kind] = true
		place := []string{"target", target, "ip", ip, "key", kind}
		with := func(more ...string) []string { return append(place[:len(place):len(place)], more...) }
		s.add(famNotBefore, leaf.NotBefore.Unix(), place...)
		for depth := range l.Chain {
			s.add(famNotAfter, l.Chain[depth].NotAfter.Unix(), with("depth", strconv.Itoa(depth))...)
		}
		for depth := range l.Path {
			s.add(famVerified, l.Path[depth].NotAfter.Unix(), with("depth", strconv.Itoa(depth))...)
		}
		s.add(famInfo, 1, with("sha256", leaf.Fingerprint, "subject", leaf.Subject, "issuer", leaf.Issuer, "serial", leaf.Serial)...)
		stores := make(map[string]bool)
		for _, t := range l.Trust {
			if !stores[t.Store] {
				stores[t.Store] = true
				s.add(famTrusted, truth(t.Trusted), with("store", t.Store)...)
			}
		}
		s.add(famStapled, truth(l.Staple != nil), place...)
		if st := l.Staple; st != nil {
			s.add(famStatus, statusNumber(st.Status), place...)
			s.at(famThisUpdate, st.ThisUpdate, place...)
			s.at(famNextUpdate, st.NextUpdate, place...)
		}
	}
}

// file writes what a file holds.
func (s *sheet) file(target string, o *watch.Observation) {
	for i := range o.Leaves[:min(len(o.Leaves), maxChains)] {
		l := &o.Leaves[i]
		chain := []string{"target", target, "file", o.Place, "chain_no", strconv.Itoa(i)}
		with := func(more ...string) []string { return append(chain[:len(chain):len(chain)], more...) }
		for depth := range l.Chain {
			s.add(famFileNotAfter, l.Chain[depth].NotAfter.Unix(), with("depth", strconv.Itoa(depth))...)
		}
		if leaf := l.Leaf(); leaf != nil {
			s.add(famFileInfo, 1, with("sha256", leaf.Fingerprint, "subject", leaf.Subject, "issuer", leaf.Issuer, "serial", leaf.Serial)...)
		}
	}
	for i, l := range o.Lists[:min(len(o.Lists), maxChains)] {
		if l.Answer != "" {
			continue
		}
		list := []string{"target", target, "file", o.Place, "list_no", strconv.Itoa(i), "issuer", l.Issuer}
		s.at(famListThis, l.ThisUpdate, list...)
		s.at(famListNext, l.NextUpdate, list...)
	}
}

// at writes a time; none where there is none.
func (s *sheet) at(of family, t time.Time, labels ...string) {
	if !t.IsZero() {
		s.add(of, t.Unix(), labels...)
	}
}

func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// statusNumber is an OCSP status as ssl_exporter has it.
func statusNumber(status string) int64 {
	switch status {
	case "good":
		return 0
	case "revoked":
		return 1
	}
	return 2
}

// targets writes how each target stands.
func (e *estate) targets(ctx context.Context, s *sheet) error {
	return e.h.TargetStates(ctx, func(t history.Target) {
		s.add(famState, int64(t.State), "target", t.Name)
		s.at(famLooked, t.Last, "target", t.Name)
		s.at(famNext, t.Next, "target", t.Name)
		s.at(famLeafEnd, t.Leaf, "target", t.Name)
		s.at(famPathEnd, t.Path, "target", t.Name)
		s.at(famSentEnd, t.Sent, "target", t.Name)
		if t.Grade != "" {
			s.add(famGrade, 1, "target", t.Name, "grade", t.Grade)
		}
	})
}

// summary writes what is counted.
func (e *estate) summary(ctx context.Context, s *sheet, now time.Time) error {
	sum, err := e.h.Summary(ctx, now)
	if err != nil {
		return err
	}
	for state := watch.OK; state <= watch.Expired; state++ {
		s.add(famTargets, int64(sum.States[state]), "state", stateWord(state))
	}
	for severity := incident.Warning; severity <= incident.Emergency; severity++ {
		s.add(famOpen, int64(sum.Open[severity]), "severity", severity.String())
	}
	s.add(famOverdue, int64(sum.Overdue))
	s.at(famDueSince, sum.Oldest)
	s.add(famCertificates, int64(sum.Certificates))
	waiting, err := e.h.Waiting(ctx)
	if err != nil {
		return err
	}
	for _, channel := range slices.Sorted(maps.Keys(waiting)) {
		s.add(famWaiting, int64(waiting[channel]), "channel", channel)
	}
	kinds, err := e.h.OpenKinds(ctx)
	if err != nil {
		return err
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		s.add(famKinds, int64(kinds[kind]), "kind", kind)
	}
	_, beaten, err := e.h.Fact(ctx, beatFact)
	s.at(famBeat, beaten)
	return err
}
