// Command bench compares our stack with Go's crypto/tls, side by side in one run: the same certificates, the same
// groups and cipher suite, the same pipe or socket, one after the other in turns; and with the bound of both, the
// primitives alone.
//
// What it reports is CPU time of the whole process, both ends and the garbage collector included, the best of several
// rounds, and allocations. Ratios are those of turns of the same round, the median of all rounds: a busy machine disturbs
// them as little as may be. A ratio above 1 says that ours needs less than crypto/tls; the share of the bound says how
// much of our time are the primitives. No number here passes or fails anything: times depend on the machine. What is
// exact, allocations, is asserted by the tests of this package.
//
// It knows tlscore, tlsnet and crypto/tls as a program would use them, and nothing of their insides. OpenSSL takes part,
// in a process of its own, where gcc and its headers are here.
//
//	go run ./bench                     everything, as tables
//	go run ./bench -run 'bulk' -rounds 9
//	go run ./bench -run '13_|12_|idle' -o docs/performance.md
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"time"
)

func main() {
	run := flag.String("run", "", "only scenarios whose name matches this regular expression")
	rounds := flag.Int("rounds", 5, "how often each side has its turn; the best one counts")
	each := flag.Duration("each", 300*time.Millisecond, "how long a turn takes, about")
	out := flag.String("o", "", "write what is said about the stacks to this page, too")
	flag.Parse()
	if err := report(*run, *rounds, *each, *out); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func report(run string, rounds int, each time.Duration, out string) error {
	match, err := regexp.Compile(run)
	if err != nil {
		return err
	}
	p := newPage(os.Stdout)
	fmt.Fprintf(p, "%s; best of %d rounds of about %v, ratios: the median of all rounds.\n", machine(), rounds, each)
	if err := reportStacks(p, match, rounds, each); err != nil {
		return err
	}
	if match.MatchString("idle") {
		if err := reportIdle(p); err != nil {
			return err
		}
	}
	if out != "" {
		if err := p.write(out); err != nil {
			return err
		}
	}
	if err := reportScan(match, rounds); err != nil {
		return err
	}
	if match.MatchString("issuance") {
		return reportIssuance(rounds, each)
	}
	return nil
}

// reportStacks prints the scenarios.
func reportStacks(w io.Writer, match *regexp.Regexp, rounds int, each time.Duration) error {
	fmt.Fprint(w, "\n| scenario | stack | CPU time | MB per CPU second | ratio to crypto/tls | share of the bound | allocations | bytes allocated |\n"+
		"| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	all, missing, err := scenarios()
	if err != nil {
		return err
	}
	if missing != nil {
		fmt.Fprintln(os.Stderr, "OpenSSL is left out:", missing)
	}
	for _, s := range all {
		figures := s.figures()
		if !slices.ContainsFunc(figures, match.MatchString) {
			continue
		}
		results, err := measure(s, rounds, each)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		for part, name := range figures {
			if !match.MatchString(name) {
				continue
			}
			for i, r := range results[part] {
				fmt.Fprintln(w, s.row(name, i, r))
			}
		}
	}
	return nil
}

// row renders one result of a figure; the first side of a scenario is what the others are compared with.
func (s scenario) row(name string, i int, r result) string {
	rate, ratio, share := "", "", ""
	if s.bytes > 0 {
		rate = fmt.Sprintf("%.0f", float64(s.bytes)/1e6/r.cpu.Seconds())
	}
	if i > 0 {
		ratio = fmt.Sprintf("%.2f", r.ratio)
	}
	if r.share > 0 && !s.sides[i].bound {
		share = fmt.Sprintf("%.2f", r.share)
	}
	allocs, allocated := fmt.Sprintf("%.1f", r.allocs), fmt.Sprintf("%.0f", r.allocated)
	if s.sides[i].timed != nil {
		allocs, allocated = "", "" // not known
	}
	return fmt.Sprintf("| %s | %s | %.1f µs | %s | %s | %s | %s | %s |", name, s.sides[i].name, float64(r.cpu.Nanoseconds())/1e3, rate, ratio, share, allocs, allocated)
}
