package scan

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/internal/record"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/wire"
)

// ticket13 is what a TLS 1.3 server gave for a later connection.
type ticket13 struct {
	Suite    wire.CipherSuite
	PSK      []byte
	Identity []byte
	Lifetime uint32 // seconds
	AgeAdd   uint32
	MaxEarly uint32 // bytes of 0-RTT data that the server allows; 0: none
	Received time.Time
}

// flight13 is the state of a TLS 1.3 handshake.
type flight13 struct {
	suite      *suite.Suite
	transcript keys.Transcript
	schedule   keys.Handshake
	client     keys.Traffic // handshake secrets
	server     keys.Traffic
	opener     *record.Opener
}

var (
	errNoSuite = errors.New("the suite is none of ours, so its records cannot be read")
	errNoGroup = errors.New("the group is none of ours, so its records cannot be read")
)

// readFlight13 reads the server's flight behind the ServerHello, or answers a HelloRetryRequest first.
func (l *link) readFlight13(o *offer, a *answer) error {
	f := new(flight13)
	f.suite = suite.ByID(a.Suite)
	if f.suite == nil {
		return errNoSuite
	}
	a.state = f
	f.transcript.Add(l.hello.Raw)
	f.transcript.Begin(f.suite.Hash)
	if a.Hello.IsHelloRetryRequest() {
		if err := l.retry(o, a, f); err != nil {
			return err
		}
	}
	f.transcript.Add(a.Flight[len(a.Flight)-1])
	if err := l.agree(o, a, f); err != nil {
		return err
	}
	for range maxMessages {
		raw, err := l.readProtected(f.opener)
		if err != nil {
			return err
		}
		raw = bytes.Clone(raw)
		a.Flight = append(a.Flight, raw)
		if wire.HandshakeType(raw[0]) == wire.TypeFinished {
			var m wire.Finished
			if err := m.Parse(raw); err != nil || !bytes.Equal(m.VerifyData, f.server.Finished(f.transcript.Sum())) {
				return fmt.Errorf("%w: the server's Finished is wrong", errFlight)
			}
			f.transcript.Add(raw)
			return nil
		}
		if err := a.takeMessage13(o, f, raw); err != nil {
			return fmt.Errorf("%w: %w", errFlight, err)
		}
		f.transcript.Add(raw)
	}
	return errTooMuch
}

// retry sends the second hello that a HelloRetryRequest asks for.
func (l *link) retry(o *offer, a *answer, f *flight13) error {
	if a.RetryGroup != 0 && l.host.scanner.share(a.RetryGroup) == nil {
		return errNoGroup
	}
	second := o.clone()
	if a.RetryGroup != 0 {
		second.Shares = []wire.Group{a.RetryGroup}
	}
	var cookie wire.Cookie
	if present, err := a.Hello.Ext(&cookie); err == nil && present {
		second.Extra = append(second.Extra, wire.Extension{Type: wire.ExtCookie, Data: cookie.AppendBody(nil)})
	}
	second.EarlyData = nil // RFC 8446, Section 4.2.10: it MUST NOT come a second time
	if t := second.Resume13; t != nil {
		if known := suite.ByID(t.Suite); known == nil || known.Hash != f.suite.Hash {
			second.Resume13 = nil // the server has chosen a suite that the ticket is not good for
		} else {
			second.before = afterRetry(t, l.hello.Raw, a.Flight[0])
		}
	}
	f.transcript.Retry()
	f.transcript.Add(a.Flight[0])
	first := l.hello
	if err := l.sendSecond(second, first); err != nil {
		return err
	}
	f.transcript.Add(l.hello.Raw)
	a.Sent = l.hello
	raw, err := l.readMessage13()
	if err != nil {
		return err
	}
	chosen, group := a.Suite, a.RetryGroup
	if err := a.takeHello(raw); err != nil {
		return err
	}
	a.Retry, a.RetryGroup = true, group
	if a.Hello.IsHelloRetryRequest() {
		return fmt.Errorf("%w: a second HelloRetryRequest", errFlight)
	}
	if a.Suite != chosen {
		return fmt.Errorf("%w: another suite after the HelloRetryRequest", errFlight)
	}
	return nil
}

// agree computes the handshake keys.
func (l *link) agree(o *offer, a *answer, f *flight13) error {
	var share wire.KeyShareHello
	if _, err := a.Hello.Ext(&share); err != nil {
		return fmt.Errorf("%w: %w", errFlight, err)
	}
	var psk []byte
	if _, selected := a.Hello.Extensions.Find(wire.ExtPreSharedKey); selected && o.Resume13 != nil {
		a.Resumed, psk = true, o.Resume13.PSK
	}
	var shared []byte
	for _, k := range l.hello.Shares {
		if k.Group() == share.Entry.Group {
			var err error
			if shared, err = k.Shared(share.Entry.KeyExchange); err != nil {
				return fmt.Errorf("%w: %w", errFlight, err)
			}
		}
	}
	if shared == nil {
		return errNoGroup
	}
	f.schedule = keys.NewEarly(f.suite.Hash, psk).Handshake(shared)
	th := f.transcript.Sum()
	f.client, f.server = f.schedule.ClientTraffic(th), f.schedule.ServerTraffic(th)
	var err error
	f.opener, err = record.NewOpener(f.suite, f.server)
	return err
}

// readMessage13 reads the message after a HelloRetryRequest, past a ChangeCipherSpec for middleboxes.
func (l *link) readMessage13() ([]byte, error) {
	for range 2 {
		typ, _, _, err := l.peekRecord()
		if err != nil {
			return nil, err
		}
		if typ != wire.ContentChangeCipherSpec || !l.joiner.Empty() {
			break
		}
		if _, _, _, err := l.readRecord(); err != nil {
			return nil, err
		}
	}
	raw, err := l.readMessage()
	return bytes.Clone(raw), err
}

// readProtected takes the next handshake message out of protected records.
func (l *link) readProtected(opener *record.Opener) ([]byte, error) {
	for {
		raw, ok, err := l.joiner.Next()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errTooLong, err)
		}
		if ok {
			return raw, nil
		}
		typ, content, err := l.openRecord(opener)
		if err != nil {
			return nil, err
		}
		switch typ {
		case wire.ContentHandshake:
			l.joiner.Add(content)
		case wire.ContentAlert:
			alert, err := wire.ParseAlert(content)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", errFlight, err)
			}
			return nil, &alertError{alert}
		default:
			return nil, fmt.Errorf("%w: a record of type %s", errFlight, strconv.Itoa(int(typ)))
		}
	}
}

// openRecord takes the next record and opens it, past a ChangeCipherSpec; an alert may come in the clear.
func (l *link) openRecord(opener *record.Opener) (wire.ContentType, []byte, error) {
	const maxChanges = 4
	for range maxChanges {
		typ, _, n, err := l.peekRecord()
		if err != nil {
			return 0, nil, err
		}
		if err := l.fill(wire.RecordHeaderLen + n); err != nil {
			return 0, nil, err
		}
		rec := l.skip(wire.RecordHeaderLen + n)
		switch typ {
		case wire.ContentChangeCipherSpec:
			continue
		case wire.ContentAlert:
			return typ, rec[wire.RecordHeaderLen:], nil
		}
		inner, content, err := opener.Open(rec)
		if err != nil {
			return 0, nil, fmt.Errorf("%w: %w", errFlight, err)
		}
		return inner, content, nil
	}
	return 0, nil, errTooMuch
}

// takeMessage13 takes what counts out of a message of the flight.
func (a *answer) takeMessage13(o *offer, f *flight13, raw []byte) error {
	switch wire.HandshakeType(raw[0]) {
	case wire.TypeEncryptedExtensions:
		var m wire.EncryptedExtensions
		if err := m.Parse(raw); err != nil {
			return err
		}
		a.EncryptedExtensions = m.Extensions
		_, a.EarlyAccepted = m.Extensions.Find(wire.ExtEarlyData)
	case wire.TypeCertificateRequest:
		a.ClientAuth, a.Request = true, raw
	case wire.TypeCertificate:
		var m wire.Certificate
		if err := m.Parse(raw); err != nil {
			return err
		}
		a.takeCertificate13(&m)
	case wire.TypeCompressedCertificate:
		m, err := decompress(raw)
		if err != nil {
			return err
		}
		a.Compressed = m.algorithm
		if m.certificate != nil {
			a.takeCertificate13(m.certificate)
		}
	case wire.TypeCertificateVerify:
		var m wire.CertificateVerify
		if err := m.Parse(raw); err != nil {
			return err
		}
		a.Scheme = m.Scheme
		if o.Verify {
			a.verify13(f.transcript.Sum(), &m)
		}
	}
	return nil
}

func (a *answer) takeCertificate13(m *wire.Certificate) {
	for i := range m.Entries {
		a.Chain = append(a.Chain, m.Entries[i].Data)
	}
	if len(m.Entries) == 0 {
		return
	}
	leaf := &m.Entries[0]
	var status wire.CertificateStatus
	if present, err := leaf.Ext(&status); err == nil && present {
		a.Staple = status.Response
	}
	if data, ok := leaf.Extensions.Find(wire.ExtSignedCertificateTimestamp); ok && len(data) > 0 {
		a.SCTs = data
	}
}

// verify13 checks the CertificateVerify, where the algorithm is one of ours.
func (a *answer) verify13(th []byte, m *wire.CertificateVerify) {
	a.SignatureOK = grade.Unknown
	s := suite.SchemeByID(m.Scheme)
	if s == nil || len(a.Chain) == 0 {
		return
	}
	leaf, err := cert.Parse(a.Chain[0])
	if err != nil || leaf.PublicKey == nil {
		return
	}
	switch err := s.Verify(leaf.PublicKey, signedContent("TLS 1.3, server CertificateVerify", th), m.Signature); {
	case err == nil:
		a.SignatureOK = grade.Yes
	case errors.Is(err, suite.ErrSignature):
		a.SignatureOK = grade.No
	}
}

// signedContent is what a CertificateVerify signs (RFC 8446, Section 4.4.3).
func signedContent(context string, th []byte) []byte {
	content := bytes.Repeat([]byte{' '}, 64)
	content = append(content, context...)
	content = append(content, 0)
	return append(content, th...)
}

// sum hashes, for binders.
func sum(h crypto.Hash, b []byte) []byte {
	d := h.New()
	d.Write(b)
	return d.Sum(nil)
}
