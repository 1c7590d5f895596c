package tlscore

import (
	"bytes"
	"slices"

	"github.com/tlswright/tlswright/wire"
)

// offer is a ClientHello, read and checked. Its slices borrow from the message, so it does not outlive the turn unless
// it is cloned.
type offer struct {
	hello     *wire.ClientHello
	groups    []wire.Group
	shares    []wire.KeyShareEntry
	protocols []string
	cookie    []byte
	wanted    wanted
	psk       *pskOffer // nil: the client offers no session
	early     bool      // the client sends early data
}

// share returns the client's key share of a group, or nil.
func (o *offer) share(g wire.Group) []byte {
	for _, s := range o.shares {
		if s.Group == g {
			return s.KeyExchange
		}
	}
	return nil
}

// readOffer reads a ClientHello and makes the checks that need no state (RFC 8446, Sections 4.1.2 and 9.2).
func readOffer(m message) (*offer, error) {
	o := &offer{hello: &wire.ClientHello{}}
	if err := parse(o.hello, m.raw); err != nil {
		return nil, err
	}
	if err := checkClientHello(o.hello); err != nil {
		return nil, err
	}
	var algorithms wire.SignatureAlgorithms
	var groups wire.SupportedGroups
	var shares wire.KeyShares
	if err := o.readPSK(); err != nil {
		return nil, err
	}
	for _, v := range []wire.ExtensionView{&algorithms, &groups, &shares} {
		present, err := ext(o.hello, v)
		if err != nil {
			return nil, err
		}
		// RFC 8446, Section 9.2: without a pre-shared key these three MUST be there.
		if !present && o.psk == nil {
			return nil, fail(CodeMissingExtension, "%v", v.Extension())
		}
	}
	o.groups, o.shares, o.wanted.schemes = groups.Groups, shares.Entries, algorithms.Schemes
	if err := o.checkShares(); err != nil {
		return nil, err
	}
	return o, o.readRest()
}

func checkClientHello(hello *wire.ClientHello) error {
	if kind, twice := hello.Extensions.Duplicate(); twice {
		return fail(CodeDuplicateExtension, "%v", kind)
	}
	var versions wire.SupportedVersions
	present, err := ext(hello, &versions)
	if err != nil {
		return err
	}
	if !present {
		return fail(CodeUnsupportedVersion, "the client offers at most %v", hello.LegacyVersion)
	}
	if !slices.Contains(versions.Versions, wire.VersionTLS13) {
		return fail(CodeUnsupportedVersion, "the client offers %v", versions.Versions)
	}
	// RFC 8446, Section 4.1.2: exactly one byte, set to zero.
	if !bytes.Equal(hello.CompressionMethods, []byte{0}) {
		return fail(CodeBadCompression, "legacy_compression_methods is %x", hello.CompressionMethods)
	}
	for i, e := range hello.Extensions {
		// RFC 8446, Section 4.2.11: it MUST be the last extension.
		if e.Type == wire.ExtPreSharedKey && i != len(hello.Extensions)-1 {
			return fail(CodePSKNotLast, "")
		}
	}
	return nil
}

// checkShares: RFC 8446, Section 4.2.8: one share per group, and only for groups in supported_groups.
func (o *offer) checkShares() error {
	for i, s := range o.shares {
		if !slices.Contains(o.groups, s.Group) {
			return fail(CodeBadKeyShare, "%v is not in supported_groups", s.Group)
		}
		if slices.ContainsFunc(o.shares[:i], func(e wire.KeyShareEntry) bool { return e.Group == s.Group }) {
			return fail(CodeBadKeyShare, "two shares for %v", s.Group)
		}
	}
	return nil
}

// readRest reads the extensions that may be absent.
func (o *offer) readRest() error {
	var err error
	if o.early, err = ext(o.hello, &wire.EarlyData{}); err != nil {
		return err
	}
	var names wire.ServerNames
	if _, err := ext(o.hello, &names); err != nil {
		return err
	}
	name, _ := names.HostName()
	o.wanted.name = name
	var alpn wire.ALPN
	if _, err := ext(o.hello, &alpn); err != nil {
		return err
	}
	o.protocols = alpn.Protocols
	var cookie wire.Cookie
	if _, err := ext(o.hello, &cookie); err != nil {
		return err
	}
	o.cookie = cookie.Cookie
	var authorities wire.CertificateAuthorities
	if _, err := ext(o.hello, &authorities); err != nil {
		return err
	}
	o.wanted.authorities = authorities.Names
	return nil
}

// mayLackShare reports whether the client can do without a key exchange, by a PSK alone.
func (o *offer) mayLackShare(p *Params) bool {
	return o.psk != nil && p.c.AskSession && p.c.InsecurePSKWithoutDHE && slices.Contains(o.psk.modes, wire.PSKModeKE)
}
