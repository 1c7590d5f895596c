package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/ciphers"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// probe is a ClientHello that asks for what this program does not speak, old versions or weak suites, to see what a
// server says to it. The connection ends there.
type probe struct {
	lowest, highest wire.Version
	suites          []wire.CipherSuite
}

// answer is what a server said to a probe: an alert, a ServerHello, or nothing.
type answer struct {
	hello      *probe
	alert      wire.Alert
	isAlert    bool
	isAccepted bool
	version    wire.Version
	suite      wire.CipherSuite
}

// oldSuites is what a client of an old version would offer.
func oldSuites(highest wire.Version) []wire.CipherSuite {
	// The expression is one of our own, so that it can be understood.
	s, _ := ciphers.Evaluate("ALL:!aNULL:!PSK:!SRP:!KRB5:!EXPORT:!LOW")
	var ids []wire.CipherSuite
	for _, id := range s.Suites {
		if p, _ := ciphers.Apart(id); p.Since <= highest && p.OpenSSLName != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// hello makes the ClientHello for a server of that name.
func (p *probe) hello(name string) (*wire.ClientHello, error) {
	h := &wire.ClientHello{LegacyVersion: min(p.highest, wire.VersionTLS12), CompressionMethods: []byte{0}}
	rand.Read(h.Random[:])
	h.CipherSuites = append(h.CipherSuites, p.suites...)
	if p.lowest <= wire.VersionTLS12 {
		h.CipherSuites = append(h.CipherSuites, wire.TLS_EMPTY_RENEGOTIATION_INFO_SCSV)
	}
	if p.highest == wire.VersionSSL30 {
		return h, nil // which knows no extensions
	}
	if _, err := netip.ParseAddr(name); err != nil && name != "" {
		h.Extensions.Add(&wire.ServerNames{Names: []wire.ServerName{{Name: []byte(name)}}})
	}
	h.Extensions.Add(&wire.SupportedGroups{Groups: suite.DefaultGroups()})
	h.Extensions.Add(&wire.ECPointFormats{Formats: []byte{0}})
	if p.highest < wire.VersionTLS12 {
		return h, nil
	}
	h.Extensions.Add(&wire.SignatureAlgorithms{Schemes: append(suite.DefaultSchemes(), wire.SchemeRSAPKCS1SHA1, wire.SchemeECDSASHA1)})
	if p.highest == wire.VersionTLS13 {
		return h, p.addTLS13(h)
	}
	return h, nil
}

// addTLS13 adds what a ClientHello of TLS 1.3 must have besides (RFC 8446, Section 9.2).
func (p *probe) addTLS13(h *wire.ClientHello) error {
	h.SessionID = make([]byte, 32)
	rand.Read(h.SessionID)
	var versions wire.SupportedVersions
	for v := p.highest; v >= p.lowest; v-- {
		versions.Versions = append(versions.Versions, v)
	}
	h.Extensions.Add(&versions)
	share, err := suite.GroupByID(wire.GroupX25519).Generate()
	if err != nil {
		return err
	}
	h.Extensions.Add(&wire.KeyShares{Entries: []wire.KeyShareEntry{{Group: share.Group(), KeyExchange: share.Public()}}})
	return nil
}

// run sends the hello over nc and reads what comes back. The caller sets a deadline.
func (p *probe) run(nc net.Conn, name string) (answer, error) {
	a := answer{hello: p}
	hello, err := p.hello(name)
	if err != nil {
		return a, err
	}
	body := wire.AppendMessage(nil, hello)
	if len(body) > wire.MaxPlaintext {
		return a, errors.New("this hello does not fit into one record")
	}
	record := wire.AppendRecordHeader(nil, wire.RecordHeader{
		Type: wire.ContentHandshake, Version: min(p.highest, wire.VersionTLS10), Length: len(body),
	})
	if _, err := nc.Write(append(record, body...)); err != nil {
		return a, err
	}
	return a, a.read(nc)
}

// maxAnswer bounds how many bytes of an answer are read before it is clear; a ServerHello is far smaller.
const maxAnswer = 64 << 10

// read takes records until there is a ServerHello or an alert that ends it.
func (a *answer) read(r io.Reader) error {
	var in []byte
	var joiner wire.Joiner
	for total := 0; total < maxAnswer; {
		record, _, err := wire.Deframe(in, wire.MaxCiphertext12)
		if err != nil {
			return &failure{kind: kindTLS, text: "what answers here is not TLS", hint: "does this port speak TLS from the first byte?"}
		}
		if record == nil {
			var buf [2048]byte
			n, err := r.Read(buf[:])
			in = append(in, buf[:n]...)
			total += n
			if n == 0 && err != nil {
				return err
			}
			continue
		}
		in = in[len(record):]
		if done, err := a.take(record, &joiner); done || err != nil {
			return err
		}
	}
	return &failure{kind: kindTLS, text: "the server says much, but neither yes nor no"}
}

// take looks at one record.
func (a *answer) take(record []byte, joiner *wire.Joiner) (done bool, err error) {
	fragment := record[wire.RecordHeaderLen:]
	switch wire.ContentType(record[0]) {
	case wire.ContentAlert:
		alert, err := wire.ParseAlert(fragment)
		if err != nil {
			return false, err
		}
		if alert.Level == wire.AlertLevelWarning && alert.Code != wire.AlertCloseNotify {
			return false, nil
		}
		a.alert, a.isAlert = alert, true
		return true, nil
	case wire.ContentHandshake:
		joiner.Add(fragment)
		raw, ok, err := joiner.Next()
		if !ok || err != nil {
			return false, err
		}
		var hello wire.ServerHello
		if err := hello.Parse(raw); err != nil {
			return false, err
		}
		a.isAccepted, a.version, a.suite = true, hello.LegacyVersion, hello.CipherSuite
		var selected wire.SelectedVersion
		if present, err := hello.Ext(&selected); present && err == nil {
			a.version = selected.Version
		}
		return true, nil
	}
	return false, nil
}

// probe sends the hello to the server at the other end of nc, and puts the answer into the outcome.
func (c *connector) probe(ctx context.Context, nc net.Conn, o *outcome) {
	defer nc.Close()
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	defer stop()
	var a answer
	err := nc.SetDeadline(time.Now().Add(c.timeout))
	if err == nil {
		a, err = c.unspoken.run(nc, o.name)
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	a.hello = c.unspoken
	o.answer = &a
	if err != nil {
		o.problem = connectionFailure(o.target.String(), err)
		return
	}
	o.problem = a.failure()
	o.problem.text = o.target.String() + ": " + o.problem.text
}

// failure is how the command ends: there is no connection in either case.
func (a *answer) failure() *failure {
	if a.isAccepted {
		f := &failure{kind: kindFinding, text: fmt.Sprintf("the server accepts %v with %v, which is not spoken here", a.version, a.suite)}
		if w := weakness(a.suite); w != "" {
			f.text += ": " + w
		}
		if a.version < wire.VersionTLS12 {
			f.hint = "the server should refuse versions below TLS 1.2 (RFC 8996)"
		}
		return f
	}
	reason := "it ended the connection"
	switch a.alert.Code {
	case wire.AlertProtocolVersion:
		reason = "it does not speak " + rangeText(a.hello.lowest, a.hello.highest)
	case wire.AlertHandshakeFailure, wire.AlertInsufficientSecurity:
		reason = "it takes none of the " + countOf(len(a.hello.suites), "suite")
		if len(a.hello.suites) == 1 {
			reason = "it does not take " + a.hello.suites[0].String()
		}
	}
	return &failure{kind: kindTLS, text: fmt.Sprintf("the server refuses: %s (alert %v)", reason, a.alert.Code)}
}

// asked says what the hello offered.
func (a *answer) asked() string {
	text := rangeText(a.hello.lowest, a.hello.highest) + " with "
	if len(a.hello.suites) > 3 {
		return text + countOf(len(a.hello.suites), "suite")
	}
	return text + strings.Join(names(a.hello.suites), ", ")
}

// rows is the report of a probe.
func (a *answer) rows(o *outcome) []row {
	rows := []row{{label: "hello", value: a.asked() + ": not spoken here, sent to see the answer"}}
	switch {
	case a.isAccepted:
		p, _ := ciphers.Apart(a.suite)
		rows = append(rows,
			row{label: "answer", value: "ServerHello: " + a.version.String() + ", " + a.suite.String()},
			row{label: "key exchange", value: exchangeText(p)})
	case a.isAlert:
		rows = append(rows, row{label: "answer", value: fmt.Sprintf("%v alert %v", a.alert.Level, a.alert.Code)})
	}
	verdict, st := a.verdict(o)
	return append(rows, row{label: "verdict", value: verdict, style: st})
}

func (a *answer) verdict(o *outcome) (string, style) {
	switch {
	case a.isAccepted:
		return "ACCEPTED: the server would go on", bad
	case a.isAlert:
		return "REFUSED by the server", good
	}
	return "NO ANSWER: " + failureReason(o), bad
}

// answerJSON is the answer to a probe in --json.
type answerJSON struct {
	Versions   []string      `json:"offered_versions"` // lowest and highest
	Suites     []string      `json:"offered_suites"`
	IsAccepted bool          `json:"accepted"`
	Alert      string        `json:"alert,omitempty"`
	Version    string        `json:"version,omitempty"`
	Suite      *numberedName `json:"cipher_suite,omitempty"`
}

func newAnswerJSON(a *answer) *answerJSON {
	if a == nil {
		return nil
	}
	j := &answerJSON{
		Versions: []string{a.hello.lowest.String(), a.hello.highest.String()}, Suites: names(a.hello.suites), IsAccepted: a.isAccepted,
	}
	if a.isAlert {
		j.Alert = a.alert.Code.String()
	}
	if a.isAccepted {
		j.Version, j.Suite = a.version.String(), &numberedName{a.suite.String(), id(a.suite)}
	}
	return j
}
