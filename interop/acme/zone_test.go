package acme

import (
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// zone is a DNS server that sends every name to loopback, and takes updates of texts (RFC 2136).
type zone struct {
	address string

	mu  sync.Mutex
	txt map[string][]string
}

func newZone(t *testing.T) *zone {
	t.Helper()
	z := &zone{txt: make(map[string][]string)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	pc, err := net.ListenPacket("udp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	z.address = l.Addr().String()
	for _, s := range []*dns.Server{{Listener: l, Handler: z}, {PacketConn: pc, Handler: z}} {
		s.MsgAcceptFunc = func(dns.Header) dns.MsgAcceptAction { return dns.MsgAccept } // updates, too
		ready := make(chan struct{})
		s.NotifyStartedFunc = func() { close(ready) }
		go func() { _ = s.ActivateAndServe() }()
		<-ready
		t.Cleanup(func() { _ = s.Shutdown() })
	}
	return z
}

func portOf(t *testing.T, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// ServeDNS answers.
func (z *zone) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg)
	m.SetReply(q)
	z.mu.Lock()
	defer z.mu.Unlock()
	if q.Opcode == dns.OpcodeUpdate {
		for _, rr := range q.Ns {
			if txt, ok := rr.(*dns.TXT); ok {
				name := strings.ToLower(txt.Hdr.Name)
				if txt.Hdr.Class == dns.ClassINET {
					z.txt[name] = append(z.txt[name], txt.Txt...)
				} else {
					z.txt[name] = slices.DeleteFunc(z.txt[name], func(s string) bool { return slices.Contains(txt.Txt, s) })
				}
			}
		}
		_ = w.WriteMsg(m)
		return
	}
	name := q.Question[0].Name
	head := dns.RR_Header{Name: name, Rrtype: q.Question[0].Qtype, Class: dns.ClassINET}
	switch q.Question[0].Qtype {
	case dns.TypeA:
		m.Answer = append(m.Answer, &dns.A{Hdr: head, A: net.IPv4(127, 0, 0, 1)})
	case dns.TypeTXT:
		for _, text := range z.txt[strings.ToLower(name)] {
			m.Answer = append(m.Answer, &dns.TXT{Hdr: head, Txt: []string{text}})
		}
	}
	_ = w.WriteMsg(m)
}
