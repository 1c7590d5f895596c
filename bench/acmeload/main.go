// Command acmeload puts ACME servers under load: whole flows from newOrder to the certificate, by http-01, as many at a
// time as it is told, with one account or one for each worker. It brings what the servers need for that: a web server that
// has every proof, and a DNS server that sends every name to loopback. Several servers take turns in one run, so that
// whatever else the machine does falls on all of them; what counts is the median of the rounds, and the CPU time that the
// server itself took for a flow, read from the system.
//
// It speaks to any server by its directory. It knows ACME as a client does and nothing of our server; its own costs are
// told beside the servers', because they share the machine. With -ocsp it asks an OCSP responder instead, and with
// -pending it only places orders.
//
//	go run ./bench/acmeload -server ours,https://127.0.0.1:9443/acme/directory,root.pem,PID -c 1,16 -n 200 -rounds 5
//	go run ./bench/acmeload -ocsp http://127.0.0.1:9080/ocsp/intermediate -issuer issuer.pem -serial 0a1b2c -c 8
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// ownGC lets our own garbage pile up: what is spent on it is taken from the server.
const ownGC = 400

// settings are what the command line says.
type settings struct {
	servers       []*server
	http, dns     string
	flows, rounds int
	workers       []int
	pending       int
	one, each     bool
	ocsp, issuer  string
	serial        string
	nonce         bool
	process       int
	duration      time.Duration
}

// server is one that takes its turn.
type server struct {
	name, directory, ca string
	process             int // 0: its CPU time is not known
}

func main() {
	var s settings
	var workers, accounts string
	flag.Func("server", "`NAME,DIRECTORY,ROOTS[,PID]`: an ACME server, the PEM file with the roots to trust it by, and its process; may be repeated", func(text string) error {
		parts := strings.Split(text, ",")
		if len(parts) != 3 && len(parts) != 4 {
			return errors.New("want NAME,DIRECTORY,ROOTS or NAME,DIRECTORY,ROOTS,PID")
		}
		one := &server{name: parts[0], directory: parts[1], ca: parts[2]}
		if len(parts) == 4 {
			var err error
			if one.process, err = strconv.Atoi(parts[3]); err != nil {
				return err
			}
		}
		s.servers = append(s.servers, one)
		return nil
	})
	flag.StringVar(&s.http, "http", "127.0.0.1:5002", "where the servers look for proofs by http-01")
	flag.StringVar(&s.dns, "dns", "127.0.0.1:5353", "where the servers ask for names")
	flag.IntVar(&s.flows, "n", 200, "how many flows in one turn")
	flag.IntVar(&s.rounds, "rounds", 1, "how many turns each server gets")
	flag.StringVar(&workers, "c", "1,16", "how many at a time")
	flag.StringVar(&accounts, "accounts", "each", "each: an account for each worker; one: one for all; both")
	flag.IntVar(&s.pending, "pending", 0, "only place so many orders, and tell how long the first and the last hundred took")
	flag.StringVar(&s.ocsp, "ocsp", "", "`URL` of an OCSP responder to ask instead")
	flag.StringVar(&s.issuer, "issuer", "", "PEM file with the certificate of the issuer that -ocsp is asked about")
	flag.StringVar(&s.serial, "serial", "", "serial number that -ocsp is asked about, hexadecimal")
	flag.BoolVar(&s.nonce, "nonce", false, "ask -ocsp with nonces, so that every answer is signed anew")
	flag.IntVar(&s.process, "pid", 0, "process of the responder")
	flag.DurationVar(&s.duration, "t", 3*time.Second, "how long a turn with -ocsp takes")
	flag.Parse()
	if err := s.read(workers, accounts); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(2)
	}
	debug.SetGCPercent(ownGC)
	if err := run(context.Background(), &s); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// read takes the flags that are more than a value.
func (s *settings) read(workers, accounts string) error {
	for _, text := range strings.Split(workers, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return fmt.Errorf("-c %q is no number of workers", text)
		}
		s.workers = append(s.workers, n)
	}
	s.one, s.each = accounts == "one" || accounts == "both", accounts == "each" || accounts == "both"
	switch {
	case !s.one && !s.each:
		return fmt.Errorf("-accounts %q: each, one or both", accounts)
	case s.ocsp == "" && len(s.servers) == 0:
		return errors.New("-server or -ocsp is needed")
	}
	return nil
}

func run(ctx context.Context, s *settings) error {
	if s.ocsp != "" {
		return askOCSP(s)
	}
	p, err := openProofs(s.http, s.dns)
	if err != nil {
		return err
	}
	defer p.close()
	if s.pending > 0 {
		for _, at := range s.servers {
			if err := place(ctx, at, p, s.pending); err != nil {
				return fmt.Errorf("%s: %w", at.name, err)
			}
		}
		return nil
	}
	return takeTurns(ctx, s, p)
}
