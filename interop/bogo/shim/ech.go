package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// encrypted is what the flags say about Encrypted ClientHello.
type encrypted struct {
	list          []byte // a client's; nil: none
	grease        bool
	rejectsUnused bool     // a list of which nothing can be used
	configs, keys [][]byte // a server's
	retry         []uint8
	expectAccept  bool

	nameOverride   string
	noNameOverride bool
	retryConfigs   []byte
	noRetryConfigs bool
	rewinds        bool // a server that sees the inner name wants the outer hello used
}

// echKeys are a server's.
func (e *encrypted) echKeys() (out []tlscore.ECHKey, err error) {
	if len(e.configs) != len(e.keys) || len(e.keys) != len(e.retry) {
		return nil, unimplemented("keys for ECH that do not go together")
	}
	for i := range e.keys {
		out = append(out, tlscore.ECHKey{Config: e.configs[i], PrivateKey: e.keys[i], Retry: e.retry[i] == 1})
	}
	return out, nil
}

// echList is what a client uses. What the runner takes for granted is what a client does that has no better idea: it goes
// on without.
func (c *settings) echList() ([]byte, error) {
	if c.server || c.ech.list == nil && !c.ech.rejectsUnused {
		return nil, nil
	}
	if c.shimID == nil && offersP256(c.ech.list) {
		return nil, unimplemented("a key agreement that the runner of that time takes for one that nobody has")
	}
	var malformed *wire.ParseError
	_, err := tlscore.CheckECHConfigList(c.ech.list)
	_, highest := c.versions.ours()
	switch {
	case err == nil && highest == wire.VersionTLS13:
		return c.ech.list, nil
	case c.ech.rejectsUnused:
		return nil, fmt.Errorf(":UNUSABLE_ECH_CONFIG_LIST: %w", err)
	case errors.As(err, &malformed):
		return nil, fmt.Errorf(":INVALID_ECH_CONFIG_LIST: %w", err)
	}
	return nil, nil
}

// checkName compares which name the application is told to verify, where it is not the one that it asked for.
func (a *answerer) checkName(c *settings, q *tlscore.Question) {
	name := ""
	if f := a.facts(); !a.server && f.ECH.Status == tlscore.ECHRejected {
		name = q.ServerName
	}
	if c.ech.noNameOverride && name != "" || c.ech.nameOverride != "" && name != c.ech.nameOverride {
		a.wrongName = fmt.Errorf("expectation not met: told to verify the other name %q", name)
	}
}

// checkECH compares what became of it. It comes after a failure, too.
func (p *player) checkECH(err error) error {
	f := p.machine.Facts().ECH
	e := p.ech
	code, _ := tlscore.CodeOf(err)
	rejected := err != nil && code == tlscore.CodeECHRejected
	if p.wrongName != nil {
		return p.wrongName
	}
	for _, x := range []expectation{
		{"Encrypted ClientHello", err == nil && e.expectAccept != (f.Status == tlscore.ECHAccepted && (!p.server || len(e.keys) > 0))},
		{"retry configurations", rejected && e.retryConfigs != nil && !bytes.Equal(f.RetryConfigs, e.retryConfigs)},
		{"retry configurations, although none were expected", e.noRetryConfigs && f.RetryConfigs != nil},
	} {
		if x.bad {
			return fmt.Errorf("expectation not met: %s (%+v)", x.name, f)
		}
	}
	return err
}

// offersP256 reports whether a configuration is for DHKEM(P-256, HKDF-SHA256).
func offersP256(list []byte) bool {
	var l wire.ECHConfigList
	return l.Parse(list) == nil && slices.ContainsFunc(l.Configs, func(c wire.ECHConfig) bool { return c.KEM == wire.HPKEKEMP256 })
}
