package cli

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
)

func newLearnChain(a *app) *cobra.Command {
	return newLiveLesson(a, liveLesson{
		word: "chain",
		long: `A lesson on certificate chains, over the one that a host just sent: the seven
checks that it has to pass, with their reasons, and what becomes of changed
copies of it, which are judged here: for another name, too late, without the
intermediate, with a byte that somebody changed.`,
		write: writeChainLesson,
		next: []string{
			"tlswright cert chain HOST",
			"tlswright cert verify --help",
			"tlswright learn certs",
		},
	}, "A lesson on certificate chains, and on changed copies of one",
		"  tlswright learn chain example.com\n  tlswright learn chain --ca root.pem localhost:8443")
}

// otherName is a name that no certificate is for (RFC 2606, Section 2).
const otherName = "another.invalid"

// chainLesson writes the pages over a chain.
type chainLesson struct {
	room  *classroom
	sent  []*x509.Certificate // as sent, leaf first
	chain [][]byte
	base  *pki.Explanation // of the chain as it is
}

func writeChainLesson(ctx context.Context, c *classroom) ([]livePage, error) {
	v, err := c.welcome(ctx, tlscore.Config{NoTickets: true})
	if err != nil {
		return nil, err
	}
	l := &chainLesson{room: c, chain: v.facts.PeerChain, sent: parseChain(v.facts.PeerChain)}
	if len(l.sent) == 0 || !bytes.Equal(l.sent[0].Raw, l.chain[0]) {
		return nil, &failure{kind: kindTrust, text: c.target.String() + ": the certificate that it sent cannot be read",
			hint: "see what is in it: tlswright cert show " + c.target.String()}
	}
	l.base = l.judge(l.chain, func(*pki.VerifyOptions) {})
	pages := []livePage{l.proof(v), l.links(), l.checks(), l.unasked(), l.forOther(), l.tooLate(), l.noRoot()}
	if p, ok := l.noIntermediate(); ok {
		pages = append(pages, p)
	}
	if p, ok := l.changedByte(); ok {
		pages = append(pages, p)
	}
	return pages, nil
}

// judge explains a chain, leaf first, by options that change may change.
func (l *chainLesson) judge(chain [][]byte, change func(*pki.VerifyOptions)) *pki.Explanation {
	o := l.room.options
	o.Intermediates = chain[1:]
	change(&o)
	return pki.Explain(chain[0], o)
}

// subjectRow is a line about a certificate.
func subjectRow(i int, c *x509.Certificate) []string {
	return shownRows([2]string{strconv.Itoa(i), shortName(c)}, [2]string{"", "issued by " + issuerShort(c)},
		[2]string{"", fmt.Sprintf("%s, from %s until %s", pki.DescribeKey(c.PublicKey), dateOf(c.NotBefore), dateOf(c.NotAfter))})
}

func (l *chainLesson) proof(v *visit) livePage {
	p := livePage{
		Title: "What the host sent", Section: "RFC 8446, Section 4.4.3",
		Shown:    []string{fmt.Sprintf("Asked for %s, the host sent %s:", l.room.name, countOf(len(l.sent), "certificate")), ""},
		Question: fmt.Sprintf("In the handshake the host signed with %s. The key of which certificate fits that signature? (its number)", v.facts.PeerScheme),
		Answer:   "0",
		Why:      "the first certificate is the host's own; those behind it belong to CAs, whose private keys are not on this host",
	}
	for i, c := range l.sent {
		p.Shown = append(p.Shown, subjectRow(i, c)...)
	}
	return p
}

func (l *chainLesson) links() livePage {
	p := livePage{
		Title: "The links", Section: "RFC 8446, Section 4.4.2",
		Shown:    []string{"This is the path that was found, from the host's certificate upwards:", ""},
		Question: "The root need not be sent. Why?",
		Why:      "a root is trusted because it is in the client's store; one that came over the network would prove nothing, for anybody can sign his own",
	}
	for i, c := range l.base.Path {
		where := "sent by the host"
		if !slices.ContainsFunc(l.sent, c.Equal) {
			where = "from our own store"
		}
		p.Shown = append(p.Shown, shownRows([2]string{strconv.Itoa(i), shortName(c) + ", " + where})...)
	}
	p.choose("the client must have it already, or does not trust it", "it is too long", "the client must have it already, or does not trust it", "it is secret")
	return p
}

// checkRows are the results of the seven checks.
func checkRows(e *pki.Explanation, only func(pki.CheckResult) bool) []string {
	var rows [][2]string
	for i := range e.Checks {
		r := e.Checks[i]
		if only(r) {
			rows = append(rows, [2]string{r.Check.String(), fmt.Sprintf("%s: %s", outcomeWord(r.Outcome), r.Text)})
		}
	}
	return shownRows(rows...)
}

func (l *chainLesson) checks() livePage {
	p := livePage{
		Title: "Seven checks", Section: "RFC 5280, Section 6.1",
		Shown:    append([]string{"This is how each of them went with this chain:", ""}, checkRows(l.base, func(pki.CheckResult) bool { return true })...),
		Question: "Suppose that just one of the seven failed. Would the host be trusted?",
		Why:      "a chain is as good as its weakest check: a good signature on the wrong name is good for nothing",
	}
	word := "trusted"
	if !l.base.Trusted {
		word = "not trusted"
	}
	p.Shown = append(p.Shown, "", "All in all: "+word+".")
	p.choose("no", "yes", "no")
	return p
}

// unasked is about what nobody looked at.
func (l *chainLesson) unasked() livePage {
	leaf := l.sent[0]
	from := "the certificate names neither"
	if len(leaf.OCSPServer)+len(leaf.CRLDistributionPoints) > 0 {
		from = "the certificate names " + listShort(append(slices.Clone(leaf.OCSPServer), leaf.CRLDistributionPoints...), 80)
	}
	p := livePage{
		Title: "What was not checked", Section: "RFC 5280, Section 6.3",
		Shown:    append([]string{"The signature of a CA stays good when the CA changes its mind. Left open above:", ""}, checkRows(l.base, func(r pki.CheckResult) bool { return r.Outcome != pki.Passed && r.Outcome != pki.Failed })...),
		Question: "The host's private key was stolen yesterday, and the CA knows. Which of the seven checks could tell? (a word)",
		Answer:   pki.CheckRevocation.String(),
		Why:      "it needs news from the CA, a CRL or an OCSP response: " + from + "; connect --ocsp and --crl ask for them",
	}
	return p
}

// changed is a page about a copy that was changed: which check fails that passed before?
func (l *chainLesson) changed(p livePage, e *pki.Explanation) livePage {
	const none = "none: nothing changes"
	p.Question = "Which of the seven checks fails now that did not fail before?"
	right, why := none, "what was changed does not matter for this chain, or it had failed already"
	for i := range e.Checks {
		r := &e.Checks[i]
		before := func(b pki.CheckResult) bool { return b.Check == r.Check && b.Outcome == pki.Failed }
		if r.Outcome == pki.Failed && !slices.ContainsFunc(l.base.Checks, before) {
			right, why, p.Section = r.Check.String(), r.Text, orWord(r.Section, p.Section)
			break
		}
	}
	var choices []string
	for _, c := range pki.Checks()[:7] {
		choices = append(choices, c.String())
	}
	p.choose(right, append(choices, none)...)
	p.Why = why
	return p
}

func (l *chainLesson) forOther() livePage {
	e := l.judge(l.chain, func(o *pki.VerifyOptions) { o.ServerName = otherName })
	return l.changed(livePage{
		Title: "Another name", Section: "RFC 9525, Section 6",
		Shown: append([]string{fmt.Sprintf("We judge the same chain again, as if %s had sent it. The host's certificate is for:", otherName), ""},
			shownRows([2]string{"names", listShort(namesOf(l.sent[0]), 120)})...),
	}, e)
}

func (l *chainLesson) tooLate() livePage {
	at := l.sent[0].NotAfter.Add(24 * time.Hour)
	e := l.judge(l.chain, func(o *pki.VerifyOptions) { o.Time = at })
	return l.changed(livePage{
		Title: "A day too late", Section: "RFC 5280, Section 4.1.2.5",
		Shown: []string{fmt.Sprintf("The host's certificate ends on %s. We judge the same chain again, as of %s.", dateOf(l.sent[0].NotAfter), dateOf(at))},
	}, e)
}

func (l *chainLesson) noRoot() livePage {
	e := l.judge(l.chain, func(o *pki.VerifyOptions) { o.Roots, o.SystemRoots = nil, nil })
	return l.changed(livePage{
		Title: "A client that trusts nobody", Section: "RFC 5280, Section 6.1.1",
		Shown: []string{"We judge the same chain again, with an empty store: no signature in it is worse than before, but nobody is trusted."},
	}, e)
}

// noIntermediate leaves out all but the leaf, where there is more.
func (l *chainLesson) noIntermediate() (livePage, bool) {
	if len(l.chain) < 2 {
		return livePage{}, false
	}
	e := l.judge(l.chain[:1], func(*pki.VerifyOptions) {})
	return l.changed(livePage{
		Title: "A missing link", Section: "RFC 5280, Section 6.1.3",
		Shown: append([]string{"A frequent mistake: a server that sends its own certificate alone. We judge this without what came behind it:", ""}, subjectRow(0, l.sent[0])...),
	}, e), true
}

// changedByte writes another name into a copy of the leaf, as somebody would who cannot sign.
func (l *chainLesson) changedByte() (livePage, bool) {
	leaf := l.chain[0]
	names := l.sent[0].DNSNames
	if len(names) == 0 || len(names[0]) < 2 || strings.HasPrefix(names[0], "*") {
		return livePage{}, false
	}
	old := names[0]
	with := "x" + old[1:]
	if old[0] == 'x' {
		with = "y" + old[1:]
	}
	// The last occurrence is in the extension; one before it may be the subject's.
	at := bytes.LastIndex(leaf, []byte(old))
	if at < 0 {
		return livePage{}, false
	}
	forged := slices.Clone(leaf)
	copy(forged[at:], with)
	e := l.judge(append([][]byte{forged}, l.chain[1:]...), func(o *pki.VerifyOptions) { o.ServerName = with })
	return l.changed(livePage{
		Title: "A forged name", Section: "RFC 5280, Section 6.1.3",
		Shown: append([]string{fmt.Sprintf("In a copy of the host's certificate we change one byte, at offset %d: %s becomes %s. We judge it for that name. The bytes there:", at, pki.Printable(old), pki.Printable(with)), ""},
			shownRows([2]string{"before", fmt.Sprintf("% x", leaf[at:at+min(len(old), 16)])}, [2]string{"after", fmt.Sprintf("% x", forged[at:at+min(len(old), 16)])})...),
	}, e), true
}
