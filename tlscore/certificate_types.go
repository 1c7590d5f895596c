package tlscore

import (
	"slices"

	"github.com/tlswright/tlswright/wire"
)

// onlyX509 reports whether a list says no more than no list does.
//
// RFC 7250, Section 4.1: if the client has only X.509 certificates, it MUST omit the extension.
func onlyX509(types []wire.CertificateType) bool {
	return len(types) == 0 || len(types) == 1 && types[0] == wire.CertificateTypeX509
}

// ownTypes lists the types of identities in order of preference.
func ownTypes(ids []Identity) []wire.CertificateType {
	var out []wire.CertificateType
	for i := range ids {
		if !slices.Contains(out, ids[i].Type) {
			out = append(out, ids[i].Type)
		}
	}
	if out == nil {
		out = []wire.CertificateType{wire.CertificateTypeX509}
	}
	return out
}

// stillTakes reports whether the peer of a session showed nothing, or what a full handshake would take now.
func (p *Params) stillTakes(s *Session) bool {
	return len(s.PeerChain) == 0 || slices.Contains(p.c.PeerCertificateTypes, s.PeerType)
}

// publicOf is the caller's part of an identity; nil: there is none.
func publicOf(id *identity) *Identity {
	if id == nil {
		return nil
	}
	return id.public
}

// certificateTypes is what a server has settled about the types of certificates (RFC 7250, Section 4.2).
type certificateTypes struct {
	tellServer bool                 // the client asked for the server's type
	tellClient bool                 // and offers its own, which we shall ask for
	client     wire.CertificateType // of the client
	none       bool                 // there is none in common, so it cannot be asked later
}

// serverTypes is what a client takes from the server; nil: it does not say, so X.509.
func serverTypes(h *wire.ClientHello, read *wire.ServerCertificateTypes) []wire.CertificateType {
	if _, present := h.Extensions.Find(wire.ExtServerCertificateType); !present {
		return nil
	}
	return read.Types
}

// certificateTypes chooses the type of the client's certificate, if there is to be one. That of the server follows from
// the identity that it chooses. late says that a certificate may be asked for after the handshake.
func (o *offer) certificateTypes(p *Params, late bool) (c certificateTypes, err error) {
	c.tellServer = o.wanted.types != nil
	types, present, err := o.clientTypes()
	if err != nil {
		return c, err
	}
	if c.tellServer && onlyX509(o.wanted.types) || present && onlyX509(types) {
		return c, fail(CodeBadCertificateTypes, "")
	}
	if p.c.ClientAuth == NoClientCert && !late {
		return c, nil
	}
	i := slices.IndexFunc(p.c.PeerCertificateTypes, func(t wire.CertificateType) bool {
		return slices.Contains(types, t) || !present && t == wire.CertificateTypeX509
	})
	if i < 0 && p.c.ClientAuth == NoClientCert {
		c.none = true
		return c, nil
	}
	if i < 0 {
		return c, fail(CodeNoSharedCertificateType, "the client has %v", types)
	}
	c.client, c.tellClient = p.c.PeerCertificateTypes[i], present
	return c, nil
}

// clientTypes reads what the client can show. The look before it spares most handshakes an allocation.
func (o *offer) clientTypes() (types []wire.CertificateType, present bool, err error) {
	if _, present = o.hello.Extensions.Find(wire.ExtClientCertificateType); !present {
		return nil, false, nil
	}
	var theirs wire.ClientCertificateTypes
	_, err = decoded(o.hello.Ext(&theirs))
	return theirs.Types, true, err
}

// add tells the client what was settled, with the type of what we show.
func (c certificateTypes) add(es *wire.Extensions, server wire.CertificateType) {
	if c.tellServer {
		es.Add(&wire.SelectedServerCertificateType{Type: server})
	}
	if c.tellClient {
		es.Add(&wire.SelectedClientCertificateType{Type: c.client})
	}
}

// onCertificateTypes reads the server's choice of types, out of EncryptedExtensions or a TLS 1.2 ServerHello (RFC 7250,
// Section 4.2). A handshake without certificates needs none.
func (hs *clientHandshake) onCertificateTypes(t *turn, m extended, es wire.Extensions) error {
	server, present, err := selectedType(m, es, wire.ExtServerCertificateType)
	if err != nil {
		return err
	}
	if takes := t.params.c.PeerCertificateTypes; (present || hs.resumed == nil && hs.keyed == nil) && !slices.Contains(takes, server) {
		return fail(CodeNoSharedCertificateType, "the server shows %v", server)
	}
	client, present, err := selectedType(m, es, wire.ExtClientCertificateType)
	if err != nil {
		return err
	}
	if present && !slices.Contains(t.params.c.OwnCertificateTypes, client) {
		return fail(CodeNoSharedCertificateType, "the server asks for %v", client)
	}
	hs.serverType, hs.clientType = server, client
	return nil
}

// selectedType reads one choice; X.509 where there is none.
func selectedType(m extended, es wire.Extensions, kind wire.ExtensionType) (wire.CertificateType, bool, error) {
	if _, present := es.Find(kind); !present {
		return wire.CertificateTypeX509, false, nil
	}
	if kind == wire.ExtClientCertificateType {
		var client wire.SelectedClientCertificateType
		_, err := decoded(m.Ext(&client))
		return client.Type, true, err
	}
	var server wire.SelectedServerCertificateType
	_, err := decoded(m.Ext(&server))
	return server.Type, true, err
}
