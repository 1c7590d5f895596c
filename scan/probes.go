package scan

import (
	"context"
	"slices"
	"sync"
)

// probe is a question to the server.
type probe struct {
	name  string // shown while it runs, and in gaps
	phase int    // probes of one phase run at once, a phase begins when the one before has ended
	run   func(ctx context.Context, h *host)
	// applies says whether the question makes sense, by what the earlier phases found; nil: always.
	applies func(h *host) bool
}

// The phases.
const (
	phaseVersions = 1 // which versions are there
	phaseSuites   = 2 // suites, groups, schemes, chains
	phaseFeatures = 3 // features, resumption, tolerance, certificates, HTTP, simulation
	phaseAttacks  = 4 // vulnerabilities
)

// allProbes is the list of all there is to ask.
func allProbes() []probe {
	return slices.Concat(coreProbes(), oldProbes(), vulnerabilityProbes(), certificateProbes(), simulationProbes())
}

// coreProbes are those that the others build upon.
func coreProbes() []probe {
	ps := []probe{{name: "versions", phase: phaseVersions, run: probeVersions}}
	ps = append(ps, suiteProbes()...)
	ps = append(ps,
		probe{name: "groups", phase: phaseSuites, run: probeGroups},
		probe{name: "signature schemes", phase: phaseSuites, run: probeSchemes},
	)
	return append(ps, featureProbes()...)
}

// run makes the probes, phase by phase.
func (h *host) run(ctx context.Context, probes []probe) {
	h.announce(probes)
	done, total := 0, len(probes)
	for phase := phaseVersions; phase <= phaseAttacks; phase++ {
		var now []probe
		for _, p := range probes {
			switch {
			case p.phase != phase:
			case phase > phaseVersions && h.facts().Unreachable != "", p.applies != nil && !p.applies(h):
				total--
				h.end(p.name)
			default:
				now = append(now, p)
			}
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		for _, p := range now {
			wg.Go(func() {
				h.runOne(ctx, p)
				mu.Lock()
				defer mu.Unlock()
				done++
				h.progress(p.name, done, total)
			})
		}
		wg.Wait()
	}
}

// runOne makes one probe, unless the time is up already.
func (h *host) runOne(ctx context.Context, p probe) {
	defer h.end(p.name)
	defer h.rescue(p.name)
	if err := ctx.Err(); err != nil {
		h.gap(p.name, err)
		return
	}
	p.run(ctx, h)
}

func (h *host) progress(name string, done, total int) {
	if h.o.Progress != nil {
		h.o.Progress(Progress{Target: h.target, Address: h.addr.String(), Probe: name, Done: done, Total: total, Connections: h.door.made()})
	}
}

// announce prepares for await.
func (h *host) announce(probes []probe) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = make(map[string]chan struct{}, len(probes))
	for _, p := range probes {
		h.ended[p.name] = make(chan struct{})
	}
}

// end tells those who wait for a probe that it is over.
func (h *host) end(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c := h.ended[name]; c != nil {
		close(c)
		delete(h.ended, name)
	}
}

// await waits until another probe of the same phase has ended, or does not apply. It returns at once for a probe that is
// not in the list. A probe must not hold a connection while it waits.
func (h *host) await(ctx context.Context, name string) error {
	h.mu.Lock()
	c := h.ended[name]
	h.mu.Unlock()
	if c == nil {
		return nil
	}
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
