package wire

import (
	"bytes"
	"errors"
	"testing"
)

// fuzzMessage: what parses re-encodes to the same bytes, and its leaves tile the input whether it parses or not.
func fuzzMessage[M any, P interface {
	*M
	messageParser
}](f *testing.F) {
	typ := P(new(M)).Type()
	for _, s := range messageSamples() {
		if s.message.Type() == typ || typ == 0 {
			f.Add(unhex(f, s.raw))
		}
	}
	for _, raw := range rfc8448Messages(f) {
		if HandshakeType(raw[0]) == typ || typ == 0 {
			f.Add(raw)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m := P(new(M))
		err := m.Parse(raw)
		var located *ParseError
		if err != nil && (!errors.As(err, &located) || located.Path == "" || located.Offset > len(raw)) {
			t.Fatalf("error %#v", err)
		}
		if err == nil {
			if got := AppendMessage(nil, m); !bytes.Equal(got, raw) {
				t.Fatalf("encodes to %x", got)
			}
		}
		if _, walkErr := walkMessage(t, raw); err != nil && walkErr == nil && HandshakeType(raw[0]) == typ {
			t.Fatalf("the walk finds no fault, parsing does: %v", err)
		}
	})
}

// fuzzView: what decodes re-encodes to the same bytes, and in its message its leaves tile the input.
func fuzzView[V any, P interface {
	*V
	ExtensionView
}](f *testing.F) {
	var in context
	for _, s := range viewSamples() {
		if _, ok := s.view.(P); ok {
			in = s.in
			f.Add(unhex(f, s.body))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) > 1<<15 {
			return // two extensions have to fit in a message
		}
		v := P(new(V))
		err := decodeBody(v, body)
		if err == nil {
			if got := v.AppendBody(nil); !bytes.Equal(got, body) {
				t.Fatalf("encodes to %x", got)
			}
		}
		if _, walkErr := walkMessage(t, messageWith(in, v.Extension(), body)); (err == nil) != (walkErr == nil) {
			t.Fatalf("decoding says %v, the walk says %v", err, walkErr)
		}
	})
}

// FuzzJoiner: however a stream is cut, the same messages come out, or the same error.
func FuzzJoiner(f *testing.F) {
	f.Add([]byte("\x05\x00\x00\x00\x18\x00\x00\x01\x00\x14\x00\x00\x02"), byte(3))
	f.Fuzz(func(t *testing.T, stream []byte, size byte) {
		join := func(size int) (out []byte, errText string, buffered int) {
			j := Joiner{Max: 300}
			for rest := stream; len(rest) > 0; {
				n := min(size, len(rest))
				j.Add(rest[:n])
				rest = rest[n:]
				for {
					raw, ok, err := j.Next()
					if err != nil {
						return out, err.Error(), 0
					}
					if !ok {
						break
					}
					out = append(out, raw...)
				}
				if j.Buffered() > 300+handshakeHeaderLen {
					t.Fatalf("%d bytes wait", j.Buffered())
				}
			}
			return out, "", j.Buffered()
		}
		whole, wholeErr, wholeLeft := join(len(stream))
		cut, cutErr, cutLeft := join(int(size) + 1)
		if !bytes.Equal(whole, cut) || wholeErr != cutErr || wholeLeft != cutLeft {
			t.Errorf("whole: %x %q %d, in pieces: %x %q %d", whole, wholeErr, wholeLeft, cut, cutErr, cutLeft)
		}
		if !bytes.HasPrefix(stream, whole) {
			t.Error("the messages are not those of the stream")
		}
	})
}

// FuzzDeframe: a record is a prefix of the stream, and what is asked for brings it nearer.
func FuzzDeframe(f *testing.F) {
	f.Add([]byte("\x17\x03\x03\x00\x04data"))
	f.Fuzz(func(t *testing.T, in []byte) {
		rec, need, err := Deframe(in, MaxCiphertext13)
		switch {
		case err != nil:
			if rec != nil || need != 0 {
				t.Errorf("record %x and need %d with error %v", rec, need, err)
			}
		case rec == nil:
			if need <= 0 || len(in)+need > RecordHeaderLen+MaxCiphertext13 {
				t.Errorf("need %d", need)
			}
		default:
			h, _ := ParseRecordHeader(rec)
			if got := append(AppendRecordHeader(nil, h), rec[RecordHeaderLen:]...); need != 0 || !bytes.HasPrefix(in, got) {
				t.Errorf("record %x, need %d", rec, need)
			}
		}
	})
}

func FuzzWalkRecord(f *testing.F) {
	f.Add([]byte("\x17\x03\x03\x00\x04data"))
	f.Add([]byte("\x15\x03\x03\x00\x02\x02\x32"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, _ = tiles(t, len(raw), func(v Visitor) error { return WalkRecord(raw, v) })
	})
}

func FuzzAlert(f *testing.F) {
	f.Add([]byte{2, 50})
	f.Fuzz(func(t *testing.T, raw []byte) {
		if a, err := ParseAlert(raw); err == nil && !bytes.Equal(a.Append(nil), raw) {
			t.Errorf("encodes to %x", a.Append(nil))
		}
		_, _ = tiles(t, len(raw), func(v Visitor) error { return WalkAlert(raw, v) })
	})
}

func FuzzClientHello(f *testing.F)           { fuzzMessage[ClientHello](f) }
func FuzzServerHello(f *testing.F)           { fuzzMessage[ServerHello](f) }
func FuzzEncryptedExtensions(f *testing.F)   { fuzzMessage[EncryptedExtensions](f) }
func FuzzCertificateRequest(f *testing.F)    { fuzzMessage[CertificateRequest](f) }
func FuzzCertificate(f *testing.F)           { fuzzMessage[Certificate](f) }
func FuzzCertificateVerify(f *testing.F)     { fuzzMessage[CertificateVerify](f) }
func FuzzFinished(f *testing.F)              { fuzzMessage[Finished](f) }
func FuzzNewSessionTicket(f *testing.F)      { fuzzMessage[NewSessionTicket](f) }
func FuzzEndOfEarlyData(f *testing.F)        { fuzzMessage[EndOfEarlyData](f) }
func FuzzKeyUpdate(f *testing.F)             { fuzzMessage[KeyUpdate](f) }
func FuzzMessageHash(f *testing.F)           { fuzzMessage[MessageHash](f) }
func FuzzCompressedCertificate(f *testing.F) { fuzzMessage[CompressedCertificate](f) }
func FuzzUnknownMessage(f *testing.F)        { fuzzMessage[UnknownMessage](f) }

func FuzzServerNames(f *testing.F)                   { fuzzView[ServerNames](f) }
func FuzzServerNameAck(f *testing.F)                 { fuzzView[ServerNameAck](f) }
func FuzzMaxFragmentLength(f *testing.F)             { fuzzView[MaxFragmentLength](f) }
func FuzzStatusRequest(f *testing.F)                 { fuzzView[StatusRequest](f) }
func FuzzEmptyStatusRequest(f *testing.F)            { fuzzView[EmptyStatusRequest](f) }
func FuzzCertificateStatus(f *testing.F)             { fuzzView[CertificateStatus](f) }
func FuzzSupportedGroups(f *testing.F)               { fuzzView[SupportedGroups](f) }
func FuzzECPointFormats(f *testing.F)                { fuzzView[ECPointFormats](f) }
func FuzzSignatureAlgorithms(f *testing.F)           { fuzzView[SignatureAlgorithms](f) }
func FuzzSignatureAlgorithmsCert(f *testing.F)       { fuzzView[SignatureAlgorithmsCert](f) }
func FuzzDelegatedCredentialSchemes(f *testing.F)    { fuzzView[DelegatedCredentialSchemes](f) }
func FuzzDelegatedCredential(f *testing.F)           { fuzzView[DelegatedCredential](f) }
func FuzzALPN(f *testing.F)                          { fuzzView[ALPN](f) }
func FuzzSCTs(f *testing.F)                          { fuzzView[SCTs](f) }
func FuzzEmptySCT(f *testing.F)                      { fuzzView[EmptySCT](f) }
func FuzzClientCertificateTypes(f *testing.F)        { fuzzView[ClientCertificateTypes](f) }
func FuzzSelectedClientCertificateType(f *testing.F) { fuzzView[SelectedClientCertificateType](f) }
func FuzzServerCertificateTypes(f *testing.F)        { fuzzView[ServerCertificateTypes](f) }
func FuzzSelectedServerCertificateType(f *testing.F) { fuzzView[SelectedServerCertificateType](f) }
func FuzzPadding(f *testing.F)                       { fuzzView[Padding](f) }
func FuzzEncryptThenMAC(f *testing.F)                { fuzzView[EncryptThenMAC](f) }
func FuzzExtendedMasterSecret(f *testing.F)          { fuzzView[ExtendedMasterSecret](f) }
func FuzzCompressCertificate(f *testing.F)           { fuzzView[CompressCertificate](f) }
func FuzzRecordSizeLimit(f *testing.F)               { fuzzView[RecordSizeLimit](f) }
func FuzzSessionTicket(f *testing.F)                 { fuzzView[SessionTicket](f) }
func FuzzPreSharedKeys(f *testing.F)                 { fuzzView[PreSharedKeys](f) }
func FuzzPreSharedKeySelected(f *testing.F)          { fuzzView[PreSharedKeySelected](f) }
func FuzzEarlyData(f *testing.F)                     { fuzzView[EarlyData](f) }
func FuzzEarlyDataSize(f *testing.F)                 { fuzzView[EarlyDataSize](f) }
func FuzzSupportedVersions(f *testing.F)             { fuzzView[SupportedVersions](f) }
func FuzzSelectedVersion(f *testing.F)               { fuzzView[SelectedVersion](f) }
func FuzzCookie(f *testing.F)                        { fuzzView[Cookie](f) }
func FuzzPSKKeyExchangeModes(f *testing.F)           { fuzzView[PSKKeyExchangeModes](f) }
func FuzzCertificateAuthorities(f *testing.F)        { fuzzView[CertificateAuthorities](f) }
func FuzzOIDFilters(f *testing.F)                    { fuzzView[OIDFilters](f) }
func FuzzPostHandshakeAuth(f *testing.F)             { fuzzView[PostHandshakeAuth](f) }
func FuzzKeyShares(f *testing.F)                     { fuzzView[KeyShares](f) }
func FuzzKeyShareHello(f *testing.F)                 { fuzzView[KeyShareHello](f) }
func FuzzKeyShareRetry(f *testing.F)                 { fuzzView[KeyShareRetry](f) }
func FuzzTicketRequest(f *testing.F)                 { fuzzView[TicketRequest](f) }
func FuzzTicketRequestHint(f *testing.F)             { fuzzView[TicketRequestHint](f) }
func FuzzRenegotiationInfo(f *testing.F)             { fuzzView[RenegotiationInfo](f) }
func FuzzECHClientHello(f *testing.F)                { fuzzView[ECHClientHello](f) }
func FuzzECHRetryConfigs(f *testing.F)               { fuzzView[ECHRetryConfigs](f) }
func FuzzECHConfirmation(f *testing.F)               { fuzzView[ECHConfirmation](f) }
func FuzzECHOuterExtensions(f *testing.F)            { fuzzView[ECHOuterExtensions](f) }
