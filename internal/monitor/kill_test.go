//go:build unix

package monitor

import (
	"crypto/tls"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/incident"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/internal/watch"
)

// victims is a lab whose monitor is killed again and again while servers change their certificates.
type victims struct {
	*lab
	path    string
	servers []*server
	good    *pkitest.Leaf
	bad     []*pkitest.Leaf // that end soon, one for each server
	ending  []bool          // the server shows the bad one
	box     *inbox
}

func newVictims(t *testing.T, servers int) *victims {
	v := &victims{lab: newLab(t), path: filepath.Join(t.TempDir(), "monitor.db")}
	v.good, v.box = v.leaf(pkitest.P256, 60*day), newInbox(t, nil)
	v.c.Channels = []config.Channel{{Name: "hook", Kind: "webhook", URL: v.box.URL}}
	roots := v.roots()
	for i := range servers {
		v.bad = append(v.bad, v.leaf(pkitest.P256, 20*day+time.Duration(i)*time.Minute))
		s := v.serverAt(fmt.Sprintf("127.0.1.%d", 1+i), v.good)
		v.servers = append(v.servers, s)
		v.ending = append(v.ending, false)
		w := v.watched(fmt.Sprintf("target %d", i), s.address)
		w.CA, w.Schedule.Every = []string{roots}, time.Second
	}
	return v
}

// turn lets a server show another certificate.
func (v *victims) turn(i int) {
	v.ending[i] = !v.ending[i]
	leaf := v.good
	if v.ending[i] {
		leaf = v.bad[i]
	}
	v.servers[i].set(func(c *tls.Config) { c.Certificates = []tls.Certificate{pair(leaf)} })
}

// autopsy opens the database that a killed process has left, and looks for what must not be.
func (v *victims) autopsy() {
	v.Helper()
	h, err := history.Open(v.Context(), v.path)
	if err != nil {
		v.Fatal(err)
	}
	defer func() {
		if err := h.Close(); err != nil {
			v.Error(err)
		}
	}()
	if h.Jobs() != nil {
		return // another node goes on: what is read now is not of one moment
	}
	db, err := sql.Open("sqlite", v.path)
	if err != nil {
		v.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var whole string
	if err := db.QueryRow(`PRAGMA integrity_check`).Scan(&whole); err != nil || whole != "ok" {
		v.Fatalf("the database is not whole: %s, %v", whole, err)
	}
	v.consistent(h)
}

// consistent checks that every incident has been told, to the channel too, and that each trouble a target shows is an
// incident.
func (v *victims) consistent(h *history.History) {
	v.Helper()
	all, _, err := h.Incidents(v.Context(), history.IncidentQuery{Page: history.Page{Limit: 10_000}})
	if err != nil {
		v.Fatal(err)
	}
	affected := make(map[string]bool)
	for _, i := range all {
		told, err := h.Notices(v.Context(), i.ID)
		if err != nil {
			v.Fatal(err)
		}
		isOver := false
		for _, n := range told {
			isOver = isOver || n.Event == incident.ResolvedNow
			if len(n.Channels) != 1 {
				v.Errorf("notice %s is for %d channels", n.ID, len(n.Channels))
			}
		}
		if len(told) == 0 || isOver == i.IsOpen() {
			v.Errorf("incident %s (open: %v) was told %d times, its end: %v", i.ID, i.IsOpen(), len(told), isOver)
		}
		if i.IsOpen() {
			for _, t := range i.Affected() {
				affected[t] = true
			}
		}
	}
	targets, _, err := h.Targets(v.Context(), history.TargetQuery{Page: history.Page{Limit: 10_000}})
	if err != nil {
		v.Fatal(err)
	}
	for _, t := range targets {
		if t.State == watch.Warning && !affected[t.Name] {
			v.Errorf("%s is %v (%s), and there is no incident", t.Name, t.State, t.Reason)
		}
	}
}

// settled runs a process until the history shows every server as it is and everything is delivered, and compares.
func (v *victims) settled() {
	v.Helper()
	p := v.process("survivor", v.path, 3*time.Second)
	h, err := history.Open(v.Context(), v.path)
	if err != nil {
		v.Fatal(err)
	}
	defer func() { _ = h.Close() }()
	eventually(v.T, 2*time.Minute, "the incidents are those of the servers, and delivered", func() bool {
		open, _, err := h.Incidents(v.Context(), history.IncidentQuery{Open: true, Page: history.Page{Limit: 10_000}})
		if err != nil {
			v.Fatal(err)
		}
		var have, want []string
		for _, i := range open {
			have = append(have, i.Affected()...)
		}
		for i, ending := range v.ending {
			if ending {
				want = append(want, v.c.Targets[i].Name)
			}
		}
		slices.Sort(have)
		slices.Sort(want)
		waiting, err := h.Waiting(v.Context())
		return err == nil && slices.Equal(have, want) && len(waiting) == 0
	})
	if err := p.end(); err != nil {
		v.Error(err)
	}
	v.consistent(h)
	arrived := make(map[string]int)
	for _, a := range v.box.all() {
		arrived[a.Key]++
	}
	all, total, err := h.Incidents(v.Context(), history.IncidentQuery{Page: history.Page{Limit: 10_000}})
	if err != nil {
		v.Fatal(err)
	}
	notices := 0
	for _, i := range all {
		told, err := h.Notices(v.Context(), i.ID)
		if err != nil {
			v.Fatal(err)
		}
		for _, n := range told {
			if notices++; arrived[n.ID] == 0 {
				v.Errorf("notice %s of incident %s never arrived", n.ID, i.ID)
			}
			delete(arrived, n.ID)
		}
	}
	for key, n := range arrived {
		v.Errorf("%s arrived %d times, and is not known: what was told was lost", key, n)
	}
	v.Logf("%d incidents, %d notices, %d messages", total, notices, len(v.box.all()))
}

// kills kills the monitor so often, at moments that nobody knows.
func (v *victims) kills(rounds int) {
	v.Helper()
	seed := rand.Uint64()
	v.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range rounds {
		p := v.process("victim", v.path, 3*time.Second)
		for end := time.Now().Add(time.Duration(r.IntN(1500)) * time.Millisecond); time.Now().Before(end); {
			time.Sleep(time.Duration(r.IntN(100)) * time.Millisecond)
			v.turn(r.IntN(len(v.servers)))
		}
		p.kill()
		if v.autopsy(); v.Failed() {
			v.FailNow()
		}
	}
}

func TestKillsLoseNothing(t *testing.T) {
	t.Parallel()
	v := newVictims(t, 10)
	v.kills(5)
	v.settled()
}

func TestAcceptAHundredKills(t *testing.T) {
	if os.Getenv("TLSWRIGHT_ACCEPT") == "" {
		t.Skip(`a hundred kills under load: "make accept" runs it (TLSWRIGHT_ACCEPT=1)`)
	}
	v := newVictims(t, 150)
	v.kills(100)
	v.settled()
}

// Nodes that are killed while others go on lose nothing either.
func TestAcceptKillsAmongNodes(t *testing.T) {
	if os.Getenv("TLSWRIGHT_ACCEPT") == "" {
		t.Skip(`minutes of kills: "make accept" runs it (TLSWRIGHT_ACCEPT=1)`)
	}
	v := newVictims(t, 100)
	v.path = pkitest.Postgres(t, false)
	other := v.process("another", v.path, 3*time.Second)
	v.kills(30)
	if err := other.end(); err != nil {
		t.Error(err)
	}
	v.settled()
}
