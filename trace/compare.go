package trace

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/wire"
)

// Difference is one part of two recordings, side by side.
type Difference struct {
	Part    string `json:"part"`
	One     string `json:"one"`
	Other   string `json:"other"`
	Differs bool   `json:"differs"`
	Matters bool   `json:"matters"` // it changes what is possible, or how safe it is
	Meaning string `json:"meaning,omitempty"`
	Section string `json:"section,omitempty"`
}

// Comparison is what differs between two recordings.
type Comparison struct {
	Parts []Difference `json:"parts"`
	// Points are the lesson's thirteen points of TLS 1.2 against TLS 1.3, if one recording is of each; otherwise nil.
	Points []Point `json:"points,omitempty"`
	// Swapped says that the first recording is the one of TLS 1.3: the columns of Points are by version, not by place.
	Swapped bool `json:"swapped,omitempty"`
}

// Compare lays two recordings side by side: what was offered, what was agreed on, who showed what, how it ended, what it
// cost; and says of each difference whether it matters. Random values, which always differ, are left out.
func Compare(one, other *Recording) *Comparison {
	c := &Comparison{}
	c.outcome(one, other)
	c.agreement(one, other)
	c.offers(one, other)
	c.identities(one, other)
	c.costs(one, other)
	switch {
	case one.isOld() && other.isNew():
		c.Points = LessonPoints(one, other)
	case one.isNew() && other.isOld():
		c.Points, c.Swapped = LessonPoints(other, one), true
	}
	return c
}

// text adds a part that is one text; meaning is for the case that it differs.
func (c *Comparison) text(part, one, other, meaning string, matters bool, section string) {
	d := Difference{Part: part, One: one, Other: other, Differs: one != other}
	if d.Differs {
		d.Meaning, d.Matters, d.Section = meaning, matters, section
	}
	c.Parts = append(c.Parts, d)
}

// list adds a part that is a list: what the other one lacks and has more is said, and, where it is only that, that the
// order is another.
func (c *Comparison) list(part string, one, other []string, matters bool, section string) {
	d := Difference{Part: part, One: strings.Join(one, ", "), Other: strings.Join(other, ", "), Differs: !slices.Equal(one, other)}
	if d.Differs {
		var meanings []string
		if lost := without(one, other); len(lost) > 0 {
			meanings = append(meanings, "only the first: "+strings.Join(lost, ", "))
		}
		if won := without(other, one); len(won) > 0 {
			meanings = append(meanings, "only the second: "+strings.Join(won, ", "))
		}
		if len(meanings) == 0 {
			meanings = append(meanings, "the same in another order")
		}
		d.Meaning, d.Matters, d.Section = strings.Join(meanings, "; "), matters, section
	}
	c.Parts = append(c.Parts, d)
}

func without(list, others []string) []string {
	var left []string
	for _, s := range list {
		if !slices.Contains(others, s) {
			left = append(left, s)
		}
	}
	return left
}

// outcome compares how the connections ended.
func (c *Comparison) outcome(one, other *Recording) {
	c.text("outcome", one.outcome(), other.outcome(), "one handshake was complete, the other was not: trace explain tells why", one.Summary.Complete != other.Summary.Complete, "RFC 8446, Section 6.2")
	c.list("messages", one.messageNames(), other.messageNames(), false, "RFC 8446, Section 2")
	c.list("checks that do not hold", one.wrongChecks(), other.wrongChecks(), true, "")
}

func (r *Recording) outcome() string {
	switch {
	case r.Failure != nil && r.Failure.By.known():
		return "failed: " + r.Failure.Text + " (by the " + string(r.Failure.By) + ")"
	case r.Failure != nil:
		return "failed: " + r.Failure.Text
	case r.Summary.Complete:
		return "complete"
	}
	return "not complete"
}

// messageNames are the handshake messages in order, with the first letter of their sender.
func (r *Recording) messageNames() []string {
	var names []string
	for i := range r.Messages {
		m := &r.Messages[i]
		if m.is(wire.TypeNewSessionTicket) && len(names) > 0 && names[len(names)-1] == string(m.From)+" "+m.Type {
			continue // how many tickets come is no part of the order
		}
		names = append(names, string(m.From)+" "+m.Type)
	}
	return names
}

func (r *Recording) wrongChecks() []string {
	var names []string
	for _, c := range r.Checks {
		if c.Result == resultWrong && !slices.Contains(names, c.Name) {
			names = append(names, c.Name)
		}
	}
	return names
}

// agreement compares what was agreed on.
func (c *Comparison) agreement(one, other *Recording) {
	a, b := &one.Summary, &other.Summary
	c.text("version", a.Version, b.Version, "another protocol: see the points below", true, "RFC 8446, Section 1.2")
	c.text("cipher suite", a.CipherSuite, b.CipherSuite, suiteMeaning(a.CipherSuite, b.CipherSuite), suiteClass(a.CipherSuite) != suiteClass(b.CipherSuite), "RFC 8446, Appendix B.4")
	c.text("group", a.Group, b.Group, groupMeaning(a.Group, b.Group), isHybrid(a.Group) != isHybrid(b.Group), "RFC 8446, Section 4.2.7")
	c.text("signature", a.Signature, b.Signature, "the server signs in another way, with another key or because the client prefers another", false, "RFC 8446, Section 4.2.3")
	c.text("ALPN", a.ALPN, b.ALPN, "another application protocol is spoken inside", true, "RFC 7301, Section 3.2")
	c.text("server name", a.ServerName, b.ServerName, "another host was asked for, so that another certificate may be shown", true, "RFC 6066, Section 3")
	c.text("HelloRetryRequest", yesNo(a.HelloRetry), yesNo(b.HelloRetry), "a round trip more, for a key share that the server could not use", true, "RFC 8446, Section 4.1.4")
	c.text("resumed", yesNo(a.Resumed), yesNo(b.Resumed), "a resumed session shows and verifies no certificate", true, "RFC 8446, Section 2.2")
	c.text("early data", a.EarlyData, b.EarlyData, "early data can be replayed by somebody on the path", true, "RFC 8446, Section 8")
	c.text("client certificate", yesNo(a.ClientAuth), yesNo(b.ClientAuth), "the client proved who it is in one of the two only", true, "RFC 8446, Section 4.4.2")
	c.text("middlebox compatibility", yesNo(one.isNew() && one.dummies() > 0), yesNo(other.isNew() && other.dummies() > 0), "change_cipher_spec records without a meaning, for boxes on the path that know TLS 1.2 only", false, "RFC 8446, Appendix D.4")
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// suiteClass says how a suite encrypts, by its name: what matters when suites differ.
func suiteClass(name string) string {
	switch {
	case name == "":
		return ""
	case strings.Contains(name, "_GCM_"), strings.Contains(name, "CHACHA20"), strings.Contains(name, "_CCM"):
		if !strings.Contains(name, "_WITH_") || strings.Contains(name, "ECDHE") || strings.Contains(name, "_DHE_") {
			return "authenticated encryption with forward secrecy"
		}
		return "authenticated encryption without forward secrecy"
	case strings.Contains(name, "_CBC_"):
		return "CBC"
	}
	return "other"
}

func suiteMeaning(one, other string) string {
	a, b := suiteClass(one), suiteClass(other)
	if a == b && a != "" {
		return "both are " + a + "; speed may differ"
	}
	return "from " + orNone(a) + " to " + orNone(b)
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func isHybrid(group string) bool { return strings.Contains(strings.ToUpper(group), "MLKEM") }

func groupMeaning(one, other string) string {
	switch {
	case isHybrid(one) && !isHybrid(other):
		return "the second can be recorded today and read by a quantum computer some day"
	case isHybrid(other) && !isHybrid(one):
		return "the first can be recorded today and read by a quantum computer some day"
	case one == "" || other == "":
		return "one has no key exchange of its own"
	}
	return "about equally strong"
}

// offers compares the ClientHellos.
func (c *Comparison) offers(one, other *Recording) {
	a, b := one.clientHello(), other.clientHello()
	if a == nil || b == nil {
		c.text("ClientHello", seenText(a != nil), seenText(b != nil), "one of the recordings does not begin with one", true, "")
		return
	}
	x, y := newOffer(a), newOffer(b)
	c.list("versions offered", x.versions, y.versions, true, "RFC 8446, Section 4.2.1")
	c.list("suites offered", x.suites, y.suites, false, "RFC 8446, Section 4.1.2")
	c.list("groups offered", x.groups, y.groups, slices.ContainsFunc(x.groups, isHybrid) != slices.ContainsFunc(y.groups, isHybrid), "RFC 8446, Section 4.2.7")
	c.list("key shares sent", x.shares, y.shares, false, "RFC 8446, Section 4.2.8")
	c.list("signatures accepted", x.schemes, y.schemes, false, "RFC 8446, Section 4.2.3")
	c.list("ALPN offered", x.alpn, y.alpn, true, "RFC 7301, Section 3.1")
	c.list("extensions", x.extensions, y.extensions, false, "RFC 8446, Section 4.2")
	f, g := one.Fingerprints(), other.Fingerprints()
	c.text("JA4", f.JA4, g.JA4, "to a server, and to the path, these look like different programs", false, "")
	c.text("JA3", f.JA3, g.JA3, "programs that shuffle their extensions differ each time", false, "")
}

func seenText(seen bool) string {
	if seen {
		return "seen"
	}
	return "not seen"
}

// identities compares who showed which certificate.
func (c *Comparison) identities(one, other *Recording) {
	for _, side := range []Side{Server, Client} {
		a, b := one.identity(side), other.identity(side)
		if a.sum == "" && b.sum == "" {
			continue
		}
		who := string(side) + "'s "
		matters := a.sum != "" && b.sum != "" // where one was resumed, that says it all
		c.text(who+"certificate", a.name, b.name, "another certificate: trace show tells both", matters && a.name != b.name, "RFC 8446, Section 4.4.2")
		c.text(who+"certificate, SHA-256", a.sum, b.sum, "another certificate, as after a renewal", false, "")
		c.text(who+"chain", a.length, b.length, "more or fewer intermediates are sent", false, "RFC 8446, Section 4.4.2")
	}
}

type shownIdentity struct{ name, sum, length string }

func (r *Recording) identity(side Side) shownIdentity {
	chain, m := r.certificates(side)
	if m == nil || len(chain) == 0 {
		return shownIdentity{name: "none"}
	}
	id := shownIdentity{name: "cannot be read", sum: fmt.Sprintf("%x", sha256.Sum256(chain[0])), length: count(len(chain), "certificate")}
	if leaf, _ := r.leaf(side); leaf != nil {
		id.name = shorten(pki.Name(leaf.Subject) + ", issued by " + pki.Name(leaf.Issuer))
	}
	return id
}

// costs compares time and bytes, which differ from run to run.
func (c *Comparison) costs(one, other *Recording) {
	trips, known := one.RoundTrips()
	more, alsoKnown := other.RoundTrips()
	if known && alsoKnown {
		c.text("round trips", strconv.Itoa(trips), strconv.Itoa(more), "how often the path is crossed both ways before the client may send data: what users wait for", true, "RFC 8446, Section 2")
	}
	a, b := &one.Summary, &other.Summary
	c.text("handshake took", a.HandshakeTime.Round(time.Microsecond).String(), b.HandshakeTime.Round(time.Microsecond).String(), "differs from run to run", false, "")
	c.text("bytes from the client", strconv.FormatUint(a.ClientBytes, 10), strconv.FormatUint(b.ClientBytes, 10), "application data included", false, "")
	c.text("bytes from the server", strconv.FormatUint(a.ServerBytes, 10), strconv.FormatUint(b.ServerBytes, 10), "application data included", false, "")
}
