package tlscore_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

func connected(t testing.TB) *tlstest.Link {
	t.Helper()
	l := link(t, tlscore.Config{}, serverConfig(t))
	if err := l.Handshake(); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestKeyUpdateChangesBothDirectionsOnRequest(t *testing.T) {
	for _, ask := range []bool{false, true} {
		l := connected(t)
		out, err := l.Client.Machine.KeyUpdate(ask, nil)
		if err != nil {
			t.Fatal(err)
		}
		before := len(l.Server.Sent)
		l.Carry(l.Client, out)
		if err := l.Run(); err != nil {
			t.Fatal(err)
		}
		if answered := len(l.Server.Sent) > before; answered != ask {
			t.Errorf("asked %v, answered %v", ask, answered)
		}
		exchange(t, l)
	}
}

func TestFloodOfKeyUpdatesIsRefused(t *testing.T) {
	l := connected(t)
	for range tlscore.DefaultMaxUselessRecords + 1 {
		out, err := l.Client.Machine.KeyUpdate(false, nil)
		if err != nil {
			t.Fatal(err)
		}
		l.Carry(l.Client, out)
	}
	if code, _ := tlscore.CodeOf(l.Run()); code != tlscore.CodeTooManyKeyUpdates {
		t.Errorf("the server ended with %v", l.Server.Err)
	}
}

func TestHalfCloseLetsTheOtherDirectionGoOn(t *testing.T) {
	l := connected(t)
	out, err := l.Client.Machine.CloseWrite(nil)
	if err != nil {
		t.Fatal(err)
	}
	l.Carry(l.Client, out)
	if err := l.Run(); err != nil || !l.Server.Closed {
		t.Fatalf("closed %v: %v", l.Server.Closed, err)
	}
	if err := l.Send(l.Server, []byte("still here")); err != nil || string(l.Client.Received) != "still here" {
		t.Errorf("after the client's close_notify: %q, %v", l.Client.Received, err)
	}
	if _, _, err := l.Client.Machine.Seal([]byte("x"), nil); !errors.Is(err, tlscore.ErrWriteClosed) {
		t.Errorf("Seal after CloseWrite: %v", err)
	}
	if again, err := l.Client.Machine.CloseWrite(nil); err != nil || len(again) != 0 {
		t.Errorf("second CloseWrite sent %d bytes: %v", len(again), err)
	}
}

func TestExportersAgreeAndDependOnTheLabel(t *testing.T) {
	l := connected(t)
	export := func(e *tlstest.End, label string) []byte {
		b, err := e.Machine.Export(label, []byte("context"), 40)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if a, b := export(l.Client, "EXPORTER-test"), export(l.Server, "EXPORTER-test"); !bytes.Equal(a, b) {
		t.Errorf("%x and %x", a, b)
	}
	if a, b := export(l.Client, "one"), export(l.Client, "other"); bytes.Equal(a, b) {
		t.Error("two labels, one secret")
	}
}

func TestPaddingHidesTheLength(t *testing.T) {
	c := tlscore.Config{Padding: tlscore.Padding{To: 512}}
	l := link(t, c, serverConfig(t))
	if err := l.Handshake(); err != nil {
		t.Fatal(err)
	}
	sizes := map[int]bool{}
	for _, n := range []int{1, 100, 511, 512} {
		_, out, err := l.Client.Machine.Seal(make([]byte, n), nil)
		if err != nil {
			t.Fatal(err)
		}
		sizes[len(out)] = true
		l.Carry(l.Client, out)
	}
	if err := l.Run(); err != nil || len(l.Server.Received) != 1+100+511+512 {
		t.Fatalf("%d bytes: %v", len(l.Server.Received), err)
	}
	if len(sizes) != 1 {
		t.Errorf("record sizes %v", sizes)
	}
}

func TestAbortTellsThePeer(t *testing.T) {
	l := connected(t)
	out, err := l.Server.Machine.Abort(wire.AlertInternalError, nil)
	if err != nil {
		t.Fatal(err)
	}
	l.Carry(l.Server, out)
	var e *tlscore.Error
	if err := l.Run(); !errors.As(err, &e) || e.Code != tlscore.CodePeerAlert {
		t.Fatalf("the client saw %v", err)
	}
	if code, ok := e.Alert(); !ok || code != wire.AlertInternalError || !e.Received() {
		t.Errorf("alert %v %v, received %v", code, ok, e.Received())
	}
}

// TestRecordsDoNotAllocate holds the record path to zero allocations, both ways (DESIGN, section 3).
func TestRecordsDoNotAllocate(t *testing.T) {
	l := connected(t)
	data := make([]byte, wire.MaxPlaintext)
	out := make([]byte, 0, 20<<10)
	allocs := testing.AllocsPerRun(200, func() {
		_, sealed, err := l.Client.Machine.Seal(data, out)
		if err != nil {
			t.Fatal(err)
		}
		step, err := l.Server.Machine.Feed(tlstest.Now, sealed, nil)
		if err != nil || step.Event.Kind != tlscore.Data || len(step.Event.Data) != len(data) {
			t.Fatalf("%+v, %v", step.Event.Kind, err)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations a record", allocs)
	}
}
