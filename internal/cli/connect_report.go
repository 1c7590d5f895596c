package cli

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
)

// rows is the report of one connection: what was negotiated, whom with, and whether that is to be believed.
func (c *connector) rows(o *outcome) []row {
	if o.answer != nil {
		return append(upgradeRows(o), o.answer.rows(o)...)
	}
	now := c.app.now()
	rows := append(upgradeRows(o), negotiatedRows(o.facts)...)
	rows = append(rows, c.echRows(o)...)
	rows = append(rows, kernelRows(o.kernel)...)
	rows = append(rows, c.resumptionRows(o)...)
	if len(o.sent) > 0 {
		rows = append(rows, certificateRows(o.sent[0], now)...)
		rows = append(rows, row{label: "chain", value: c.chainText(o)})
	}
	rows = append(rows, stapleRows(o)...)
	rows = append(rows, rawKeyRows(o.facts)...)
	rows = append(rows, lateRows(o.facts)...)
	rows = append(rows, o.revocation.rows(o)...)
	if o.pinned != nil {
		text, st := o.pinned.text()
		rows = append(rows, row{label: "pin", value: text, style: st})
	}
	if o.facts.CertificateRequested {
		text := "asked for, none sent"
		if own := o.facts.OwnIdentity; own != nil {
			text = "sent"
			if certs := parseChain(own.Chain); len(certs) > 0 {
				text += " " + nameOf(certs[0])
			}
		}
		rows = append(rows, row{label: "client cert", value: text})
	}
	if o.facts.HandshakeComplete {
		rows = append(rows, row{label: "time", value: fmt.Sprintf("TCP %s, TLS %s", milliseconds(o.tcp), milliseconds(o.tls))})
	}
	verdict, st := c.verdict(o)
	return append(rows, row{label: "verdict", value: verdict, style: st})
}

// chainText says how many certificates came and which root they lead to.
func (c *connector) chainText(o *outcome) string {
	text := countOf(len(o.facts.PeerChain), "certificate") + " sent"
	switch {
	case o.isTrusted():
		text += fmt.Sprintf(", root %s (%s)", shortName(o.peer.Root()), c.trust.sourceOf(o.peer.Root()))
	case len(o.sent) > 0:
		text += ", the last one issued by " + issuerShort(o.sent[len(o.sent)-1])
	}
	return text
}

// verdict is the conclusion in one line; the error below it says more where it is bad.
func (c *connector) verdict(o *outcome) (string, style) {
	switch {
	case o.answer != nil:
		return o.answer.verdict(o)
	case o.pinned != nil && !o.pinned.matches:
		return "NOT TRUSTED: no pin matches", bad
	case o.problem != nil && o.problem.kind == kindTrust:
		return "NOT TRUSTED: " + trustReason(o.problem), bad
	case o.problem != nil:
		return "FAILED: " + failureReason(o), bad
	case o.isTrusted():
		return "trusted: the chain leads to that root, and the name is " + o.name, good
	case o.peer.Pinned():
		return "trusted: the raw public key is one of --raw-key", good
	case o.facts.PSKIdentity != nil:
		return "trusted: the server has the pre-shared key " + pki.Printable(string(o.facts.PSKIdentity)), good
	case o.peer.Problem != nil:
		return "NOT VERIFIED (--insecure), and would not be trusted: " + trustReason(o.peer.Problem), bad
	default:
		return "NOT VERIFIED (--insecure)", bad
	}
}

// trustReason is why a chain is not trusted, in a word or two.
func trustReason(err error) string {
	var trust *pki.VerifyError
	if errors.As(err, &trust) {
		return trust.Reason.String()
	}
	return pki.Printable(err.Error())
}

// failureReason is why TLS failed, in a word or two where there is a name for it.
func failureReason(o *outcome) string {
	var tls *tlscore.Error
	if errors.As(o.problem, &tls) {
		if alert, ok := tls.Alert(); ok && tls.Received() {
			return "alert " + alert.String() + " from the server"
		}
	}
	return strings.TrimPrefix(o.problem.text, o.target.String()+": ")
}

func (c *connector) printReport(s *stream, o *outcome) {
	head := s.paint(bold, o.target.String())
	if readable := unicodeName(o.target.host); readable != "" {
		head += " (" + pki.Printable(readable) + ")"
	}
	switch {
	case c.way.proxy != nil:
		head += s.paint(faint, " through "+c.way.proxy.String())
	case o.address != "" && o.address != o.target.String():
		head += s.paint(faint, " at "+o.address)
	}
	c.app.ui.write(s, head+"\n"+s.rows(c.rows(o)))
}

func milliseconds(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	if ms < 10 {
		return fmt.Sprintf("%.1f ms", ms)
	}
	return fmt.Sprintf("%.0f ms", ms)
}

// connectJSON is `connect --json` for one host. The names are stable.
type connectJSON struct {
	Target     string           `json:"target"`
	Unicode    string           `json:"unicode_name,omitempty"` // of an internationalized name
	Address    string           `json:"address,omitempty"`
	Proxy      string           `json:"proxy,omitempty"`
	Upgrade    *upgradeJSON     `json:"starttls,omitempty"`
	VerifyName string           `json:"verify_name"` // that the certificate had to be valid for
	Verified   bool             `json:"verified"`    // chain and name
	Insecure   bool             `json:"insecure"`
	Verdict    string           `json:"verdict"`
	Handshake  *handshakeReport `json:"handshake,omitempty"`
	ChainSent  int              `json:"chain_sent"`
	Chain      []string         `json:"verified_chain"` // subjects, leaf first, root last
	Root       *rootJSON        `json:"root,omitempty"`
	ClientCert clientCertJSON   `json:"client_certificate"`
	Time       timeJSON         `json:"milliseconds"`
	Resumption *resumptionJSON  `json:"resumption,omitempty"`
	Pin        *pinJSON         `json:"pin,omitempty"`              // of --pin
	Staples    []stapleJSON     `json:"staples,omitempty"`          // OCSP answers that came with the certificates
	Revocation []revocationJSON `json:"revocation,omitempty"`       // of --crl, --ocsp, --revocation-set
	Notes      []string         `json:"revocation_notes,omitempty"` // who gave no answer
	Answer     *answerJSON      `json:"probe,omitempty"`            // where what was asked for is not spoken here
	Data       *dataJSON        `json:"data,omitempty"`
	recordedJSON
	Error *errorJSON `json:"error,omitempty"`
}

type rootJSON struct {
	certReport
	Source string `json:"source"` // "system", "own CA" or "--ca"
}

type clientCertJSON struct {
	IsRequested bool   `json:"requested"`
	Sent        string `json:"sent"` // subject; "" for none
}

type timeJSON struct {
	TCP float64 `json:"tcp"`
	TLS float64 `json:"tls"`
}

// errorJSON is a failure in --json of every command.
type errorJSON struct {
	Kind     failureKind `json:"kind"`
	Text     string      `json:"text"`
	Hint     string      `json:"hint,omitempty"`
	ExitCode int         `json:"exit_code"`
}

func newErrorJSON(f *failure) *errorJSON {
	if f == nil {
		return nil
	}
	return &errorJSON{Kind: f.kind, Text: f.text, Hint: f.hint, ExitCode: f.kind.exitCode()}
}

func (c *connector) json(o *outcome) connectJSON {
	now := c.app.now()
	j := connectJSON{
		Target: o.target.String(), Unicode: unicodeName(o.target.host), Address: o.address, VerifyName: o.name, Verified: o.isTrusted() || o.peer.Pinned() || o.facts.PSKIdentity != nil, Insecure: c.config.Insecure,
		ChainSent: len(o.facts.PeerChain), Chain: []string{},
		Time:    timeJSON{float64(o.tcp.Microseconds()) / 1000, float64(o.tls.Microseconds()) / 1000},
		Upgrade: newUpgradeJSON(o), Resumption: newResumptionJSON(o), Answer: newAnswerJSON(o.answer),
		Error: newErrorJSON(o.problem), Pin: newPinJSON(o.pinned), recordedJSON: c.trace.json(),
	}
	j.Staples = staplesReport(&o.peer, o.sent)
	j.Revocation, j.Notes = newRevocationJSON(o.revocation)
	if o.revocation != nil && o.revocation.refused != nil {
		j.Verified = false
	}
	if c.way.proxy != nil {
		j.Proxy = c.way.proxy.String()
	}
	j.Verdict, _ = c.verdict(o)
	if o.facts.Version != 0 {
		r := newHandshakeReport(o.facts, now)
		r.ECH = newECHReport(o.facts.ECH, o.before)
		r.Kernel = newKernelReport(o.kernel)
		j.Handshake = &r
	}
	for _, cert := range o.peer.Chain {
		j.Chain = append(j.Chain, nameOf(cert))
	}
	if o.isTrusted() {
		j.Root = &rootJSON{newCertReport(o.peer.Root(), now), c.trust.sourceOf(o.peer.Root())}
	}
	j.ClientCert.IsRequested = o.facts.CertificateRequested
	if own := o.facts.OwnIdentity; own != nil {
		if certs := parseChain(own.Chain); len(certs) > 0 {
			j.ClientCert.Sent = nameOf(certs[0])
		}
	}
	return j
}
