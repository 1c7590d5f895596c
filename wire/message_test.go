package wire

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// parser is what every message has besides Message.
type messageParser interface {
	Message
	Parse(raw []byte) error
}

func newMessageLike(m Message) messageParser {
	return reflect.New(reflect.TypeOf(m).Elem()).Interface().(messageParser)
}

func TestMessagesRoundTrip(t *testing.T) {
	for i, s := range messageSamples() {
		t.Run(fmt.Sprintf("%d %T", i, s.message), func(t *testing.T) {
			raw := unhex(t, s.raw)
			if got := AppendMessage(nil, s.message); !bytes.Equal(got, raw) {
				t.Fatalf("AppendMessage = %x, want %x", got, raw)
			}
			got := newMessageLike(s.message)
			if err := got.Parse(raw); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(s.message, Message(got)); diff != "" {
				t.Errorf("parsed (-want +got):\n%s", diff)
			}
			if again := AppendMessage([]byte("before"), got); !bytes.Equal(again[6:], raw) {
				t.Errorf("encoded again = %x, want %x", again[6:], raw)
			}
			dispatched, err := ParseMessage(raw)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(s.message, dispatched); diff != "" {
				t.Errorf("ParseMessage (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParsingForgetsWhatAMessageHeld(t *testing.T) {
	all := messageSamples()
	for _, first := range all {
		for _, second := range all {
			if reflect.TypeOf(first.message) != reflect.TypeOf(second.message) {
				continue
			}
			m := newMessageLike(first.message)
			if err := m.Parse(unhex(t, first.raw)); err != nil {
				t.Fatal(err)
			}
			if err := m.Parse(unhex(t, second.raw)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(second.message, Message(m)); diff != "" {
				t.Errorf("%T (-want +got):\n%s", m, diff)
			}
		}
	}
}

// setLength makes the header say what is there.
func setLength(raw []byte) []byte {
	raw = bytes.Clone(raw)
	if n := len(raw) - 4; n >= 0 {
		raw[1], raw[2], raw[3] = byte(n>>16), byte(n>>8), byte(n)
	}
	return raw
}

func TestEveryPrefixOfAMessageFails(t *testing.T) {
	for _, s := range messageSamples() {
		raw := unhex(t, s.raw)
		for n := range raw {
			if err := newMessageLike(s.message).Parse(raw[:n]); err == nil {
				t.Errorf("%T: the first %d of %d bytes are taken for all", s.message, n, len(raw))
			}
			if s.open && n >= 4 {
				continue
			}
			cut := setLength(raw[:n])
			m := newMessageLike(s.message)
			if err := m.Parse(cut); err == nil {
				// Only a hello without extensions may end earlier than its sample does.
				if !isHelloWithoutExtensions(m) || !bytes.Equal(AppendMessage(nil, m), cut) {
					t.Errorf("%T: the first %d of %d bytes are taken for all", s.message, n, len(raw))
				}
			}
		}
	}
}

func isHelloWithoutExtensions(m Message) bool {
	switch m := m.(type) {
	case *ClientHello:
		return m.Extensions == nil
	case *ServerHello:
		return m.Extensions == nil
	}
	return false
}

func TestBytesBehindAMessageFail(t *testing.T) {
	for _, s := range messageSamples() {
		raw := append(unhex(t, s.raw), 0)
		if err := newMessageLike(s.message).Parse(raw); err == nil || !strings.HasSuffix(err.Error(), ": 1 trailing byte") {
			t.Errorf("%T: error %v, want a trailing byte", s.message, err)
		}
		if s.open {
			continue
		}
		if err := newMessageLike(s.message).Parse(setLength(raw)); err == nil {
			t.Errorf("%T: a byte behind the last field is ignored", s.message)
		}
	}
}

func TestAMessageRefusesAnotherType(t *testing.T) {
	for _, a := range messageSamples() {
		for _, b := range messageSamples() {
			if a.message.Type() == b.message.Type() || a.message.Type() == 0x63 {
				continue
			}
			if err := newMessageLike(a.message).Parse(unhex(t, b.raw)); err == nil {
				t.Errorf("%T parses %T", a.message, b.message)
			}
		}
	}
}

func TestParsedSlicesBorrowAndEndWhereTheyEnd(t *testing.T) {
	raw := unhex(t, messageSamples()[0].raw)
	var m ClientHello
	if err := m.Parse(raw); err != nil {
		t.Fatal(err)
	}
	if &m.SessionID[0] != &raw[39] {
		t.Error("the session ID is a copy")
	}
	_ = append(m.SessionID, 0xff)
	if raw[41] == 0xff {
		t.Error("appending to a field overwrites the next one")
	}
}

func TestMessagesOfRFC8448RoundTrip(t *testing.T) {
	for name, raw := range rfc8448Messages(t) {
		m, err := ParseMessage(raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := AppendMessage(nil, m); !bytes.Equal(got, raw) {
			t.Errorf("%s: encoded again\n%x, want\n%x", name, got, raw)
		}
		reencodeViews(t, name, raw)
	}
}

// rfc8448Messages gives whole handshake messages: those that stand alone and those inside of plaintext records.
func rfc8448Messages(t testing.TB) map[string][]byte {
	t.Helper()
	all := rfc8448(t)
	messages := make(map[string][]byte)
	for name, b := range all {
		switch {
		case strings.Contains(name, "/Message_"):
			messages[name] = b
		case strings.Contains(name, "/Record_") && b[0] == byte(ContentHandshake):
			rec, _, err := Deframe(b, MaxPlaintext)
			if err != nil || len(rec) == 0 {
				t.Fatalf("%s: %v", name, err)
			}
			// The middlebox compatibility trace has a change_cipher_spec behind the ServerHello.
			messages[name] = rec[RecordHeaderLen:]
		}
	}
	ticket := NewSessionTicket{Lifetime: 30, AgeAdd: 0xfad6aac5, Nonce: []byte{0, 0}, Ticket: all["Simple_1RTT_Handshake/SessionTicket"]}
	ticket.Extensions.Add(&EarlyDataSize{Max: 1024})
	messages["Simple_1RTT_Handshake/NewSessionTicket"] = AppendMessage(nil, &ticket)
	if len(messages) < 30 {
		t.Fatalf("only %d messages", len(messages))
	}
	return messages
}

// reencodeViews decodes every extension of a message that has a view and compares what that encodes to.
func reencodeViews(t *testing.T, name string, raw []byte) {
	t.Helper()
	m, err := ParseMessage(raw)
	if err != nil {
		t.Fatal(err)
	}
	each := func(in context, es Extensions, ext func(ExtensionView) (bool, error)) {
		for _, e := range es {
			v := viewIn(in, e.Type)
			if v == nil {
				continue
			}
			present, err := ext(v)
			if err != nil || !present {
				t.Errorf("%s: %v: present %t, error %v", name, e.Type, present, err)
			}
			if got := v.AppendBody(nil); !cmp.Equal(got, e.Data, cmpopts.EquateEmpty()) {
				t.Errorf("%s: %v encodes to %x, want %x", name, e.Type, got, e.Data)
			}
		}
	}
	switch m := m.(type) {
	case *ClientHello:
		each(inClientHello, m.Extensions, m.Ext)
	case *ServerHello:
		in := inServerHello
		if m.IsHelloRetryRequest() {
			in = inHelloRetryRequest
		}
		each(in, m.Extensions, m.Ext)
	case *EncryptedExtensions:
		each(inEncryptedExtensions, m.Extensions, m.Ext)
	case *CertificateRequest:
		each(inCertificateRequest, m.Extensions, m.Ext)
	case *NewSessionTicket:
		each(inNewSessionTicket, m.Extensions, m.Ext)
	case *Certificate:
		for i := range m.Entries {
			each(inCertificate, m.Entries[i].Extensions, m.Entries[i].Ext)
		}
	}
}

func TestEncodingRefusesWhatDoesNotFit(t *testing.T) {
	for name, m := range map[string]Message{
		"256 bytes do not fit behind a length of 1 bytes":      &ClientHello{SessionID: make([]byte, 256)},
		"65536 bytes do not fit behind a length of 2 bytes":    &EncryptedExtensions{Extensions{{0, make([]byte, 1<<16)}}},
		"65538 bytes do not fit behind a length of 2 bytes":    &EncryptedExtensions{Extensions{{0, make([]byte, 65534)}}},
		"16777216 bytes do not fit behind a length of 3 bytes": &CompressedCertificate{UncompressedLength: 1 << 24},
		"16777217 bytes do not fit behind a length of 3 bytes": &Finished{make([]byte, 1<<24+1)},
	} {
		got, err := TryAppendMessage([]byte("before"), m)
		var tooLong *SizeError
		if !errors.As(err, &tooLong) || err.Error() != "wire: "+name || string(got) != "before" {
			t.Errorf("%T: %q, error %v, want %s", m, got, err, name)
		}
	}
	got, err := TryAppendMessage([]byte("before"), &KeyUpdate{})
	if want := "before\x18\x00\x00\x01\x00"; err != nil || string(got) != want {
		t.Errorf("%q, error %v", got, err)
	}
	defer func() {
		if r := recover(); r != "bug" {
			t.Errorf("another panic was swallowed: %v", r)
		}
	}()
	_, _ = TryAppendMessage(nil, panicking{})
}

// panicking is a message with a bug.
type panicking struct{ Finished }

func (panicking) Type() HandshakeType      { return TypeFinished }
func (panicking) AppendBody([]byte) []byte { panic("bug") }
