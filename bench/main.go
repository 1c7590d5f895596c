// Command bench compares our stack with Go's crypto/tls, side by side in one run: the same certificates, the same
// groups and cipher suite, the same pipe or socket, one after the other in turns.
//
// What it reports is CPU time of the whole process, both ends and the garbage collector included, and allocations;
// of several rounds the best counts, so that a busy machine disturbs the ratios as little as may be. A ratio above 1
// says that ours needs less. No number here passes or fails anything: times depend on the machine. What is exact,
// allocations, is asserted by the tests of this package.
//
// It knows tlscore, tlsnet and crypto/tls as a program would use them, and nothing of their insides.
//
//	go run ./bench                     everything, as a table
//	go run ./bench -run 'bulk' -rounds 9
package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"time"
)

func main() {
	run := flag.String("run", "", "only scenarios whose name matches this regular expression")
	rounds := flag.Int("rounds", 5, "how often each side has its turn; the best one counts")
	each := flag.Duration("each", 300*time.Millisecond, "how long a turn takes, about")
	flag.Parse()
	if err := report(*run, *rounds, *each); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func report(run string, rounds int, each time.Duration) error {
	match, err := regexp.Compile(run)
	if err != nil {
		return err
	}
	fmt.Printf("%s %s/%s, %d processors; best of %d rounds of about %v\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), rounds, each)
	fmt.Println("| scenario | stack | CPU time | MB per CPU second | ratio to crypto/tls | allocations | bytes allocated |")
	fmt.Println("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
	all, err := scenarios()
	if err != nil {
		return err
	}
	for _, s := range all {
		if !match.MatchString(s.name) {
			continue
		}
		results, err := measure(s, rounds, each)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		for i, r := range results {
			fmt.Println(s.row(i, r, results[0]))
		}
	}
	if match.MatchString("idle") {
		if err := reportIdle(); err != nil {
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

// row renders one result; the first side of a scenario is what the others are compared with.
func (s scenario) row(i int, r, base result) string {
	rate, ratio := "", ""
	if s.bytes > 0 {
		rate = fmt.Sprintf("%.0f", float64(s.bytes)/1e6/r.cpu.Seconds())
	}
	if i > 0 {
		ratio = fmt.Sprintf("%.2f", base.cpu.Seconds()/r.cpu.Seconds())
	}
	return fmt.Sprintf("| %s | %s | %.1f µs | %s | %s | %.1f | %.0f |", s.name, s.sides[i].name, float64(r.cpu.Nanoseconds())/1e3, rate, ratio, r.allocs, r.allocated)
}
