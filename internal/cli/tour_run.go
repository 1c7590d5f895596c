package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlsnet"
)

// tour is one run of the tour: what the chapters share, and the lines told so far.
type tour struct {
	app    *app
	ctx    context.Context
	asJSON bool
	begun  time.Time
	home   string // temporary

	ca     *keystore.CA
	server keystore.Identity // for localhost and 127.0.0.1
	site   *tourSite         // what curl and s_client visit as well
	api    *tourAPI          // where alice is let in until she is revoked
	shown  *tourServer       // what the scanner and the monitor look at

	proofPort string // where the ACME server looks for proofs

	told    []chapterJSON
	cleanup []func() error
}

type chapter struct {
	title string
	about string // why it matters, for who has never heard of it
	tell  func(*tour)
}

// The results of a line.
const (
	lineOK      = "ok"
	lineFailed  = "failed"
	lineSkipped = "skipped"
)

// tourJSON is `tour --json`. The names are stable.
type tourJSON struct {
	Passed       bool          `json:"passed"`
	Checks       int           `json:"checks"`
	Failed       int           `json:"failed"`
	Skipped      int           `json:"skipped"`
	Milliseconds int64         `json:"milliseconds"`
	Chapters     []chapterJSON `json:"chapters"`
	Error        *errorJSON    `json:"error,omitempty"`
}

type chapterJSON struct {
	Number int        `json:"number"`
	Title  string     `json:"title"`
	About  string     `json:"about"`
	Lines  []lineJSON `json:"lines"`
}

type lineJSON struct {
	Result string `json:"result"` // "ok", "failed" or "skipped"
	What   string `json:"what"`
	Detail string `json:"detail"`
}

func newTourRun(ctx context.Context, a *app, asJSON bool) (*tour, error) {
	home, err := os.MkdirTemp("", "tlswright-tour-")
	if err != nil {
		return nil, cannotRun(err, "making a temporary home")
	}
	t := &tour{app: a, ctx: ctx, asJSON: asJSON, begun: a.now(), home: home}
	t.later(func() error { return os.RemoveAll(home) })
	return t, nil
}

// later has something done at the end, in reverse order.
func (t *tour) later(f func() error) { t.cleanup = append(t.cleanup, f) }

func (t *tour) clean() error {
	var errs []error
	for i := len(t.cleanup) - 1; i >= 0; i-- {
		errs = append(errs, t.cleanup[i]())
	}
	return errors.Join(errs...)
}

func (t *tour) begin(number int, c chapter) {
	t.told = append(t.told, chapterJSON{Number: number, Title: c.title, About: c.about, Lines: []lineJSON{}})
	if !t.asJSON {
		out := &t.app.ui.out
		text := "\n" + out.paint(bold, fmt.Sprintf("%d  %s", number, c.title)) + "\n"
		for _, line := range wrap(c.about, out.textWidth()-3) {
			text += "   " + out.paint(faint, line) + "\n"
		}
		t.app.ui.write(out, text)
	}
}

// check does something that must succeed, and tells what it found. It reports whether the story can go on.
func (t *tour) check(what string, f func() (detail string, err error)) bool {
	if err := t.ctx.Err(); err != nil {
		return false
	}
	detail, err := f()
	if errors.Is(t.ctx.Err(), context.Canceled) {
		return false // it was broken off, which is no failure
	}
	if err != nil {
		t.fail(what, err)
		return false
	}
	t.line(lineOK, what, detail)
	return true
}

func (t *tour) fail(what string, err error) { t.line(lineFailed, what, pki.Printable(err.Error())) }

func (t *tour) skip(what, why string) { t.line(lineSkipped, what, why) }

func (t *tour) line(result, what, detail string) {
	c := &t.told[len(t.told)-1]
	c.Lines = append(c.Lines, lineJSON{result, what, detail})
	if t.asJSON {
		return
	}
	st, word := good, "ok"
	switch result {
	case lineFailed:
		st, word = bad, "FAILED"
	case lineSkipped:
		st, word = caution, "skipped"
	}
	out := &t.app.ui.out
	head := fmt.Sprintf("   %s  %-*s ", out.paint(st, word), lineLabel-len(word), what)
	indent := strings.Repeat(" ", lipgloss.Width(head))
	t.app.ui.write(out, head+strings.Join(wrap(detail, max(out.textWidth()-len(indent), 30)), "\n"+indent)+"\n")
}

// lineLabel is how wide the result of a line and its subject are together, without the blanks between.
const lineLabel = 20

func (t *tour) count(result string) int {
	n := 0
	for _, c := range t.told {
		for _, l := range c.Lines {
			if l.Result == result {
				n++
			}
		}
	}
	return n
}

func (t *tour) json(took time.Duration, f *failure) tourJSON {
	return tourJSON{
		Passed: f == nil, Checks: t.count(lineOK) + t.count(lineFailed), Failed: t.count(lineFailed), Skipped: t.count(lineSkipped),
		Milliseconds: took.Milliseconds(), Chapters: t.told, Error: newErrorJSON(f),
	}
}

// serverConfig and clientConfig are the two ends of the tour: the server with its certificate, the client with the
// tour's root as all it trusts.
func (t *tour) serverConfig() *tlsnet.Config {
	return &tlsnet.Config{Identities: []tlsnet.Identity{netIdentity(t.server)}, Time: t.app.now}
}

func (t *tour) clientConfig() *tlsnet.Config {
	return &tlsnet.Config{Roots: rootsOf(t.ca), ServerName: "localhost", Time: t.app.now}
}

func netIdentity(id keystore.Identity) tlsnet.Identity {
	return tlsnet.Identity{Chain: id.Chain, Key: id.Key}
}

// meeting is a client and a server that met, and how it went for each.
type meeting struct {
	client, server       *tlsnet.Conn
	clientErr, serverErr error
}

func (m *meeting) close() {
	for _, c := range []*tlsnet.Conn{m.client, m.server} {
		if c != nil {
			c.Close()
		}
	}
}

// meet lets a client connect to a server over a TCP connection of the loopback interface. Where the server refuses the
// client after its own side of the handshake, the client learns of it when it reads; so it reads.
func (t *tour) meet(serverConfig, clientConfig *tlsnet.Config) (*meeting, error) {
	l, err := tlsnet.Listen("tcp", "127.0.0.1:0", serverConfig)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	m := &meeting{}
	accepted := make(chan error, 1)
	go func() {
		c, err := l.AcceptConn()
		if err == nil {
			m.server = c
			m.serverErr = c.HandshakeContext(t.ctx)
			if m.serverErr != nil {
				c.Close() // the client's read below must come to an end
			}
		}
		accepted <- err
	}()
	nc, err := (&tlsnet.Dialer{}).Net.DialContext(t.ctx, "tcp", l.Addr().String())
	if err != nil {
		l.Close()
		return nil, errors.Join(err, <-accepted)
	}
	if m.client, err = tlsnet.Client(nc, clientConfig); err != nil {
		nc.Close()
		return nil, errors.Join(err, <-accepted)
	}
	m.clientErr = m.client.HandshakeContext(t.ctx)
	if m.clientErr != nil {
		m.client.Close()
	}
	if err := <-accepted; err != nil {
		return nil, err
	}
	if m.clientErr == nil && m.serverErr != nil {
		m.client.SetReadDeadline(time.Now().Add(tourPatience))
		_, m.clientErr = m.client.Read(make([]byte, 1))
	}
	return m, nil
}

// agree is a meeting that must go well.
func (t *tour) agree(serverConfig, clientConfig *tlsnet.Config) (*meeting, error) {
	m, err := t.meet(serverConfig, clientConfig)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(m.clientErr, m.serverErr); err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

// quiet is an app of the tour that serves without a word.
func (t *tour) quiet() *app {
	return &app{ui: &ui{in: strings.NewReader(""), out: stream{w: io.Discard}, err: stream{w: io.Discard}}, homeFlag: t.home, now: t.app.now}
}
