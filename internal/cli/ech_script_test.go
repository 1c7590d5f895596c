package cli

import (
	"net"
	"strings"

	"github.com/miekg/dns"
	"github.com/rogpeppe/go-internal/testscript"
)

// startZone is the command "zone NAME FILE" of the scripts: a DNS server that has the records of a file, a line each; $NAME
// is its address.
func startZone(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: zone NAME FILE")
	}
	records := make(map[string][]dns.RR)
	for line := range strings.Lines(ts.ReadFile(args[1])) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		rr, err := dns.NewRR(line)
		ts.Check(err)
		records[rr.Header().Name] = append(records[rr.Header().Name], rr)
	}
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	ts.Check(err)
	ready := make(chan struct{})
	s := &dns.Server{PacketConn: pc, NotifyStartedFunc: func() { close(ready) }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		for _, rr := range records[strings.ToLower(q.Question[0].Name)] {
			if rr.Header().Rrtype == q.Question[0].Qtype {
				m.Answer = append(m.Answer, rr)
			}
		}
		_ = w.WriteMsg(m)
	})}
	go func() { _ = s.ActivateAndServe() }()
	<-ready
	ts.Defer(func() { _ = s.Shutdown() })
	ts.Setenv(args[0], pc.LocalAddr().String())
}
