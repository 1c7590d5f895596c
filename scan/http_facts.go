package scan

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/starttls"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/wire"
)

// speaksHTTP reports whether HTTP is to be expected: TLS comes at once, and the port is not known for something else.
func (h *host) speaksHTTP() bool {
	if h.target.StartTLS != "" {
		return false
	}
	_, other := starttls.ByTLSPort(strconv.Itoa(h.target.Port))
	return !other
}

// probeHTTP asks for the front page with and without TLS.
func probeHTTP(ctx context.Context, h *host) {
	var plain *grade.HTTP
	var wg sync.WaitGroup
	// Port 80 belongs to the site on port 443; beside another port it may be anybody's, unless one was named.
	if !h.o.Offline && (h.target.Port == 443 || h.o.HTTPPort != defaultHTTPPort) {
		wg.Go(func() { plain = h.plainHTTP(ctx) })
	}
	f := h.frontPage(ctx)
	wg.Wait()
	if f == nil && plain == nil {
		return
	}
	if f == nil {
		f = &grade.HTTP{Problem: "no handshake could be finished"}
	}
	if plain != nil {
		f.Redirects, f.PlainHTTP, f.RedirectsToHTTPS, f.Permanent = plain.Redirects, plain.PlainHTTP, plain.RedirectsToHTTPS, plain.Permanent
	}
	judgePreload(f, strings.ToLower(h.siteName()))
	h.record(func(facts *grade.Facts) {
		if facts.HTTP != nil {
			f.TooEarly = facts.HTTP.TooEarly
		}
		facts.HTTP = f
		if facts.Software == "" {
			facts.Software = f.Server
		}
	})
}

// maxPages is how many pages are asked for over TLS: the first, and where redirects within the host lead.
const maxPages = 4

// frontPage asks for /, and follows redirects within the host. nil: no session could be had.
func (h *host) frontPage(ctx context.Context) *grade.HTTP {
	f := h.firstPage(ctx)
	if f == nil || f.Problem != "" {
		return f
	}
	at := &url.URL{Scheme: "https", Host: h.tlsHost(), Path: "/"}
	for range maxPages - 1 {
		if len(f.Followed) == 0 || f.Followed[len(f.Followed)-1].To == "" {
			return f
		}
		next, err := at.Parse(f.Followed[len(f.Followed)-1].To)
		if err != nil || next.Scheme != "https" || !strings.EqualFold(next.Host, at.Host) || next.String() == at.String() {
			return f
		}
		at = next
		s, err := h.openForHTTP(ctx)
		if err != nil {
			return f
		}
		a, err := getHTTP(s, at.Host, at.RequestURI())
		s.Close()
		if err != nil {
			return f
		}
		first := f.HSTS
		f.Headers = nil
		answerFacts(f, a, at)
		if first.Present {
			f.HSTS = first
		}
	}
	return f
}

// firstPage asks for / in a finished session: the shared one of TLS 1.3, or one of an older version.
func (h *host) firstPage(ctx context.Context) *grade.HTTP {
	var f *grade.HTTP
	if h.offersAny(wire.VersionTLS13) {
		err := h.shared13(ctx, func(s *session13) error {
			f = h.requestOver(s)
			return nil
		})
		if err == nil && f != nil {
			return f
		}
	}
	s, err := h.openForHTTP(ctx)
	if err != nil {
		h.gap("HTTP", err)
		return nil
	}
	defer s.Close()
	return h.requestOver(s)
}

// errNoVersion is why no session can be had for HTTP.
var errNoVersion = errors.New("no version is offered that a handshake can be finished in")

// openForHTTP makes a session of its own: of the best old version, where there is one, or of TLS 1.3.
func (h *host) openForHTTP(ctx context.Context) (session, error) {
	v, ok := h.bestOld()
	if !ok {
		v = wire.VersionTLS13
	}
	o := h.working(v)
	if o == nil {
		return nil, errNoVersion
	}
	if v > wire.VersionSSL30 {
		o.ALPN = []string{"http/1.1"}
	}
	return h.finish(ctx, o)
}

func (h *host) tlsHost() string { return hostField(h.siteName(), h.target.Port, 443) }

// requestOver asks for / over a session, and turns the answer into facts: all of grade.HTTP but what plain HTTP tells.
func (h *host) requestOver(s session) *grade.HTTP {
	at := &url.URL{Scheme: "https", Host: h.tlsHost(), Path: "/"}
	f := &grade.HTTP{URL: at.String()}
	a, err := getHTTP(s, at.Host, "/")
	if err != nil {
		f.Problem = reasonOf(err)
		if errors.Is(err, errNotHTTP) {
			f.Problem = "the server does not speak HTTP/1.1"
		}
		return f
	}
	answerFacts(f, a, at)
	return f
}

// answerFacts takes over what the answer to a URL says.
func answerFacts(f *grade.HTTP, a *httpAnswer, at *url.URL) {
	f.URL, f.Status = shortened(at.String(), maxURL), a.status
	f.HSTS = hstsFacts(a)
	f.HSTSFields = max(f.HSTSFields, len(a.all("Strict-Transport-Security")))
	f.Cookies = append(f.Cookies, cookieFacts(a)...)
	f.Cookies = f.Cookies[:min(len(f.Cookies), maxCookies)]
	for _, field := range a.fields[:min(len(a.fields), maxFields)] {
		value := field.value
		if strings.EqualFold(field.name, "Set-Cookie") {
			value = withoutValue(value)
		}
		f.Headers = append(f.Headers, grade.Header{Name: shortened(field.name, 200), Value: shortened(value, maxFieldValue)})
	}
	text := func(name string) string {
		v, _ := a.first(name)
		return shortened(v, 500)
	}
	f.ContentEncoding, f.AltSvc, f.Server = text("Content-Encoding"), text("Alt-Svc"), text("Server")
	if next, ok := location(a, at); ok {
		f.Followed = append(f.Followed, grade.Redirect{URL: shortened(at.String(), maxURL), Status: a.status, To: shortened(next.String(), maxURL), HSTS: len(a.all("Strict-Transport-Security")) > 0})
		if f.LeadsToHTTP != grade.Yes {
			f.LeadsToHTTP = grade.AnswerOf(next.Scheme == "http")
		}
	}
}

// probeGreeting learns the name of a server that speaks first, as mail servers do.
func probeGreeting(ctx context.Context, h *host) {
	if h.target.StartTLS != "" {
		l, err := h.dial(ctx)
		if err != nil {
			h.gap("greeting", err)
			return
		}
		text := l.greeting.Greeting
		l.Close()
		h.recordSoftware(text)
		return
	}
	p, ok := starttls.ByTLSPort(strconv.Itoa(h.target.Port))
	if !ok || !greets(p) {
		return
	}
	read := func(s session) error {
		line := make([]byte, 0, 512)
		for len(line) < 512 && !strings.Contains(string(line), "\n") {
			n, err := s.Read(line[len(line):cap(line)])
			line = line[:len(line)+n]
			if err != nil {
				break
			}
		}
		first, _, _ := strings.Cut(string(line), "\n")
		h.recordSoftware(first)
		return nil
	}
	if h.offersAny(wire.VersionTLS13) && h.shared13(ctx, func(s *session13) error { return read(s) }) == nil {
		return
	}
	v, ok := h.bestOld()
	if !ok {
		return
	}
	if o := h.working(v); o != nil {
		s, err := h.finish(ctx, o)
		if err != nil {
			h.gap("greeting", err)
			return
		}
		defer s.Close()
		_ = read(s) // it never fails
	}
}

// greets reports whether the server of a protocol speaks first.
func greets(p starttls.Protocol) bool {
	switch p {
	case starttls.SMTP, starttls.IMAP, starttls.POP3, starttls.FTP, starttls.NNTP:
		return true
	}
	return false
}

// recordSoftware takes the name of a program out of a greeting.
func (h *host) recordSoftware(greeting string) {
	name := softwareIn(greeting)
	if name == "" {
		return
	}
	h.record(func(f *grade.Facts) {
		if f.Software == "" {
			f.Software = name
		}
	})
}

// softwareIn finds a well-known program in a greeting, or gives the greeting without its code.
func softwareIn(greeting string) string {
	greeting = shortened(strings.TrimRight(greeting, "\r\n"), 200)
	low := strings.ToLower(greeting)
	for _, known := range []string{"Postfix", "Exim", "Sendmail", "Dovecot", "Cyrus", "Courier", "vsFTPd", "ProFTPD", "Pure-FTPd", "Microsoft ESMTP", "OpenSMTPD",
		"Haraka", "qmail", "Zimbra", "Kerio", "MDaemon", "hMailServer", "Stalwart", "InterNetNews", "FileZilla Server"} {
		if strings.Contains(low, strings.ToLower(known)) {
			return known
		}
	}
	for _, code := range []string{"220-", "220 ", "* OK ", "+OK ", "200 ", "201 "} {
		greeting = strings.TrimPrefix(greeting, code)
	}
	return pki.Printable(strings.TrimSpace(greeting))
}
