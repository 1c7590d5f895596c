package keys

import "crypto"

// Early is the first stage of the key schedule: HKDF-Extract of the PSK, or of zeros
// (RFC 8446, Section 7.1).
type Early struct{ s secret }

// Handshake is the second stage: the (EC)DHE shared secret has been mixed in.
type Handshake struct{ s secret }

// Main is the third and last stage, called Master Secret in RFC 8446, Section 7.1.
type Main struct{ s secret }

// NewEarly starts a key schedule. h is the hash of the cipher suite (or of the PSK); a nil psk means that there is none.
func NewEarly(h crypto.Hash, psk []byte) Early { return NewEarlyTraced(h, psk, nil) }

// NewEarlyTraced is NewEarly with a trace: every derivation of this stage and of all that follow from it is reported
// to the function as it happens, in whatever goroutine derives. A nil function costs nothing.
func NewEarlyTraced(h crypto.Hash, psk []byte, trace func(Derivation)) Early {
	return Early{extractSecret(h, trace, new(room), "early_secret", "psk", nil, psk)}
}

// Binder gives the key that binds a PSK to the handshake: external for a PSK agreed upon elsewhere, else for one
// from a NewSessionTicket. The two have different labels, so that the one can never pass for the other
// (RFC 8446, Section 7.1).
func (e Early) Binder(external bool) Binder {
	label := "res binder"
	if external {
		label = "ext binder"
	}
	return Binder{e.s.deriveEmpty("binder_key", label)}
}

// ClientEarlyTraffic gives the secret that protects 0-RTT data. th ends at the ClientHello.
func (e Early) ClientEarlyTraffic(th []byte) Traffic {
	return Traffic{s: e.s.derive("client_early_traffic_secret", "c e traffic", th)}
}

// Exporter gives the exporter that works with 0-RTT data. th ends at the ClientHello.
func (e Early) Exporter(th []byte) Exporter {
	return Exporter{e.s.derive("early_exporter_master_secret", "e exp master", th)}
}

// Handshake mixes in the shared secret of the key exchange. nil means that there was none: the PSK stands alone
// (psk_ke). The caller wipes shared.
func (e Early) Handshake(shared []byte) Handshake {
	return Handshake{e.s.next("handshake_secret", "shared_secret", shared)}
}

// Wipe overwrites the secret. The stage must not be used afterwards, those derived from it may.
func (e Early) Wipe() { e.s.wipe() }

// ClientTraffic gives the secret that protects the client's part of the handshake. th ends at the ServerHello.
func (h Handshake) ClientTraffic(th []byte) Traffic {
	return Traffic{s: h.s.derive("client_handshake_traffic_secret", "c hs traffic", th)}
}

// ServerTraffic gives the secret that protects the server's part of the handshake. th ends at the ServerHello.
func (h Handshake) ServerTraffic(th []byte) Traffic {
	return Traffic{s: h.s.derive("server_handshake_traffic_secret", "s hs traffic", th)}
}

// Main moves to the last stage. Nothing is mixed in.
//
// What comes from it has a room of its own, for it stays with the connection, and all before does not.
func (h Handshake) Main() Main {
	m := Main{h.s.next("master_secret", "zeros", nil)}
	m.s.room = new(room)
	return m
}

// Wipe overwrites the secret. The stage must not be used afterwards, those derived from it may.
func (h Handshake) Wipe() { h.s.wipe() }

// ClientTraffic gives the first secret that protects the client's application data. th ends at the server's Finished.
func (m Main) ClientTraffic(th []byte) Traffic {
	return Traffic{s: m.s.derive("client_application_traffic_secret_0", "c ap traffic", th), base: "client_application_traffic_secret_"}
}

// ServerTraffic gives the first secret that protects the server's application data. th ends at the server's Finished.
func (m Main) ServerTraffic(th []byte) Traffic {
	return Traffic{s: m.s.derive("server_application_traffic_secret_0", "s ap traffic", th), base: "server_application_traffic_secret_"}
}

// Exporter gives the exporter of the connection. th ends at the server's Finished.
func (m Main) Exporter(th []byte) Exporter {
	return Exporter{m.s.derive("exporter_master_secret", "exp master", th)}
}

// Resumption gives the secret from which the PSKs of session tickets come. th ends at the client's Finished.
func (m Main) Resumption(th []byte) Resumption {
	return Resumption{m.s.derive("resumption_master_secret", "res master", th)}
}

// Wipe overwrites the secret. The stage must not be used afterwards, those derived from it may.
func (m Main) Wipe() { m.s.wipe() }

// Binder is the key that proves possession of a PSK inside a ClientHello (RFC 8446, Section 4.2.11.2).
type Binder struct{ s secret }

// MAC computes the binder, one hash long. th is the hash of the transcript up to and including the ClientHello
// without its binders list, whose lengths nevertheless count it in.
func (b Binder) MAC(th []byte) []byte { return b.s.finished(nil, th) }

// AppendMAC is MAC, appended to out.
func (b Binder) AppendMAC(out, th []byte) []byte { return b.s.finished(out, th) }

// Hash returns the hash the PSK belongs to.
func (b Binder) Hash() crypto.Hash { return b.s.hash }

// IsZero reports whether there is no key.
func (b Binder) IsZero() bool { return b.s.value == nil }

// Wipe overwrites the key.
func (b Binder) Wipe() { b.s.wipe() }

// Resumption is the secret behind session tickets (RFC 8446, Section 4.6.1).
type Resumption struct{ s secret }

// PSK gives the PSK of the ticket with this ticket_nonce (at most 255 bytes), one hash long.
func (r Resumption) PSK(nonce []byte) []byte {
	psk := make([]byte, r.s.hash.Size())
	r.s.partInto(psk, "resumption", nonce)
	return psk
}

// Hash returns the hash that PSKs from here belong to. A ticket is good only for cipher suites with the same hash.
func (r Resumption) Hash() crypto.Hash { return r.s.hash }

// IsZero reports whether there is no secret.
func (r Resumption) IsZero() bool { return r.s.value == nil }

// Wipe overwrites the secret.
func (r Resumption) Wipe() { r.s.wipe() }
