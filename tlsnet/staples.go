package tlsnet

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
)

// judgeStaples looks at the OCSP responses that came with a chain that is trusted. A server demands none of its clients,
// nor does a client that asked for none.
func (c *Conn) judgeStaples(p *Peer, now time.Time) error {
	demanded := c.set.role == tlscore.RoleClient && !c.set.noOCSP && pki.StapleDemanded(p.Chain)
	said, err := pki.VerifyStaples(p.Chain, p.staples(), demanded, now)
	if err != nil {
		p.Chain = nil
		return err
	}
	if said != nil {
		p.Status, p.AboveStatus = said[0], said[1:]
	}
	if len(p.Above) == 0 {
		p.AboveStatus = nil
	}
	if p.Status != nil && demanded {
		c.stapled = p.Status.NextUpdate
	}
	return nil
}

// staples lists the OCSP responses by the certificates of the verified chain, which need not be in the order of those sent.
func (p *Peer) staples() [][]byte {
	if len(p.Staple) == 0 && len(p.Above) == 0 {
		return nil
	}
	out := make([][]byte, len(p.Chain))
	out[0] = p.Staple
	for i, s := range p.Above {
		for depth := 1; depth < len(p.Chain) && len(s.Staple) > 0; depth++ {
			if bytes.Equal(p.Chain[depth].Raw, p.Raw[i+1]) {
				out[depth] = s.Staple
			}
		}
	}
	return out
}

// stapling asks the caller for the OCSP responses of an identity.
func (c *Conn) stapling(ctx context.Context, q *tlscore.Question) tlscore.Stapling {
	staples, err := c.set.staples(ctx, q)
	if err != nil {
		err = fmt.Errorf("OCSP responses for our certificates: %w", err)
	}
	return tlscore.Stapling{Staples: staples, Err: err}
}
