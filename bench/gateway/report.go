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

// reportIdle prints what the servers hold for connections on which nothing happens. They are started anew: what a server
// has used for other tests would be there already.
func reportIdle(h *hall, found []*server) error {
	fmt.Printf("\nidle: %d connections on which nothing happens; memory (PSS) of the process tree after %v\n\n", h.o.idle, settleTime)
	fmt.Println("| server | empty, MB | KB a connection after the handshake | to go-term | after one request | to go-term |")
	fmt.Println("| --- | ---: | ---: | ---: | ---: | ---: |")
	var base [2]float64
	for _, s := range found {
		s.process.stop()
		var kb [2]float64
		var empty int64
		for i, ask := range []bool{false, true} {
			if err := h.run(s); err != nil {
				return err
			}
			var err error
			if empty, kb[i], err = idleOnce(h, s, ask); err != nil {
				fmt.Printf("| %s | failed: %v |\n", s.name, err)
			}
			s.process.stop()
		}
		if s.name == "go-term" {
			base = kb
		}
		fmt.Printf("| %s | %.1f | %.1f | %.2f | %.1f | %.2f |\n", s.name, float64(empty)/1e6, kb[0], kb[0]/base[0], kb[1], kb[1]/base[1])
	}
	return nil
}

func idleOnce(h *hall, s *server, ask bool) (empty int64, kb float64, err error) {
	if err := connect(s.open, 8, alwaysX25519(), getOnce); err != nil { // what is made once and for all
		return 0, 0, err
	}
	time.Sleep(300 * time.Millisecond)
	if empty, err = s.process.memory(); err != nil {
		return 0, 0, err
	}
	release, err := hold(s.open, h.o.idle, ask)
	defer release()
	if err != nil {
		return 0, 0, err
	}
	time.Sleep(settleTime)
	full, err := s.process.memory()
	return empty, float64(full-empty) / 1024 / float64(h.o.idle), err
}
