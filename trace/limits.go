package trace

import (
	"fmt"

	"github.com/tlswright/tlswright/wire"
)

// RecordLimits are what both sides agreed on about the size of records: the most plaintext of a protected record, in
// bytes (RFC 8449, RFC 6066).
type RecordLimits struct {
	ToClient int `json:"to_client"`
	ToServer int `json:"to_server"`
}

// limits takes them from the server's answer; nil: there is nothing of the kind in it.
func (d *decoder) limits(answer interface {
	Ext(wire.ExtensionView) (bool, error)
}) *RecordLimits {
	m := d.lastIn(Client, wire.TypeClientHello)
	if m == nil {
		return nil
	}
	hello, _ := d.parse(m).(*wire.ClientHello)
	if hello == nil {
		return nil
	}
	var asked, said wire.RecordSizeLimit
	answers, _ := answer.Ext(&said)
	if asks, _ := hello.Ext(&asked); asks && answers {
		return &RecordLimits{ToClient: int(asked.Limit), ToServer: int(said.Limit)}
	}
	var fragment wire.MaxFragmentLength
	if ok, _ := answer.Ext(&fragment); ok && fragment.Limit() > 0 {
		most := fragment.Limit()
		if !d.old() {
			most++ // the type inside of a record of TLS 1.3 does not count
		}
		return &RecordLimits{ToClient: most, ToServer: most}
	}
	return nil
}

// text describes them in a few words.
func (l *RecordLimits) text() string {
	if l == nil {
		return ""
	}
	return fmt.Sprintf("at most %d bytes to the client, %d to the server", l.ToClient, l.ToServer)
}
