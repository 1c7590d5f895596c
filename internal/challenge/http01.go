package challenge

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/pki"
)

// Bounds of http-01.
const (
	maxProof     = 8 << 10  // bytes of an answer's body
	maxAnswer    = 64 << 10 // bytes of an answer, with head and framing
	maxInterim   = 5        // answers, of which the last is not one for the time being (RFC 9110, Section 15.2)
	maxRedirects = 10
)

// http01 fetches the proof over HTTP (RFC 8555, Section 8.3). Redirects are followed, to http and https on their own ports.
func (p *place) http01(ctx context.Context, t Task) *acme.Problem {
	host := t.Identifier.Value
	if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
		host = "[" + host + "]"
	}
	at := &url.URL{Scheme: "http", Host: host, Path: acme.HTTP01Path + t.Token}
	for range maxRedirects + 1 {
		response, err := p.get(ctx, at)
		if err != nil {
			return failed(at.String(), err)
		}
		next, problem := readProof(response, at, t.keyAuthorization())
		if next == nil {
			return problem
		}
		at = next
	}
	return acme.NewProblem(acme.Connection, fmt.Sprintf("%s redirects more than %d times", host, maxRedirects))
}

func (p *place) get(ctx context.Context, at *url.URL) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, err
	}
	request.Close = true
	request.Header.Set("User-Agent", "tlswright (ACME validation)")
	request.Header.Set("Accept", "*/*")
	if at.Scheme == "http" {
		return p.getPlain(ctx, request)
	}
	return p.web.RoundTrip(request)
}

// getPlain makes a request over http, on a connection that serves for nothing else. That needs none of what a client for
// many requests keeps running.
func (p *place) getPlain(ctx context.Context, request *http.Request) (*http.Response, error) {
	port := request.URL.Port()
	if port == "" {
		port = "80"
	}
	conn, err := p.connect(ctx, "tcp", net.JoinHostPort(request.URL.Hostname(), port))
	if err != nil {
		return nil, err
	}
	body := &plainBody{conn: conn, stop: context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })}
	response, err := exchange(conn, request)
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, errors.Join(err, body.Close())
	}
	body.ReadCloser, response.Body = response.Body, body
	return response, nil
}

// exchange sends a request and reads the head of the answer.
func exchange(conn net.Conn, request *http.Request) (*http.Response, error) {
	if err := request.Write(conn); err != nil {
		return nil, err
	}
	r := bufio.NewReader(io.LimitReader(conn, maxAnswer))
	for range maxInterim {
		response, err := http.ReadResponse(r, request)
		if err != nil {
			return nil, err
		}
		if response.StatusCode >= http.StatusOK || response.StatusCode == http.StatusSwitchingProtocols {
			return response, nil
		}
	}
	return nil, errors.New("only answers for the time being come")
}

// plainBody is the body of an answer whose connection ends with it.
type plainBody struct {
	io.ReadCloser
	conn net.Conn
	stop func() bool
}

// Close implements io.Closer. What has not been read is given up.
func (b *plainBody) Close() error {
	b.stop()
	return b.conn.Close()
}

// readProof judges an answer: next is where it redirects to, if it does.
func readProof(response *http.Response, at *url.URL, want string) (next *url.URL, problem *acme.Problem) {
	defer func() { _ = response.Body.Close() }()
	switch response.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect, http.StatusSeeOther:
		to, err := at.Parse(response.Header.Get("Location"))
		if err != nil || to.Host == "" || to.Scheme != "http" && to.Scheme != "https" || to.User != nil {
			return nil, acme.NewProblem(acme.Connection, fmt.Sprintf("%s redirects to where nobody can follow: %s", at, pki.Printable(shorten(response.Header.Get("Location")))))
		}
		to.Fragment = ""
		return to, nil
	case http.StatusOK:
	default:
		return nil, acme.NewProblem(acme.Unauthorized, fmt.Sprintf("%s answers with status %d", at, response.StatusCode))
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxProof+1))
	if err != nil {
		return nil, failed(at.String(), err)
	}
	if len(body) > maxProof {
		return nil, acme.NewProblem(acme.Unauthorized, fmt.Sprintf("%s answers with more than %d bytes", at, maxProof))
	}
	// Servers add a line end; RFC 8555, Section 8.3 has clients' servers forgiven for white space at the end.
	if got := strings.TrimRight(string(body), " \t\r\n"); got != want {
		return nil, acme.NewProblem(acme.IncorrectResponse, fmt.Sprintf("%s answers with %q, not with the key authorization of this account", at, pki.Printable(shorten(got))))
	}
	return nil, nil
}

func shorten(s string) string {
	const most = 100
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
