package trace

import (
	"github.com/tlswright/tlswright/wire"
)

// explainRecord says what a record is.
func explainRecord(rec *Record) {
	for i := range rec.Fields {
		explainField(&rec.Fields[i], recordMessage, "RFC 8446, Section 5.1")
	}
	for i := range rec.Inside {
		explainField(&rec.Inside[i], recordMessage, "RFC 8446, Section 5.1")
	}
}

// explainMessage says what a message is.
func (d *decoder) explainMessage(m *Message) {
	m.Type, m.Section, m.Meaning = d.messageMeaning(m)
	if d.late(m) {
		m.Section, m.Meaning = sectionLate, lateMeaning(wire.HandshakeType(m.Raw[0]))
	}
	if !m.whole() {
		m.Meaning += " It is cut off."
	}
	d.explainInner(m)
	for i := range m.Fields {
		f := &m.Fields[i]
		explainField(f, m.Type, m.Section)
		if f.Kind == wire.KindBytes.String() && f.Offset+f.Length <= len(m.Raw) {
			explainIdentity(f, m.Raw[f.Offset:f.Offset+f.Length])
		}
	}
}

// messageMeaning gives name, section and one sentence.
func (d *decoder) messageMeaning(m *Message) (name, section, meaning string) {
	if len(m.Raw) == 0 {
		return "nothing", "", ""
	}
	t := wire.HandshakeType(m.Raw[0])
	if d.old() {
		if name, section, meaning = messageMeaning12(t); name != "" {
			return name, section, meaning
		}
	}
	switch t {
	case wire.TypeClientHello:
		return "ClientHello", "RFC 8446, Section 4.1.2", "The client says what it can do, and sends its half of the key exchange."
	case wire.TypeServerHello:
		var hello wire.ServerHello
		if hello.Parse(m.Raw) == nil && hello.IsHelloRetryRequest() {
			return "HelloRetryRequest", "RFC 8446, Section 4.1.4", "The server asks for another ClientHello: it cannot use the key shares of the first, or wants to see a cookie again."
		}
		return "ServerHello", "RFC 8446, Section 4.1.3", "The server chooses version and cipher suite, and sends its half of the key exchange. From here on both can compute the handshake keys."
	case wire.TypeEncryptedExtensions:
		return "EncryptedExtensions", "RFC 8446, Section 4.3.1", "The server answers the extensions that the keys do not depend on. This is the first message that nobody on the way can read."
	case wire.TypeCertificateRequest:
		return "CertificateRequest", "RFC 8446, Section 4.3.2", "The server wants to know who the client is."
	case wire.TypeCertificate:
		return "Certificate", "RFC 8446, Section 4.4.2", "The " + string(m.From) + " shows its certificate, and those that lead from it towards a root."
	case wire.TypeCertificateVerify:
		return "CertificateVerify", "RFC 8446, Section 4.4.3", "The " + string(m.From) + " signs everything said so far: it has the private key of its certificate, and is part of this very conversation."
	case wire.TypeFinished:
		return "Finished", "RFC 8446, Section 4.4.4", "The " + string(m.From) + " proves that it has the keys and has seen the same messages."
	case wire.TypeEndOfEarlyData:
		return "EndOfEarlyData", "RFC 8446, Section 4.5", "The client's early data ends here; what follows is under the handshake keys."
	case wire.TypeNewSessionTicket:
		return "NewSessionTicket", "RFC 8446, Section 4.6.1", "The server gives the client a ticket, with which it can come back faster."
	case wire.TypeKeyUpdate:
		return "KeyUpdate", "RFC 8446, Section 4.6.3", "The " + string(m.From) + " writes with new keys from the next record on."
	case wire.TypeCompressedCertificate:
		return "CompressedCertificate", "RFC 8879, Section 4", "The " + string(m.From) + " shows its certificate, compressed." + sizesOf(m.Raw)
	case wire.TypeMessageHash:
		return "message_hash", "RFC 8446, Section 4.4.1", "This message never goes over the wire; it is a fault that it does."
	}
	return t.String(), "RFC 8446, Section 4", "A message that does not belong here."
}

// messageMeaning12 is messageMeaning for what TLS 1.2 has in another way than TLS 1.3; the name is "" for what it has not.
func messageMeaning12(t wire.HandshakeType) (name, section, meaning string) {
	switch t {
	case wire.TypeHelloRequest:
		return "HelloRequest", "RFC 5246, Section 7.4.1.1", "The server would like to renegotiate."
	case wire.TypeClientHello:
		return "ClientHello", "RFC 5246, Section 7.4.1.2", "The client says what it can do."
	case wire.TypeServerHello:
		return "ServerHello", "RFC 5246, Section 7.4.1.3", "The server chooses version and cipher suite."
	case wire.TypeNewSessionTicket:
		return "NewSessionTicket", "RFC 5077, Section 3.3", "The server gives the client a ticket, with which it can come back faster. Anybody on the way can see it."
	case wire.TypeCertificate:
		return "Certificate", "RFC 5246, Section 7.4.2", "A certificate, and those that lead from it towards a root. Anybody on the way can read them."
	case wire.TypeServerKeyExchange:
		return "ServerKeyExchange", "RFC 8422, Section 5.4", "The server's half of the key exchange, signed with the key of its certificate."
	case wire.TypeCertificateRequest:
		return "CertificateRequest", "RFC 5246, Section 7.4.4", "The server wants to know who the client is."
	case wire.TypeServerHelloDone:
		return "ServerHelloDone", "RFC 5246, Section 7.4.5", "The server has said what it has to say, and waits."
	case wire.TypeCertificateVerify:
		return "CertificateVerify", "RFC 5246, Section 7.4.8", "The client signs everything said so far: it has the private key of its certificate."
	case wire.TypeClientKeyExchange:
		return "ClientKeyExchange", "RFC 8422, Section 5.7", "The client's half of the key exchange. From here on both can compute the keys."
	case wire.TypeFinished:
		return "Finished", "RFC 5246, Section 7.4.9", "Proves knowledge of the keys, and that both have seen the same messages: the first message under these keys."
	case wire.TypeCertificateStatus:
		return "CertificateStatus", "RFC 6066, Section 8", "What the CA's OCSP responder says about the server's certificate, passed on by the server."
	}
	return "", "", ""
}
