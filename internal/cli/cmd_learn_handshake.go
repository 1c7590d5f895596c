package cli

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/trace"
	"github.com/tlswright/tlswright/wire"
)

func newLearnHandshake(a *app) *cobra.Command {
	return newLiveLesson(a, liveLesson{
		word: "handshake",
		long: `A lesson on the handshake, over one that was just made: who sent what in which
flight, from where on it is encrypted, and what the same host does in TLS 1.2.`,
		write: writeHandshakeLesson,
		next: []string{
			"tlswright connect --trace=text HOST",
			"tlswright connect --observer HOST",
			"tlswright learn keys",
		},
	}, "A lesson on the handshake, over one that was just made",
		"  tlswright learn handshake example.com\n  tlswright learn handshake --page 4 --json")
}

// The names of messages that the lessons look for.
const (
	helloOfClient = "ClientHello"
	helloOfServer = "ServerHello"
	certMessage   = "Certificate"
	finishMessage = "Finished"
)

func writeHandshakeLesson(ctx context.Context, c *classroom) ([]livePage, error) {
	v, err := c.welcome13(ctx)
	if err != nil {
		return nil, err
	}
	old, err := c.visit(ctx, tlscore.Config{MaxVersion: wire.VersionTLS12, NoTickets: true})
	if err != nil {
		return nil, err
	}
	pages := []livePage{pageFirstBytes(v), pageShares(v), pageServerHello(v), pageFlights(v), pageHidden(v), pageFinished(v)}
	if old.refused != nil {
		return append(pages, pageNo12(old)), nil
	}
	return append(pages, pageTrips(v, old), pageClear12(old), pageCompared(v, old)), nil
}

// message finds the first message of this type from this side; nil: there was none.
func (v *visit) message(from trace.Side, kind string) *trace.Message {
	for i := range v.Messages {
		if m := &v.Messages[i]; m.From == from && m.Type == kind {
			return m
		}
	}
	return nil
}

// hellos are the client's hellos, two where the server asked for another one.
func (v *visit) hellos() []*wire.ClientHello {
	var all []*wire.ClientHello
	for i := range v.Messages {
		m := &v.Messages[i]
		if m.From != trace.Client || m.Type != helloOfClient {
			continue
		}
		parsed, err := wire.ParseMessage(m.Raw)
		if hello, ok := parsed.(*wire.ClientHello); err == nil && ok {
			all = append(all, hello)
		}
	}
	if len(all) == 0 {
		all = append(all, &wire.ClientHello{})
	}
	return all
}

func (v *visit) hello() *wire.ClientHello { return v.hellos()[0] }

func (v *visit) lastHello() *wire.ClientHello {
	all := v.hellos()
	return all[len(all)-1]
}

func pageFirstBytes(v *visit) livePage {
	raw := v.Records[0].Raw
	p := livePage{
		Title: "The first bytes",
		Shown: append([]string{fmt.Sprintf("We connected to %s. This is how the first record begins that we sent, of %d bytes:", v.Server.Address, len(raw)), ""},
			bytesShown(raw, 48)...),
		Question: "The bytes 03 01 in the record's header, and 03 03 in the hello behind it, are versions. What is the best version that this hello offers?",
		Why:      "both numbers are frozen so that old boxes on the way let the hello pass; what counts stands in the extension supported_versions",
		Section:  "RFC 8446, Section 4.2.1",
	}
	var versions wire.SupportedVersions
	_, _ = v.hello().Ext(&versions) // without it the list is empty
	p.Shown = append(p.Shown, "", "The first byte, 16, says that a handshake message follows; 01, behind the five bytes of the record's header, that it is a ClientHello.")
	p.choose("TLS 1.3", "TLS 1.0", "TLS 1.2", "TLS 1.3")
	p.Why += ": there we wrote " + strings.Join(names(versions.Versions), ", ")
	return p
}

func pageShares(v *visit) livePage {
	var groups wire.SupportedGroups
	var shares wire.KeyShares
	hello := v.hello()
	_, _ = hello.Ext(&groups) // our own hello; without it the lists are empty
	_, _ = hello.Ext(&shares)
	rows := [][2]string{{"groups we know", strings.Join(names(groups.Groups), ", ")}}
	total := 0
	for _, e := range shares.Entries {
		total += len(e.KeyExchange)
		rows = append(rows, [2]string{"share sent", fmt.Sprintf("%s, %d bytes: %x ...", e.Group, len(e.KeyExchange), e.KeyExchange[:min(12, len(e.KeyExchange))])})
	}
	p := livePage{
		Title: "A guess that saves a round trip",
		Shown: append([]string{fmt.Sprintf("Our ClientHello has %d bytes, and %d of them are public keys that the server had not asked for yet:", len(v.Records[0].Raw)-5, total), ""},
			shownRows(rows...)...),
		Question: "How many key shares did we send at once?",
		Answer:   strconv.Itoa(len(shares.Entries)),
		Why:      "a share for a group that the server takes lets it compute the keys at once; had we guessed wrong, it would have asked for another hello",
		Section:  "RFC 8446, Section 4.2.8",
	}
	if v.facts.HelloRetried {
		p.Why = fmt.Sprintf("a share for a group that the server takes lets it compute the keys at once; here we guessed wrong, and it asked for another hello with a share for %s", v.facts.Group)
	}
	return p
}

func pageServerHello(v *visit) livePage {
	m := v.message(trace.Server, helloOfServer)
	p := livePage{Title: "The server chooses", Section: "RFC 8446, Section 4.1.3"}
	id := v.facts.CipherSuite
	p.Question = fmt.Sprintf("The cipher suite is the two bytes %02x %02x in it. Which one is that?", uint16(id)>>8, uint16(id)&0xff)
	choices := names(v.hello().CipherSuites)
	choices = choices[:min(len(choices), 3)]
	if !strings.Contains(strings.Join(choices, " "), id.String()) {
		choices = append(choices, id.String())
	}
	p.choose(id.String(), choices...)
	p.Why = fmt.Sprintf("it must be one of the %d that we offered; what else the server chose at once is the group of the key exchange, %s", len(v.hello().CipherSuites), v.facts.Group)
	if m == nil {
		return p
	}
	p.Shown = append([]string{fmt.Sprintf("The server answered with a ServerHello of %d bytes:", len(m.Raw)), ""}, bytesShown(m.Raw, 80)...)
	for _, f := range m.Fields {
		if strings.HasSuffix(f.Path, "cipher_suite") {
			p.Shown = append(p.Shown, "", fmt.Sprintf("  cipher_suite stands at offset %04x, behind the random and the session id", f.Offset))
		}
	}
	return p
}

// messageTable lists the messages of a handshake, a line each.
func messageTable(v *visit) []string {
	lines := []string{fmt.Sprintf("  %2s  %-6s  %-20s %6s  %s", "", "from", "message", "bytes", "who can read it")}
	for i := range v.Messages {
		m := &v.Messages[i]
		who := "the two alone"
		if m.Epoch == "plaintext" {
			who = "everybody on the way"
		}
		lines = append(lines, fmt.Sprintf("  %2d  %-6s  %-20s %6d  %s", i+1, m.From, m.Type, len(m.Raw), who))
	}
	return lines
}

func pageFlights(v *visit) livePage {
	first := -1
	for i := range v.Messages {
		if v.Messages[i].Epoch != "plaintext" {
			first = i
			break
		}
	}
	shown := []string{"All messages of this handshake, in the order of time:", ""}
	for i := range v.Messages {
		m := &v.Messages[i]
		shown = append(shown, fmt.Sprintf("  %2d  %-6s  %-20s %6d bytes", i+1, m.From, m.Type, len(m.Raw)))
	}
	return livePage{
		Title: "Who sent what", Shown: shown,
		Question: "Which is the first message that nobody on the way can read? (its number)",
		Answer:   strconv.Itoa(first + 1),
		Why: fmt.Sprintf("with the ServerHello both sides have what the handshake keys are made of, so that all behind it, from %s on, is encrypted",
			v.Messages[max(first, 0)].Type),
		Section: "RFC 8446, Section 2",
	}
}

func pageHidden(v *visit) livePage {
	p := livePage{
		Title:    "A disguise",
		Question: "Somebody on the way sees the record that holds the Certificate. What does its first byte, the type, say?",
		Why:      "in TLS 1.3 every encrypted record says application_data; the true type is the last byte inside the encryption",
		Section:  "RFC 8446, Section 5.2",
	}
	p.choose("17, application data", "16, handshake", "17, application data", "0b, certificate")
	m := v.message(trace.Server, certMessage)
	if m == nil || len(m.Spans) == 0 {
		p.Shown = []string{"This server sent no certificate."}
		return p
	}
	rec := &v.Records[m.Spans[0].Record]
	p.Shown = []string{fmt.Sprintf("Record %d is %d bytes of the server. Opened with the keys of this run, it holds, among others, this Certificate of %d bytes:", rec.ID+1, len(rec.Raw), len(m.Raw)), ""}
	p.Shown = append(p.Shown, bytesShown(m.Raw, 32)...)
	p.Shown = append(p.Shown, "", "What is on the wire, behind the type and the two bytes of the version:", "")
	p.Shown = append(p.Shown, fmt.Sprintf("  ?? 03 03 % x ...", []byte(rec.Raw[3:min(len(rec.Raw), 20)])))
	return p
}

func pageFinished(v *visit) livePage {
	p := livePage{
		Title: "Nothing was changed on the way", Section: "RFC 8446, Section 4.4.4",
		Shown:    []string{"Finished is a MAC over all messages before it. These are the two of this handshake, computed anew from the recording:", ""},
		Question: "Somebody takes one cipher suite out of our ClientHello on its way. Who is the first to notice?",
		Why:      "keys and Finished are made of the messages, the server's of the hello that it got, ours of the one that we sent: its first encrypted record would not even open",
	}
	for i := range v.Checks {
		if ch := &v.Checks[i]; strings.HasSuffix(ch.Name, finishMessage) {
			p.Shown = append(p.Shown, shownRows([2]string{ch.Name, ch.Result}, [2]string{"", hex.EncodeToString(ch.Got)})...)
		}
	}
	p.choose("the client, at the server's Finished or before it", "nobody", "the server, at the client's Finished",
		"the client, at the server's Finished or before it")
	return p
}

func pageNo12(old *visit) livePage {
	f := connectionFailure(old.Server.Address, old.refused)
	p := livePage{
		Title: "The same host in TLS 1.2", Section: "RFC 8446, Section 6.2",
		Shown:    append([]string{"We connected again, and offered TLS 1.2 only. This came back:", ""}, cutAt(f.text, 72)...),
		Question: "Does this host speak TLS 1.2?",
		Why:      "a server that speaks none of the versions that are offered ends the handshake with an alert",
	}
	p.choose("no", "yes", "no")
	return p
}

// trips is how many round trips it took until the server's Finished: then the client may speak.
func (v *visit) trips() int {
	n, last := 0, trace.Client
	for i := range v.Messages {
		m := &v.Messages[i]
		if m.From == trace.Server && last != trace.Server {
			n++
		}
		last = m.From
		if m.From == trace.Server && m.Type == finishMessage {
			break
		}
	}
	return n
}

// flights tells who spoke when, a line each time.
func (v *visit) flights() []string {
	var lines []string
	last := trace.Side("")
	for i := range v.Messages {
		m := &v.Messages[i]
		if m.From != last {
			lines = append(lines, fmt.Sprintf("  %-6s  ", m.From)+m.Type)
		} else {
			lines[len(lines)-1] += ", " + m.Type
		}
		last = m.From
	}
	var folded []string
	for _, l := range lines {
		folded = append(folded, l[:10]+strings.Join(wrap(l[10:], 64), "\n"+strings.Repeat(" ", 12)))
	}
	return folded
}

func pageTrips(v, old *visit) livePage {
	shown := []string{"TLS 1.3, as above:", ""}
	shown = append(append(shown, v.flights()...), "", "TLS 1.2, a second connection to the same host:", "")
	p := livePage{
		Title: "Round trips", Shown: append(shown, old.flights()...),
		Question: "How many round trips did the TLS 1.2 handshake take before the client could send its request?",
		Answer:   strconv.Itoa(old.trips()),
		Why:      fmt.Sprintf("its key shares travel only after the ServerHello has said which group; the TLS 1.3 handshake took %d", v.trips()),
		Section:  "RFC 5246, Section 7.3",
	}
	if v.facts.HelloRetried {
		p.Why += ", for the server wanted another key share than we had guessed"
	}
	return p
}

func pageClear12(old *visit) livePage {
	p := livePage{
		Title: "What TLS 1.2 shows to everybody", Shown: messageTable(old),
		Question: "In that TLS 1.2 handshake, could somebody on the way read the server's certificate?",
		Why:      "nothing before the Finished messages is encrypted in TLS 1.2",
		Section:  "RFC 5246, Section 7.3",
	}
	p.choose("yes", "yes", "no")
	m := old.message(trace.Server, certMessage)
	certs := parseChain(old.facts.PeerChain)
	if m == nil || len(certs) == 0 || len(m.Spans) == 0 {
		return p
	}
	// The name stands in the record as it is: that is the proof.
	raw := []byte(old.Records[m.Spans[0].Record].Raw)
	for _, name := range certs[0].DNSNames {
		if at := bytes.Index(raw, []byte(name)); at >= 0 && name != "" {
			p.Why += fmt.Sprintf(": the bytes of %q stand at offset %d of the record", listShort([]string{name}, 60), at)
			break
		}
	}
	return p
}

func pageCompared(v, old *visit) livePage {
	count := func(v *visit) (clear, hidden int) {
		for i := range v.Messages {
			if m := &v.Messages[i]; m.Epoch == "plaintext" {
				clear++
			} else {
				hidden++
			}
		}
		return clear, hidden
	}
	clear13, hidden13 := count(v)
	clear12, hidden12 := count(old)
	row := func(what string, a, b any) string { return fmt.Sprintf("  %-28s %10v %10v", what, a, b) }
	p := livePage{
		Title: "Side by side", Section: "RFC 8446, Section 4.1.3",
		Shown: []string{row("", "TLS 1.2", "TLS 1.3"), row("messages in the clear", clear12, clear13), row("messages encrypted", hidden12, hidden13),
			row("round trips before data", old.trips(), v.trips()),
			row("bytes sent by the client", old.Summary.ClientBytes, v.Summary.ClientBytes), row("bytes sent by the server", old.Summary.ServerBytes, v.Summary.ServerBytes),
			"", "The end of the server's random in the TLS 1.2 handshake:", "", fmt.Sprintf("  ... % x", old.facts.ServerRandom[20:])},
		Why: "a server that could do better marks its random; a client that did offer TLS 1.3 knows by the mark that somebody changed its hello",
	}
	if binary.BigEndian.Uint64(old.facts.ServerRandom[24:]) == 0x444f574e47524401 {
		p.Question = "This server speaks TLS 1.3, and we offered only TLS 1.2. Seven bytes before the last one are letters in ASCII (41 is A). Which word do they make?"
		p.Answer = "DOWNGRD"
	} else {
		p.Question = "The mark of a server that could do better is 44 4f 57 4e 47 52 44 01 at the end. Is it there?"
		p.choose("no", "yes", "no")
	}
	return p
}
