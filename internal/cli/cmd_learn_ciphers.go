package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/ciphers"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/trace"
	"github.com/tlswright/tlswright/wire"
)

func newLearnCiphers(a *app) *cobra.Command {
	return newLiveLesson(a, liveLesson{
		word: "ciphers",
		long: `A lesson on cipher suites, over the one that was just negotiated: what its name
says and what not, why this one, and what happens with others, which is tried
out with further connections.`,
		write: writeCiphersLesson,
		next: []string{
			"tlswright ciphers --help",
			"tlswright connect --max 1.2 --ciphers 'ECDHE+AESGCM' HOST",
			"tlswright connect --ciphers RC4 HOST",
			"tlswright learn chain",
		},
	}, "A lesson on cipher suites, over the one just negotiated",
		"  tlswright learn ciphers example.com\n  printf '2\\n2\\n' | tlswright learn ciphers")
}

func writeCiphersLesson(ctx context.Context, c *classroom) ([]livePage, error) {
	v, err := c.welcome(ctx, tlscore.Config{NoTickets: true})
	if err != nil {
		return nil, err
	}
	pages := []livePage{pageOffer(v), pageSuiteApart(v), pageKeyLength(v), pageOverhead(v), pageBeside(v)}
	var tries []func(context.Context, *classroom, *visit) (livePage, error)
	if v.facts.Version == wire.VersionTLS13 {
		tries = append(tries, pageNarrower, pageOrder)
	}
	for _, try := range append(tries, pageSuite12, pageOtherKey) {
		p, err := try(ctx, c, v)
		if err != nil {
			return nil, err
		}
		if p.Title != "" {
			pages = append(pages, p)
		}
	}
	return pages, nil
}

// table is the row of a suite that was negotiated.
func (v *visit) table() *suite.Suite {
	if s := suite.ByID(v.facts.CipherSuite); s != nil {
		return s
	}
	return suite.ByID12(v.facts.CipherSuite)
}

// offerRows lists suites with their numbers, and marks one.
func offerRows(offered []wire.CipherSuite, chosen wire.CipherSuite) []string {
	var lines []string
	for _, id := range offered {
		line := fmt.Sprintf("  %02x %02x  %s", uint16(id)>>8, uint16(id)&0xff, id)
		if id == chosen {
			line += "  <- chosen"
		}
		lines = append(lines, line)
	}
	return lines
}

func pageOffer(v *visit) livePage {
	offered := v.hello().CipherSuites
	p := livePage{
		Title: "An offer and a choice", Section: "RFC 8446, Section 4.1.1",
		Shown:    append([]string{"We offered these, our best one first, and this host chose one of them:", ""}, offerRows(offered, v.facts.CipherSuite)...),
		Question: "How many of them could it have chosen together with TLS 1.3?",
		Why:      "the suites with numbers 13 xx are those of TLS 1.3 and fit no older version; all others fit TLS 1.2 alone",
	}
	n := 0
	for _, id := range offered {
		if id>>8 == 0x13 {
			n++
		}
	}
	p.Answer = strconv.Itoa(n)
	return p
}

// apartRows says what a name is made of.
func apartRows(id wire.CipherSuite) []string {
	p, ok := ciphers.Apart(id)
	if !ok {
		return nil
	}
	return shownRows([2]string{"name", id.String()}, [2]string{"key exchange", notInName(p.KeyExchange)},
		[2]string{"authentication", notInName(p.Authentication)}, [2]string{"encryption", fmt.Sprintf("%s, %d bits", p.Encryption, p.Bits)},
		[2]string{"mode", p.Mode}, [2]string{"integrity", p.MAC}, [2]string{"hash", p.Hash})
}

func notInName(word string) string {
	if word == "any" {
		return "not in the name"
	}
	return word
}

func pageSuiteApart(v *visit) livePage {
	p := livePage{
		Title: "A name taken apart", Shown: apartRows(v.facts.CipherSuite), Section: "RFC 8446, Appendix B.4",
		Question: "What is the hash at the end of the name for?",
		Why:      "the AEAD protects the records all by itself, and signatures have a hash of their own; this one runs in HKDF and over the messages",
	}
	if v.facts.Version != wire.VersionTLS13 {
		p.Section = "RFC 5246, Section 5"
		p.Why = "with an AEAD the records need no other MAC, and signatures have a hash of their own; this one runs in the PRF and over the messages"
	}
	p.choose("deriving keys, and the hash over all messages", "a checksum of each record", "deriving keys, and the hash over all messages", "the signature in the certificate")
	return p
}

func pageKeyLength(v *visit) livePage {
	s := v.table()
	return livePage{
		Title: "The key", Section: "RFC 5116, Section 5",
		Shown: append([]string{"The AEAD of this suite, as it was used here:", ""},
			shownRows([2]string{"strength", fmt.Sprintf("%d bits", s.Bits)}, [2]string{"nonce", "12 bytes"}, [2]string{"tag", fmt.Sprintf("%d bytes", s.TagLen)})...),
		Question: "How many bytes has its key?",
		Answer:   strconv.Itoa(s.KeyLen),
		Why:      fmt.Sprintf("%d bits are %d bytes, and they come out of the key schedule, for each direction its own", s.KeyLen*8, s.KeyLen),
	}
}

func pageOverhead(v *visit) livePage {
	s := v.table()
	p := livePage{
		Title: "What protection costs", Section: "RFC 8446, Section 5.2",
		Question: "How many of the bytes in the record are the tag, by which a change on the way is noticed?",
		Answer:   strconv.Itoa(s.TagLen),
		Why:      "header, type, padding and explicit nonce are counted off; the rest is what the AEAD adds to each record",
	}
	m := v.message(trace.Client, finishMessage)
	if m == nil || len(m.Spans) == 0 {
		p.Shown = []string{"Each record of this connection is sealed by the AEAD of the suite."}
		return p
	}
	r := &v.Records[m.Spans[0].Record]
	rows := [][2]string{{"record on the wire", fmt.Sprintf("%d bytes", len(r.Raw))}, {"message in it", fmt.Sprintf("%d bytes", r.ContentLength)}, {"header", "5 bytes"}}
	if v.facts.Version == wire.VersionTLS13 {
		rows = append(rows, [2]string{"true type", "1 byte"}, [2]string{"padding", countOf(r.Padding, "byte")})
	} else {
		p.Section = "RFC 5246, Section 6.2.3.3"
		rows = append(rows, [2]string{"explicit nonce", fmt.Sprintf("%d bytes", s.ExplicitLen)})
	}
	p.Shown = append([]string{"The record with our Finished:", ""}, shownRows(append(rows, [2]string{"tag", "?"})...)...)
	return p
}

func pageBeside(v *visit) livePage {
	p := livePage{
		Title: "What the suite does not decide", Section: "RFC 8446, Section 4.1.1",
		Shown: append([]string{"Negotiated here:", ""}, shownRows([2]string{"version", v.facts.Version.String()}, [2]string{"cipher suite", v.facts.CipherSuite.String()},
			[2]string{"key exchange", v.facts.Group.String()}, [2]string{"signature", v.facts.PeerScheme.String()})...),
		Question: "Which of these does a TLS 1.3 cipher suite say?",
		Why:      "group and signature scheme have extensions of their own, so that few suites are enough: in TLS 1.2 each combination needed its number",
	}
	p.choose("the encryption of records", "the group of the key exchange", "the encryption of records", "the signature scheme")
	return p
}

// outcome says in a few words how a visit went.
func (v *visit) outcome() string {
	if v.refused == nil {
		return fmt.Sprintf("%s, %s", v.facts.Version, v.facts.CipherSuite)
	}
	var tls *tlscore.Error
	if errors.As(v.refused, &tls) {
		if alert, ok := tls.Alert(); ok {
			return "refused, with the alert " + alert.String()
		}
	}
	return "refused, without an alert"
}

// pageNarrower offers a single suite, which is another one than was chosen.
func pageNarrower(ctx context.Context, c *classroom, v *visit) (livePage, error) {
	only := wire.TLS_CHACHA20_POLY1305_SHA256
	if v.facts.CipherSuite == only {
		only = wire.TLS_AES_128_GCM_SHA256
	}
	second, err := c.visit(ctx, tlscore.Config{CipherSuites: []wire.CipherSuite{only}, NoTickets: true})
	if err != nil {
		return livePage{}, err
	}
	p := livePage{
		Title: "Another connection: one suite only", Section: "RFC 8446, Section 4.1.1",
		Shown: append([]string{"We connected again, as connect --ciphers does, and offered nothing but this:", ""},
			offerRows(second.hello().CipherSuites, 0)...),
		Question: "What did the host do?",
		Why:      "it answered: " + second.outcome() + "; a server takes what is in the offer and what it allows, and ends with handshake_failure where that is nothing",
	}
	took, refused := "it took the suite, though it had chosen another one before", "it refused the handshake"
	right := took
	if second.refused != nil {
		right = refused
	}
	p.choose(right, "it answered with the suite of before all the same", took, refused)
	return p, nil
}

// pageOrder finds out whose order counts.
func pageOrder(ctx context.Context, c *classroom, v *visit) (livePage, error) {
	turned := suite.Defaults()
	slices.Reverse(turned)
	second, err := c.visit(ctx, tlscore.Config{CipherSuites: turned, NoTickets: true})
	if err != nil {
		return livePage{}, err
	}
	p := livePage{
		Title: "Another connection: the order turned round", Section: "RFC 8446, Section 4.1.1",
		Shown: append([]string{fmt.Sprintf("With our usual order %s was chosen. Now we offered:", v.facts.CipherSuite), ""},
			offerRows(turned, second.facts.CipherSuite)...),
		Question: "Whose order counted with this host?",
		Why:      "the server chooses, and may follow its own order or that of the client; this one answered: " + second.outcome(),
	}
	p.choose("the host's own: it chose the same suite again", "ours: it took the first of each offer", "the host's own: it chose the same suite again", "neither can be seen here")
	switch {
	case second.refused != nil:
		p.Answer = "3"
	case second.facts.CipherSuite != v.facts.CipherSuite:
		p.Answer = "1"
	}
	return p, nil
}

func pageSuite12(ctx context.Context, c *classroom, _ *visit) (livePage, error) {
	second, err := c.visit(ctx, tlscore.Config{MaxVersion: wire.VersionTLS12, NoTickets: true})
	if err != nil {
		return livePage{}, err
	}
	p := livePage{Title: "The same host with TLS 1.2", Section: "RFC 8422, Section 2"}
	if second.refused != nil {
		p.Shown = []string{"We offered the suites of TLS 1.2 alone: " + second.outcome() + "."}
		p.Question = "Can a TLS 1.3 suite be used with TLS 1.2?"
		p.Why = "it says too little: TLS 1.2 has no other place for key exchange and authentication"
		p.Section = "RFC 8446, Appendix B.4"
		p.choose("no", "yes", "no")
		return p, nil
	}
	p.Shown = append([]string{"We offered the suites of TLS 1.2 alone. Chosen:", ""}, apartRows(second.facts.CipherSuite)...)
	p.Question = "Which part of this name is what keeps a recording safe when the server's key is stolen later?"
	p.Why = "the E stands for ephemeral: keys made for one connection; suites without it (TLS_RSA_WITH...) send the secret encrypted to the certificate's key"
	parts, _ := ciphers.Apart(second.facts.CipherSuite)
	p.choose(parts.KeyExchange, parts.Encryption, parts.KeyExchange, parts.Authentication)
	return p, nil
}

// pageOtherKey offers the suites of TLS 1.2 that want another key than the server's certificate has. Where TLS 1.2 is not
// spoken at all there is nothing to learn from that, and no page.
func pageOtherKey(ctx context.Context, c *classroom, v *visit) (livePage, error) {
	word, other := "ECDSA", "RSA"
	certs := parseChain(v.facts.PeerChain)
	if len(certs) > 0 && suite.AuthRSA.Fits(suite.KindOf(certs[0].PublicKey, false)) {
		word, other = "RSA", "ECDSA"
	}
	var offer []wire.CipherSuite
	for _, id := range suite.Defaults12() {
		if strings.Contains(id.String(), "_"+other+"_") {
			offer = append(offer, id)
		}
	}
	second, err := c.visit(ctx, tlscore.Config{MaxVersion: wire.VersionTLS12, CipherSuites: offer, NoTickets: true})
	if err != nil {
		return livePage{}, err
	}
	if strings.HasSuffix(second.outcome(), wire.AlertProtocolVersion.String()) {
		return livePage{}, nil
	}
	p := livePage{
		Title: "Suites for another key", Section: "RFC 5246, Section 7.4.2",
		Shown: append([]string{fmt.Sprintf("The certificate that this host showed has a key for %s. In TLS 1.2 we now offered suites for %s alone:", word, other), ""},
			offerRows(offer, 0)...),
		Question: "What did the host do?",
		Why:      "it answered: " + second.outcome() + "; in TLS 1.2 the suite says with which kind of key the server proves who it is, so it needs a certificate of that kind",
	}
	refused, took := "it refused the handshake", "it took one of them"
	right := took
	if second.refused != nil {
		right = refused
	}
	p.choose(right, refused, took)
	return p, nil
}
