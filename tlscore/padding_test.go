package tlscore_test

import (
	"bytes"
	"testing"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// lengths notes the lengths of the protected records that an end sends.
type lengths struct{ all []int }

func (l *lengths) Observe(o tlscore.Observation) {
	if r, ok := o.(tlscore.RecordObserved); ok && r.Direction == tlscore.Sent && r.Epoch != tlscore.EpochPlaintext && r.Raw[0] == byte(wire.ContentApplicationData) {
		l.all = append(l.all, len(r.Raw)-wire.RecordHeaderLen-1-16)
	}
}

func TestPaddingFollowsItsPolicy(t *testing.T) {
	for name, c := range map[string]struct {
		padding   tlscore.Padding
		limit     int // of the client's records
		fits      func(content, sent int) bool
		handshake bool
	}{
		"none":                    {fits: func(content, sent int) bool { return sent == content }},
		"to a multiple":           {padding: tlscore.Padding{To: 300}, fits: func(content, sent int) bool { return sent%300 == 0 && sent-content < 300 || sent == wire.MaxPlaintext }},
		"to a length":             {padding: tlscore.Padding{AtLeast: 1000}, fits: func(content, sent int) bool { return sent == max(content, 1000) }},
		"at random":               {padding: tlscore.Padding{Random: 50}, fits: func(content, sent int) bool { return sent >= content && sent <= content+50 }},
		"everything":              {padding: tlscore.Padding{AtLeast: 5000, Everything: true}, handshake: true, fits: func(content, sent int) bool { return sent == max(content, 5000) }},
		"within what was agreed":  {padding: tlscore.Padding{AtLeast: 5000, Everything: true}, limit: 100, fits: func(content, sent int) bool { return sent == 99 }},
		"all of it is too little": {padding: tlscore.Padding{To: 16384, AtLeast: 16384, Random: 16384}, fits: func(content, sent int) bool { return sent == wire.MaxPlaintext }},
	} {
		t.Run(name, func(t *testing.T) {
			server := serverConfig(t)
			server.Padding = c.padding
			var seen lengths
			l := tlstest.New(compile(t, tlscore.Config{RecordSizeLimit: c.limit}), compile(t, server), tlscore.Options{}, tlscore.Options{Observer: &seen})
			if err := l.Handshake(); err != nil {
				t.Fatal(err)
			}
			for _, n := range seen.all {
				if c.handshake && n != 5000 {
					t.Errorf("a record of the handshake with %d bytes", n)
				}
			}
			for _, content := range []int{1, 99, 1000, 1001, 16384} {
				if c.limit > 0 {
					content = min(content, c.limit-1)
				}
				seen.all, l.Client.Received = nil, nil
				data := bytes.Repeat([]byte{'x'}, content)
				if err := l.Send(l.Server, data); err != nil {
					t.Fatal(err)
				}
				if len(seen.all) != 1 || !c.fits(content, seen.all[0]) || !bytes.Equal(l.Client.Received, data) {
					t.Errorf("%d bytes made records of %v", content, seen.all)
				}
			}
		})
	}
	for _, p := range []tlscore.Padding{{To: -1}, {AtLeast: 16385}, {Random: 16385}} {
		if _, err := tlscore.Compile(tlscore.Config{Padding: p}); err == nil {
			t.Errorf("%+v compiles", p)
		}
	}
}
