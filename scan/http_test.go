package scan

import (
	"bytes"
	"errors"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/tlswright/tlswright/grade"
)

func TestHSTSIsReadAsBrowsersDo(t *testing.T) {
	for _, c := range []struct {
		value string
		want  hsts
		fails string
	}{
		{"max-age=31536000", hsts{31536000, false, false}, ""},
		{"max-age=31536000; includeSubDomains; preload", hsts{31536000, true, true}, ""},
		{`MAX-AGE="10";INCLUDESUBDOMAINS`, hsts{10, true, false}, ""},
		{" ; max-age = 10 ;; foo=bar; x=\"a;b\\\"c\" ;", hsts{10, false, false}, ""},
		{"max-age=0", hsts{0, false, false}, ""},
		{"max-age=99999999999999999999999", hsts{maxAgeLimit, false, false}, ""},
		{"", hsts{}, "missing"},
		{"includeSubDomains", hsts{}, "missing"},
		{"max-age", hsts{}, "no value"},
		{"max-age=", hsts{}, "token"},
		{"max-age=ten", hsts{}, "no number"},
		{"max-age=-1", hsts{}, "no number"},
		{"max-age=10.5", hsts{}, "no number"},
		{"max-age=10; max-age=20", hsts{}, "twice"},
		{"max-age=10, includeSubDomains", hsts{}, "neither a token"},
		{"max-age=10 includeSubDomains", hsts{}, "semicolons"},
		{`max-age="10`, hsts{}, "quotation"},
		{"max-age=10; includeSubDomains=yes", hsts{}, "has a value"},
		{"max-age=10; =x", hsts{}, "no name"},
		{"max-age=10; a b", hsts{}, "semicolons"},
	} {
		h, err := parseHSTS(c.value)
		switch {
		case c.fails == "" && (err != nil || h != c.want):
			t.Errorf("%q: %+v, %v", c.value, h, err)
		case c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)):
			t.Errorf("%q: %+v, %v", c.value, h, err)
		}
	}
}

func TestPreloadFitnessNamesWhatIsMissing(t *testing.T) {
	steps := []grade.Redirect{{URL: "http://example.com/", Status: 301, To: "https://example.com/"}}
	away := []grade.Redirect{{URL: "http://example.com/", Status: 301, To: "https://www.example.com/"}}
	good := grade.HSTS{Present: true, MaxAge: 63072000, SubDomains: true, Preload: true}
	for _, c := range []struct {
		host  string
		f     grade.HTTP
		want  grade.Answer
		unfit int
	}{
		{"example.com", grade.HTTP{HSTS: good, PlainHTTP: grade.Yes, RedirectsToHTTPS: grade.Yes, Redirects: steps}, grade.Yes, 0},
		{"example.com", grade.HTTP{HSTS: good, PlainHTTP: grade.No}, grade.Yes, 0},
		{"example.com", grade.HTTP{HSTS: good, PlainHTTP: grade.Unknown}, grade.Unknown, 0},
		{"example.com", grade.HTTP{HSTS: good, PlainHTTP: grade.Yes, RedirectsToHTTPS: grade.Yes, Redirects: away}, grade.No, 1},
		{"example.com", grade.HTTP{HSTS: good, PlainHTTP: grade.Yes, RedirectsToHTTPS: grade.No}, grade.No, 1},
		{"www.example.com", grade.HTTP{HSTS: good, PlainHTTP: grade.No}, grade.No, 1},
		{"192.0.2.1", grade.HTTP{HSTS: good, PlainHTTP: grade.No}, grade.No, 1},
		{"example.com", grade.HTTP{HSTS: grade.HSTS{Present: true, MaxAge: 300}, PlainHTTP: grade.No}, grade.No, 3},
		{"example.com", grade.HTTP{HSTS: grade.HSTS{Present: true, Invalid: "max-age is missing"}, PlainHTTP: grade.No}, grade.No, 1},
		{"example.com", grade.HTTP{PlainHTTP: grade.No}, grade.Unasked, 0},
	} {
		judgePreload(&c.f, c.host)
		if c.f.HSTS.Preloadble != c.want || len(c.f.HSTS.Unfit) != c.unfit {
			t.Errorf("%s %+v: %s, %q", c.host, c.f, c.f.HSTS.Preloadble, c.f.HSTS.Unfit)
		}
	}
}

func TestCookiesLoseTheirValues(t *testing.T) {
	for value, want := range map[string]grade.Cookie{
		"a=b":                          {Name: "a"},
		"a=b; Secure; HttpOnly":        {Name: "a", Secure: true, HTTPOnly: true},
		"a=b;secure;samesite=LAX":      {Name: "a", Secure: true, SameSite: "Lax"},
		" a = b ; SameSite = none ; x": {Name: "a", SameSite: "None"},
		"__host-x=1; path=/; Secure":   {Name: "__host-x", Secure: true, Prefix: "__Host-"},
		"__Secure-x=1":                 {Name: "__Secure-x", Prefix: "__Secure-"},
		"a=secure; samesite=odd":       {Name: "a", SameSite: "odd"},
	} {
		if c, ok := parseCookie(value); !ok || c != want {
			t.Errorf("%q: %+v, %v", value, c, ok)
		}
	}
	for _, value := range []string{"", "a", "=b", ";a=b", "a=" + strings.Repeat("x", 5000)} {
		if c, ok := parseCookie(value); ok {
			t.Errorf("%q: %+v", value, c)
		}
	}
	for value, want := range map[string]string{"id=secret; Secure": "id=…; Secure", "id=secret": "id=…", "secret": "…"} {
		if got := withoutValue(value); got != want {
			t.Errorf("%q: %q", value, got)
		}
	}
}

// talk is a connection whose server says what it was told to.
type talk struct {
	io.Reader
	sent bytes.Buffer
}

func (t *talk) Write(p []byte) (int, error) { return t.sent.Write(p) }

func TestAnswersAreReadWithinBounds(t *testing.T) {
	for _, c := range []struct {
		name, text string
		status     int
		fails      error
	}{
		{"plain", "HTTP/1.1 200 OK\r\nServer: x\r\n\r\nbody", 200, nil},
		{"bare line feeds", "HTTP/1.0 404 Not Found\nServer: x\n\n", 404, nil},
		{"no reason", "HTTP/1.1 204 \r\nserver:x\r\n\r\n", 204, nil},
		{"interim", "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nServer: x\r\n\r\n", 200, nil},
		{"folded", "HTTP/1.1 200 OK\r\nserver:\r\n  x\r\nbad line\r\nbad name : y\r\n\r\n", 200, nil},
		{"mail", "220 mail.test ESMTP\r\n", 0, errNotHTTP},
		{"cut", "HTTP/1.1 200 OK\r\nServer: x\r\n", 0, errNotHTTP},
		{"only interim", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 20), 0, errNotHTTP},
		{"bomb", "HTTP/1.1 200 OK\r\n" + strings.Repeat("x: "+strings.Repeat("y", 1000)+"\r\n", 100), 0, errHeadSize},
		{"long line", "HTTP/1.1 200 OK\r\nx: " + strings.Repeat("y", 1<<20), 0, errHeadSize},
		{"bad status", "HTTP/1.1 OK\r\n\r\n", 0, errNotHTTP},
		{"nothing", "", 0, io.EOF},
	} {
		for _, slow := range []bool{false, true} {
			rw := &talk{Reader: strings.NewReader(c.text)}
			if slow {
				rw.Reader = iotest.OneByteReader(rw.Reader)
			}
			a, err := getHTTP(rw, "host.test", "/")
			if !errors.Is(err, c.fails) || err == nil != (c.fails == nil) {
				t.Errorf("%s: %v", c.name, err)
			}
			if err != nil {
				continue
			}
			if v, _ := a.first("SERVER"); a.status != c.status || v != "x" && c.name != "no reason" {
				t.Errorf("%s: %+v", c.name, a)
			}
			if !strings.HasPrefix(rw.sent.String(), "GET / HTTP/1.1\r\nHost: host.test\r\n") || !strings.HasSuffix(rw.sent.String(), "\r\n\r\n") {
				t.Errorf("%s: asked %q", c.name, rw.sent.String())
			}
		}
	}
}

func TestFactsOfAnAnswer(t *testing.T) {
	a, err := parseHead([]byte("HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nSet-Cookie: sid=secret; HttpOnly\r\nSet-Cookie: b=c; Secure\r\nStrict-Transport-Security: max-age=1\r\n" +
		"strict-transport-security: max-age=2\r\nContent-Encoding: gzip\r\nAlt-Svc: h3=\":443\"\r\nX-Odd: a\x1bb\r\n" + strings.Repeat("a: b\r\n", 200) + "\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	var f grade.HTTP
	answerFacts(&f, a, &url.URL{Scheme: "https", Host: "a.test", Path: "/"})
	if f.Status != 200 || f.Server != "nginx/1.22.1" || f.HSTS.MaxAge != 1 || f.ContentEncoding != "gzip" || f.AltSvc == "" || len(f.Cookies) != 2 || len(f.Headers) != maxFields {
		t.Errorf("%+v", f)
	}
	for _, h := range f.Headers {
		if strings.Contains(h.Value, "secret") || strings.Contains(h.Value, "\x1b") {
			t.Errorf("%s: %q was kept", h.Name, h.Value)
		}
	}
}

func TestLocationsAreFollowedWithCare(t *testing.T) {
	base, err := url.Parse("http://example.com/a/b")
	if err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]string{
		"https://example.com/": "https://example.com/", "/c": "http://example.com/c", "//www.example.com": "http://www.example.com/", "c?d#e": "http://example.com/a/c?d",
		"HTTPS://Example.com": "https://Example.com/", "https://user:pw@example.com/": "https://example.com/",
		"": "", "mailto:x@example.com": "", "http://": "", "http://a b/": "", "https://" + strings.Repeat("a", 5000): "", ":": "",
	} {
		next, ok := location(&httpAnswer{status: 301, fields: []httpField{{"Location", value}}}, base)
		if ok != (want != "") || ok && next.String() != want {
			t.Errorf("%q: %v, %v", value, next, ok)
		}
	}
	if _, ok := location(&httpAnswer{status: 200, fields: []httpField{{"Location", "https://example.com/"}}}, base); ok {
		t.Error("a page redirects")
	}
	for pair, want := range map[string]bool{"a.test a.test": true, "example.com www.example.com": true, "a.co.uk b.co.uk": false, "example.com example.org": false, "192.0.2.1 192.0.2.2": false, "A.test a.TEST": true} {
		if a, b, _ := strings.Cut(pair, " "); sameFamily(a, b) != want {
			t.Errorf("%s: %v", pair, !want)
		}
	}
}

func TestSoftwareIsFoundInGreetings(t *testing.T) {
	for greeting, want := range map[string]string{
		"220 mail.test ESMTP Postfix (Debian/GNU)\r\n": "Postfix", "* OK [CAPABILITY IMAP4rev1] Dovecot (Debian) ready.\r\n": "Dovecot", "220 (vsFTPd 3.0.3)": "vsFTPd",
		"+OK hello\x1b there": `hello\x1b there`, "": "",
	} {
		if got := softwareIn(greeting); got != want {
			t.Errorf("%q: %q", greeting, got)
		}
	}
}

func FuzzHSTS(f *testing.F) {
	for _, s := range []string{"max-age=1; includeSubDomains; preload", `max-age="1"`, `a="\"";max-age=0`, ";;;", "max-age=1;max-age=2", "=", `"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h, err := parseHSTS(s)
		if err != nil {
			return
		}
		if h.maxAge < 0 || h.maxAge > maxAgeLimit {
			t.Errorf("max-age %d", h.maxAge)
		}
		if again, err := parseHSTS(s + ";"); err != nil || again != h {
			t.Errorf("with a semicolon behind: %+v, %v", again, err)
		}
	})
}

func FuzzCookie(f *testing.F) {
	for _, s := range []string{"a=b; Secure; HttpOnly; SameSite=Lax", "__Host-a=b", ";=", "a=b;;;", "a=\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, ok := parseCookie(s)
		if ok && c.Name == "" || !ok && c != (grade.Cookie{}) {
			t.Errorf("%q: %+v, %v", s, c, ok)
		}
		if again, ok := parseCookie(withoutValue(s)); ok && again.Secure != c.Secure && c.Name != "" {
			t.Errorf("%q: flags change without the value: %+v, %+v", s, c, again)
		}
	})
}

func FuzzHTTPHead(f *testing.F) {
	for _, s := range []string{"HTTP/1.1 200 OK\r\nA: b\r\n\r\n", "HTTP/1.1 100 C\n\nHTTP/1.1 301 M\nLocation: x\n\n", "HTTP/", "\r\n\r\n", "HTTP/1.1 200 OK\r\n folded\r\n\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		whole, wholeErr := getHTTP(&talk{Reader: bytes.NewReader(b)}, "h", "/")
		pieces, piecesErr := getHTTP(&talk{Reader: iotest.OneByteReader(bytes.NewReader(b))}, "h", "/")
		if (wholeErr == nil) != (piecesErr == nil) {
			t.Fatalf("whole: %v, in pieces: %v", wholeErr, piecesErr)
		}
		if wholeErr == nil && (whole.status != pieces.status || !slices.Equal(whole.fields, pieces.fields)) {
			t.Fatalf("whole: %+v, in pieces: %+v", whole, pieces)
		}
		if wholeErr == nil {
			var f grade.HTTP
			answerFacts(&f, whole, &url.URL{Scheme: "https", Host: "a.test", Path: "/"})
		}
	})
}
