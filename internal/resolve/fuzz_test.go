package resolve

import (
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// A text comes back as it was put into a record, whatever its bytes.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "v=STSv1; id=1;", `a"b\c`, "\x00\x7f\xff", `\065`, strings.Repeat("x", 600)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4000 {
			return
		}
		// On the wire a text is strings of 255 bytes at most, each with its length in front.
		var data []byte
		for rest := text; rest != "" || len(data) == 0; {
			n := min(len(rest), 255)
			data = append(append(data, byte(n)), rest[:n]...)
			rest = rest[n:]
		}
		header := dns.RR_Header{Name: "a.test.", Rrtype: dns.TypeTXT, Class: dns.ClassINET, Rdlength: uint16(len(data))}
		rr, _, err := dns.UnpackRRWithHeader(header, data, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := unescape(strings.Join(rr.(*dns.TXT).Txt, "")); got != text {
			t.Errorf("%q, want %q", got, text)
		}
	})
}

func FuzzNames(f *testing.F) {
	for _, s := range []string{"example.test", ".", "*.a.test", "127.0.0.1:53", "[::1]:53", "::1", strings.Repeat("a.", 200), "a\\.b", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if name, err := canonical(s); err == nil {
			again, err := canonical(name)
			if err != nil || again != name {
				t.Errorf("%q: %q, then %q, %v", s, name, again, err)
			}
			if _, err := new(dns.Msg).SetQuestion(name, dns.TypeA).Pack(); err != nil {
				t.Errorf("%q cannot be asked: %v", s, err)
			}
		}
		if a, err := serverAddress(s); err == nil {
			if again, err := serverAddress(a); err != nil || again != a {
				t.Errorf("%q: %q, then %q, %v", s, a, again, err)
			}
		}
	})
}
