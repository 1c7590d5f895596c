//go:build linux

package cli

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const steadyFile = `
ca:
  listen: 127.0.0.1:CA
  http: 127.0.0.1:WEB
  allow-networks: [127.0.0.0/8]
  tls-alpn01-port: GATEPORT
  no-caa: true
  lifetime: 4m
gateway:
  allow-private: true
  listeners: ["127.0.0.1:GATE", "127.0.0.2:GATE"]
  sites:
    app: {hosts: [localhost, 127.0.0.1], target: welcome}
    proven: {hosts: [127.0.0.2], certificate: {acme: own}, target: welcome}
monitor: {dashboard: "127.0.0.1:DASH", every: 5s, allow-private: true}
`

// TestAcceptUp: for as long as TLSWRIGHT_UP_FOR says (1h shows what the milestone asks for) all parts run on certificates that
// live four minutes, and a client that comes twenty times a second, over kept connections and new ones, is never failed.
func TestAcceptUp(t *testing.T) {
	if os.Getenv("TLSWRIGHT_ACCEPT") != "1" {
		t.Skip("it takes minutes: make accept")
	}
	lasts := 3 * time.Minute
	if text := os.Getenv("TLSWRIGHT_UP_FOR"); text != "" {
		var err error
		if lasts, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	w := newWhole(t, steadyFile)
	w.write(strings.ReplaceAll(steadyFile, "GATEPORT", strconv.Itoa(w.ports[2])))
	w.start()
	proven := fmt.Sprintf("https://127.0.0.2:%d/", w.ports[2])
	w.pursue("to have a certificate by ACME", func() bool {
		status, _, err := w.get(proven)
		return err == nil && status == 200
	})
	s := &steady{w: w, pool: x509.NewCertPool(), serials: make(map[string]map[string]bool)}
	for _, r := range w.roots() {
		s.pool.AddCert(r)
	}
	began := time.Now()
	ends := began.Add(lasts)
	var clients sync.WaitGroup
	for name, address := range map[string]string{"site app": fmt.Sprintf("https://localhost:%d/", w.ports[2]), "site proven": proven} {
		clients.Go(func() { s.ask(name, address, ends, false) })
		clients.Go(func() { s.ask(name, address, ends, true) })
	}
	clients.Go(func() { s.ask("CA", fmt.Sprintf("https://localhost:%d/acme/directory", w.ports[0]), ends, false) })
	samples := s.sample(t, began, ends)
	clients.Wait()
	s.judge(t, lasts, samples)
	w.noTrouble(began)
	w.stop()
}

// pursue tries until something is so.
func (w *whole) pursue(what string, is func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatal("it did not come " + what)
		}
	}
}

// steady is a client that does not give up, and keeps count.
type steady struct {
	w    *whole
	pool *x509.CertPool

	mu       sync.Mutex
	asked    int
	failures []string
	serials  map[string]map[string]bool // by who shows the certificates
}

// ask asks five times a second.
func (s *steady) ask(name, address string, ends time.Time, isKept bool) {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.pool}, DisableKeepAlives: !isKept, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 20 * time.Second}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for now := range tick.C {
		if now.After(ends) {
			return
		}
		serial, err := fetchPage(client, address)
		s.mu.Lock()
		s.asked++
		if err != nil {
			s.failures = append(s.failures, fmt.Sprintf("%s %s (kept: %t): %v", now.Format(time.TimeOnly), name, isKept, err))
		} else {
			if s.serials[name] == nil {
				s.serials[name] = make(map[string]bool)
			}
			s.serials[name][serial] = true
		}
		s.mu.Unlock()
	}
}

func fetchPage(client *http.Client, address string) (serial string, err error) {
	r, err := client.Get(address)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return "", err
	}
	if r.StatusCode != http.StatusOK {
		return "", fmt.Errorf("status %d", r.StatusCode)
	}
	return r.TLS.PeerCertificates[0].SerialNumber.Text(16), nil
}

// reading is one line of the table.
type reading struct {
	at                                    time.Duration
	memory, files, threads, asked, failed int // memory in KB
	renewed                               string
}

// sample looks at the process, forty times in all or every fifteen seconds, whichever is less.
func (s *steady) sample(t *testing.T, began, ends time.Time) (all []reading) {
	every := max(ends.Sub(began)/40, 5*time.Second)
	tick := time.NewTicker(every)
	defer tick.Stop()
	t.Logf("%8s %10s %6s %8s %9s %7s  %s", "after", "RSS", "files", "threads", "requests", "failed", "certificates seen")
	for now := range tick.C {
		if now.After(ends) {
			return all
		}
		r := reading{at: now.Sub(began).Round(time.Second)}
		r.memory, r.threads = processStatus(t, s.w.cmd.Process.Pid)
		if list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.w.cmd.Process.Pid)); err == nil {
			r.files = len(list)
		}
		s.mu.Lock()
		r.asked, r.failed = s.asked, len(s.failures)
		for _, name := range []string{"site app", "site proven", "CA"} {
			r.renewed += fmt.Sprintf(" %s %d", name, len(s.serials[name]))
		}
		s.mu.Unlock()
		t.Logf("%8s %7.1f MB %6d %8d %9d %7d %s", r.at, float64(r.memory)/1024, r.files, r.threads, r.asked, r.failed, r.renewed)
		all = append(all, r)
	}
	return all
}

// processStatus reads the resident memory, in KB, and the number of threads.
func processStatus(t *testing.T, pid int) (memory, threads int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		if fields := strings.Fields(string(line)); len(fields) > 1 {
			n, _ := strconv.Atoi(fields[1])
			switch fields[0] {
			case "VmRSS:":
				memory = n
			case "Threads:":
				threads = n
			}
		}
	}
	return memory, threads
}

// judge compares what was seen with what the milestone asks for.
func (s *steady) judge(t *testing.T, lasts time.Duration, samples []reading) {
	for _, f := range s.failures[:min(len(s.failures), 20)] {
		t.Errorf("a request failed: %s", f)
	}
	if want := int(lasts.Seconds() * 20 * 9 / 10); s.asked < want {
		t.Errorf("%d requests, not %d: the client was not steady", s.asked, want)
	}
	// One certificate lives four minutes, and is replaced after two thirds of that: 22 times in an hour.
	want := max(1, int(10*lasts/time.Hour))
	for name, seen := range s.serials {
		if renewed := len(seen) - 1; renewed < want && lasts >= 3*time.Minute {
			t.Errorf("%s was renewed %d times, not %d", name, renewed, want)
		}
	}
	if len(samples) < 8 {
		t.Fatalf("%d samples are too few", len(samples))
	}
	quarter := len(samples) / 4
	memory := func(list []reading) int {
		var kb []int
		for _, r := range list {
			kb = append(kb, r.memory)
		}
		slices.Sort(kb)
		return kb[len(kb)/2]
	}
	second, last := memory(samples[quarter:2*quarter]), memory(samples[len(samples)-quarter:])
	t.Logf("memory: %d MB in the second quarter, %d MB in the last", second/1024, last/1024)
	if last > second+second/10+8<<10 {
		t.Errorf("memory grows: %d KB in the second quarter, %d KB in the last", second, last)
	}
	if a, b := samples[quarter].files, samples[len(samples)-1].files; b > a+20 {
		t.Errorf("open files grow: %d, then %d", a, b)
	}
}

// noTrouble demands that nothing was told that a person would have to look into.
func (w *whole) noTrouble(since time.Time) {
	w.t.Helper()
	states := make(map[string]string)
	for _, e := range w.said(func(wholeEvent) bool { return true }) {
		switch {
		case e.Event == "warning", e.Event == "trouble", e.Event == "incident", e.Event == "upstream", e.Event == "limited", e.Event == "not JSON":
			w.t.Errorf("it said: %+v", e)
		case e.Event == "state" && e.State != "OK" && states[e.Target] == "OK":
			w.t.Errorf("%s was all right, and then: %s %s", e.Target, e.State, e.Reason)
		}
		if e.Event == "state" {
			states[e.Target] = e.State
		}
	}
	for target, state := range states {
		if state != "OK" {
			w.t.Errorf("%s ended as %s", target, state)
		}
	}
	if len(states) < 5 {
		w.t.Errorf("only these were watched: %v", states)
	}
	w.t.Logf("%d events since %s, none of them trouble", len(w.events), since.Format(time.TimeOnly))
}
