package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tlswright/tlswright/internal/fetch"
	"github.com/tlswright/tlswright/internal/follow"
	"github.com/tlswright/tlswright/internal/watch"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/ct"
	"github.com/tlswright/tlswright/scan"
)

// Bounds on looks at logs.
const (
	maxLogsAtOnce = 8
	logsWithin    = 2 * time.Minute // of all logs; what is left is read at the next look, which comes soon
	logTimeout    = 30 * time.Second
	maxLogList    = 16 << 20
	maxLogged     = 300 // certificates of one log for one target, the newest
	maxLogNames   = 50  // names of one certificate
	unreadableFor = 400 * day
)

// logList is a list of logs as it was read from a file.
type logList struct {
	modified time.Time
	size     int64
	logs     []*ct.Log
}

// logsOf reads a list of logs, anew if the file has changed.
func (l *looker) logsOf(file string) ([]*ct.Log, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if known := l.lists[file]; known != nil && known.modified.Equal(info.ModTime()) && known.size == info.Size() {
		return known.logs, nil
	}
	if info.Size() > maxLogList {
		return nil, fmt.Errorf("%s has %d bytes: that is no list of logs", file, info.Size())
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	list, err := ct.ParseLogList(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	kept := &logList{modified: info.ModTime(), size: info.Size()}
	for _, one := range list.Logs {
		if follow.IsGrowing(one) {
			kept.logs = append(kept.logs, one)
		}
	}
	if len(kept.logs) == 0 {
		return nil, fmt.Errorf("%s has no log that is in use", file)
	}
	l.lists[file] = kept
	return kept.logs, nil
}

// logs reads all logs of a target's list from where they were left. before is what was seen last.
func (l *looker) logs(ctx context.Context, s *spec, before []*watch.Observation) []*watch.Observation {
	known := make(map[string]*watch.Observation)
	for _, o := range before {
		if o.Source == watch.Logged && o.Log != nil {
			known[o.Place] = o
		}
	}
	logs, err := l.logsOf(s.CTLogs)
	var fetcher *fetch.Fetcher
	if err == nil {
		fetcher, err = l.logFetcher()
	}
	if err != nil {
		return notRead(s, known, l.o.Now(), err)
	}
	defer fetcher.Close()
	reading, cancel := context.WithTimeout(ctx, logsWithin)
	defer cancel()
	r := &logReading{l: l, s: s, at: l.o.Now(), told: make(map[string]bool)}
	var list []*watch.Observation
	places := make(map[string]bool)
	for _, o := range known {
		r.remember(o)
	}
	var wait sync.WaitGroup
	slots := make(chan struct{}, maxLogsAtOnce)
	shuffled := slices.Clone(logs) // a log that is far behind must not keep the same others waiting each time
	rand.Shuffle(len(shuffled), func(a, b int) { shuffled[a], shuffled[b] = shuffled[b], shuffled[a] })
	for _, one := range shuffled {
		place := follow.Name(one)
		if places[place] {
			place += " " + pki.Printable(one.URL)
		}
		places[place] = true
		o := r.begin(place, known[place])
		list = append(list, o)
		wait.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			r.read(reading, fetcher.Log(one), o)
		})
	}
	wait.Wait()
	for place, o := range known {
		if !places[place] && len(o.Leaves) > 0 {
			list = append(list, r.begin(place, o)) // the log has left the list, and its certificates are still good
		}
	}
	slices.SortFunc(list, func(a, b *watch.Observation) int { return strings.Compare(a.Place, b.Place) })
	return list
}

// logFetcher makes who asks logs. A person has named the list, so its addresses may be private ones.
func (l *looker) logFetcher() (*fetch.Fetcher, error) {
	o := fetch.Options{AllowPrivate: true, Timeout: logTimeout, Now: l.o.Now}
	if l.o.LogTLS != nil {
		var err error
		if o.TLS, err = l.o.LogTLS(); err != nil {
			return nil, err
		}
	}
	return fetch.New(o), nil
}

// notRead is what a look amounts to that could not even begin. Where logs were left is not forgotten.
func notRead(s *spec, known map[string]*watch.Observation, now time.Time, err error) []*watch.Observation {
	list := []*watch.Observation{{Place: s.CTLogs, Source: watch.Logged, At: now, Outcome: watch.Unreadable, Error: pki.Printable(err.Error())}}
	for _, o := range known {
		again := *o
		again.At = now
		list = append(list, &again)
	}
	slices.SortFunc(list, func(a, b *watch.Observation) int { return strings.Compare(a.Place, b.Place) })
	return list
}

// logReading is one look at all logs.
type logReading struct {
	l  *looker
	s  *spec
	at time.Time

	mu   sync.Mutex
	told map[string]bool // certificates that are in one of the observations, by identity
}

// remember notes what is known already.
func (r *logReading) remember(o *watch.Observation) {
	for i := range o.Leaves {
		if c := o.Leaves[i].Leaf(); c != nil {
			r.told[c.Identity()] = true
		}
	}
}

// begin makes the observation of a log, with what is known of it and has not ended.
func (r *logReading) begin(place string, known *watch.Observation) *watch.Observation {
	o := &watch.Observation{Place: place, Source: watch.Logged, At: r.at, Outcome: watch.Answered}
	if known == nil {
		return o
	}
	o.Log, o.Behind = known.Log, known.Behind
	for _, l := range known.Leaves {
		if c := l.Leaf(); c != nil && c.NotAfter.After(r.at) {
			o.Leaves = append(o.Leaves, l)
		}
	}
	return o
}

// read reads one log, and puts what comes of it into its observation.
func (r *logReading) read(ctx context.Context, log *fetch.Log, o *watch.Observation) {
	began := r.l.o.Now()
	var last *follow.Position
	f := &follow.Log{Log: log, Backlog: r.s.Backlog,
		Look: func(index uint64, e ct.LogEntry) int { return r.found(o, index, e) },
		Keep: func(p *follow.Position) error { last = p; return nil }}
	if o.Log != nil {
		f.From = new(follow.Position)
		if err := json.Unmarshal(o.Log, f.From); err != nil {
			f.From = nil // an older program wrote it, or a newer one: what was logged meanwhile is in the backlog, if that is long
		}
	}
	err := f.Read(ctx)
	if last != nil {
		if text, err := json.Marshal(last); err == nil {
			o.Log, o.Behind = text, last.Size-last.Read
		}
	}
	o.Took = r.l.o.Now().Sub(began)
	var trouble *follow.Trouble
	switch {
	case err == nil:
	case errors.Is(err, fetch.ErrLog):
		o.Outcome = watch.Caught
		if errors.As(err, &trouble) {
			o.Error = evidence(trouble)
		}
	case ctx.Err() != nil && last != nil: // there was more to read than time
	case ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded):
		o.Outcome, o.Error = watch.TimedOut, pki.Printable(err.Error())
	default:
		o.Outcome, o.Error = watch.Unreachable, pki.Printable(err.Error())
	}
}

// evidence says what a log has done, with the tree heads that do not go together.
func evidence(t *follow.Trouble) string {
	text := pki.Printable(t.Error())
	for _, h := range []*ct.TreeHead{t.Before, t.Shown} {
		if h != nil {
			text += fmt.Sprintf("; tree head of %d entries at %d, root %x, signature %x", h.Size, h.Timestamp, h.Root, h.AppendSignature(nil))
		}
	}
	return text
}

// found puts a certificate for one of the domains into a log's observation: once, in whatever logs it is. The certificate
// takes the place of its precertificate.
func (r *logReading) found(o *watch.Observation, index uint64, e ct.LogEntry) int {
	f, ok := r.s.domains.Find(index, e)
	if !ok {
		return 0
	}
	leaf := loggedLeaf(&f)
	c := leaf.Leaf()
	if !c.NotAfter.After(r.at) {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	identity := c.Identity()
	if r.told[identity] {
		i := slices.IndexFunc(o.Leaves, func(l watch.Leaf) bool { return l.Leaf() != nil && l.Leaf().Identity() == identity })
		if i >= 0 && !f.Precertificate && o.Leaves[i].Logged != nil && o.Leaves[i].Logged.Precertificate {
			o.Leaves[i] = leaf
		}
		return 0
	}
	r.told[identity] = true
	if o.Leaves = append(o.Leaves, leaf); len(o.Leaves) > maxLogged {
		o.Leaves = slices.Delete(o.Leaves, 0, 1)
	}
	return 1
}

// loggedLeaf describes what was found.
func loggedLeaf(f *follow.Found) watch.Leaf {
	l := watch.Leaf{Logged: &watch.Logging{At: f.Logged, Index: f.Index, Precertificate: f.Precertificate}}
	if f.Certificate == nil {
		l.Logged.Unreadable = true
		l.Chain = []watch.Certificate{{Fingerprint: f.SHA256, Subject: "a certificate that cannot be read", Issuer: "unknown", Serial: f.SHA256, NotBefore: f.Logged, NotAfter: f.Logged.Add(unreadableFor), Key: "unknown"}}
		return l
	}
	described := scan.Describe(f.DER)
	c := certificateOf(&described)
	if f.SHA256 != "" {
		c.Fingerprint = f.SHA256 // of the whole; what was described is without a signature where it is a precertificate
	}
	c.Names = c.Names[:min(len(c.Names), maxLogNames)]
	l.Chain = []watch.Certificate{c}
	return l
}

// isBehind reports whether a log has more to read.
func isBehind(all []*watch.Observation) bool {
	return slices.ContainsFunc(all, func(o *watch.Observation) bool { return o.Behind > 0 && o.Outcome == watch.Answered })
}

// logsInAll says what all logs together have.
func logsInAll(all []*watch.Observation) string {
	certificates, behind := 0, uint64(0)
	for _, o := range all {
		certificates, behind = certificates+len(o.Leaves), behind+o.Behind
	}
	text := fmt.Sprintf("%d certificates are known in %d logs", certificates, len(all))
	if certificates == 1 {
		text = fmt.Sprintf("1 certificate is known in %d logs", len(all))
	}
	if behind > 0 {
		text += fmt.Sprintf("; %d entries are still to be read", behind)
	}
	return text
}
