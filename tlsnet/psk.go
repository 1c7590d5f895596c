package tlsnet

import (
	"context"
	"errors"
	"fmt"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// maxPSKLookups is how many of a client's identities are looked up: each may cost a query.
const maxPSKLookups = 8

// checkPSKs refuses what a role can do nothing with.
func (c *Config) checkPSKs(role tlscore.Role) error {
	for i := range c.Core.PSKs {
		if c.Core.PSKs[i].Role != role {
			return fmt.Errorf("core psks[%d]: is for the role of %v, and this is a %v (RFC 9257, Section 4.1)", i, c.Core.PSKs[i].Role, role)
		}
	}
	switch {
	case role == tlscore.RoleClient && c.LookUpPSK != nil:
		return errors.New("look up psk: only a server looks keys up")
	case role == tlscore.RoleClient && c.insistsOnPSK() && len(c.Pins) > 0:
		return errors.New("pins are about certificates, and with PSKs none is taken, unless Core.PSKOptional is set")
	}
	return nil
}

// insistsOnPSK reports whether a client takes no certificate.
func (c *Config) insistsOnPSK() bool { return len(c.Core.PSKs) > 0 && !c.Core.PSKOptional }

// lookUpPSK answers which key one of the identities names. An error of the look-up is as good as none.
func (c *Conn) lookUpPSK(ctx context.Context, q *tlscore.Question) tlscore.Keyed {
	tried := map[string]bool{}
	for _, name := range q.Tickets {
		if len(tried) == maxPSKLookups || ctx.Err() != nil {
			break
		}
		var id wire.ImportedIdentity
		if id.Parse(name) == nil && id.Protocol == wire.VersionTLS13 {
			name = id.External
		}
		if tried[string(name)] {
			continue
		}
		tried[string(name)] = true
		if psk, err := c.set.lookUp(ctx, name); err == nil && psk != nil {
			return tlscore.Keyed{PSK: psk}
		}
	}
	return tlscore.Keyed{}
}

// stillKeyed reports whether the key that a session rests on is still known, and returns it where keys are looked up. The
// machine knows those of the configuration itself.
func (c *Conn) stillKeyed(ctx context.Context, s *tlscore.Session) (*tlscore.PSK, bool) {
	if s.PSKIdentity == nil || c.set.lookUp == nil || c.set.params.HasPSK(s) {
		return nil, true
	}
	psk, err := c.set.lookUp(ctx, s.PSKIdentity)
	if err != nil || psk == nil || !s.RestsOn(psk) {
		return nil, false
	}
	return psk, true
}
