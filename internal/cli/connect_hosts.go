package cli

import (
	"context"
	"strconv"
	"sync"
)

// maxHostsAtOnce bounds how many connections of one command are under way together.
const maxHostsAtOnce = 16

// connectAll connects to several hosts and shows them side by side, in the order in which they were named.
func (c *connector) connectAll(ctx context.Context, targets []target, asJSON bool) error {
	outcomes := make([]*outcome, len(targets))
	var wg sync.WaitGroup
	slots := make(chan struct{}, maxHostsAtOnce)
	for i, t := range targets {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			conn, o := c.dial(ctx, t)
			if conn != nil {
				c.finish(conn, o)
			}
			outcomes[i] = o
		})
	}
	wg.Wait()
	if asJSON {
		for _, o := range outcomes {
			if err := c.app.ui.printJSONLine(c.json(o)); err != nil {
				return err
			}
		}
	} else {
		c.printTable(outcomes)
	}
	return c.verdictOfAll(outcomes)
}

// printTable answers the five questions one has about a server, a line for each host.
func (c *connector) printTable(outcomes []*outcome) {
	cells := [][]string{{"HOST", "VERSION", "CIPHER SUITE", "CERTS", "ROOT CA", "LEAF EXPIRES", "VERDICT"}}
	now := c.app.now()
	for _, o := range outcomes {
		line := []string{o.target.String(), "-", "-", "-", "-", "-", ""}
		if o.target.port == "443" {
			line[0] = o.target.host
		}
		if o.facts.Version != 0 {
			line[1], line[2] = o.facts.Version.String(), o.facts.CipherSuite.String()
		}
		if len(o.sent) > 0 {
			line[3] = strconv.Itoa(len(o.facts.PeerChain))
			line[5] = dateOf(o.sent[0].NotAfter) + ", " + lifeLeft(o.sent[0], now)
		}
		if o.isTrusted() {
			line[4] = shortName(o.peer.Root())
		}
		line[6] = c.verdictWord(o)
		cells = append(cells, line)
	}
	u := c.app.ui
	paint := func(r, col int) style {
		switch {
		case col == 6 && outcomes[r-1].isTrusted() && outcomes[r-1].problem == nil:
			return good
		case col == 6:
			return bad
		case col == 0:
			return bold
		}
		return plain
	}
	text := u.out.grid(cells, paint)
	if u.out.width > 0 && gridWidth(cells) > u.out.width {
		text = u.out.bands(cells, paint)
	}
	u.write(&u.out, text)
}

// verdictWord is the verdict in a word or two, for a table.
func (c *connector) verdictWord(o *outcome) string {
	if o.answer != nil && o.answer.isAccepted {
		return "ACCEPTED"
	}
	if o.answer != nil && o.answer.isAlert {
		return "refused"
	}
	if o.problem == nil {
		if o.isTrusted() || o.peer.Pinned() || o.facts.PSKIdentity != nil {
			return "trusted"
		}
		return "NOT VERIFIED"
	}
	switch o.problem.kind {
	case kindTrust:
		return "NOT TRUSTED"
	case kindTLS:
		return "NO TLS"
	case kindRefused:
		return "refused"
	case kindTimeout:
		return "timed out"
	case kindDNS:
		return "no such name"
	}
	return "failed"
}

// verdictOfAll is the end of a command about several hosts: every failure is told, and where they are not all of one
// kind the exit code is that of a failed check.
func (c *connector) verdictOfAll(outcomes []*outcome) error {
	var last *failure
	for _, o := range outcomes {
		if o.problem == nil {
			continue
		}
		told := *o.problem
		told.hint = ""
		c.app.ui.fail(&told)
		switch {
		case last == nil:
			last = &failure{kind: o.problem.kind, text: o.problem.text, told: true}
		case last.kind.exitCode() != o.problem.kind.exitCode():
			last.kind = kindFinding
		}
	}
	if last == nil {
		return nil
	}
	return last
}
