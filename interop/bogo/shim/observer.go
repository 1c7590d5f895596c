package main

import (
	"fmt"
	"strings"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// witness watches the connection for what tests ask about and facts do not say.
type witness struct {
	facts    func() tlscore.Facts
	messages strings.Builder    // one line per message, change_cipher_spec and alert, as the runner writes them
	first    []byte             // the peer's first ClientHello
	request  []byte             // the server's CertificateRequest
	legacy   bool               // it is one of TLS 1.2
	last     wire.HandshakeType // received

	inner bool // an encrypted ClientHello is about to be sent

	clientTraffic, serverTraffic []byte // the first application traffic secrets
}

// Observe takes note.
func (w *witness) Observe(o tlscore.Observation) {
	switch o := o.(type) {
	case tlscore.MessageObserved:
		if w.inner && o.Direction == tlscore.Sent {
			w.messages.WriteString("write clienthelloinner\n")
			w.inner = false
		}
		fmt.Fprintf(&w.messages, "%s hs %d\n", verb(o.Direction), o.Raw[0])
		if o.Direction == tlscore.Received {
			w.keep(o.Raw)
			w.legacy = w.legacy || o.Epoch == tlscore.EpochPlaintext && wire.HandshakeType(o.Raw[0]) == wire.TypeCertificateRequest
		}
	case tlscore.RecordObserved:
		// In TLS 1.3 the peer's means nothing, and is passed over in silence.
		if wire.ContentType(o.Raw[0]) == wire.ContentChangeCipherSpec && (o.Direction == tlscore.Sent || w.facts().Version == wire.VersionTLS12) {
			fmt.Fprintf(&w.messages, "%s ccs\n", verb(o.Direction))
		}
	case tlscore.AlertObserved:
		fmt.Fprintf(&w.messages, "%s alert %d %d\n", verb(o.Direction), o.Alert.Level, o.Alert.Code)
	}
}

func verb(d tlscore.Direction) string {
	if d == tlscore.Sent {
		return "write"
	}
	return "read"
}

func (w *witness) keep(raw []byte) {
	w.last = wire.HandshakeType(raw[0])
	switch wire.HandshakeType(raw[0]) {
	case wire.TypeClientHello:
		if w.first == nil {
			w.first = append([]byte{}, raw...)
		}
	case wire.TypeCertificateRequest:
		w.request = append([]byte{}, raw...)
	}
}

// Derived keeps the traffic secrets, for -export-traffic-secrets.
func (w *witness) Derived(d tlscore.Derivation) {
	if d.Name == "ech_client_hello_inner" {
		if w.inner = d.Role == tlscore.RoleClient; !w.inner {
			w.messages.WriteString("read clienthelloinner\n")
		}
	}
	switch d.Label {
	case "c ap traffic":
		w.clientTraffic = append([]byte{}, d.Output...)
	case "s ap traffic":
		w.serverTraffic = append([]byte{}, d.Output...)
	}
}

// peerWishes is what the peer asked for: in its ClientHello, or in its CertificateRequest.
type peerWishes struct {
	schemes     []wire.SignatureScheme
	protocols   []string
	authorities [][]byte
	types       []byte
}

// wishes reads what was kept. Both messages passed the machine, so an error cannot be.
func (w *witness) wishes() (peerWishes, error) {
	switch {
	case w.first != nil:
		var hello wire.ClientHello
		err := hello.Parse(w.first)
		if err != nil {
			return peerWishes{}, err
		}
		return wishesIn(&hello)
	case w.request == nil:
		return peerWishes{}, nil
	case w.legacy:
		var old wire.CertificateRequest12
		err := old.Parse(w.request)
		out := peerWishes{schemes: old.Schemes, authorities: old.Authorities}
		for _, t := range old.Types {
			out.types = append(out.types, byte(t))
		}
		return out, err
	}
	var request wire.CertificateRequest
	if err := request.Parse(w.request); err != nil {
		return peerWishes{}, err
	}
	return wishesIn(&request)
}

func wishesIn(from interface {
	Ext(wire.ExtensionView) (bool, error)
},
) (peerWishes, error) {
	var algorithms wire.SignatureAlgorithms
	var alpn wire.ALPN
	var authorities wire.CertificateAuthorities
	for _, view := range []wire.ExtensionView{&algorithms, &alpn, &authorities} {
		if _, err := from.Ext(view); err != nil {
			return peerWishes{}, err
		}
	}
	return peerWishes{schemes: algorithms.Schemes, protocols: alpn.Protocols, authorities: authorities.Names}, nil
}
