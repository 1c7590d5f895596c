// Command acmeload puts an ACME server under load: whole flows from newOrder to the certificate, by http-01, as many at a
// time as it is told, with one account or one for each worker. It brings what the server needs for that: a web server that
// has every proof, and a DNS server that sends every name to loopback.
//
// It speaks to any server, so that ours can be measured beside others in the same way. It knows ACME as a client does and
// nothing of our server; its own costs, about a millisecond of CPU for each flow, are part of every figure.
//
//	go run ./bench/acmeload -dir https://127.0.0.1:9443/acme/directory -ca root.pem -n 200 -c 16
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

type settings struct {
	directory, ca, http, dns string
	flows, workers, pending  int
	perWorker                bool
}

func main() {
	var s settings
	flag.StringVar(&s.directory, "dir", "https://127.0.0.1:9443/acme/directory", "the ACME directory")
	flag.StringVar(&s.ca, "ca", "", "PEM file with the roots that the server's certificate is trusted by")
	flag.StringVar(&s.http, "http", "127.0.0.1:5002", "where the server looks for proofs by http-01")
	flag.StringVar(&s.dns, "dns", "127.0.0.1:5353", "where the server asks for names")
	flag.IntVar(&s.flows, "n", 200, "how many flows")
	flag.IntVar(&s.workers, "c", 16, "how many at a time")
	flag.BoolVar(&s.perWorker, "peracct", false, "an account for each worker, instead of one for all")
	flag.IntVar(&s.pending, "pending", 0, "only place so many orders, and tell how long the first and the last hundred took")
	flag.Parse()
	if err := run(context.Background(), s); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) error {
	pool := x509.NewCertPool()
	text, err := os.ReadFile(s.ca)
	if err != nil {
		return err
	}
	pool.AppendCertsFromPEM(text)
	web := &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: s.workers + 1, TLSClientConfig: &tls.Config{RootCAs: pool}}}
	proofs := &proofs{}
	l, err := net.Listen("tcp", s.http)
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	go func() { _ = http.Serve(l, proofs) }()
	pc, err := net.ListenPacket("udp", s.dns)
	if err != nil {
		return err
	}
	names := &dns.Server{PacketConn: pc, Handler: dns.HandlerFunc(everythingIsHere)}
	go func() { _ = names.ActivateAndServe() }()
	defer func() { _ = names.Shutdown() }()
	shared, err := newClient(ctx, web, s.directory, proofs)
	if err != nil {
		return err
	}
	if s.pending > 0 {
		return shared.place(ctx, s.pending)
	}
	clients := make([]*client, s.workers)
	for i := range clients {
		clients[i] = shared
		if s.perWorker {
			if clients[i], err = newClient(ctx, web, s.directory, proofs); err != nil {
				return err
			}
		}
	}
	return load(ctx, s, clients)
}

// load runs the flows and reports.
func load(ctx context.Context, s settings, clients []*client) error {
	var next, failed atomic.Int64
	var mu sync.Mutex
	var took []time.Duration
	var firstErr error
	start := time.Now()
	var wg sync.WaitGroup
	for _, c := range clients {
		wg.Go(func() {
			for n := next.Add(1); n <= int64(s.flows); n = next.Add(1) {
				begin := time.Now()
				err := c.flow(ctx, fmt.Sprintf("n%d-%d.load.test", n, start.UnixNano()%1e9))
				mu.Lock()
				took = append(took, time.Since(begin))
				if err != nil {
					failed.Add(1)
					firstErr = errors.Join(firstErr, err)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	all := time.Since(start)
	slices.Sort(took)
	fmt.Printf("%d flows, %d at a time: %.0f/s, p50 %v, p95 %v, %d failed\n", s.flows, s.workers, float64(s.flows)/all.Seconds(),
		took[len(took)/2].Round(100*time.Microsecond), took[len(took)*95/100].Round(100*time.Microsecond), failed.Load())
	if firstErr != nil {
		text := firstErr.Error()
		return errors.New(text[:min(len(text), 400)])
	}
	return nil
}

// proofs answers http-01 for every token with the key authorization that was left for it.
type proofs struct{ byToken sync.Map }

func (p *proofs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v, ok := p.byToken.Load(r.URL.Path)
	if !ok {
		http.NotFound(w, r)
		return
	}
	_, _ = fmt.Fprint(w, v)
}

// everythingIsHere answers every question for an address with loopback, and all others with nothing.
func everythingIsHere(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg)
	m.SetReply(q)
	if q.Question[0].Qtype == dns.TypeA {
		m.Answer = append(m.Answer, &dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: net.IPv4(127, 0, 0, 1)})
	}
	_ = w.WriteMsg(m)
}
