package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/devhttps"
	"github.com/tlswright/tlswright/internal/gateway"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
)

// firstDevPort is where `dev` serves unless it is told otherwise; maxDevPorts is how many it tries.
const (
	firstDevPort = 3443
	maxDevPorts  = 100
)

// devServer is a `dev` that runs.
type devServer struct {
	app    *app
	o      *devFlags
	ca     *devhttps.CA
	target *devTarget
	port   int

	mu      sync.Mutex
	isDown  bool            // nothing answers at the target
	refused map[string]bool // who was told about already
	ctx     context.Context // that it serves under
	work    sync.WaitGroup
}

// devEvent is a line of `dev --json`.
type devEvent struct {
	Event  string              `json:"event"` // root, serving, upstream, request, refused, certificate, warning
	URL    string              `json:"url,omitempty"`
	URLs   []string            `json:"urls,omitempty"`
	Target string              `json:"target,omitempty"`
	Up     *bool               `json:"up,omitempty"` // whether the target answers
	Root   string              `json:"root,omitempty"`
	SHA256 string              `json:"sha256,omitempty"`
	Made   bool                `json:"made,omitempty"`
	Text   string              `json:"text,omitempty"`
	Line   *gateway.AccessLine `json:"request,omitempty"`
	Phone  *devPhone           `json:"phone,omitempty"`
}

// devServe serves until ctx ends.
func (a *app) devServe(cmd *cobra.Command, o *devFlags, t *devTarget) (err error) {
	ctx := cmd.Context()
	ca, made, err := a.openDev(cmd)
	if err != nil {
		return err
	}
	s := &devServer{app: a, o: o, ca: ca, target: t, refused: map[string]bool{}, ctx: ctx}
	g, err := s.listen()
	if err != nil {
		return err
	}
	phone, err := s.openPhone()
	var list []*devStore
	if err == nil {
		list, err = a.devTrust(ctx, o, ca)
	}
	if err != nil {
		return errors.Join(err, g.Close(), phone.close())
	}
	s.isDown = t.url != "" && !s.answers()
	s.tellStart(made, list, phone)
	if s.isDown {
		s.watchTarget()
	}
	closePhone := phone.serve()
	err = g.Serve(ctx)
	s.work.Wait()
	return errors.Join(err, closePhone())
}

// listen binds the port that was asked for, or the first that is free.
func (s *devServer) listen() (*gateway.Gateway, error) {
	first, count := s.o.port, 1
	if first == 0 {
		first, count = firstDevPort, maxDevPorts
	}
	var last error
	for s.port = first; s.port < first+count; s.port++ {
		g, err := gateway.New(s.config(), s.options())
		if err != nil {
			return nil, serveFailure(s.app.gatewayFailure(nil, err))
		}
		if err = g.Listen(); err == nil {
			return g, nil
		}
		last = errors.Join(err, g.Close())
		if !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	f := asFailure(s.app.bindFailure(nil, last))
	if s.o.port != 0 && errors.Is(last, syscall.EADDRINUSE) {
		f.hint = "leave --port out, and the next free one is taken"
	}
	return nil, f
}

// config is a gateway with one site, which answers to every name.
func (s *devServer) config() *config.Gateway {
	port := strconv.Itoa(s.port)
	addresses := []string{":" + port}
	if !s.o.isLAN {
		addresses = []string{"127.0.0.1:" + port}
		if hasIPv6Loopback() {
			addresses = append(addresses, "[::1]:"+port)
		}
	}
	limits := config.Limits{BodyBytes: -1, BodyTime: -1, PerAddress: -1}
	g := &config.Gateway{Limits: limits}
	for _, at := range addresses {
		g.Listeners = append(g.Listeners, config.Listener{Name: at, Address: at, Protocol: config.ProtocolHTTPS, Sites: []string{siteOfServe}, Limits: limits})
	}
	g.Sites = []config.Site{{
		Name: siteOfServe, Certificate: config.Certificates{Own: true},
		// What the application sends is what the browser shall get, and no browser shall remember anything for longer.
		Headers: config.Headers{Off: true, HSTS: -1},
		Target:  config.Target{URL: s.target.url, Dir: s.target.dir},
	}}
	return g
}

// hasIPv6Loopback reports whether this machine has ::1, which browsers try first for localhost.
func hasIPv6Loopback() bool {
	l, err := net.Listen("tcp", "[::1]:0")
	return err == nil && l.Close() == nil
}

func (s *devServer) options() gateway.Options {
	o := gateway.Options{
		NeverServe: s.ca.Dir, Now: s.app.now, Grace: shutdownPatience, AllowPrivate: true,
		OwnRoots: s.ca.Roots(),
		OwnCA: func(context.Context, []string, pki.KeyType) (keystore.Identity, error) {
			names, err := s.names()
			if err != nil {
				return keystore.Identity{}, err
			}
			return s.ca.Issue(names, s.o.lifetime, s.app.now())
		},
		Events: s.event,
	}
	if s.target.url != "" {
		o.Dial, o.Unanswered = dialTarget, devhttps.Waiting(s.target.url)
	}
	if s.o.verbose {
		o.Answered = s.answered
	}
	return o
}

// names are what the certificate is for.
func (s *devServer) names() ([]string, error) {
	more := s.o.hosts
	if s.o.isLAN {
		more = append(devhttps.LANNames(), more...)
	}
	return devhttps.Names(s.target.name, more...)
}

func (s *devServer) url(host string) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if s.port == 443 {
		return "https://" + host
	}
	return fmt.Sprintf("https://%s:%d", host, s.port)
}

// tellStart says what was done and where the application is now: the one address last.
func (s *devServer) tellStart(made bool, list []*devStore, phone *devPhone) {
	main := s.url(s.target.name + ".localhost")
	others := []string{s.url("localhost")}
	for _, h := range s.o.hosts {
		others = append(others, s.url(h))
	}
	if s.o.asJSON {
		s.tell(devEvent{Event: "root", Root: s.ca.RootFile(), SHA256: pki.Fingerprint(s.ca.Root.Raw), Made: made})
		for _, d := range list {
			_ = s.app.ui.printJSONLine(d.report("store"))
		}
		up := !s.isDown
		s.tell(devEvent{Event: "serving", URL: main, URLs: others, Target: s.target.String(), Up: &up, Phone: phone})
		return
	}
	out := &s.app.ui.out
	var rows []row
	if made {
		rows = append(rows, row{label: "local root", value: "made, for local names and addresses only; its key is in " + pki.Printable(s.ca.Dir) + ", for you alone"})
	}
	rows = append(rows, trustRows(list)...)
	to := pki.Printable(s.target.String())
	if s.isDown {
		to += ", where nothing answers yet: the page waits for it"
	}
	rows = append(rows,
		row{label: "to", value: to},
		row{label: "other tools", value: `eval "$(tlswright dev env)"`, style: faint},
		row{label: "undo", value: "tlswright dev --undo", style: faint},
		row{label: "also", value: strings.Join(others, "  ")})
	text := out.rows(rows)
	text += phone.text(out)
	s.app.ui.write(out, text+"\n"+out.paint(bold, main)+"\n")
	s.adviseNames()
}

// adviseNames says which names this machine cannot find by itself.
func (s *devServer) adviseNames() {
	for _, h := range s.o.hosts {
		if _, err := net.DefaultResolver.LookupHost(s.ctx, strings.TrimPrefix(h, "*.")); err != nil && net.ParseIP(h) == nil {
			s.app.ui.notef("%s has no address yet: add \"127.0.0.1 %s\" to /etc/hosts", h, strings.TrimPrefix(h, "*."))
		}
	}
}

// answers reports whether something listens where the application is expected.
func (s *devServer) answers() bool {
	u, err := url.Parse(s.target.url)
	if err != nil || u.Scheme == "unix+http" {
		return true
	}
	at := u.Host
	if u.Port() == "" {
		at = net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	}
	ctx, cancel := context.WithTimeout(s.ctx, 2*time.Second)
	defer cancel()
	c, err := dialTarget(ctx, "tcp", at)
	return err == nil && c.Close() == nil
}

// dialTarget connects to the application. Many servers listen on [::1] alone, others on 127.0.0.1 alone, and not every
// machine knows both as localhost.
func dialTarget(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	port, isHere := strings.CutPrefix(addr, "localhost:")
	if !isHere {
		return d.DialContext(ctx, network, addr)
	}
	c, err := d.DialContext(ctx, network, "127.0.0.1:"+port)
	if err != nil && ctx.Err() == nil {
		if c, err6 := d.DialContext(ctx, network, "[::1]:"+port); err6 == nil {
			return c, nil
		}
	}
	return c, err
}

// watchTarget waits until the application answers, and says so.
func (s *devServer) watchTarget() {
	s.work.Go(func() {
		for !s.answers() {
			select {
			case <-s.ctx.Done():
				return
			case <-time.After(500 * time.Millisecond):
			}
		}
		s.mu.Lock()
		s.isDown = false
		s.mu.Unlock()
		if s.o.asJSON {
			up := true
			s.tell(devEvent{Event: "upstream", Target: s.target.url, Up: &up})
			return
		}
		s.app.ui.notef("%s answers now", pki.Printable(s.target.url))
	})
}

// event tells what happens at the gateway, as far as it helps somebody who develops something. It is called from many
// goroutines.
func (s *devServer) event(e gateway.Event) {
	text := pki.Printable(e.Text)
	switch e.Kind {
	case "upstream":
		if errors.Is(e.Err, syscall.ECONNREFUSED) {
			s.wentDown()
			return
		}
		_, rest, reason := upstreamText(e)
		s.warn("upstream", rest+": "+reason)
	case "denied":
		s.denied(e.Denial)
	case "warning", "limited", "withheld":
		s.warn("warning", strings.TrimSpace(pki.Printable(e.Path)+" "+text))
	case "certificate":
		if s.o.asJSON {
			s.tell(devEvent{Event: "certificate", Text: text})
		} else if s.o.verbose {
			s.app.ui.notef("%s", text)
		}
	}
}

func (s *devServer) warn(event, text string) {
	if s.o.asJSON {
		s.tell(devEvent{Event: event, Text: text})
		return
	}
	s.app.ui.warnf("%s", text)
}

// wentDown says once that the application has gone, and waits for it.
func (s *devServer) wentDown() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isDown || s.ctx.Err() != nil {
		return
	}
	s.isDown = true
	if s.o.asJSON {
		down := false
		s.tell(devEvent{Event: "upstream", Target: s.target.url, Up: &down})
	} else {
		s.app.ui.warnf("nothing answers at %s any more: the page waits for it", pki.Printable(s.target.url))
	}
	s.watchTarget()
}

// maxTold bounds how many kinds of refusals are told about.
const maxTold = 100

// denied tells why a client did not come in, once for each kind of trouble and client.
func (s *devServer) denied(d *gateway.Denial) {
	host, _, err := net.SplitHostPort(d.Remote)
	if err != nil {
		host = d.Remote
	}
	key := host + " " + d.Reason + " " + d.Alert
	s.mu.Lock()
	known := s.refused[key] || len(s.refused) >= maxTold
	s.refused[key] = true
	s.mu.Unlock()
	if known && !s.o.verbose {
		return
	}
	text := host + ": " + pki.Printable(d.Text)
	switch d.Reason {
	case "refused-by-client":
		text = host + " does not take the certificate (alert " + d.Alert + "): restart a browser that runs since before; other programs: eval \"$(tlswright dev env)\""
	case "not-tls":
		text = host + " spoke no TLS: the address begins with https://"
	}
	s.warn("refused", text)
}

// answered tells a request.
func (s *devServer) answered(l gateway.AccessLine) {
	if s.o.asJSON {
		s.tell(devEvent{Event: "request", Line: &l})
		return
	}
	s.app.ui.printf("%s %s %s %d, %s", pki.Printable(l.Method), pki.Printable(l.Path), l.Protocol, l.Status, byteCount(l.Sent))
}

// tell writes a line of JSON: an event holds nothing that cannot be encoded.
func (s *devServer) tell(e devEvent) { _ = s.app.ui.printJSONLine(e) }
