package scan

import (
	"context"
	"slices"

	"github.com/tlswright/tlswright/grade"
)

// probeNameCertificates is the name of the probe that others wait for.
const probeNameCertificates = "certificates"

// probeCertificates judges the chains that were seen.
func probeCertificates(ctx context.Context, h *host) { h.judgeChains(ctx) }

// judgeChains judges the chains that were seen so far, and records what came of it. It makes no connection to the host.
func (h *host) judgeChains(ctx context.Context) {
	var judged []grade.Chain
	var gaps []grade.Gap
	for _, sent := range h.chains() {
		name := h.target.name()
		if name == "" {
			name = h.target.Host
		}
		c := h.scanner.judge.chain(ctx, chainQuestion{sent: sent, name: name, now: h.began})
		judged = append(judged, c.facts)
		gaps = append(gaps, c.gaps...)
	}
	// What a visitor with SNI gets comes first.
	slices.SortStableFunc(judged, func(a, b grade.Chain) int {
		switch {
		case a.SNI == b.SNI:
			return 0
		case a.SNI:
			return -1
		}
		return 1
	})
	h.record(func(f *grade.Facts) {
		f.Chains = judged
		for _, g := range gaps {
			if len(f.Gaps) < maxGaps && !slices.Contains(f.Gaps, g) {
				f.Gaps = append(f.Gaps, g)
			}
		}
	})
}
