package trace

import (
	"fmt"
	"time"

	"github.com/tlswright/tlswright/wire"
)

// turns puts the records of one side that come without one of the other in between together. The change_cipher_spec
// that TLS 1.3 sends for show does not make a turn of its own.
func (r *Recording) turns() []Turn {
	turns := []Turn{}
	for i := range r.Records {
		rec := &r.Records[i]
		if len(turns) == 0 || turns[len(turns)-1].From != rec.From {
			if r.isNew() && rec.Type == wire.ContentChangeCipherSpec.String() {
				continue
			}
			if len(turns) == maxTurns {
				break
			}
			turns = append(turns, Turn{From: rec.From, At: rec.At})
		}
		t := &turns[len(turns)-1]
		t.Records = append(t.Records, len(rec.Raw))
		t.Bytes += len(rec.Raw)
		t.Open = t.Open || rec.Epoch == epochPlaintext && len(rec.Messages) > 0
	}
	return turns
}

// traffic tells what sizes and times give away.
func (v *View) traffic(wiretap *Recording) {
	s := &wiretap.Summary
	if len(wiretap.Records) == 0 {
		return
	}
	v.sees(Sight{"when, and how long", startedText(wiretap.Started) + s.Duration.Round(time.Microsecond).String(), "every packet has its time", "nothing; Tor mixes little"})
	v.sees(Sight{"how much", fmt.Sprintf("%d bytes from the client, %d from the server, in %d records", s.ClientBytes, s.ServerBytes, len(wiretap.Records)),
		"each record says its length in the clear", hidePadding})
	if asked, answered := v.lockStep(); asked > 0 {
		v.sees(Sight{"question and answer", fmt.Sprintf("%s in which the client speaks and the server answers, the end of the handshake among them; the longest answer has %d bytes", count(asked, "turn"), answered),
			"who speaks when: behind the handshake, encrypted or not", hidePadding})
	}
}

func startedText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC") + ", for "
}

// lockStep counts the turns of the client with nothing readable in them that the server answers, and the longest answer.
func (v *View) lockStep() (asked, answered int) {
	for i := 0; i+1 < len(v.Turns); i++ {
		t, next := &v.Turns[i], &v.Turns[i+1]
		if t.From != Client || t.Open || next.Open {
			continue
		}
		asked++
		answered = max(answered, next.Bytes)
	}
	return asked, answered
}
