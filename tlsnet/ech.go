package tlsnet

import (
	"context"
	"errors"
	"fmt"

	"github.com/tlswright/tlswright/tlscore"
)

// ECHMode says what a client does about Encrypted ClientHello where it has no configuration to use (RFC 9849).
type ECHMode uint8

// The modes.
const (
	// ECHIfKnown goes on without where there is no configuration, or none that we can use. With one a connection is made by
	// it, by what the server wants used in its place, or not at all.
	ECHIfKnown ECHMode = iota
	// ECHUnlessDisabled connects without, too, where the server has proven that it wants none any more.
	ECHUnlessDisabled
	// ECHAlways makes no connection without it.
	ECHAlways
)

// ErrNoECH is returned with ECHAlways where there is no configuration to use.
var ErrNoECH = errors.New("tlsnet: no configuration for Encrypted ClientHello")

// checkECH refuses what a role can do nothing with.
func (c *Config) checkECH(role tlscore.Role) error {
	client := c.ECHConfigList != nil || c.LookUpECH != nil || c.ECH != ECHIfKnown
	switch {
	case client && role == tlscore.RoleServer:
		return errors.New("ech: configuration lists are what a client has; a server has Core.ECHKeys")
	case len(c.Core.ECHKeys) > 0 && role == tlscore.RoleClient:
		return errors.New("ech: keys are what a server has; a client has ECHConfigList")
	case c.AcceptECH != nil && role == tlscore.RoleClient:
		return errors.New("ech: AcceptECH is a server's")
	case c.ECHConfigList != nil && c.LookUpECH != nil:
		return errors.New("ech: ECHConfigList and LookUpECH are both set")
	}
	if c.ECHConfigList != nil && c.ECH == ECHAlways {
		if _, err := tlscore.CheckECHConfigList(c.ECHConfigList); err != nil {
			return fmt.Errorf("ech: %w", err)
		}
	}
	return nil
}

// ECHPlan is how a connection goes about Encrypted ClientHello that comes in the place of one that was rejected.
type ECHPlan struct {
	list   []byte            // in the place of what the configuration says; nil: that
	off    bool              // the server has proven that it wants none
	inner  *tlscore.Inner    // of a server: what follows from the configuration that Config.ForClient chose; nil: it was not asked
	before *tlscore.ECHFacts // the connection that was rejected; nil: none was
}

// offerECH lets the machine encrypt its hello, if there is a configuration.
func (c *Conn) offerECH(ctx context.Context) error {
	if c.ech.off {
		return nil
	}
	list := c.ech.list
	if list == nil {
		var err error
		if list, err = c.set.echList(ctx, c.name); err != nil {
			return err
		}
	}
	if list == nil {
		return nil
	}
	return c.machine.OfferECH(list) // it is a client that has not started: no error
}

// echList finds the configuration list for a name; nil: none that can be used.
func (s *settings) echList(ctx context.Context, name string) ([]byte, error) {
	list := s.ech.list
	var err error
	if s.ech.lookUp != nil {
		list, err = s.ech.lookUp(ctx, name)
	}
	if err == nil && list != nil {
		if _, err = tlscore.CheckECHConfigList(list); err == nil {
			return list, nil
		}
	}
	if s.ech.mode == ECHAlways {
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNoECH, err)
		}
		return nil, ErrNoECH
	}
	return nil, nil
}

// echSettings is what a configuration says about Encrypted ClientHello, but for the keys.
type echSettings struct {
	list   []byte
	lookUp func(ctx context.Context, name string) ([]byte, error)
	mode   ECHMode
	accept func(*ClientHello) bool // server
}

// chooseInner answers whether a decrypted ClientHello is used.
func (c *Conn) chooseInner(q *tlscore.Question) tlscore.Inner {
	if c.ech.inner != nil {
		return *c.ech.inner
	}
	if accept := c.set.ech.accept; accept != nil {
		if h := c.clientHello(q.Hello); h == nil || !accept(h) {
			return tlscore.InnerDeclined
		}
	}
	return tlscore.InnerTaken
}

// ECHRejected returns what the first of two connections ended with, where this one is the second: the server could not read
// the encrypted hello of the first, and said with a certificate for its public name which configurations it wants used, or
// that it wants none. nil: there was no such connection.
func (c *Conn) ECHRejected() *tlscore.ECHFacts { return c.ech.before }

// NextECH says how to connect once more after a handshake failed with err; nil: not at all. A [Dialer] does so by itself;
// who connects without one gives the plan to the new connection by [Conn.FollowECH].
//
// RFC 9849, Section 6.1.6: it SHOULD retry the handshake with a new transport connection, using the retry configurations;
// it SHOULD NOT accept those of a connection that was made with such. If ECH is securely disabled, it SHOULD retry without.
func (c *Conn) NextECH(err error) *ECHPlan {
	if code, ok := tlscore.CodeOf(err); !ok || code != tlscore.CodeECHRejected {
		return nil
	}
	f := c.Facts().ECH
	switch {
	case !f.Disabled && c.ech.before == nil:
		return &ECHPlan{list: f.RetryConfigs, before: &f}
	case f.Disabled && c.set.ech.mode == ECHUnlessDisabled:
		return &ECHPlan{off: true, before: &f}
	}
	return nil
}

// FollowECH sets the plan of a client's connection, before its handshake. nil changes nothing.
func (c *Conn) FollowECH(p *ECHPlan) {
	if p != nil {
		c.ech = *p
	}
}

// rejectedName is the name that the server must prove to be once it has rejected our encrypted hello; "": it has not.
func (c *Conn) rejectedName() string {
	if c.set.role != tlscore.RoleClient {
		return ""
	}
	if f := c.machine.Facts().ECH; f.Status == tlscore.ECHRejected {
		return f.PublicName
	}
	return ""
}
