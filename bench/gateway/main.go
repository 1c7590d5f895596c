// Command gateway measures TLS terminators side by side in one run: ours, a minimal one on crypto/tls (the reference),
// nginx, HAProxy and Caddy, as far as they are installed.
//
// Each server is pinned to processor 0, with one worker; the backend, in a process of its own, and this program, which is
// the load, share processor 1. The figure is
// the CPU time of the server's process tree for each operation, from /proc, never the time that has passed. The servers
// take turns in every round, in alternating order; the median counts, and ratios are medians of the ratios within a round,
// so that a busy machine disturbs them as little as may be. No number here passes or fails anything.
//
// It knows the programs by their configuration files, and nothing of their insides.
//
//	go run ./bench/gateway -tlswright ./tlswright            everything, as tables
//	go run ./bench/gateway -run 'hs|mtls' -servers 'go-term|ours'
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
)

// options are the flags.
type options struct {
	run, servers *regexp.Regexp
	rounds       int
	scale        float64 // of how much a turn does
	idle         int     // connections
	tlswright    string  // the program
	caddy        string
	role         string // set in the processes that this program starts of itself
	backend      string // of roles
	listen       [2]string
	dir          string // with the certificates
}

func main() {
	var o options
	run := flag.String("run", ".", "only tests whose name matches this regular expression")
	servers := flag.String("servers", ".", "only servers whose name matches this regular expression")
	flag.IntVar(&o.rounds, "rounds", 7, "how often each server has its turn")
	flag.Float64Var(&o.scale, "scale", 1, "how much a turn does, in multiples of a quarter of a second, about")
	flag.IntVar(&o.idle, "idle", 1000, "how many idle connections to hold")
	flag.StringVar(&o.tlswright, "tlswright", "", "our program (go build ./cmd/tlswright)")
	flag.StringVar(&o.caddy, "caddy", "caddy", "the Caddy program")
	flag.StringVar(&o.role, "role", "", "internal: what to be instead (load, backend, go-term, tlsnet-term)")
	flag.StringVar(&o.dir, "dir", "", "internal: folder of a role's certificates")
	flag.StringVar(&o.backend, "backend", "", "internal: where a role's connections go")
	flag.StringVar(&o.listen[0], "listen", "", "internal: a role's address")
	flag.StringVar(&o.listen[1], "listen-mtls", "", "internal: a role's address that asks for certificates")
	flag.Parse()
	err := o.start(*run, *servers)
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// compile reads the two regular expressions.
func (o *options) compile(run, servers string) error {
	var err, err2 error
	o.run, err = regexp.Compile(run)
	o.servers, err2 = regexp.Compile(servers)
	return errors.Join(err, err2)
}

func (o *options) start(run, servers string) error {
	if err := o.compile(run, servers); err != nil {
		return err
	}
	switch o.role {
	case "backend":
		return serveBackend(o.listen[0])
	case "go-term":
		return serveGo(o)
	case "tlsnet-term":
		return serveOurs(o)
	case "load":
		return measureAll(o)
	}
	return pinnedSelf()
}

// pinnedSelf runs this program again on processor 1.
func pinnedSelf() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command("taskset", append([]string{"-c", loadProcessor, self, "-role", "load"}, os.Args[1:]...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}
