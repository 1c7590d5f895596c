package tlscore

import (
	"slices"

	"github.com/tlswright/tlswright/wire"
)

// expectEncryptedExtensions is WAIT_EE of RFC 8446, Appendix A.1.
type expectEncryptedExtensions struct{ *clientKeys }

func (expectEncryptedExtensions) name() string { return "WAIT_EE" }
func (expectEncryptedExtensions) expects() []wire.HandshakeType {
	return []wire.HandshakeType{wire.TypeEncryptedExtensions}
}

func (s expectEncryptedExtensions) on(t *turn, m message) (state, error) {
	var ee wire.EncryptedExtensions
	if err := parse(&ee, m.raw); err != nil {
		return nil, err
	}
	if err := s.checkExtensions(&ee); err != nil {
		return nil, err
	}
	if err := s.onRetryConfigs(&ee); err != nil {
		return nil, err
	}
	if err := s.onALPN(t, &ee, ee.Extensions); err != nil {
		return nil, err
	}
	if err := s.onLimits(t, &ee, ee.Extensions, wire.VersionTLS13); err != nil {
		return nil, err
	}
	if err := s.onCertificateTypes(t, &ee, ee.Extensions); err != nil {
		return nil, err
	}
	t.absorb(m)
	if err := s.onEarlyData(t, &ee); err != nil {
		return nil, err
	}
	if s.keyed != nil {
		return expectServerFinished{s.clientKeys, serverProof{keyed: s.keyed}}, nil
	}
	if s.resumed == nil {
		return expectCertificateOrRequest{s.clientKeys}, nil
	}
	if len(s.resumed.PeerChain) == 0 {
		return expectServerFinished{s.clientKeys, serverProof{resumed: s.resumed}}, nil
	}
	t.ask(Question{Kind: NeedVerify, Chain: s.resumed.PeerChain, Type: s.resumed.PeerType, ServerName: t.options.ServerName, Resumed: s.resumed})
	return verifyingServer{clientKeys: s.clientKeys, proof: serverProof{resumed: s.resumed}}, nil
}

// checkExtensions refuses what was not asked for and what belongs elsewhere (RFC 8446, Section 4.2), and reads the
// bodies of the rest.
func (s expectEncryptedExtensions) checkExtensions(ee *wire.EncryptedExtensions) error {
	if kind, twice := ee.Extensions.Duplicate(); twice {
		return fail(CodeDuplicateExtension, "%v", kind)
	}
	for _, e := range ee.Extensions {
		if !s.offered(e.Type) {
			return fail(CodeUnsupportedExtension, "%v in EncryptedExtensions", e.Type)
		}
		switch e.Type {
		case wire.ExtServerName, wire.ExtSupportedGroups, wire.ExtALPN, wire.ExtEarlyData,
			wire.ExtServerCertificateType, wire.ExtClientCertificateType, wire.ExtRecordSizeLimit, wire.ExtMaxFragmentLength,
			wire.ExtEncryptedClientHello:
		default:
			return fail(CodeMisplacedExtension, "%v in EncryptedExtensions", e.Type)
		}
	}
	// RFC 8446, Section 4.2.7: the groups are for the next connection and MUST NOT be acted upon now.
	if _, err := decoded(ee.Ext(&wire.SupportedGroups{})); err != nil {
		return err
	}
	_, err := decoded(ee.Ext(&wire.ServerNameAck{}))
	return err
}

// onALPN reads the server's choice of an application protocol, out of EncryptedExtensions or a TLS 1.2 ServerHello.
func (hs *clientHandshake) onALPN(t *turn, m extended, es wire.Extensions) error {
	if _, present := es.Find(wire.ExtALPN); !present {
		return nil
	}
	var alpn wire.ALPN
	if _, err := decoded(m.Ext(&alpn)); err != nil {
		return err
	}
	// RFC 7301, Section 3.1: the list MUST contain exactly one protocol name.
	if len(alpn.Protocols) != 1 {
		return fail(CodeBadProtocolSelected, "%d protocols", len(alpn.Protocols))
	}
	if !slices.Contains(t.params.c.ALPN, alpn.Protocols[0]) {
		return fail(CodeBadProtocolSelected, "%q", alpn.Protocols[0])
	}
	t.facts.ALPN = alpn.Protocols[0]
	return nil
}
