package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// test is one thing that servers are made to do.
type test struct {
	name, means string
	http        bool // only for servers that parse HTTP
	// run does it about n times and returns how often it was.
	run func(h *hall, s *server, n int) (int, error)
	// n is how often to begin with.
	n int
}

func tests() []test {
	open := func(g tls.CurveID, use func(*tls.Conn) error) func(*hall, *server, int) (int, error) {
		config := clientConfig(g)
		return func(_ *hall, s *server, n int) (int, error) {
			return n, connect(s.open, n, func(int) *tls.Config { return config }, use)
		}
	}
	return []test{
		{name: "hs", means: "TCP, full handshake, close", n: 600, run: open(tls.X25519, shakeOnly)},
		{name: "get", means: "TCP, full handshake, one request, close", n: 600, run: open(tls.X25519, getOnce)},
		{name: "get-pq", means: "the same with X25519MLKEM768 offered, which OpenSSL 3.0 does not know", n: 500, run: getPQ},
		{name: "get-mtls", means: "the same with a client certificate of P-256, whose common name is checked", n: 500, run: getMutual},
		{name: "get-mtls-fresh", means: "the same with certificates that the server has not seen before", n: freshClient, run: getFresh},
		{name: "rps", means: "requests on 32 kept connections, HTTP/1.1 (wrk)", n: 2, run: runWrk},
		{name: "h2", means: "requests on 8 kept connections with 16 streams each, HTTP/2 (h2load)", http: true, n: 8000, run: runH2Load},
	}
}

func getPQ(_ *hall, s *server, n int) (int, error) {
	config := clientConfig(tls.X25519MLKEM768)
	config.CurvePreferences = []tls.CurveID{tls.X25519MLKEM768, tls.X25519}
	return n, connect(s.open, n, func(int) *tls.Config { return config }, getOnce)
}

func getMutual(h *hall, s *server, n int) (int, error) {
	config := clientConfig(tls.X25519)
	config.Certificates = []tls.Certificate{h.certs.client}
	return n, connect(s.mutual, n, func(int) *tls.Config { return config }, getOnce)
}

func getFresh(h *hall, s *server, _ int) (int, error) {
	configs := make([]*tls.Config, freshClient)
	for i := range configs {
		c, err := h.certs.newClient()
		if err != nil {
			return 0, err
		}
		configs[i] = clientConfig(tls.X25519)
		configs[i].Certificates = []tls.Certificate{c}
	}
	return freshClient, connect(s.mutual, freshClient, func(i int) *tls.Config { return configs[i] }, getOnce)
}

// runTool runs a load generator and finds in its output how many requests were answered.
func runTool(pattern *regexp.Regexp, args ...string) (int, error) {
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("%s: %w: %s", args[0], err, out)
	}
	found := pattern.FindSubmatch(out)
	if found == nil {
		return 0, fmt.Errorf("%s said: %s", args[0], out)
	}
	return strconv.Atoi(string(found[1]))
}

func runWrk(_ *hall, s *server, n int) (int, error) {
	return runTool(regexp.MustCompile(`(\d+) requests in`), "wrk", "-t1", "-c32", "-d"+strconv.Itoa(n)+"s", "https://"+s.open+"/")
}

func runH2Load(_ *hall, s *server, n int) (int, error) {
	return runTool(regexp.MustCompile(`status codes: (\d+) 2xx`), "h2load", "-n", strconv.Itoa(n), "-c", "8", "-m", "16", "https://"+s.open+"/")
}

// samples are what one server took for one test, in microseconds of CPU time for each operation, round by round.
type samples struct {
	server *server
	micros []float64
	failed error
}

// turn measures once.
func turn(h *hall, s *server, t test, n int) (micros float64, err error) {
	before, err := s.process.cpu()
	if err != nil {
		return 0, err
	}
	done, err := t.run(h, s, n)
	if err != nil {
		return 0, err
	}
	if done == 0 {
		return 0, errors.New("nothing was answered")
	}
	after, err := s.process.settled()
	return float64((after - before).Nanoseconds()) / 1e3 / float64(done), err
}

// settled is the CPU time once the server has finished what it had to do after the last answer.
func (p *process) settled() (time.Duration, error) {
	last, err := p.cpu()
	for range 50 {
		if err != nil {
			return 0, err
		}
		time.Sleep(20 * time.Millisecond)
		var now time.Duration
		if now, err = p.cpu(); now-last < 200*time.Microsecond {
			return now, err
		}
		last = now
	}
	return last, err
}

// measureAll is a whole run.
func measureAll(o *options) error {
	dir, err := os.MkdirTemp("", "tlswright-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	h := &hall{o: o}
	if h.certs, err = newCertificates(dir); err != nil {
		return err
	}
	if h.self, err = os.Executable(); err != nil {
		return err
	}
	target, err := h.startBackend()
	if err != nil {
		return err
	}
	defer target.stop()
	found, missing := servers(o)
	for _, s := range found {
		if err := h.run(s); err != nil {
			return err
		}
		defer s.process.stop()
	}
	reportHead(found, missing, o)
	for _, t := range tests() {
		if o.run.MatchString(t.name) {
			reportTest(t, measureTest(h, found, t))
		}
	}
	if o.run.MatchString("idle") {
		return reportIdle(h, found)
	}
	return nil
}

// measureTest gives every server its turns.
func measureTest(h *hall, found []*server, t test) []samples {
	var all []samples
	for _, s := range found {
		if t.http && !s.http {
			continue
		}
		all = append(all, samples{server: s})
	}
	n := int(math.Ceil(float64(t.n) * h.o.scale))
	for i := range all { // the first turn warms up, and is not counted
		_, all[i].failed = turn(h, all[i].server, t, n)
	}
	for round := range h.o.rounds {
		order := make([]int, len(all))
		for i := range order {
			order[i] = i
		}
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, i := range order {
			if all[i].failed != nil {
				continue
			}
			micros, err := turn(h, all[i].server, t, n)
			all[i].micros, all[i].failed = append(all[i].micros, micros), err
		}
	}
	return all
}

// median of at least one number.
func median(numbers []float64) float64 {
	sorted := slices.Sorted(slices.Values(numbers))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}

// ratio is the median of the ratios of two servers within each round.
func ratio(a, base samples) float64 {
	var ratios []float64
	for i := range min(len(a.micros), len(base.micros)) {
		ratios = append(ratios, a.micros[i]/base.micros[i])
	}
	if len(ratios) == 0 {
		return 0
	}
	return median(ratios)
}
