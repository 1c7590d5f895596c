package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/interop/lab"
	"github.com/tlswright/tlswright/scan"
)

const (
	fleetTargets = 1000 // of the quick run
	fullTargets  = 40   // of the full one
)

// scanBench is what scanning is measured with: an nginx of the lab.
type scanBench struct {
	ctx   context.Context
	lab   *lab.Lab
	group *lab.Group
	store scan.Store
}

// The measurements of scans, by which -run chooses; "scan" is all of them. Beside our scanner come those of others, of which
// testssl.sh takes minutes.
const (
	scanAlone  = "scan alone"
	scanBeside = "scan beside"
	scanFleet  = "scan fleet"
)

// reportScan measures our scanner and those of others against the same server, one after the other.
func reportScan(match *regexp.Regexp, rounds int) error {
	if !match.MatchString(scanAlone) && !match.MatchString(scanBeside) && !match.MatchString(scanFleet) {
		return nil
	}
	dir, err := os.MkdirTemp("", "tlswright-bench-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &scanBench{ctx: context.Background(), group: lab.BenchGroup(fleetTargets)}
	if err := b.group.Missing(); err != nil {
		fmt.Println("\nscan: left out:", err)
		return nil
	}
	if b.lab, err = lab.New(b.ctx, dir); err != nil {
		return err
	}
	stop, err := b.lab.Start(b.group)
	if err != nil {
		return err
	}
	defer stop()
	if b.store, err = readStore(b.lab.Root); err != nil {
		return err
	}
	fmt.Println("\nScans of an nginx on loopback, each the best of some; CPU time is that of the scanner, without the server's.")
	fmt.Println("\n| what | scanner | wall | CPU time | connections |\n| --- | --- | ---: | ---: | ---: |")
	for _, c := range b.group.Configs[:2] {
		name := strings.TrimPrefix(c.Name, "nginx: ") + " server"
		if match.MatchString(scanAlone) {
			if err := b.ours(name, c, rounds); err != nil {
				return err
			}
		}
		if match.MatchString(scanBeside) {
			if err := b.others(name, c); err != nil {
				return err
			}
		}
	}
	if match.MatchString(scanFleet) {
		return b.fleets()
	}
	return nil
}

func readStore(file string) (scan.Store, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return scan.Store{}, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return scan.Store{}, errors.New("the lab's root is no PEM")
	}
	root, err := x509.ParseCertificate(block.Bytes)
	return scan.Store{Name: "lab", Roots: []*x509.Certificate{root}}, err
}

func (b *scanBench) options() scan.Options {
	return scan.Options{Offline: true, Simulate: true, Stores: []scan.Store{b.store}, LookUp: func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}, nil
	}}
}

// cost is what one scan takes.
type cost struct {
	wall, cpu   time.Duration
	connections int
}

func (c cost) row(what, scanner string) string {
	return fmt.Sprintf("| %s | %s | %.3f s | %.3f s | %d |", what, scanner, c.wall.Seconds(), c.cpu.Seconds(), c.connections)
}

// ours measures the full scan, and the part of it that finds the suites.
func (b *scanBench) ours(what string, c *lab.Config, rounds int) error {
	var best, suites cost
	for round := range rounds {
		full, part, err := b.scanOnce(c)
		if err != nil {
			return err
		}
		if round == 0 || full.wall < best.wall {
			best = full
		}
		if round == 0 || part.wall < suites.wall {
			suites = part
		}
	}
	fmt.Println(best.row(what+", full", "tlswright"))
	fmt.Println(suites.row(what+", versions and suites alone", "tlswright"))
	return nil
}

func (b *scanBench) scanOnce(c *lab.Config) (full, suites cost, err error) {
	o := b.options()
	start, cpu := time.Now(), cpuTime()
	var mu sync.Mutex
	o.Progress = func(p scan.Progress) {
		mu.Lock()
		defer mu.Unlock()
		if strings.HasPrefix(p.Probe, "suites") {
			suites = cost{time.Since(start), cpuTime() - cpu, p.Connections}
		}
	}
	facts, err := scan.New(o).Scan(b.ctx, scan.Target{Host: lab.Host, Port: c.Port, ServerName: lab.Host})
	if err != nil {
		return full, suites, err
	}
	grade.Judge(facts[0], grade.Options{})
	full = cost{time.Since(start), cpuTime() - cpu, facts[0].Connections}
	if facts[0].Unreachable != "" || len(facts[0].Gaps) > 0 {
		return full, suites, fmt.Errorf("%s: %s %v", c.Name, facts[0].Unreachable, facts[0].Gaps)
	}
	return full, suites, nil
}

// others lets the scanners of others do what they do, once: testssl.sh takes minutes.
func (b *scanBench) others(what string, c *lab.Config) error {
	for _, s := range lab.Scanners() {
		if _, err := s.Version(b.ctx); err != nil {
			fmt.Printf("| %s | %s is not installed | | | |\n", what, s.Name)
			continue
		}
		before, err := b.lab.Accepted(b.group)
		if err != nil {
			return err
		}
		start, cpu := time.Now(), childrenTime()
		if err := b.lab.RunWhole(b.ctx, s, c); err != nil {
			return err
		}
		spent := cost{wall: time.Since(start), cpu: childrenTime() - cpu}
		after, err := b.lab.Accepted(b.group)
		if err != nil {
			return err
		}
		spent.connections = after - before
		fmt.Println(spent.row(what, s.Name))
	}
	return nil
}

// fleets measures many targets at once: each an address of its own.
func (b *scanBench) fleets() error {
	fmt.Println("\n| fleet | targets | wall | targets per second | CPU time a target | connections | heap in use, at most |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
	port := b.group.Configs[2].Port
	for _, quick := range []bool{true, false} {
		n, name := fleetTargets, "quick"
		if !quick {
			n, name = fullTargets, "full"
		}
		o := b.options()
		o.Quick = quick
		runtime.GC()
		peak := watchHeap()
		cpu := cpuTime()
		failed := 0
		sum, err := scan.New(o).Fleet(b.ctx, fleetOf(n, port), scan.FleetOptions{}, func(r scan.FleetResult) error {
			if r.Err != nil || slices.ContainsFunc(r.Facts, func(f *grade.Facts) bool { return f.Unreachable != "" || len(f.Chains) == 0 }) {
				failed++
				return nil
			}
			grade.Judge(r.Facts[0], grade.Options{NoSnippets: true, Policies: []grade.Policy{}})
			return nil
		})
		heap := peak()
		if err != nil {
			return err
		}
		if failed > 0 {
			return fmt.Errorf("%d of %d targets of the %s fleet failed", failed, n, name)
		}
		used := cpuTime() - cpu
		fmt.Printf("| %s | %d | %.2f s | %.0f | %.1f ms | %d | %.0f MB |\n", name, n, sum.Seconds, float64(n)/sum.Seconds,
			used.Seconds()*1e3/float64(n), sum.Connections, float64(heap)/1e6)
	}
	return nil
}

func fleetOf(n, port int) iter.Seq2[scan.Target, error] {
	return func(yield func(scan.Target, error) bool) {
		for i := range n {
			if !yield(scan.Target{Host: lab.FleetAddress(i).String(), Port: port, ServerName: lab.Host}, nil) {
				return
			}
		}
	}
}

// watchHeap looks at the heap now and then until it is asked for the most that was in use, in bytes.
func watchHeap() (most func() uint64) {
	done, result := make(chan struct{}), make(chan uint64)
	go func() {
		var peak uint64
		for tick := time.Tick(5 * time.Millisecond); ; {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapInuse)
			select {
			case <-done:
				result <- peak
				return
			case <-tick:
			}
		}
	}()
	return func() uint64 {
		close(done)
		return <-result
	}
}
