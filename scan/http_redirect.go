package scan

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/net/publicsuffix"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/fetch"
)

const (
	maxRedirects = 10
	maxURL       = 2000 // bytes
)

// plainHTTP follows where plain HTTP leads, from the address that is scanned: up to the first https, a page, another site,
// a circle or maxRedirects steps.
func (h *host) plainHTTP(ctx context.Context) *grade.HTTP {
	f := &grade.HTTP{PlainHTTP: grade.Unknown}
	at := &url.URL{Scheme: "http", Host: h.httpHost(), Path: "/"}
	permanent, seen := true, make(map[string]bool)
	for len(f.Redirects) < maxRedirects {
		seen[at.String()] = true
		a, err := h.getPlain(ctx, at)
		if err != nil {
			if len(f.Redirects) == 0 {
				f.PlainHTTP = closedOr(err)
			}
			if f.PlainHTTP != grade.No {
				h.gap("plain HTTP", err)
			}
			return f
		}
		f.PlainHTTP, f.RedirectsToHTTPS = grade.Yes, grade.No
		_, hasHSTS := a.first("Strict-Transport-Security")
		step := grade.Redirect{URL: shortened(at.String(), maxURL), Status: a.status, HSTS: hasHSTS}
		next, ok := location(a, at)
		if ok {
			step.To = shortened(next.String(), maxURL)
		}
		f.Redirects = append(f.Redirects, step)
		if !ok {
			return f
		}
		permanent = permanent && (a.status == 301 || a.status == 308)
		switch {
		case next.Scheme == "https":
			f.RedirectsToHTTPS, f.Permanent = grade.Yes, grade.AnswerOf(permanent)
			return f
		case next.Scheme != "http", seen[next.String()], !sameFamily(next.Hostname(), h.siteName()):
			return f // where it does not lead to https, or not by way of this site
		}
		at = next
	}
	return f
}

// closedOr: a refusal says that the port is closed. Silence says nothing.
func closedOr(err error) grade.Answer {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return grade.No
	}
	if errors.Is(err, errNotHTTP) {
		return grade.No // something else listens there
	}
	return grade.Unknown
}

// location is where an answer redirects to; false: nowhere.
func location(a *httpAnswer, base *url.URL) (*url.URL, bool) {
	switch a.status {
	case 301, 302, 303, 307, 308:
	default:
		return nil, false
	}
	v, ok := a.first("Location")
	if !ok || v == "" || len(v) > maxURL {
		return nil, false
	}
	next, err := base.Parse(v)
	if err != nil || next.Host == "" || strings.ContainsAny(next.Host, " \r\n\t\x00") {
		return nil, false
	}
	next.Scheme = strings.ToLower(next.Scheme)
	next.Fragment, next.User = "", nil
	if next.Path == "" {
		next.Path = "/"
	}
	return next, true
}

// siteName is the name that HTTP is asked for: that of SNI, or else the address.
func (h *host) siteName() string {
	if n := h.target.name(); n != "" {
		return n
	}
	return h.target.Host
}

// hostField writes a name or an address with a port as in a URL; the default port is left out.
func hostField(name string, port, usual int) string {
	if a, err := netip.ParseAddr(name); err == nil && a.Is6() {
		name = "[" + name + "]"
	}
	if port == usual {
		return name
	}
	return name + ":" + strconv.Itoa(port)
}

func (h *host) httpHost() string { return hostField(h.siteName(), h.o.HTTPPort, 80) }

// firstHopStays reports whether the first redirect goes to https on the same host.
func firstHopStays(steps []grade.Redirect, host string) bool {
	if len(steps) == 0 {
		return false
	}
	to, err := url.Parse(steps[0].To)
	return err == nil && to.Scheme == "https" && strings.EqualFold(to.Hostname(), host)
}

// sameFamily reports whether two hosts belong to one registrable domain.
func sameFamily(a, b string) bool {
	a, b = strings.ToLower(a), strings.ToLower(b)
	if a == b {
		return true
	}
	x, err := publicsuffix.EffectiveTLDPlusOne(a)
	if err != nil {
		return false
	}
	y, err := publicsuffix.EffectiveTLDPlusOne(b)
	return err == nil && x == y
}

// getPlain asks for one URL without TLS. The scanned host is asked at the address under examination; others are looked up,
// and private addresses only asked where that is allowed.
func (h *host) getPlain(ctx context.Context, u *url.URL) (*httpAnswer, error) {
	port := 80
	if p := u.Port(); p != "" {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return nil, errors.New("a redirect leads to a port that is none")
		}
		port = int(n)
	}
	if err := h.door.enter(ctx); err != nil {
		return nil, err
	}
	defer h.door.leave()
	dialing, cancel := context.WithTimeout(ctx, h.o.Timeout)
	defer cancel()
	var c net.Conn
	var err error
	if strings.EqualFold(u.Hostname(), h.siteName()) {
		c, err = h.o.Dial(dialing, "tcp", netip.AddrPortFrom(h.addr, uint16(port)).String())
	} else {
		gate := fetch.Gate{AllowPrivate: h.o.AllowPrivate, LookUp: h.o.LookUp}
		c, err = gate.Dial(dialing, "tcp", net.JoinHostPort(u.Hostname(), strconv.Itoa(port)))
	}
	if err != nil {
		return nil, err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	if err := c.SetDeadline(time.Now().Add(h.o.Timeout)); err != nil {
		return nil, err
	}
	a, err := getHTTP(c, u.Host, u.RequestURI())
	if errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded) && slices.Contains([]int{80, h.o.HTTPPort}, port) {
		return nil, errors.New("the server gives no answer to plain HTTP: " + err.Error())
	}
	return a, err
}
