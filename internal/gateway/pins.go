package gateway

import (
	"fmt"
	"slices"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlsnet"
)

// pinUpstream ties a server behind us to keys or certificates, beside the CAs. A single pin without a backup is refused,
// unless it is written twice.
func pinUpstream(c *tlsnet.Config, t *config.Target) error {
	c.PinsAlone = t.PinsAlone
	for _, text := range t.Pins {
		p, err := pki.ParsePin(text)
		if err != nil {
			return fmt.Errorf("pins: %w", err)
		}
		if slices.Contains(c.Pins, p) {
			c.PinsAlone = true
			continue
		}
		c.Pins = append(c.Pins, p)
	}
	return nil
}
