package trace

import (
	"strings"

	"github.com/tlswright/tlswright/wire"
)

// fedInto names the fields of messages that go into a step of the key schedule, beside the transcript.
func (d *decoder) fedInto(name string) []FieldRef {
	if refs, ok := d.fed[name]; ok {
		return refs
	}
	if d.fed == nil {
		d.fed = map[string][]FieldRef{}
	}
	d.fed[name] = d.lookFed(name)
	return d.fed[name]
}

func (d *decoder) lookFed(name string) []FieldRef {
	switch {
	case name == nameShared, name == namePremaster:
		return append(d.fieldsOf(wire.TypeClientHello, isChosenShare(d.chosenGroup())), append(d.fieldsOf(wire.TypeServerHello, isServerShare),
			append(d.fieldsOf(wire.TypeServerKeyExchange, isPublic), d.fieldsOf(wire.TypeClientKeyExchange, isPublic)...)...)...)
	case name == namePSK:
		return d.fieldsOf(wire.TypeClientHello, func(m *Message, f *Field) bool {
			return strings.HasSuffix(fieldKey(f.Path), "pre_shared_key.identities.identity")
		})
	case name == nameKeyBlock, name == nameMaster && d.old():
		random := func(m *Message, f *Field) bool { return f.Path == "random" }
		return append(d.fieldsOf(wire.TypeClientHello, random), d.fieldsOf(wire.TypeServerHello, random)...)
	case name == "resumption_master_secret resumption":
		return d.fieldsOf(wire.TypeNewSessionTicket, func(m *Message, f *Field) bool { return f.Path == "ticket_nonce" })
	}
	return nil
}

// fieldsOf finds the fields of messages of one type that match, length prefixes left out.
func (d *decoder) fieldsOf(t wire.HandshakeType, match func(*Message, *Field) bool) []FieldRef {
	const most = 16
	var refs []FieldRef
	for i := range d.r.Messages {
		m := &d.r.Messages[i]
		if !d.is(m, t) {
			continue
		}
		for j := range m.Fields {
			f := &m.Fields[j]
			if f.Kind != wire.KindLength.String() && match(m, f) && len(refs) < most {
				refs = append(refs, FieldRef{Message: m.ID, Path: f.Path})
			}
		}
	}
	return refs
}

// chosenGroup names the group of the key exchange of TLS 1.3.
func (d *decoder) chosenGroup() string {
	var share wire.KeyShareHello
	if d.answer == nil {
		return ""
	}
	if ok, err := d.answer.Ext(&share); !ok || err != nil {
		return ""
	}
	return share.Entry.Group.String()
}

// isChosenShare matches the client's share of a group.
func isChosenShare(group string) func(*Message, *Field) bool {
	return func(m *Message, f *Field) bool {
		entry, ok := strings.CutSuffix(f.Path, ".key_exchange")
		if !ok || group == "" {
			return false
		}
		for i := range m.Fields {
			if m.Fields[i].Path == entry+".group" {
				return m.Fields[i].Value == group
			}
		}
		return false
	}
}

func isServerShare(_ *Message, f *Field) bool { return strings.HasSuffix(f.Path, ".key_exchange") }

func isPublic(_ *Message, f *Field) bool { return f.Path == "public" || f.Path == "ecdh_Yc" }
