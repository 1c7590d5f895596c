package tlscore_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// offloaded gives both directions of a machine away.
func offloaded(t *testing.T, m *tlscore.Machine) {
	t.Helper()
	for _, d := range []tlscore.Direction{tlscore.Sent, tlscore.Received} {
		var key []byte
		if err := m.Offload(d, func(k tlscore.RecordKeys) error { key = k.Key; return nil }); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(key, make([]byte, len(key))) {
			t.Error("the key is not wiped")
		}
		var misuse *tlscore.MisuseError
		if err := m.Offload(d, func(tlscore.RecordKeys) error { t.Error("the keys were given away twice"); return nil }); !errors.As(err, &misuse) {
			t.Errorf("second Offload: %v", err)
		}
	}
}

func TestOffloadedMachineSealsNothing(t *testing.T) {
	l := connected(t)
	m := l.Server.Machine
	if _, err := m.FeedOpened(tlstest.Now, wire.ContentApplicationData, []byte("x"), nil); err == nil {
		t.Error("FeedOpened before Offload")
	}
	offloaded(t, m)
	n, out, err := m.Seal(make([]byte, wire.MaxPlaintext+1), nil)
	if err != nil || n != wire.MaxPlaintext+1 || len(out) != n+2*wire.RecordHeaderLen || out[0] != byte(wire.ContentApplicationData) {
		t.Errorf("%d bytes became %d, %v", n, len(out), err)
	}
	step, err := m.FeedOpened(tlstest.Now, wire.ContentApplicationData, []byte("hello"), nil)
	if err != nil || step.N != 5 || step.Event.Kind != tlscore.Data || string(step.Event.Data) != "hello" {
		t.Errorf("%+v, %v", step, err)
	}
	var misuse *tlscore.MisuseError
	if _, err := m.KeyUpdate(false, nil); !errors.As(err, &misuse) {
		t.Errorf("KeyUpdate: %v", err)
	}
	if _, err := m.Suspend(); !errors.As(err, &misuse) {
		t.Errorf("Suspend: %v", err)
	}
	if out, err := m.CloseWrite(nil); err != nil || !bytes.Equal(out, []byte{21, 3, 3, 0, 2, 1, 0}) {
		t.Errorf("CloseWrite: %x, %v", out, err)
	}
	if step, err := m.FeedOpened(tlstest.Now, wire.ContentAlert, []byte{1, 0}, nil); err != nil || step.Event.Kind != tlscore.PeerClosed {
		t.Errorf("%+v, %v", step, err)
	}
}

// TestOffloadKeepsWhatLateCertificatesNeed: with the secrets wiped, a late Finished could be made by anybody.
func TestOffloadKeepsWhatLateCertificatesNeed(t *testing.T) {
	l := lateLink(t, nil)
	for _, e := range []*tlstest.End{l.Client, l.Server} {
		for _, d := range []tlscore.Direction{tlscore.Sent, tlscore.Received} {
			var misuse *tlscore.MisuseError
			if err := e.Machine.Offload(d, func(tlscore.RecordKeys) error { return nil }); !errors.As(err, &misuse) {
				t.Errorf("%v: %v", d, err)
			}
		}
	}
	request(t, l)
	if f := l.Server.Machine.Facts(); f.LateRequests != 1 || len(f.PeerChain) == 0 {
		t.Error("the client was not asked any more")
	}
}

func TestOffloadedMachineEndsAtKeyUpdate(t *testing.T) {
	for _, ask := range []byte{0, 1} {
		for _, sent := range []bool{false, true} { // only what is sent is offloaded, or only what is received
			l := connected(t)
			m := l.Server.Machine
			d := tlscore.Received
			if sent {
				d = tlscore.Sent
			}
			if err := m.Offload(d, func(tlscore.RecordKeys) error { return nil }); err != nil {
				t.Fatal(err)
			}
			update := []byte{byte(wire.TypeKeyUpdate), 0, 0, 1, ask}
			var err error
			if sent {
				var out []byte
				if out, err = l.Client.Machine.KeyUpdate(ask == 1, nil); err != nil {
					t.Fatal(err)
				}
				_, err = m.Feed(tlstest.Now, out, nil)
			} else {
				_, err = m.FeedOpened(tlstest.Now, wire.ContentHandshake, update, nil)
			}
			if sent && ask == 0 { // the peer's own keys are its affair
				if err != nil {
					t.Errorf("the client changes what it sends with: %v", err)
				}
				continue
			}
			if code, _ := tlscore.CodeOf(err); err == nil || code != tlscore.CodeInternal || !m.Pending() {
				t.Errorf("ask %d, sent %v: %v, pending %v", ask, sent, err, m.Pending())
			}
		}
	}
}

// TestForgeriesThatOthersFindAreToldThePeer: who opens the records finds them, and the alert is ours to send.
func TestForgeriesThatOthersFindAreToldThePeer(t *testing.T) {
	l := connected(t)
	m := l.Server.Machine
	var misuse *tlscore.MisuseError
	if err := m.FailOpened(); !errors.As(err, &misuse) {
		t.Errorf("before Offload: %v", err)
	}
	if err := m.Offload(tlscore.Received, func(tlscore.RecordKeys) error { return nil }); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if code, _ := tlscore.CodeOf(m.FailOpened()); code != tlscore.CodeBadRecordMAC {
			t.Errorf("%v", code)
		}
	}
	out, err := m.Flush(nil)
	if err != nil {
		t.Fatal(err)
	}
	var peer *tlscore.Error
	if _, err := l.Client.Machine.Feed(tlstest.Now, out, nil); !errors.As(err, &peer) || peer.Code != tlscore.CodePeerAlert {
		t.Errorf("the client: %v", err)
	}
	if _, err := m.FeedOpened(tlstest.Now, wire.ContentApplicationData, []byte("x"), nil); err == nil {
		t.Error("it goes on")
	}
}

func TestOffloadedMachineRefusesWhatOthersRefuse(t *testing.T) {
	for _, c := range []struct {
		kind    wire.ContentType
		content []byte
		code    tlscore.Code
	}{
		{0, []byte("x"), tlscore.CodeUnexpectedRecord},
		{wire.ContentChangeCipherSpec, []byte{1}, tlscore.CodeUnexpectedRecord},
		{99, []byte("x"), tlscore.CodeUnexpectedRecord},
		{wire.ContentHandshake, nil, tlscore.CodeEmptyFragment},
		{wire.ContentHandshake, []byte{byte(wire.TypeFinished), 0, 0, 0}, tlscore.CodeUnexpectedMessage},
		{wire.ContentAlert, []byte{2}, tlscore.CodeBadAlert},
	} {
		l := connected(t)
		offloaded(t, l.Server.Machine)
		_, err := l.Server.Machine.FeedOpened(tlstest.Now, c.kind, c.content, nil)
		if code, _ := tlscore.CodeOf(err); err == nil || code != c.code {
			t.Errorf("%v of %x: %v", c.kind, c.content, err)
		}
	}
}
