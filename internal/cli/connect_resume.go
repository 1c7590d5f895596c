package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// resumption is what a second connection knows of the first.
type resumption struct {
	first     time.Duration // that its TLS handshake took
	hasTicket bool          // it left something to resume
	early     int           // bytes of early data that were to be sent
}

// ticketWatch is a store of sessions that tells when the first one came.
type ticketWatch struct {
	tlsnet.SessionStore
	once sync.Once
	came chan struct{}
}

// Put implements tlsnet.SessionStore.
func (w *ticketWatch) Put(key string, s *tlscore.Session) {
	w.SessionStore.Put(key, s)
	w.once.Do(func() { close(w.came) })
}

// dialTwice connects, waits for a ticket, and connects again.
func (c *connector) dialTwice(ctx context.Context, t target) (*tlsnet.Conn, *outcome) {
	watch := &ticketWatch{SessionStore: tlsnet.NewMemorySessions(1), came: make(chan struct{})}
	first, o := c.dialOnce(ctx, t, watch, nil)
	if first == nil {
		return nil, o
	}
	// A server of TLS 1.3 sends it behind its handshake, or never; of TLS 1.2 within it.
	patience := c.timeout
	if o.facts.Version == wire.VersionTLS12 {
		patience = 0
	}
	r := &resumption{first: o.tls, hasTicket: watch.await(ctx, first, patience), early: len(c.early)}
	conn, second := c.dialOnce(ctx, t, watch, c.early)
	second.resumption = r
	return conn, second
}

// await reads from conn, throwing away what comes, until there is a session or patience is over. It closes conn.
func (w *ticketWatch) await(ctx context.Context, conn *tlsnet.Conn, patience time.Duration) bool {
	over := make(chan struct{})
	go func() {
		defer close(over)
		_, _ = io.Copy(io.Discard, conn) // however it ends: what counts is the ticket
	}()
	select {
	case <-w.came:
	case <-over:
	case <-ctx.Done():
	case <-time.After(patience):
	}
	conn.Close()
	<-over
	select {
	case <-w.came:
		return true
	default:
		return false
	}
}

// readEarly reads --resume and --early-data.
func (c *connector) readEarly(cmd *cobra.Command, o *connectFlags) error {
	c.resumes = o.resumes || o.early != ""
	if c.resumes && o.isHTTP {
		return usagef(cmd, "--resume and --early-data do not go with --http")
	}
	c.early = []byte(o.early)
	if file, ok := strings.CutPrefix(o.early, "@"); ok {
		var err error
		if c.early, err = os.ReadFile(file); err != nil {
			return cannotRun(err, "--early-data")
		}
	}
	return nil
}

// settleEarly returns what is left to send: where the server did not take the early data, that comes first again.
func (c *connector) settleEarly(conn *tlsnet.Conn, o *outcome, src io.Reader) io.Reader {
	if len(c.early) == 0 {
		return src
	}
	if src == nil {
		src = bytes.NewReader(nil)
	}
	if o.facts.EarlyData == tlscore.EarlyDataAccepted {
		return src
	}
	conn.ForgetEarly()
	return io.MultiReader(bytes.NewReader(c.early), src)
}

// resumptionRows tell what became of the second connection.
func (c *connector) resumptionRows(o *outcome) []row {
	r := o.resumption
	if r == nil || o.facts.Version == 0 {
		return nil
	}
	line := row{label: "resumed", value: "no: the server wanted a full handshake", style: caution}
	switch {
	case o.facts.Resumed:
		line = row{label: "resumed", value: fmt.Sprintf("yes, without certificates: %s, the full handshake took %s", milliseconds(o.tls), milliseconds(r.first)), style: good}
	case !r.hasTicket:
		line.value = "no: the server left no ticket"
	}
	rows := []row{line}
	if r.early == 0 {
		return rows
	}
	early := row{label: "early data", value: byteCount(int64(r.early)) + ", taken by the server before the handshake was done", style: good}
	switch o.facts.EarlyData {
	case tlscore.EarlyDataAccepted:
	case tlscore.EarlyDataRejected:
		early = row{label: "early data", value: byteCount(int64(r.early)) + ", refused by the server; sent again after the handshake", style: caution}
	default:
		early = row{label: "early data", value: byteCount(int64(r.early)) + ", not sent early, for no ticket allows it; sent after the handshake", style: caution}
	}
	return append(rows, early)
}

// resumptionJSON is the second of two connections in --json.
type resumptionJSON struct {
	Resumed     bool    `json:"resumed"`
	HasTicket   bool    `json:"ticket"`
	FirstMillis float64 `json:"full_handshake_milliseconds"`
	EarlyBytes  int     `json:"early_data_bytes"`
	EarlyData   string  `json:"early_data"`
}

func newResumptionJSON(o *outcome) *resumptionJSON {
	r := o.resumption
	if r == nil {
		return nil
	}
	return &resumptionJSON{o.facts.Resumed, r.hasTicket, float64(r.first.Microseconds()) / 1000, r.early, o.facts.EarlyData.String()}
}
