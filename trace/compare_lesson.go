package trace

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/wire"
)

// Point is one of the thirteen points in which TLS 1.3 is not TLS 1.2: what the rule is, and what two recordings show.
type Point struct {
	Number  int    `json:"number"` // 1 to 13
	Feature string `json:"feature"`
	Rule12  string `json:"tls12"` // what holds for every TLS 1.2 connection
	Rule13  string `json:"tls13"`
	Shown12 string `json:"shown12"` // what this recording shows
	Shown13 string `json:"shown13"`
	Shows   bool   `json:"shows"` // the recordings bear the point out; false: they do not contradict it, but do not show it
	Why     string `json:"why"`   // why it matters
	Section string `json:"section"`
}

// LessonPoints gives the thirteen points from a recording of TLS 1.2 and one of TLS 1.3.
func LessonPoints(old, new *Recording) []Point {
	l := &lesson{old: old, new: new, offer12: &offer{}, offer13: &offer{}}
	if hello := old.clientHello(); hello != nil {
		l.offer12 = newOffer(hello)
	}
	if hello := new.clientHello(); hello != nil {
		l.offer13 = newOffer(hello)
	}
	points := []Point{
		l.roundTrips(), l.earlyData(), l.forwardSecrecy(),
		l.suites("RSA key exchange", "a suite of its own kind", isStaticRSA, "whoever gets the server's key later reads everything that was ever recorded", "RFC 8446, Section 1.2"),
		l.suites("static DH", "a suite of its own kind", isStaticDH, "the key in the certificate is the key of every exchange: no forward secrecy", "RFC 8446, Section 1.2"),
		l.suites("CBC mode ciphers", "most suites", isCBC, "padding and MAC in the wrong order gave Lucky 13, BEAST and POODLE", "RFC 8446, Section 1.2"),
		l.suites("RC4", "registered; prohibited since RFC 7465", isRC4, "its output is biased: cookies were recovered from it", "RFC 7465, Section 2"),
		l.compression(), l.renegotiation(), l.certificate(), l.cipherSuites(), l.changeCipherSpec(), l.derivation(),
	}
	for i := range points {
		points[i].Number = i + 1
	}
	return points
}

type lesson struct {
	old, new         *Recording
	offer12, offer13 *offer // what the two ClientHellos say
}

func (l *lesson) roundTrips() Point {
	p := Point{Feature: "handshake round trips", Rule12: "2", Rule13: "1", Section: "RFC 8446, Section 2",
		Why: "each one is waited for, and on a long way that is most of the time"}
	old, known := l.old.RoundTrips()
	new, alsoKnown := l.new.RoundTrips()
	p.Shown12, p.Shown13 = tripsText(l.old, old, known), tripsText(l.new, new, alsoKnown)
	p.Shows = known && alsoKnown && old == 2 && new == 1
	return p
}

func tripsText(r *Recording, n int, known bool) string {
	if !known {
		return "the handshake is not complete"
	}
	text := fmt.Sprintf("%d before the client may send data", n)
	switch {
	case r.Summary.HelloRetry:
		text += ", one of them for HelloRetryRequest"
	case r.Summary.Resumed:
		text += ", resumed"
	}
	return text
}

func (l *lesson) earlyData() Point {
	p := Point{Feature: "0-RTT resumption", Rule12: "no", Rule13: "yes, optional", Shown12: "no extension for it", Section: "RFC 8446, Section 2.3",
		Why: "data goes along with the first flight; somebody on the path can send it again"}
	switch granted := l.new.earlyGranted(); {
	case l.new.Summary.EarlyData != "":
		p.Shown13, p.Shows = "early data was "+l.new.Summary.EarlyData, true
	case granted > 0:
		p.Shown13, p.Shows = fmt.Sprintf("a ticket allows %d bytes of it the next time", granted), true
	default:
		p.Shown13 = "not used in this connection, and no ticket seen that allows it"
	}
	return p
}

// earlyGranted is how many bytes of early data the tickets of a recording allow.
func (r *Recording) earlyGranted() (most uint32) {
	for i := range r.Messages {
		m := &r.Messages[i]
		if !m.is(wire.TypeNewSessionTicket) || !r.isNew() {
			continue
		}
		var t wire.NewSessionTicket
		var size wire.EarlyDataSize
		if t.Parse(m.Raw) != nil {
			continue
		}
		if ok, err := t.Ext(&size); ok && err == nil {
			most = max(most, size.Max)
		}
	}
	return most
}

func (l *lesson) forwardSecrecy() Point {
	p := Point{Feature: "forward secrecy", Rule12: "optional, with (EC)DHE", Rule13: "mandatory", Section: "RFC 8446, Section 1.2",
		Why: "keys that die with the connection cannot be stolen afterwards"}
	a, b := &l.old.Summary, &l.new.Summary
	p.Shown12 = "yes, by choice: " + a.CipherSuite
	if !isForward(a.CipherSuite) {
		p.Shown12 = "no: " + a.CipherSuite
	}
	p.Shown13 = "yes, in every suite: " + orNone(b.Group)
	p.Shows = b.Group != ""
	return p
}

// suites is a point about suites that TLS 1.3 no longer has.
func (l *lesson) suites(feature, rule string, likes func(string) bool, why, section string) Point {
	p := Point{Feature: feature, Rule12: "supported: " + rule, Rule13: "removed", Why: why, Section: section}
	n := l.offer12.suitesWith(likes)
	p.Shown12 = "not used, none offered"
	switch {
	case likes(l.old.Summary.CipherSuite):
		p.Shown12 = "used: " + l.old.Summary.CipherSuite
	case n > 0:
		p.Shown12 = fmt.Sprintf("not used; the client offers %s", count(n, "such suite"))
	}
	p.Shown13 = fmt.Sprintf("%s names no key exchange and only authenticated encryption", orNone(l.new.Summary.CipherSuite))
	p.Shows = !likes(l.new.Summary.CipherSuite) && !isOldSuite(l.new.Summary.CipherSuite)
	return p
}

func (l *lesson) compression() Point {
	p := Point{Feature: "compression", Rule12: "supported", Rule13: "removed", Section: "RFC 8446, Section 4.1.2",
		Why: "what is compressed together leaks by its length: CRIME"}
	p.Shown12 = "methods offered: " + methodsText(l.offer12.compression)
	if hello := l.old.serverHello(); hello != nil {
		p.Shown12 += fmt.Sprintf("; chosen: %s", methodsText([]byte{hello.CompressionMethod}))
	}
	p.Shown13 = "methods offered: " + methodsText(l.offer13.compression) + ", the only one allowed; the field stays for old servers"
	p.Shows = slices.Equal(l.offer13.compression, []byte{0})
	return p
}

func methodsText(methods []byte) string {
	var names []string
	for _, m := range methods {
		switch m {
		case 0:
			names = append(names, "null")
		case 1:
			names = append(names, "DEFLATE")
		default:
			names = append(names, fmt.Sprintf("%d", m))
		}
	}
	return orNone(strings.Join(names, ", "))
}

func (l *lesson) renegotiation() Point {
	p := Point{Feature: "renegotiation", Rule12: "supported", Rule13: "removed", Section: "RFC 8446, Section 4.1.2",
		Why: "a second handshake inside the first let others put words before the client's; new keys come by KeyUpdate now"}
	p.Shown12 = "the server does not speak of it"
	if hello := l.old.serverHello(); hello != nil {
		if _, ok := hello.Extensions.Find(wire.ExtRenegotiationInfo); ok {
			p.Shown12 = "both say renegotiation_info: it would be bound to this handshake (RFC 5746)"
		}
	}
	p.Shown13, p.Shows = "the ServerHello cannot speak of it", true
	if hello := l.new.serverHello(); hello != nil {
		if _, ok := hello.Extensions.Find(wire.ExtRenegotiationInfo); ok {
			p.Shown13, p.Shows = "the ServerHello carries renegotiation_info, which it must not", false
		}
	}
	return p
}

func (l *lesson) certificate() Point {
	p := Point{Feature: "certificate encrypted", Rule12: "no", Rule13: "yes", Section: "RFC 8446, Section 1.2",
		Why: "who visits whom is nobody else's business; the client's certificate, too, is a name"}
	p.Shown12 = certificateText(l.old)
	p.Shown13 = certificateText(l.new)
	_, a := l.old.certificates(Server)
	_, b := l.new.certificates(Server)
	p.Shows = a != nil && a.Epoch == epochPlaintext && (b == nil || b.Epoch != epochPlaintext) && !l.new.Summary.Resumed
	return p
}

func certificateText(r *Recording) string {
	_, m := r.certificates(Server)
	switch {
	case m == nil && r.Summary.Resumed:
		return "none is sent: the session was resumed"
	case m == nil && r.isNew():
		return "somewhere in the encrypted records: without keys it cannot be told where"
	case m == nil:
		return "none is sent"
	case m.Epoch != epochPlaintext:
		return fmt.Sprintf("%d bytes, encrypted with the handshake keys", len(m.Raw))
	}
	text := fmt.Sprintf("%d bytes in the open", len(m.Raw))
	if leaf, _ := r.leaf(Server); leaf != nil {
		text += ": " + pki.Name(leaf.Subject)
	}
	return shorten(text)
}

func (l *lesson) cipherSuites() Point {
	var old, new int
	for id := range wire.CipherSuites() {
		switch name := id.String(); {
		case isOldSuite(name):
			old++
		case !strings.HasSuffix(name, "_SCSV"):
			new++
		}
	}
	p := Point{Feature: "cipher suites", Rule12: fmt.Sprintf("%d registered, many of them weak", old),
		Rule13: fmt.Sprintf("5 in RFC 8446, all strong; %d registered by now", new), Section: "RFC 8446, Appendix B.4",
		Why: "a suite names a cipher and a hash only; the rest is negotiated on its own, and nothing weak is left to choose"}
	p.Shown12 = fmt.Sprintf("%d offered, chosen: %s", l.offer12.suitesWith(isOldSuite), orNone(l.old.Summary.CipherSuite))
	p.Shown13 = fmt.Sprintf("%d offered, chosen: %s", l.offer13.suitesWith(isNewSuite), orNone(l.new.Summary.CipherSuite))
	p.Shows = isOldSuite(l.old.Summary.CipherSuite) && isNewSuite(l.new.Summary.CipherSuite)
	return p
}

func isNewSuite(name string) bool {
	return strings.HasPrefix(name, "TLS_") && !isOldSuite(name) && !strings.HasSuffix(name, "_SCSV")
}

func (l *lesson) changeCipherSpec() Point {
	p := Point{Feature: "change_cipher_spec", Rule12: "a message of its own, which switches the keys", Rule13: "removed", Section: "RFC 8446, Appendix D.4",
		Why: "it stood outside of the transcript, and could be left out or sent too early"}
	p.Shown12 = count(l.old.dummies(), "record") + ", each the first step to new keys"
	p.Shown13, p.Shows = "none", true
	if n := l.new.dummies(); n > 0 {
		p.Shown13 = count(n, "record") + " without any meaning, for boxes on the path that know TLS 1.2 only"
	}
	p.Shows = l.old.dummies() > 0
	return p
}

// dummies counts the change_cipher_spec records; in TLS 1.3 they mean nothing.
func (r *Recording) dummies() (n int) {
	for i := range r.Records {
		if raw := r.Records[i].Raw; len(raw) > 0 && wire.ContentType(raw[0]) == wire.ContentChangeCipherSpec {
			n++
		}
	}
	return n
}

func (l *lesson) derivation() Point {
	p := Point{Feature: "key derivation", Rule12: "the PRF of TLS 1.2, from one master secret", Rule13: "HKDF, a secret for each purpose", Section: "RFC 8446, Section 7.1",
		Why: "each key has a label and the transcript in it: none can be taken for another, or moved to another connection"}
	p.Shown12, p.Shown13 = stepsText(l.old, howPRF), stepsText(l.new, howExtract, howExpand, howDerive)
	p.Shows = slices.ContainsFunc(l.old.Keys, func(k Derivation) bool { return k.How == howPRF }) &&
		slices.ContainsFunc(l.new.Keys, func(k Derivation) bool { return k.How == howExtract })
	return p
}

// stepsText counts the steps of the key schedule that were taken in these ways.
func stepsText(r *Recording, ways ...string) string {
	var parts []string
	for _, how := range ways {
		n := 0
		for i := range r.Keys {
			if r.Keys[i].How == how {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d times %s", n, how))
		}
	}
	if len(parts) == 0 {
		return "not seen: the recording has no key schedule"
	}
	return strings.Join(parts, ", ")
}
