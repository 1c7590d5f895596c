package trace

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/wire"
)

const briefNames = 12 // columns

// WriteBrief writes the connection in a dozen lines: who, what was agreed on, what was checked, how long it took, how
// many bytes, and how it failed if it did. The error is that of w.
func WriteBrief(w io.Writer, r *Recording, o Options) error {
	p := newPage(w, o)
	p.brief(r)
	return p.flush()
}

func (p *page) brief(r *Recording) {
	s := &r.Summary
	say := func(name, text string) {
		if text != "" {
			p.pair(name, briefNames, text, stylePlain)
		}
	}
	say("connection", who(r))
	say("version", versionOf(s))
	say("cipher suite", s.CipherSuite)
	say("key exchange", s.Group)
	var asked []string
	if s.ServerName != "" {
		asked = append(asked, s.ServerName+" was asked for")
	}
	if s.ALPN != "" {
		asked = append(asked, "speaking "+s.ALPN)
	}
	say("name", strings.Join(asked, ", "))
	say("certificate", certificateOf(r, Server))
	if s.PSK != "" {
		say("authenticated", "by the pre-shared key "+s.PSK+", both sides, without certificates")
	}
	if s.Signature != "" {
		say("signature", s.Signature)
	}
	if s.ClientAuth {
		say("client", "proved who it is: "+certificateOf(r, Client))
	}
	if s.EarlyData != "" {
		say("early data", s.EarlyData)
	}
	say("record size", s.RecordLimits.text())
	p.checked(r)
	say("time", timeOf(s))
	say("bytes", bytesOf(r))
	if r.Cut != "" {
		p.pair("not whole", briefNames, r.Cut, styleBad)
	}
	p.failure(r, briefNames)
	if r.HasSecrets {
		p.pair("secrets", briefNames, "this holds the secrets of the connection: whoever has it can read all of it", styleBad)
	}
}

// who says who talked to whom, and when.
func who(r *Recording) string {
	var parts []string
	if !r.Started.IsZero() {
		parts = append(parts, r.Started.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	parts = append(parts, nameOr(r.Client, "a client")+" to "+nameOr(r.Server, "a server"))
	if r.Observed != "" {
		parts = append(parts, "seen by the "+string(r.Observed))
	}
	return strings.Join(parts, ", ")
}

func nameOr(e Endpoint, otherwise string) string {
	switch {
	case e.Name != "" && e.Address != "":
		return e.Name + " (" + e.Address + ")"
	case e.Name != "":
		return e.Name
	case e.Address != "":
		return e.Address
	}
	return otherwise
}

func versionOf(s *Summary) string {
	version := s.Version
	if version == "" {
		version = "none was agreed on"
	}
	if s.Resumed {
		version += ", resumed"
	}
	if s.HelloRetry {
		version += ", after a HelloRetryRequest"
	}
	if !s.Complete {
		version += "; the handshake is not complete"
	}
	return version
}

// certificateOf describes the first certificate that a side sent.
func certificateOf(r *Recording, side Side) string {
	for i := range r.Messages {
		m := &r.Messages[i]
		if m.From != side {
			continue
		}
		if m.is(wire.TypeCompressedCertificate) {
			return describeCertificate(first(unpackedChain(m.Raw))) + ", compressed"
		}
		for _, f := range m.Fields {
			if f.Kind != kindCertificate || !inside(f.Offset, f.Length, len(m.Raw)) {
				continue
			}
			return describeCertificate(m.Raw[f.Offset : f.Offset+f.Length])
		}
	}
	return ""
}

// describeCertificate describes a certificate, or a key in its place, in a few words.
func describeCertificate(der []byte) string {
	if key, err := cert.ParsePublicKey(der); err == nil {
		return "none, but a raw public key: " + pki.DescribeKey(key)
	}
	c, err := cert.Parse(der)
	if err != nil {
		return "one that cannot be read, of " + strconv.Itoa(len(der)) + " bytes"
	}
	return certificateName(der) + ", until " + c.NotAfter.UTC().Format("2006-01-02")
}

// kindCertificate is the kind of the fields that hold one.
const kindCertificate = "certificate"

// checked counts the checks, and names those that are wrong.
func (p *page) checked(r *Recording) {
	if len(r.Checks) == 0 {
		return
	}
	var right, wrong, open int
	for i := range r.Checks {
		switch r.Checks[i].Result {
		case resultRight:
			right++
		case resultWrong:
			wrong++
		default:
			open++
		}
	}
	parts := []string{fmt.Sprintf("%d of %d computed anew and right", right, len(r.Checks))}
	s := styleGood
	if wrong > 0 {
		parts, s = append(parts, fmt.Sprintf("%d wrong", wrong)), styleBad
	}
	if open > 0 {
		parts = append(parts, fmt.Sprintf("%d not possible", open))
	}
	p.pair("checks", briefNames, strings.Join(parts, ", "), s)
	for i := range r.Checks {
		if c := &r.Checks[i]; c.Result == resultWrong {
			p.pair("wrong", briefNames, c.Name+": "+c.Text, styleBad)
		}
	}
}

func timeOf(s *Summary) string {
	text := "connection " + shortTime(s.Duration)
	if s.HandshakeTime > 0 {
		text = "handshake " + shortTime(s.HandshakeTime) + ", " + text
	}
	return text
}

// shortTime shows milliseconds, or seconds where there are many.
func shortTime(d time.Duration) string {
	if d >= 10*time.Second {
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	}
	return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'f', 1, 64) + " ms"
}

func bytesOf(r *Recording) string {
	var records [2]int
	for i := range r.Records {
		records[index(r.Records[i].From)]++
	}
	total := r.Summary.ClientBytes + r.Summary.ServerBytes
	text := fmt.Sprintf("client %d in %s, server %d in %s", r.Summary.ClientBytes, count(records[0], "record"), r.Summary.ServerBytes, count(records[1], "record"))
	if total > 0 {
		text += fmt.Sprintf("; %d %% explained", r.Summary.AnnotatedBytes*100/total)
	}
	return text
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// failure says how the connection failed, if it did.
func (p *page) failure(r *Recording, names int) {
	f := r.Failure
	if f == nil {
		return
	}
	text := f.Text
	if f.Alert != "" && !strings.Contains(text, f.Alert) {
		text += " (alert " + f.Alert + ")"
	}
	p.pair("failed", names, text, styleBad)
	if f.By.known() {
		p.pair("stopped by", names, "the "+string(f.By), stylePlain)
	}
	if f.Check != "" {
		p.pair("refused by", names, f.Check, stylePlain)
	}
	if f.After >= 0 && f.After < len(r.Messages) {
		m := &r.Messages[f.After]
		p.pair("after", names, fmt.Sprintf("%s of the %s", m.Type, m.From), stylePlain)
	}
	if f.Change != "" {
		p.pair("to change", names, f.Change, stylePlain)
	}
	if f.Section != "" {
		p.pair("see", names, f.Section, stylePlain)
	}
}
