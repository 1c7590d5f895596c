package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlsnet"
)

const maxRedirects = 10

// httpJSON is `connect --http --json`. The names are stable.
type httpJSON struct {
	Method    string              `json:"method"`
	URL       string              `json:"url"`
	FinalURL  string              `json:"final_url"`
	Redirects []string            `json:"redirects"` // URLs that were redirected to, in order
	Protocol  string              `json:"protocol"`  // "HTTP/2.0"
	Status    int                 `json:"status"`
	Reason    string              `json:"reason"`
	Headers   map[string][]string `json:"headers"`
	Body      bodyJSON            `json:"body"`
	Verified  bool                `json:"verified"`
	Root      string              `json:"root,omitempty"`
	Handshake *handshakeReport    `json:"handshake,omitempty"`
	recordedJSON
	Error *errorJSON `json:"error,omitempty"`
}

type bodyJSON struct {
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
	File   string `json:"file,omitempty"`
}

// connectHTTP makes one request and follows its redirects.
func (a *app) connectHTTP(cmd *cobra.Command, o *connectFlags, args []string) (err error) {
	req, err := a.newRequest(cmd, o, args)
	if err != nil {
		return err
	}
	if o.tracer, err = a.newTracer(cmd, o); err != nil {
		return err
	}
	switch {
	case len(o.alpn) > 0:
	case o.late: // RFC 9113, Section 9.2.3
		o.alpn = []string{tlsnet.ProtocolHTTP1}
	default:
		o.alpn = tlsnet.HTTPProtocols()
	}
	c, err := a.newConnector(cmd, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if c.unspoken != nil {
		return usagef(cmd, "--http needs a version and a cipher suite that are spoken here")
	}
	c.config.VerifyPeer = c.verifyHTTP()
	transport := &tlsnet.Transport{
		Config: &c.config, DialTimeout: o.timeout, ResponseHeaderTimeout: o.timeout,
		DisableCompression: true, // the headers and the body are shown as they are served
		Connect: func(ctx context.Context, _, addr string) (net.Conn, error) {
			host, port, err := net.SplitHostPort(addr)
			if err != nil {
				return nil, err
			}
			t := target{host: host, port: port}
			nc, err := c.way.dial(ctx, t)
			if err == nil {
				c.trace.dialed(nc, &outcome{target: t, name: orWord(c.config.ServerName, t.name())})
			}
			return nc, err
		},
	}
	defer func() { err = c.trace.withTrace(err, c.httpReport(o), o.asJSON) }()
	defer transport.CloseIdleConnections()
	report := &httpJSON{Method: req.Method, URL: req.URL.String(), FinalURL: req.URL.String(), Redirects: []string{}, Headers: map[string][]string{}}
	client := &http.Client{Transport: transport, CheckRedirect: report.checkRedirect}
	resp, err := client.Do(req)
	if err != nil {
		c.trace.fail(err)
		report.recordedJSON = c.trace.json()
		return a.httpFailed(cmd.Context(), report, o, err)
	}
	defer resp.Body.Close()
	return c.reportHTTP(report, resp, o)
}

// newRequest reads [METHOD] URL, the headers and where the body comes from.
func (a *app) newRequest(cmd *cobra.Command, o *connectFlags, args []string) (*http.Request, error) {
	method, address := "", args[len(args)-1]
	switch {
	case len(args) > 2:
		return nil, usagef(cmd, "--http takes [METHOD] URL, but got also %q", args[2])
	case len(args) == 2:
		method = args[0]
	case o.hasSend:
		method = http.MethodPost
	default:
		method = http.MethodGet
	}
	if !strings.Contains(address, "://") {
		address = "https://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil {
		return nil, usagef(cmd, "%q is no URL", args[len(args)-1])
	}
	if u.Scheme != "https" {
		f := usagef(cmd, "%q is not protected by TLS", address)
		f.hint = "write it with https://"
		return nil, f
	}
	var body io.Reader
	takesBody := slices.Contains([]string{http.MethodPost, http.MethodPut, http.MethodPatch}, method)
	switch {
	case o.hasSend && o.send != "-":
		body = strings.NewReader(o.send)
	case o.hasSend, takesBody && a.ui.inputIsPiped():
		body = a.ui.in
	}
	req, err := http.NewRequestWithContext(cmd.Context(), method, u.String(), body)
	if err != nil {
		return nil, usagef(cmd, "%v", err)
	}
	req.Header.Set("User-Agent", "tlswright")
	return req, addHeaders(cmd, req, o.headers)
}

// addHeaders reads -H "NAME: VALUE", or -H @FILE with a header on each line, for what other users of the machine must
// not see in the list of processes.
func addHeaders(cmd *cobra.Command, req *http.Request, headers []string) error {
	for _, h := range headers {
		lines := []string{h}
		if file, ok := strings.CutPrefix(h, "@"); ok {
			text, err := os.ReadFile(file)
			if err != nil {
				return cannotRun(err, "-H")
			}
			lines = strings.Split(strings.TrimSpace(string(text)), "\n")
		}
		for _, line := range lines {
			name, value, ok := strings.Cut(line, ":")
			name, value = strings.TrimSpace(name), strings.TrimSpace(value)
			if !ok || name == "" {
				return usagef(cmd, "-H: a header is written \"NAME: VALUE\"")
			}
			if strings.EqualFold(name, "Host") {
				req.Host = value
				continue
			}
			req.Header.Add(name, value)
		}
	}
	return nil
}

// checkRedirect follows redirects within https, and keeps where they led.
func (r *httpJSON) checkRedirect(next *http.Request, via []*http.Request) error {
	if next.URL.Scheme != "https" {
		return &failure{kind: kindFinding, text: "redirected to " + pki.Printable(next.URL.Redacted()) + ", which TLS does not protect",
			hint: "the server should redirect within https"}
	}
	if len(via) >= maxRedirects {
		return &failure{kind: kindFinding, text: fmt.Sprintf("redirected more than %d times", maxRedirects)}
	}
	r.Redirects = append(r.Redirects, next.URL.String())
	r.FinalURL = next.URL.String()
	return nil
}

func (a *app) httpFailed(ctx context.Context, r *httpJSON, o *connectFlags, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err
	}
	host := r.FinalURL
	if u, perr := url.Parse(host); perr == nil {
		host = u.Host
	}
	f := connectionFailure(pki.Printable(host), err)
	if o.asJSON {
		r.Error = newErrorJSON(f)
		if err := a.ui.printJSON(r); err != nil {
			return err
		}
	}
	return f
}

// reportHTTP reads the body to its end and reports.
func (c *connector) reportHTTP(r *httpJSON, resp *http.Response, o *connectFlags) error {
	r.Protocol, r.Status, r.Headers = resp.Proto, resp.StatusCode, resp.Header
	_, r.Reason, _ = strings.Cut(resp.Status, " ")
	info, _ := tlsnet.InfoFromResponse(resp)
	if root := info.Peer.Root(); root != nil {
		r.Verified, r.Root = true, nameOf(root)
	}
	h := newHandshakeReport(info.Facts, c.app.now())
	r.Handshake = &h
	problem := c.takeBody(r, resp.Body, o)
	if problem == nil && resp.StatusCode >= 400 {
		problem = &failure{kind: kindFinding, text: fmt.Sprintf("%s answered %d %s", pki.Printable(resp.Request.URL.Host), r.Status, pki.Printable(r.Reason))}
	}
	r.Error = newErrorJSON(problem)
	r.recordedJSON = c.trace.json()
	s := c.httpReport(o)
	if o.asJSON {
		text, err := safeJSON(r, "  ")
		if err != nil {
			return err
		}
		c.app.ui.write(s, text)
	} else {
		c.printHTTP(s, r, info, resp.Header)
	}
	if problem != nil {
		return problem
	}
	return nil
}

// httpReport is where the report goes: to standard error where standard output is for something else.
func (c *connector) httpReport(o *connectFlags) *stream {
	if o.output == "-" || c.trace.takesOutput() {
		return &c.app.ui.err
	}
	return &c.app.ui.out
}

// takeBody reads the body into -o, and in any case counts and digests it.
func (c *connector) takeBody(r *httpJSON, body io.Reader, o *connectFlags) *failure {
	var dst io.Writer = io.Discard
	finish := func() error { return nil }
	switch o.output {
	case "":
	case "-":
		dst = c.app.ui.out.w
	default:
		f, err := os.Create(o.output)
		if err != nil {
			return cannotRun(err, "-o")
		}
		dst, finish, r.Body.File = f, f.Close, o.output
	}
	sum := sha256.New()
	n, err := io.CopyBuffer(io.MultiWriter(dst, sum), body, make([]byte, 256<<10))
	r.Body.Bytes, r.Body.SHA256 = n, hex.EncodeToString(sum.Sum(nil))
	if cerr := finish(); err == nil && cerr != nil {
		return cannotRun(cerr, "-o")
	}
	if err != nil {
		f := explainConnection(err)
		f.text = fmt.Sprintf("the body ended early, after %s: %s", byteCount(n), f.text)
		return f
	}
	return nil
}

// printHTTP shows the response: what came, from where, how it was protected, the headers, the body's size.
func (c *connector) printHTTP(s *stream, r *httpJSON, info tlsnet.Info, headers http.Header) {
	st := good
	if r.Status >= 400 {
		st = bad
	}
	text := s.paint(st, fmt.Sprintf("%s %d %s", r.Protocol, r.Status, pki.Printable(r.Reason))) + "\n"
	rows := []row{{label: "final URL", value: pki.Printable(r.FinalURL)}}
	if n := len(r.Redirects); n > 0 {
		rows[0].value += ", after " + countOf(n, "redirect")
	}
	rows = append(rows, row{label: "TLS", value: summary(info.Facts)})
	if r.Verified {
		rows = append(rows, row{label: "server", value: fmt.Sprintf("%s, root %s: trusted", nameOf(info.Peer.Chain[0]), r.Root), style: good})
	} else {
		rows = append(rows, row{label: "server", value: "NOT VERIFIED (--insecure)", style: bad})
	}
	body := fmt.Sprintf("%s, sha256 %s", byteCount(r.Body.Bytes), r.Body.SHA256)
	switch {
	case r.Body.File != "":
		body += ", in " + r.Body.File
	case r.Body.Bytes > 0 && s == &c.app.ui.out:
		body += " (keep it with -o FILE)"
	}
	rows = append(rows, row{label: "body", value: body})
	text += s.rows(rows) + "\n"
	var names []string
	for name := range headers {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range headers[name] {
			text += "  " + s.paint(bold, pki.Printable(name)+":") + " " + pki.Printable(value) + "\n"
		}
	}
	c.app.ui.write(s, text)
}
