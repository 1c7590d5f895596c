package trace

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/wire"
)

// View is what somebody on the path between client and server learns of a connection, and what that person does not. It
// is computed from the bytes on the wire alone: the secrets of the Recording are thrown away first.
type View struct {
	Client       Endpoint     `json:"client"`
	Server       Endpoint     `json:"server"`
	Seen         []Sight      `json:"seen"`
	Hidden       []Sight      `json:"hidden"`
	Turns        []Turn       `json:"turns"` // who spoke when, and how much
	Fingerprints Fingerprints `json:"fingerprints"`
}

// Sight is one thing that an observer sees, or does not.
type Sight struct {
	What  string `json:"what"`            // "server name"
	Value string `json:"value,omitempty"` // what is seen; passed through pki.Printable
	Where string `json:"where"`           // where it stands, or why it cannot be seen
	Hides string `json:"hides,omitempty"` // what would hide it, or what would give it away
}

// Turn is what one side sends until the other one speaks.
type Turn struct {
	From    Side          `json:"from"`
	At      time.Duration `json:"at_ns"`   // of its first record
	Records []int         `json:"records"` // the sizes on the wire, in bytes, headers included
	Bytes   int           `json:"bytes"`
	Open    bool          `json:"open"` // something in it can be read
}

// What hides something from the path.
const (
	hideECH     = "Encrypted Client Hello (RFC 9849)"
	hideTor     = "Tor; a VPN or IPsec moves the view to its far end"
	hideDNS     = "encrypted DNS (DoT, DoH, DoQ); DNSSEC hides nothing, it signs"
	hideTLS13   = "TLS 1.3"
	hidePadding = "record padding (RFC 8446, Section 5.4), where the sender uses it; Tor in part"
)

// maxTurns bounds how many turns a View lists.
const maxTurns = 1000

// OnPath computes what somebody on the path learns. The error is that of Decode.
func (r *Recording) OnPath() (*View, error) {
	c := r.Capture()
	c.KeyLog, c.Derivations, c.Happenings, c.Observed, c.Failure, c.FailureCode = nil, nil, nil, "", "", ""
	wiretap, err := Decode(c)
	if err != nil {
		return nil, err
	}
	v := &View{Client: r.Client, Server: r.Server, Seen: []Sight{}, Hidden: []Sight{}, Turns: wiretap.turns(), Fingerprints: wiretap.Fingerprints()}
	v.addresses(r.Server.Name)
	v.clientHello(wiretap)
	v.serverHello(wiretap)
	v.certificates(wiretap)
	v.alerts(wiretap)
	v.traffic(wiretap)
	v.looks()
	v.content(wiretap)
	return v, nil
}

func (v *View) sees(s Sight)  { v.Seen = append(v.Seen, s) }
func (v *View) hides(s Sight) { v.Hidden = append(v.Hidden, s) }

func (v *View) addresses(name string) {
	v.sees(Sight{"addresses and ports", fmt.Sprintf("%s to %s", orUnknown(v.Client.Address), orUnknown(v.Server.Address)), "in the header of every packet", hideTor})
	if _, err := netip.ParseAddr(name); err != nil && name != "" {
		v.sees(Sight{"DNS lookup", pki.Printable(name), "asked just before the connection, by whoever looked the name up over plain DNS", hideDNS})
	}
}

func orUnknown(s string) string {
	if s == "" {
		return "an unknown address"
	}
	return s
}

// clientHello tells what the first message gives away.
func (v *View) clientHello(wiretap *Recording) {
	hello := wiretap.clientHello()
	if hello == nil {
		return
	}
	v.name(hello)
	var alpn wire.ALPN
	if ok, err := hello.Ext(&alpn); ok && err == nil {
		v.sees(Sight{"protocols offered (ALPN)", pki.Printable(strings.Join(alpn.Protocols, ", ")), "in ClientHello", hideECH})
	}
	v.sees(Sight{"what the client can do", fmt.Sprintf("%s, %d cipher suites, groups %s", offeredVersions(hello), len(ungreased(hello.CipherSuites)), offeredGroups(hello)),
		"in ClientHello", "nothing wholly: ECH shows an outer hello in its place"})
	v.comesBack(hello)
}

// name tells whether the server's name can be read.
func (v *View) name(hello *wire.ClientHello) {
	var names wire.ServerNames
	_, _ = hello.Ext(&names)
	name, named := names.HostName()
	_, ech := hello.Extensions.Find(wire.ExtEncryptedClientHello)
	switch {
	case ech && named:
		v.sees(Sight{"server name (SNI)", pki.Printable(name), "in ClientHello; with ECH it is that of a front, or the ECH is a decoy (GREASE)", ""})
	case named:
		v.sees(Sight{"server name (SNI)", pki.Printable(name), "in ClientHello", hideECH})
	default:
		v.hides(Sight{"server name (SNI)", "", "ClientHello names none", "the address, where only one host lives there; a DNS lookup in plain text"})
	}
}

// comesBack tells by what a client that was here before can be known again.
func (v *View) comesBack(hello *wire.ClientHello) {
	var psk wire.PreSharedKeys
	var ticket wire.SessionTicket
	if ok, err := hello.Ext(&psk); ok && err == nil && len(psk.Identities) > 0 {
		if id, ok := imported(psk.Identities[0].Identity); ok {
			v.sees(Sight{"which key it has", pki.Printable(string(id.External)),
				"in ClientHello: the name of an external pre-shared key, the same in each connection with it", "ECH; or names that say nothing, and change"})
			return
		}
		v.sees(Sight{"it was here before", fmt.Sprintf("a ticket of %d bytes", len(psk.Identities[0].Identity)),
			"in ClientHello; the ticket was handed over encrypted, so that it leads back to no other connection unless it is used twice", "using each ticket once (RFC 8446, Appendix C.4)"})
	}
	if ok, err := hello.Ext(&ticket); ok && err == nil && len(ticket.Ticket) > 0 {
		v.sees(Sight{"it was here before", fmt.Sprintf("a ticket of %d bytes", len(ticket.Ticket)),
			"in ClientHello; the same bytes stood in the open in the connection before, and link the two", hideTLS13})
	}
	if ok, _ := hello.Ext(&wire.EarlyData{}); ok {
		v.sees(Sight{"early data is sent", "", "in ClientHello; the records that follow can be recorded and sent again", "not using early data for what must not happen twice"})
	}
}

func offeredVersions(hello *wire.ClientHello) string {
	var offered wire.SupportedVersions
	if ok, err := hello.Ext(&offered); !ok || err != nil {
		return "up to " + hello.LegacyVersion.String()
	}
	var names []string
	for _, v := range ungreased(offered.Versions) {
		names = append(names, wire.Version(v).String())
	}
	return strings.Join(names, " and ")
}

func offeredGroups(hello *wire.ClientHello) string {
	var groups wire.SupportedGroups
	_, _ = hello.Ext(&groups)
	var names []string
	for _, g := range ungreased(groups.Groups) {
		names = append(names, wire.Group(g).String())
	}
	if len(names) == 0 {
		return "unnamed"
	}
	return strings.Join(names, ", ")
}

// serverHello tells what the answer gives away.
func (v *View) serverHello(wiretap *Recording) {
	hello, s := wiretap.serverHello(), &wiretap.Summary
	if hello == nil {
		return
	}
	value := s.Version + ", " + s.CipherSuite
	if s.Group != "" {
		value += ", " + s.Group
	}
	v.sees(Sight{"what was agreed on", value, "in ServerHello", "nothing: both sides need it to compute keys"})
	if s.Resumed {
		v.sees(Sight{"an earlier session goes on", "", "in ServerHello; no certificate follows", "nothing"})
	}
	switch {
	case wiretap.isNew():
		v.hides(Sight{"protocol chosen (ALPN)", "", "in EncryptedExtensions, encrypted", "sizes and rhythm: HTTP/2 and HTTP/1.1 look different"})
	case s.ALPN != "":
		v.sees(Sight{"protocol chosen (ALPN)", s.ALPN, "in ServerHello", hideTLS13})
	}
}

// certificates tells who can be read.
func (v *View) certificates(wiretap *Recording) {
	for _, side := range []Side{Server, Client} {
		what := "the " + string(side) + "'s certificate"
		chain, m := wiretap.certificates(side)
		leaf, _ := wiretap.leaf(side)
		switch {
		case leaf != nil:
			value := pki.Name(leaf.Subject) + ", issued by " + pki.Name(leaf.Issuer)
			if len(leaf.DNSNames) > 0 {
				value += ", for " + strings.Join(leaf.DNSNames, ", ")
			}
			v.sees(Sight{what, shorten(pki.Printable(value)), fmt.Sprintf("in Certificate, in the clear: %d bytes, %d certificates", len(m.Raw), len(chain)), hideTLS13})
		case m != nil:
			v.sees(Sight{what, "none", "in Certificate, in the clear", hideTLS13})
		case wiretap.isNew() && !wiretap.Summary.Resumed:
			v.hides(v.certificateHidden(side, what))
		}
	}
}

func (v *View) certificateHidden(side Side, what string) Sight {
	if side == Client {
		return Sight{what, "", "encrypted, even whether there is one", "the size of the client's second flight"}
	}
	return Sight{what, "", "encrypted with the handshake keys", "whoever connects to the same address and asks for the same name is shown it, too; its size tells sites apart"}
}

// alerts tells what can be read of an end.
func (v *View) alerts(wiretap *Recording) {
	for i := range wiretap.Records {
		rec := &wiretap.Records[i]
		if rec.Type != wire.ContentAlert.String() {
			continue
		}
		if rec.Epoch != epochPlaintext {
			v.sees(Sight{"an alert", "", fmt.Sprintf("the type of record %d, of the %s, stands outside of the encryption", rec.ID, rec.From), hideTLS13})
			continue
		}
		a, err := wire.ParseAlert(rec.Raw[wire.RecordHeaderLen:])
		if err != nil {
			continue
		}
		v.sees(Sight{"an alert", a.Code.String(), "of the " + string(rec.From) + ", in the clear", "nothing: there were no keys yet"})
	}
}

// looks tells by what programs are told apart.
func (v *View) looks() {
	if f := v.Fingerprints; f.JA3 != "" {
		v.sees(Sight{"the program, by its hello", "JA4 " + f.JA4 + ", JA3 " + f.JA3, "computed from ClientHello: lists and their order", "looking like many others; ECH hides the inner hello"})
	}
}

// content tells what nobody on the path can read.
func (v *View) content(wiretap *Recording) {
	if wiretap.serverHello() == nil {
		return
	}
	v.hides(Sight{"what is said", "", "application data is encrypted: addresses of pages, headers, cookies, passwords, contents", "sizes and timing narrow down which page it was"})
	v.hides(Sight{"forging", "", "each record carries a tag; a changed, dropped or repeated one ends the connection", "nothing short of the keys"})
	switch group := wiretap.Summary.Group; {
	case group == "":
	case strings.Contains(strings.ToUpper(group), "MLKEM"):
		v.hides(Sight{"reading it later", "", "the keys are gone with the connection (forward secrecy), and " + group + " withstands quantum computers as far as is known", "a key log; the memory of either side"})
	default:
		v.hides(Sight{"reading it later", "", "the keys are gone with the connection (forward secrecy): the certificate's key does not help", "a key log; a large quantum computer, some day, for " + group + " (X25519MLKEM768 withstands it)"})
	}
}
