package monitor

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/watch"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/scan"
	"github.com/tlswright/tlswright/tlsnet"
)

// LookOptions say how to look. The zero value is sound.
type LookOptions struct {
	Stores   []scan.Store // that chains are judged by, where a target names no CA of its own
	Resolver string       // DNS server, "address:port"; "": the system's
	PerHost  int          // connections to one address at a time; 0: 2
	// AllowPrivate lets AIA, CRL and OCSP be fetched from private addresses.
	AllowPrivate bool
	// Intermediates are known beforehand, as those of the own CA: that they are missing behind a leaf can be told.
	Intermediates []*x509.Certificate
	LogTLS        func() (*tlsnet.Config, error) // whom to trust as the server of a CT log; nil: the system's roots
	Now           func() time.Time
	LookUp        func(ctx context.Context, host string) ([]netip.Addr, error) // nil: by the DNS
	// Dial opens the connections to targets; nil: the net package's dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// looker looks at targets. Scanners remember certificates that many servers share, so they are kept.
type looker struct {
	o  LookOptions
	mu sync.Mutex
	// scanners by what they are set up with.
	scanners map[string]*scan.Scanner
	lists    map[string]*logList // of CT logs, by file
	middle   intermediates
}

func newLooker(o LookOptions) *looker {
	if o.PerHost <= 0 {
		o.PerHost = 2
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	l := &looker{o: o, scanners: make(map[string]*scan.Scanner), lists: make(map[string]*logList)}
	for _, c := range o.Intermediates {
		l.middle.add(c)
	}
	return l
}

// maxScanners bounds how many sets of roots are kept at once.
const maxScanners = 64

// scanner gives one for a target.
func (l *looker) scanner(s *spec, isQuick, allKeys bool) (*scan.Scanner, error) {
	key := fmt.Sprintf("%v|%v|%v|%v|%v", isQuick, allKeys, s.first, s.System, s.timeout())
	for _, file := range s.CA {
		info, err := os.Stat(file) // roots that were put into the place of others count at once
		if err != nil {
			return nil, err
		}
		key += fmt.Sprintf("|%q|%d|%d", file, info.Size(), info.ModTime().UnixNano())
	}
	key += changeOf(s.Client, s.ClientKey)
	l.mu.Lock()
	defer l.mu.Unlock()
	if known := l.scanners[key]; known != nil {
		return known, nil
	}
	stores, err := l.stores(s)
	if err != nil {
		return nil, err
	}
	client, _ := clientOf(s) // what is wrong with it is told where it is looked at; the server is seen without it
	o := scan.Options{Quick: isQuick, Client: client, AllKeys: allKeys, TLSOnly: true, Concurrency: l.o.PerHost, Timeout: s.timeout(), HostTimeout: 4 * s.timeout(), Stores: stores,
		Resolver: l.o.Resolver, AllowPrivate: l.o.AllowPrivate, Now: l.o.Now, LookUp: l.o.LookUp, Dial: l.o.Dial}
	if !isQuick {
		o.HostTimeout = max(2*time.Minute, o.HostTimeout)
	}
	if s.first {
		o.Addresses = 1
	}
	if len(l.scanners) >= maxScanners {
		clear(l.scanners)
	}
	l.scanners[key] = scan.New(o)
	return l.scanners[key], nil
}

// stores are whom a target's chains are judged by.
func (l *looker) stores(s *spec) ([]scan.Store, error) {
	if len(s.CA) == 0 {
		return l.o.Stores, nil
	}
	var roots []*x509.Certificate
	for _, file := range s.CA {
		list, err := keystore.ReadCertificates(file)
		if err != nil {
			return nil, err
		}
		roots = append(roots, list...)
	}
	stores := []scan.Store{{Name: strings.Join(s.CA, ", "), Own: true, Roots: roots}}
	if s.System {
		stores = append(stores, l.o.Stores...)
	}
	return stores, nil
}

// seen is what a look brought.
type seen struct {
	observations []*watch.Observation
	grade        string // "": no full scan was made
}

// look makes one look at a target: at all its addresses and files. withGrade makes the full scan as well. before is what
// was seen last.
func (l *looker) look(ctx context.Context, s *spec, withGrade bool, before []*watch.Observation) seen {
	var all seen
	if len(s.domains) > 0 {
		all.observations = l.logs(ctx, s, before)
	}
	before = slices.DeleteFunc(slices.Clone(before), func(o *watch.Observation) bool { return o.Source != watch.Served }) // files and lists tell nothing of servers
	if s.Address != "" {
		all.observations = l.servers(ctx, s, withGrade || s.Schedule.Grade < 0 || mayHaveTwo(before), before)
		if withGrade && slices.ContainsFunc(all.observations, func(o *watch.Observation) bool { return o.Outcome == watch.Answered }) {
			all.grade = l.grade(ctx, s, all.observations)
		} else {
			remember(all.observations, before)
		}
	}
	if s.Client != "" {
		all.observations = append(all.observations, l.shown(s))
	}
	if len(s.Files) > 0 {
		all.observations = append(all.observations, l.files(s)...)
	}
	for _, o := range all.observations {
		o.Target = s.Name
	}
	return all
}

// mayHaveTwo reports whether a server should be asked for certificates with several kinds of keys: it had them last time, or
// nobody has asked yet. Else it is asked when a full scan is due, for each such question is a line in its log.
func mayHaveTwo(before []*watch.Observation) bool {
	return len(before) == 0 || slices.ContainsFunc(before, func(o *watch.Observation) bool { return len(o.Leaves) > 1 || o.Outcome != watch.Answered })
}

// servers looks at the addresses of a target with as few connections as tell what is served. Where the name has none now, the
// addresses it had cannot be looked at: what they showed must not be forgotten because the DNS is out of order.
func (l *looker) servers(ctx context.Context, s *spec, allKeys bool, before []*watch.Observation) []*watch.Observation {
	facts, err := l.scan(ctx, s, true, allKeys)
	if err != nil {
		o := &watch.Observation{Place: net.JoinHostPort(s.target.Host, strconv.Itoa(s.target.Port)), Source: watch.Served, At: l.o.Now(), Outcome: watch.Unresolved, Error: pki.Printable(err.Error())}
		var dns *net.DNSError
		if !errors.As(err, &dns) && !errors.Is(err, scan.ErrNoAddress) {
			o.Outcome = watch.Unreachable
		}
		var list []*watch.Observation
		for _, b := range before {
			same := *o
			same.Place = b.Place
			list = append(list, &same)
		}
		if len(list) == 0 {
			list = append(list, o)
		}
		return list
	}
	list := make([]*watch.Observation, 0, len(facts))
	for _, f := range facts {
		o := observed(s.Name, f)
		l.middle.note(f)
		l.middle.complete(o, f)
		list = append(list, o)
	}
	return list
}

// scan asks all addresses of a target.
func (l *looker) scan(ctx context.Context, s *spec, isQuick, allKeys bool) ([]*grade.Facts, error) {
	scanner, err := l.scanner(s, isQuick, allKeys)
	if err != nil {
		return nil, err
	}
	if len(s.addresses) == 0 {
		return scanner.Scan(ctx, s.target)
	}
	var all []*grade.Facts
	for _, a := range s.addresses {
		t := s.target
		if t.ServerName == "" {
			t.ServerName = t.Host
		}
		t.Host = a.String()
		facts, err := scanner.Scan(ctx, t)
		if err != nil {
			return nil, err
		}
		all = append(all, facts...)
	}
	return all, nil
}

// grade makes the full scan, and notes what only it finds out: whether a certificate is revoked. The worst grade of the
// addresses counts.
func (l *looker) grade(ctx context.Context, s *spec, quick []*watch.Observation) string {
	facts, err := l.scan(ctx, s, false, true)
	if err != nil {
		return ""
	}
	worst := ""
	for _, f := range facts {
		full := observed(s.Name, f)
		l.middle.complete(full, f)
		if full.Outcome != watch.Answered {
			continue
		}
		remember(quick, []*watch.Observation{full})
		letter := string(grade.Judge(f, grade.Options{NoSnippets: true, Policies: []grade.Policy{}}).Grade)
		if worst == "" || rank(letter) > rank(worst) {
			worst = letter
		}
	}
	return worst
}

// rank orders grades, the best first.
func rank(letter string) int {
	return slices.Index([]string{"A+", "A", "A-", "B", "C", "D", "E", "F", "M", "T"}, letter)
}

// remember carries over what a short look does not ask, of a certificate that was seen before: whether it is revoked, and
// whether what is missing above it can be had.
func remember(now, before []*watch.Observation) {
	known := make(map[string]*watch.Leaf)
	for _, o := range before {
		for i := range o.Leaves {
			if l := &o.Leaves[i]; l.Leaf() != nil {
				known[l.Leaf().Fingerprint] = l
			}
		}
	}
	for _, o := range now {
		for i := range o.Leaves {
			l := &o.Leaves[i]
			k := known[l.Leaf().Fingerprint]
			if k == nil {
				continue
			}
			if l.Revocation == "" {
				l.Revocation, l.Revoked = k.Revocation, k.Revoked
			}
			if len(k.Chain) == len(l.Chain) && !slices.ContainsFunc(l.Trust, func(t watch.Trust) bool { return t.Trusted }) {
				l.Incomplete, l.Repairable = l.Incomplete || k.Incomplete, l.Repairable || k.Repairable
			}
		}
	}
}
