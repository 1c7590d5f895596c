package grade

import (
	"fmt"
	"math"
	"slices"

	"github.com/tlswright/tlswright/pki"
)

// missing tells what separates the result from A+: what costs most comes first.
func (s *subject) missing(r *Result) []string {
	if r.Grade == "A+" {
		return nil
	}
	var costing []*Finding
	for i := range r.Findings {
		if r.Findings[i].Cap.rank() > 0 {
			costing = append(costing, &r.Findings[i])
		}
	}
	slices.SortStableFunc(costing, func(a, b *Finding) int { return b.Cap.rank() - a.Cap.rank() })
	var lines []string
	for _, f := range costing {
		line := fmt.Sprintf("%s (%s, at best %s)", f.Title, f.Rule, f.Cap)
		if f.Fix != nil {
			line += ": " + f.Fix.Text
		}
		lines = append(lines, line)
	}
	if r.Score < 80 {
		lines = append(lines, pki.Printable(s.lowScore(r)))
	}
	return lines
}

// lowScore words which part of the score to raise.
func (s *subject) lowScore(r *Result) string {
	line := fmt.Sprintf("the score is %.0f, and A begins at 80: ", math.Floor(r.Score))
	switch min(r.Protocol, r.KeyExchange, r.Cipher) {
	case r.KeyExchange:
		return line + fmt.Sprintf("key exchange has %.0f, by %s", math.Floor(r.KeyExchange), s.score.weakest)
	case r.Cipher:
		return line + fmt.Sprintf("cipher strength has %.0f, the weakest suite %d bits", math.Floor(r.Cipher), s.score.weakestBits)
	}
	return line + fmt.Sprintf("protocol support has %.0f, for the oldest version", math.Floor(r.Protocol))
}
