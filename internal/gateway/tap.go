package gateway

import (
	"io"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// Tap watches TLS connections from below, for tracers and debugging. What it is handed may hold secrets.
type Tap struct {
	Observer func() tlscore.Observer // as [tlsnet.Config] says; nil: nobody
	Secrets  func() tlscore.Secrets
	KeyLog   io.Writer
}

// watch hands the watchers to a configuration. A nil Tap has none.
func (t *Tap) watch(c *tlsnet.Config) {
	if t != nil {
		c.Observer, c.Secrets, c.KeyLog = t.Observer, t.Secrets, t.KeyLog
	}
}
