package resolve_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/tlswright/tlswright/internal/resolve"
)

// zone answers from records in the form of zone files, as a recursive resolver that has looked everything up.
type zone struct {
	records map[string][]dns.RR                         // by lower-case owner name
	vouches bool                                        // sets AD
	lazy    bool                                        // gives aliases alone, without what they lead to
	first   func(w dns.ResponseWriter, q *dns.Msg) bool // may answer instead
}

func newZone(t *testing.T, lines ...string) *zone {
	t.Helper()
	z := &zone{records: make(map[string][]dns.RR)}
	for _, l := range lines {
		rr, err := dns.NewRR(l)
		if err != nil {
			t.Fatalf("%s: %v", l, err)
		}
		name := strings.ToLower(rr.Header().Name)
		z.records[name] = append(z.records[name], rr)
	}
	return z
}

func (z *zone) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	if z.first != nil && z.first(w, q) {
		return
	}
	m := new(dns.Msg).SetReply(q)
	m.RecursionAvailable, m.AuthenticatedData = true, z.vouches
	name, kind := strings.ToLower(q.Question[0].Name), q.Question[0].Qtype
	known := false
	for range 20 {
		list, ok := z.records[name]
		known = ok
		next := ""
		for _, rr := range list {
			switch c := rr.(type) {
			case *dns.CNAME:
				m.Answer = append(m.Answer, rr)
				next = strings.ToLower(c.Target)
			default:
				if rr.Header().Rrtype == kind {
					m.Answer = append(m.Answer, rr)
				}
			}
		}
		if next == "" || z.lazy {
			break
		}
		name = next
	}
	if !known {
		m.Rcode = dns.RcodeNameError
	}
	size := dns.MinMsgSize
	if o := q.IsEdns0(); o != nil {
		size = int(o.UDPSize())
		m.SetEdns0(4096, o.Do())
	}
	if _, udp := w.RemoteAddr().(*net.UDPAddr); udp {
		m.Truncate(size)
	}
	_ = w.WriteMsg(m)
}

// start serves a handler by UDP and TCP on one free port of loopback.
func start(t *testing.T, h dns.Handler) string {
	t.Helper()
	var packets net.PacketConn
	var listener net.Listener
	for range 20 {
		var err error
		if packets, err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		if listener, err = net.Listen("tcp", packets.LocalAddr().String()); err == nil {
			break
		}
		_ = packets.Close()
		packets = nil
	}
	if packets == nil {
		t.Fatal("no port is free for both UDP and TCP")
	}
	var up sync.WaitGroup
	up.Add(2)
	for _, s := range []*dns.Server{{PacketConn: packets, Handler: h, NotifyStartedFunc: up.Done}, {Listener: listener, Handler: h, NotifyStartedFunc: up.Done}} {
		go func() { _ = s.ActivateAndServe() }()
		t.Cleanup(func() { _ = s.Shutdown() })
	}
	up.Wait()
	return packets.LocalAddr().String()
}

func ask(t *testing.T, z *zone) *resolve.Resolver {
	t.Helper()
	return resolve.New(resolve.Options{Server: start(t, z), Timeout: 20 * time.Second})
}

func TestTheNearestCAARecordsCount(t *testing.T) {
	z := newZone(t,
		`example.test. 60 IN CAA 0 issue "ca.test"`,
		`example.test. 60 IN CAA 128 ISSUEWILD ";"`,
		`own.example.test. 60 IN CAA 0 issue "other.test; account=7"`,
		`a.own.example.test. 60 IN A 192.0.2.1`,
		`www.example.test. 60 IN A 192.0.2.1`,
		`alias.example.test. 60 IN CNAME far.away.test.`,
		`far.away.test. 60 IN CAA 0 issue "far.test"`,
		`bare.test. 60 IN A 192.0.2.1`)
	r := ask(t, z)
	for _, c := range []struct{ name, at, value string }{
		{"www.example.test", "example.test", "ca.test"},
		{"*.example.test", "example.test", "ca.test"},
		{"example.test.", "example.test", "ca.test"},
		{"a.own.example.test", "own.example.test", "other.test; account=7"},
		{"alias.example.test", "alias.example.test", "far.test"},
		{"x.y.z.nowhere.example.test", "example.test", "ca.test"},
		{"bare.test", "", ""},
	} {
		records, at, err := r.CAA(t.Context(), c.name)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		value := ""
		if len(records) > 0 {
			value = records[0].Value
		}
		if at != c.at || value != c.value {
			t.Errorf("%s: %q at %q, want %q at %q", c.name, value, at, c.value, c.at)
		}
	}
	records, _, err := r.CAA(t.Context(), "example.test")
	if err != nil || len(records) != 2 || !records[1].Critical || records[1].Tag != "issuewild" || records[1].Value != ";" {
		t.Errorf("records %+v, %v", records, err)
	}
}

func TestFailureIsNotAbsence(t *testing.T) {
	z := newZone(t, `example.test. 60 IN CAA 0 issue "ca.test"`)
	z.first = func(w dns.ResponseWriter, q *dns.Msg) bool {
		if strings.HasPrefix(q.Question[0].Name, "broken.") {
			_ = w.WriteMsg(new(dns.Msg).SetRcode(q, dns.RcodeServerFailure))
			return true
		}
		return false
	}
	_, _, err := ask(t, z).CAA(t.Context(), "broken.example.test")
	var e *resolve.Error
	if !errors.As(err, &e) || e.Rcode != "SERVFAIL" || e.Type != "CAA" {
		t.Fatalf("error %v", err)
	}
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	r := resolve.New(resolve.Options{Server: silent.LocalAddr().String(), Timeout: 50 * time.Millisecond})
	if _, err := r.TXT(t.Context(), "example.test"); err == nil || !strings.Contains(err.Error(), "in time") {
		t.Errorf("of a silent server: %v", err)
	}
	if n := questionsAt(t, silent); n != 2 {
		t.Errorf("a silent server was asked %d times", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.TXT(ctx, "example.test"); !errors.Is(err, context.Canceled) {
		t.Errorf("after giving up: %v", err)
	}
}

// questionsAt counts what lies in the queue of a socket that nobody has read, up to a mark that is sent behind it.
func questionsAt(t *testing.T, pc net.PacketConn) int {
	t.Helper()
	c, err := net.Dial("udp", pc.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	const mark = "mark"
	if _, err := c.Write([]byte(mark)); err != nil {
		t.Fatal(err)
	}
	if err := pc.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4096)
	for count := 0; ; count++ {
		n, _, err := pc.ReadFrom(b)
		if err != nil {
			t.Fatal(err)
		}
		if string(b[:n]) == mark {
			return count
		}
	}
}

func TestTLSARecordsTellWhetherTheyAreAuthentic(t *testing.T) {
	for _, vouches := range []bool{false, true} {
		z := newZone(t, `_443._tcp.www.example.test. 60 IN TLSA 3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff`,
			`_25._tcp.mail.example.test. 60 IN CNAME dane.example.test.`, `dane.example.test. 60 IN TLSA 2 0 2 ABCD`)
		z.vouches = vouches
		r := ask(t, z)
		records, authentic, err := r.TLSA(t.Context(), 443, "tcp", "www.example.test")
		if err != nil || len(records) != 1 || authentic != vouches {
			t.Fatalf("records %v, authentic %v, %v", records, authentic, err)
		}
		if got := records[0].String(); got != "3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff" {
			t.Errorf("record %s", got)
		}
		if records, _, err := r.TLSA(t.Context(), 25, "tcp", "mail.example.test"); err != nil || len(records) != 1 || records[0].Usage != 2 {
			t.Errorf("through an alias: %v, %v", records, err)
		}
		if records, authentic, err := r.TLSA(t.Context(), 8443, "tcp", "www.example.test"); err != nil || len(records) != 0 || authentic != vouches {
			t.Errorf("where there are none: %v, %v, %v", records, authentic, err)
		}
	}
}

func TestHTTPSRecordsAreReadAndAliasesFollowed(t *testing.T) {
	z := newZone(t, `www.example.test. 60 IN HTTPS 2 backup.example.test. alpn=h2 port=8443`,
		`www.example.test. 60 IN HTTPS 1 . alpn=h3,h2 ech=AEX+DQ== ipv4hint=192.0.2.1 no-default-alpn`,
		`example.test. 60 IN HTTPS 0 www.example.test.`,
		`_8443._https.example.test. 60 IN HTTPS 1 . alpn=h2`,
		`round.test. 60 IN HTTPS 0 again.test.`, `again.test. 60 IN HTTPS 0 round.test.`)
	r := ask(t, z)
	for _, name := range []string{"www.example.test", "example.test"} {
		s, _, err := r.HTTPS(t.Context(), name, 443)
		if err != nil || len(s) != 2 {
			t.Fatalf("%s: %+v, %v", name, s, err)
		}
		if s[0].Target != "www.example.test" || !slices.Equal(s[0].ALPN, []string{"h3", "h2"}) || len(s[0].ECH) == 0 || !s[0].NoALPN || len(s[0].Hints) != 1 {
			t.Errorf("%s: first %+v", name, s[0])
		}
		if s[1].Target != "backup.example.test" || s[1].Port != 8443 || s[1].ECH != nil {
			t.Errorf("%s: second %+v", name, s[1])
		}
	}
	if s, _, err := r.HTTPS(t.Context(), "example.test", 8443); err != nil || len(s) != 1 {
		t.Errorf("of another port: %+v, %v", s, err)
	}
	if _, _, err := r.HTTPS(t.Context(), "round.test", 443); err == nil {
		t.Error("a circle of aliases has an end")
	}
}

func TestAddressesTextsAndExchangers(t *testing.T) {
	z := newZone(t, `www.example.test. 60 IN AAAA 2001:db8::1`, `www.example.test. 60 IN A 192.0.2.1`, `www.example.test. 60 IN A 192.0.2.1`,
		`t.example.test. 60 IN TXT "v=STSv1; " "id=1\"\\ \007x"`, `example.test. 60 IN MX 20 b.example.test.`, `example.test. 60 IN MX 10 A.example.test.`, `null.test. 60 IN MX 0 .`)
	r := ask(t, z)
	a, err := r.Addresses(t.Context(), "www.example.test")
	if err != nil || !slices.Equal(a, []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}) {
		t.Errorf("addresses %v, %v", a, err)
	}
	if a, err := r.Addresses(t.Context(), "::ffff:192.0.2.7"); err != nil || len(a) != 1 || a[0].String() != "192.0.2.7" {
		t.Errorf("of an address %v, %v", a, err)
	}
	if _, err := r.Addresses(t.Context(), "example.test"); err == nil {
		t.Error("a name without addresses has some")
	}
	texts, err := r.TXT(t.Context(), "t.example.test")
	if err != nil || !slices.Equal(texts, []string{"v=STSv1; id=1\"\\ \x07x"}) {
		t.Errorf("texts %q, %v", texts, err)
	}
	mx, err := r.MX(t.Context(), "example.test")
	if err != nil || !slices.Equal(mx, []resolve.MX{{10, "a.example.test"}, {20, "b.example.test"}}) {
		t.Errorf("exchangers %v, %v", mx, err)
	}
	if mx, err := r.MX(t.Context(), "null.test"); err != nil || len(mx) != 1 || mx[0].Host != "" {
		t.Errorf("null MX %v, %v", mx, err)
	}
	if a, err := r.Addresses(t.Context(), "LOCALHOST."); err != nil || len(a) != 2 || !a[0].IsLoopback() {
		t.Errorf("of this machine: %v, %v", a, err)
	}
	if a, err := resolve.New(resolve.Options{}).Addresses(t.Context(), "localhost"); err != nil || !a[0].IsLoopback() {
		t.Errorf("of the system: %v, %v", a, err)
	}
}

func TestAliasesAreFollowedWithinBounds(t *testing.T) {
	lines := []string{`l0.test. 60 IN CNAME l1.test.`, `l1.test. 60 IN CNAME l0.test.`, `s.test. 60 IN CNAME e.test.`, `e.test. 60 IN TXT "found"`, `d.test. 60 IN CNAME nowhere.test.`}
	for i := range 12 {
		lines = append(lines, "c"+string(rune('a'+i))+".test. 60 IN CNAME c"+string(rune('a'+i+1))+".test.")
	}
	for _, lazy := range []bool{false, true} {
		z := newZone(t, lines...)
		z.lazy = lazy
		r := ask(t, z)
		for _, name := range []string{"l0.test", "ca.test"} {
			if _, err := r.TXT(t.Context(), name); err == nil || !strings.Contains(err.Error(), "aliases") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if texts, err := r.TXT(t.Context(), "S.test"); err != nil || len(texts) != 1 {
			t.Errorf("one alias: %v, %v", texts, err)
		}
		if texts, err := r.TXT(t.Context(), "d.test"); err != nil || len(texts) != 0 {
			t.Errorf("an alias into nothing: %v, %v", texts, err)
		}
	}
}

func TestLongAnswersComeByTCPAndOldServersAreAskedPlainly(t *testing.T) {
	var lines []string
	for i := range 60 {
		lines = append(lines, `long.test. 60 IN TXT "`+strings.Repeat(string(rune('a'+i%26)), 100)+`"`)
	}
	z := newZone(t, lines...)
	r := ask(t, z)
	if texts, err := r.TXT(t.Context(), "long.test"); err != nil || len(texts) != 60 {
		t.Errorf("%d texts, %v", len(texts), err)
	}
	old := newZone(t, `x.test. 60 IN TXT "old"`)
	old.first = func(w dns.ResponseWriter, q *dns.Msg) bool {
		if q.IsEdns0() == nil {
			return false
		}
		_ = w.WriteMsg(new(dns.Msg).SetRcodeFormatError(q))
		return true
	}
	if texts, err := ask(t, old).TXT(t.Context(), "x.test"); err != nil || len(texts) != 1 {
		t.Errorf("of a server without EDNS: %v, %v", texts, err)
	}
	tcp := resolve.New(resolve.Options{Server: start(t, z), Net: "tcp"})
	if texts, err := tcp.TXT(t.Context(), "long.test"); err != nil || len(texts) != 60 {
		t.Errorf("by TCP alone: %d texts, %v", len(texts), err)
	}
}

func TestAnswersToOtherQuestionsAreRefused(t *testing.T) {
	z := newZone(t)
	z.first = func(w dns.ResponseWriter, q *dns.Msg) bool {
		m := new(dns.Msg).SetReply(q)
		m.Question[0].Name = "other.test."
		rr, _ := dns.NewRR(`other.test. 60 IN TXT "x"`)
		m.Answer = []dns.RR{rr}
		_ = w.WriteMsg(m)
		return true
	}
	if _, err := ask(t, z).TXT(t.Context(), "example.test"); err == nil || !strings.Contains(err.Error(), "another question") {
		t.Errorf("error %v", err)
	}
	// Records of other names in a right answer do not count either.
	other := newZone(t)
	other.first = func(w dns.ResponseWriter, q *dns.Msg) bool {
		m := new(dns.Msg).SetReply(q)
		rr, _ := dns.NewRR(`other.test. 60 IN TXT "x"`)
		m.Answer = []dns.RR{rr}
		_ = w.WriteMsg(m)
		return true
	}
	if texts, err := ask(t, other).TXT(t.Context(), "example.test"); err != nil || len(texts) != 0 {
		t.Errorf("texts %v, %v", texts, err)
	}
}

func TestBadNamesAndServersAreTold(t *testing.T) {
	r := resolve.New(resolve.Options{Server: "127.0.0.1:1"})
	for _, name := range []string{"", ".", "a b.test", strings.Repeat("a", 64) + ".test", strings.Repeat("a.", 130), "a\x00.test", `a\.b`} {
		if _, err := r.TXT(t.Context(), name); err == nil || !strings.Contains(err.Error(), "no name") {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, server := range []string{"nonsense", "127.0.0.1:x", "127.0.0.1:0", "[::1"} {
		if _, err := resolve.New(resolve.Options{Server: server}).TXT(t.Context(), "example.test"); err == nil || !strings.Contains(err.Error(), "no address of a DNS server") {
			t.Errorf("%q: %v", server, err)
		}
	}
}
