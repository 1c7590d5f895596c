package tlscore

import (
	"bytes"
	"slices"

	"github.com/tlswright/tlswright/wire"
)

// offer is a ClientHello, read and checked. Its slices borrow from the message.
type offer struct {
	hello     *wire.ClientHello
	groups    []wire.Group
	shares    []wire.KeyShareEntry
	modes     []wire.PSKKeyExchangeMode
	protocols []string
	cookie    []byte
	wanted    wanted
	psk       *pskOffer // nil: the client offers no session
	limits    offeredLimits
	early     bool // the client sends early data
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

// readOffer reads a ClientHello and the extensions that both versions have.
func readOffer(m message) (*offer, error) {
	var room struct { // in one piece, for the allocator's sake
		offer
		hello wire.ClientHello
	}
	o := &room.offer
	o.hello = &room.hello
	if err := parse(o.hello, m.raw); err != nil {
		return nil, err
	}
	if kind, twice := o.hello.Extensions.Duplicate(); twice {
		return nil, fail(CodeDuplicateExtension, "%v", kind)
	}
	if err := o.readShared(); err != nil {
		return nil, err
	}
	return o, o.checkSyntax()
}

// checkSyntax reads what only one of the versions acts upon, whichever is chosen later. pre_shared_key is left to TLS 1.3:
// what comes with a session of TLS 1.2 need not make sense there, such as a binder of the length of its Finished.
//
// RFC 8446, Section 6: peers which receive a message which cannot be parsed according to the syntax MUST terminate the
// connection with a decode_error alert.
func (o *offer) checkSyntax() error {
	var views struct { // in one piece, for the allocator's sake
		status  wire.StatusRequest
		scts    wire.EmptySCT
		formats wire.ECPointFormats
		ems     wire.ExtendedMasterSecret
		reneg   wire.RenegotiationInfo
		modes   wire.PSKKeyExchangeModes
		shares  wire.KeyShares
		early   wire.EarlyData
		packed  wire.CompressCertificate
		late    wire.PostHandshakeAuth
	}
	for _, v := range [...]wire.ExtensionView{
		&views.status, &views.scts, &views.formats, &views.ems, &views.reneg, &views.modes, &views.shares, &views.early, &views.packed, &views.late,
	} {
		if _, err := decoded(o.hello.Ext(v)); err != nil {
			return err
		}
	}
	o.shares, o.modes = views.shares.Entries, views.modes.Modes
	return checkCompressionList(views.packed.Algorithms)
}

// check13 makes the checks of TLS 1.3 that need no state, and reads what only it has (RFC 8446, Sections 4.1.2 and 9.2).
func (o *offer) check13(p *Params) error {
	// RFC 8446, Section 4.1.2: exactly one byte, set to zero.
	if !bytes.Equal(o.hello.CompressionMethods, []byte{0}) {
		return fail(CodeBadCompression, "legacy_compression_methods is %x", o.hello.CompressionMethods)
	}
	for i, e := range o.hello.Extensions {
		// RFC 8446, Section 4.2.11: it MUST be the last extension.
		if e.Type == wire.ExtPreSharedKey && i != len(o.hello.Extensions)-1 {
			return fail(CodePSKNotLast, "")
		}
	}
	if err := o.readPSK(); err != nil {
		return err
	}
	var err error
	if o.early, err = decoded(o.hello.Ext(&wire.EarlyData{})); err != nil {
		return err
	}
	var delegated wire.DelegatedCredentialSchemes // nothing to a server of TLS 1.2 (RFC 9345, Section 4.1.1)
	if _, err := decoded(o.hello.Ext(&delegated)); err != nil {
		return err
	}
	o.wanted.delegated = delegated.Schemes
	for _, kind := range []wire.ExtensionType{wire.ExtSignatureAlgorithms, wire.ExtSupportedGroups, wire.ExtKeyShare} {
		// RFC 8446, Section 9.2: without a pre-shared key these three MUST be there.
		if _, present := o.hello.Extensions.Find(kind); !present && o.psk == nil {
			return fail(CodeMissingExtension, "%v", kind)
		}
	}
	return o.checkShares()
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

// readShared reads the extensions that mean the same in both versions.
func (o *offer) readShared() error {
	var views struct { // in one piece, for the allocator's sake
		algorithms  wire.SignatureAlgorithms
		groups      wire.SupportedGroups
		chains      wire.SignatureAlgorithmsCert
		names       wire.ServerNames
		alpn        wire.ALPN
		cookie      wire.Cookie
		authorities wire.CertificateAuthorities
		types       wire.ServerCertificateTypes
	}
	for _, v := range [...]wire.ExtensionView{
		&views.algorithms, &views.groups, &views.chains, &views.names, &views.alpn, &views.cookie, &views.authorities, &views.types,
	} {
		if _, err := decoded(o.hello.Ext(v)); err != nil {
			return err
		}
	}
	var err error
	if o.limits, err = readLimits(o.hello); err != nil {
		return err
	}
	o.groups, o.protocols, o.cookie = views.groups.Groups, views.alpn.Protocols, views.cookie.Cookie
	name, _ := views.names.HostName()
	o.wanted = wanted{types: serverTypes(o.hello, &views.types), name: name, schemes: views.algorithms.Schemes, chains: views.chains.Schemes, authorities: views.authorities.Names}
	return nil
}

// mayLackShare reports whether the client can do without a key exchange, by a PSK alone.
func (o *offer) mayLackShare(p *Params) bool {
	return o.psk != nil && (p.looksUpTickets() || p.takesPSKs()) && p.c.InsecurePSKWithoutDHE && slices.Contains(o.psk.modes, wire.PSKModeKE)
}

// takesTickets reports whether the client lists a mode in which it could use a ticket of ours.
//
// RFC 8446, Section 4.2.9: servers SHOULD NOT send NewSessionTicket with tickets that are not compatible with the
// advertised modes.
func (o *offer) takesTickets(p *Params) bool {
	alone := p.c.InsecurePSKWithoutDHE && slices.Contains(o.modes, wire.PSKModeKE)
	return alone || slices.Contains(o.modes, wire.PSKModeDHEKE)
}
