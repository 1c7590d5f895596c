package scan

import (
	"context"
	"errors"
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
	if !h.o.Offline {
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

// frontPage asks for / in a finished session: the shared one of TLS 1.3, or one of an older version. nil: none could be had.
func (h *host) frontPage(ctx context.Context) *grade.HTTP {
	var f *grade.HTTP
	if h.offersAny(wire.VersionTLS13) {
		err := h.shared13(ctx, func(s *session13) error {
			f = h.requestOver(s)
			return nil
		})
		if err == nil && f != nil {
			return f
		}
		if !h.offersAny(wire.VersionSSL30, wire.VersionTLS10, wire.VersionTLS11, wire.VersionTLS12) {
			h.gap("HTTP", err)
			return nil
		}
	}
	v, ok := h.bestOld()
	if !ok {
		return nil
	}
	o := h.working(v)
	if o == nil {
		return nil
	}
	if v > wire.VersionSSL30 {
		o.ALPN = []string{"http/1.1"}
	}
	s, err := h.finish(ctx, o)
	if err != nil {
		h.gap("HTTP", err)
		return nil
	}
	defer s.Close()
	return h.requestOver(s)
}

// requestOver asks for / over a session, and turns the answer into facts: all of grade.HTTP but what plain HTTP tells.
func (h *host) requestOver(s session) *grade.HTTP {
	name := hostField(h.siteName(), h.target.Port, 443)
	f := &grade.HTTP{URL: "https://" + name + "/"}
	a, err := getHTTP(s, name, "/")
	if err != nil {
		f.Problem = reasonOf(err)
		if errors.Is(err, errNotHTTP) {
			f.Problem = "the server does not speak HTTP/1.1"
		}
		return f
	}
	answerFacts(f, a)
	return f
}

// answerFacts takes over what an answer says.
func answerFacts(f *grade.HTTP, a *httpAnswer) {
	f.Status = a.status
	f.HSTS = hstsFacts(a)
	f.Cookies = cookieFacts(a)
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
