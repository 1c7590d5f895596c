package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"
)

func reportHead(found []*server, missing []string, o *options) {
	var names []string
	for _, s := range found {
		names = append(names, s.name)
	}
	fmt.Printf("%s %s/%s; %d rounds; servers: %s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, o.rounds, strings.Join(names, ", "))
	if len(missing) > 0 {
		fmt.Printf("not here: %s\n", strings.Join(missing, ", "))
	}
}

func reportTest(t test, all []samples) {
	fmt.Printf("\n%s: %s\n\n", t.name, t.means)
	fmt.Println("| server | CPU µs each (median; least - most) | to go-term |")
	fmt.Println("| --- | ---: | ---: |")
	var base samples
	for _, s := range all {
		if s.server.name == "go-term" {
			base = s
		}
	}
	for _, s := range all {
		if s.failed != nil {
			fmt.Printf("| %s | failed: %v | |\n", s.server.name, s.failed)
			continue
		}
		to := ""
		if len(base.micros) > 0 && base.failed == nil {
			to = fmt.Sprintf("%.2f", ratio(s, base))
		}
		fmt.Printf("| %s | %.1f (%.1f - %.1f) | %s |\n", s.server.name, median(s.micros), slices.Min(s.micros), slices.Max(s.micros), to)
	}
}

// settleTime is how long nothing happens before memory is looked at: some servers give it back only after a while.
const settleTime = 8 * time.Second

// idle is what a server holds for connections on which nothing happens.
type idle struct {
	empty  int64   // bytes before there were any, PSS
	grown  float64 // KB of PSS for each, less what there was before
	whole  float64 // KB of RSS for each, of the whole process
	failed error
}

// reportIdle prints what the servers hold for connections on which nothing happens. They are started anew: what a server
// has used for other tests would be there already.
func reportIdle(h *hall, found []*server) error {
	if most := mostConnections(); h.o.idle > most {
		return fmt.Errorf("%d idle connections: a server has two descriptors for each, and a process may have %d here; at most %d",
			h.o.idle, mostFiles(), most)
	}
	fmt.Printf("\nidle: %d connections on which nothing happens; memory of the process tree after %v: PSS less that of the empty process, and all of RSS\n\n",
		h.o.idle, settleTime)
	fmt.Println("| server | empty, MB | KB a connection after the handshake | to go-term | all of RSS | after one request | to go-term | all of RSS |")
	fmt.Println("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
	var base [2]idle
	for _, s := range found {
		s.process.stop()
		var kept [2]idle
		for i, ask := range []bool{false, true} {
			if err := idleAnew(h, s, ask, &kept[i]); err != nil {
				return err
			}
		}
		if s.name == "go-term" {
			base = kept
		}
		fmt.Printf("| %s | %.1f |", s.name, float64(kept[0].empty)/1e6)
		for i, k := range kept {
			if k.failed != nil {
				fmt.Printf(" failed: %v | | |", k.failed)
				continue
			}
			fmt.Printf(" %.1f | %.2f | %.1f |", k.grown, k.grown/base[i].grown, k.whole)
		}
		fmt.Println()
	}
	return nil
}

// idleAnew starts the server and a backend of its own: to an address that had many connections before there may be no more for
// a minute, because their ports are still taken.
func idleAnew(h *hall, s *server, ask bool, kept *idle) error {
	target, err := h.startBackend()
	if err != nil {
		return err
	}
	defer target.stop()
	if err := h.run(s); err != nil {
		return err
	}
	defer s.process.stop()
	*kept = idleOnce(h, s, ask)
	return nil
}

func idleOnce(h *hall, s *server, ask bool) idle {
	if err := connect(s.open, 8, alwaysX25519(), getOnce); err != nil { // what is made once and for all
		return idle{failed: err}
	}
	time.Sleep(300 * time.Millisecond)
	empty, err := s.process.memory()
	if err != nil {
		return idle{failed: err}
	}
	release, err := hold(s.open, h.o.idle, ask)
	defer release()
	if err != nil {
		return idle{failed: err}
	}
	time.Sleep(settleTime)
	full, err := s.process.memory()
	each := func(bytes int64) float64 { return float64(bytes) / 1024 / float64(h.o.idle) }
	return idle{empty: empty.pss, grown: each(full.pss - empty.pss), whole: each(full.rss), failed: err}
}
