package cli

import (
	"fmt"
	"sync"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/scan"
)

// scanProgress is one line on a terminal's standard error that says how far the scan is. Elsewhere it says nothing.
type scanProgress struct {
	app   *app
	total int // targets; 0: not known, for they are read while the scan runs

	mu      sync.Mutex
	began   time.Time
	drawn   time.Time
	ended   int
	failed  int
	isShown bool
}

// redraw is how often the line may change.
const redraw = 100 * time.Millisecond

// newScanProgress begins; the total counts only where it is known.
func newScanProgress(a *app, total int, known bool) *scanProgress {
	p := &scanProgress{app: a, began: a.now()}
	if known {
		p.total = total
	}
	return p
}

// isOn reports whether there is a terminal to write to.
func (p *scanProgress) isOn() bool { return p != nil && p.app.ui.err.width > 0 }

// probe is told after each probe of each address.
func (p *scanProgress) probe(s scan.Progress) {
	if !p.isOn() || p.total != 1 {
		return
	}
	p.draw(fmt.Sprintf("%s  %d of %d  %s  (%s)", s.Target, s.Done, s.Total, s.Probe, countOf(s.Connections, "connection")))
}

// done is told after each target.
func (p *scanProgress) done(r scan.FleetResult) {
	if p == nil {
		return
	}
	p.mu.Lock()
	p.ended++
	if r.Err != nil || !r.Skipped && silent(r.Facts) != "" {
		p.failed++
	}
	ended, failed, seconds := p.ended, p.failed, p.app.now().Sub(p.began).Seconds()
	p.mu.Unlock()
	if !p.isOn() || p.total == 1 {
		return
	}
	text := countOf(ended, "target")
	if p.total > 0 {
		text = fmt.Sprintf("%d of %d targets", ended, p.total)
	}
	if seconds >= 1 {
		text += fmt.Sprintf("  %.1f/s", float64(ended)/seconds)
	}
	if failed > 0 {
		text += fmt.Sprintf("  %d failed", failed)
	}
	p.draw(text)
}

// draw writes the line anew, unless it was written just now.
func (p *scanProgress) draw(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.app.now()
	if p.isShown && now.Sub(p.drawn) < redraw {
		return
	}
	p.drawn, p.isShown = now, true
	s := &p.app.ui.err
	p.app.ui.write(s, eraseLine+s.paint(faint, cutColumns(pki.Printable(text), s.width-1)))
}

// cutColumns shortens text to so many columns.
func cutColumns(text string, columns int) string {
	if r := []rune(text); len(r) > columns {
		return string(r[:max(columns-1, 0)]) + "…"
	}
	return text
}

// eraseLine goes to the beginning of the terminal's line and erases it (ECMA-48, EL).
const eraseLine = "\r\x1b[K"

// clear takes the line away, so that something else can be written.
func (p *scanProgress) clear() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.isShown {
		p.isShown = false
		p.app.ui.write(&p.app.ui.err, eraseLine)
	}
}
