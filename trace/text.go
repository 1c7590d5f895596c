package trace

import (
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// How many bytes of a field are shown, unless all are asked for: ciphertext says nothing, and application data is
// somebody else's subject.
const (
	mostCiphertext = 16
	mostData       = 512
)

// WriteText writes everything: each record with its bytes on the left and what they mean on the right, each message
// inside of them, the key schedule, and the checks. Secrets are in it if the Recording has them. Long ciphertext and
// application data are cut unless o.All is set. The error is that of w.
func WriteText(w io.Writer, r *Recording, o Options) error {
	p := newPage(w, o)
	p.brief(r)
	p.title("On the wire")
	shown := 0
	for i := range r.Records {
		p.record(r, &r.Records[i])
		for ; shown < len(r.Messages) && lastRecord(&r.Messages[shown]) <= i; shown++ {
			p.message(&r.Messages[shown])
		}
	}
	for i := range r.Rest {
		p.rest(&r.Rest[i])
	}
	p.schedule(r)
	p.checks(r)
	p.happenings(r)
	if r.Failure != nil {
		p.title("How it failed")
		p.failure(r, briefNames)
	}
	return p.flush()
}

// lastRecord is where a message ends; -1: nowhere.
func lastRecord(m *Message) int {
	last := -1
	for _, s := range m.Spans {
		last = max(last, s.Record)
	}
	return last
}

// clock shows a time since the start.
func clock(d time.Duration) string {
	return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'f', 3, 64) + " ms"
}

func (p *page) record(r *Recording, rec *Record) {
	p.line()
	what := rec.Type
	if rec.Inner != "" && rec.Inner != rec.Type {
		what += ", " + rec.Inner + " inside"
	}
	p.text(0, fmt.Sprintf("Record %d, %s, %s: %s", rec.ID, rec.From, clock(rec.At), what), styleTitle)
	where := fmt.Sprintf("bytes %d to %d of the %s's stream", rec.Offset, rec.Offset+uint64(max(len(rec.Raw), 1))-1, rec.From)
	switch {
	case rec.Opened:
		where += fmt.Sprintf(", protected by the keys for %s, number %d", rec.Epoch, rec.Sequence)
	case rec.Epoch == epochPlaintext:
		where += ", in plaintext"
	default:
		where += ", protected"
	}
	p.text(2, where, styleFaint)
	if len(rec.Nonce) > 0 {
		p.text(2, "nonce "+rec.Nonce.String(), stylePlain)
	}
	if rec.Problem != "" {
		p.text(2, rec.Problem, styleBad)
	}
	closed := rec.Epoch != epochPlaintext || len(rec.Messages) > 0 || len(rec.Inside) > 0
	for i := range rec.Fields {
		f := &rec.Fields[i]
		most := 0
		if closed && f.Offset >= 5 { // behind the header: what follows below says it again, in clear
			most = mostCiphertext
		}
		p.field(f, rec.Raw, most)
	}
	p.inside(r, rec)
}

// inside shows what is in a record, unless it is a part of messages.
func (p *page) inside(r *Recording, rec *Record) {
	if len(rec.Messages) > 0 {
		names := make([]string, 0, len(rec.Messages))
		for _, id := range rec.Messages {
			if id >= 0 && id < len(r.Messages) {
				names = append(names, r.Messages[id].Type)
			}
		}
		p.text(2, "in it: "+strings.Join(names, ", ")+padding(rec), stylePlain)
		return
	}
	if rec.ContentLength == 0 || !rec.Opened && !rec.holdsData() { // what is not protected has been shown
		return
	}
	p.text(2, "in it: "+count(rec.ContentLength, "byte")+padding(rec), stylePlain)
	if len(rec.Content) == 0 {
		return
	}
	if rec.holdsData() {
		p.data(rec.Content)
		return
	}
	for i := range rec.Inside {
		p.field(&rec.Inside[i], rec.Content, 0)
	}
}

func padding(rec *Record) string {
	if rec.Padding == 0 {
		return ""
	}
	return ", and " + count(rec.Padding, "byte") + " of padding"
}

// data shows application data, with the letters on the right.
func (p *page) data(b []byte) {
	left := b
	if len(left) > mostData && !p.all {
		left = left[:mostData]
	}
	for at := 0; at < len(left); at += p.bytes {
		row := left[at:min(at+p.bytes, len(left))]
		letters := make([]byte, len(row))
		for i, c := range row {
			letters[i] = '.'
			if c > ' ' && c < 0x7f {
				letters[i] = c
			}
		}
		p.rows(at, row, 0, []note{{string(letters), stylePlain}})
	}
	if n := len(b) - len(left); n > 0 {
		p.text(offsetWidth+2, fmt.Sprintf("… and %d bytes more", n), styleFaint)
	}
}

// field shows one field of the bytes it is in.
func (p *page) field(f *Field, of []byte, most int) {
	if !inside(f.Offset, f.Length, len(of)) {
		return
	}
	b := of[f.Offset : f.Offset+f.Length]
	head := f.Path
	if f.Value != "" && !sameHex(f.Value, b) {
		head += " = " + f.Value
	}
	notes := []note{{head, stylePlain}}
	if f.Kind == kindMalformed {
		notes[0].style = styleBad
	}
	meaning := f.Meaning
	if f.Section != "" {
		meaning = strings.TrimSpace(meaning + " [" + f.Section + "]")
	}
	if meaning != "" {
		notes = append(notes, note{meaning, styleFaint})
	}
	p.rows(f.Offset, b, most, notes)
}

// sameHex reports whether a value only repeats the bytes that stand beside it, whole or from the start.
func sameHex(value string, b []byte) bool {
	short, cut := strings.CutSuffix(value, "…")
	got, err := hex.DecodeString(short)
	if err != nil || len(got) == 0 || len(got) > len(b) || !cut && len(got) != len(b) {
		return false
	}
	return string(got) == string(b[:len(got)])
}

func (p *page) message(m *Message) {
	p.line()
	p.text(0, fmt.Sprintf("%s, message %d, from the %s: %s", m.Type, m.ID, m.From, count(len(m.Raw), "byte")), styleTitle)
	meaning := m.Meaning
	if m.Section != "" {
		meaning = strings.TrimSpace(meaning + " [" + m.Section + "]")
	}
	if meaning != "" {
		p.text(2, meaning, styleFaint)
	}
	said := "" // the members of a list all mean the same: it is said once
	for i := range m.Fields {
		f := m.Fields[i]
		if f.Meaning == said {
			f.Meaning, f.Section = "", ""
		} else {
			said = f.Meaning
		}
		p.field(&f, m.Raw, 0)
	}
	if len(m.Inner) > 0 {
		p.text(2, "Encrypted in it: "+count(len(m.Inner), "byte")+", an EncodedClientHelloInner [RFC 9849, Section 5.1]", styleFaint)
		for i := range m.InnerFields {
			p.field(&m.InnerFields[i], m.Inner, 0)
		}
	}
	if len(m.Transcript) > 0 {
		p.pair("  transcript hash", 17, m.Transcript.String(), stylePlain)
	}
}

func (p *page) rest(rest *Rest) {
	p.line()
	p.text(0, fmt.Sprintf("No record: %s of the %s from byte %d on", count(len(rest.Raw), "byte"), rest.From, rest.Offset), styleBad)
	p.text(2, rest.Why, stylePlain)
	p.data(rest.Raw)
}

// schedule shows the key schedule.
func (p *page) schedule(r *Recording) {
	if len(r.Keys) == 0 {
		return
	}
	p.title("Key schedule")
	for i := range r.Keys {
		k := &r.Keys[i]
		p.line()
		p.text(0, fmt.Sprintf("[%d] %s = %s", k.ID, k.Name, formula(r, k)), styleTitle)
		const indent, names = 2, 8
		say := func(name, text string, s style) {
			p.pair(strings.Repeat(" ", indent)+name, indent+names, text, s)
		}
		for _, f := range k.Fed {
			if f.Message >= 0 && f.Message < len(r.Messages) {
				say("fed by", r.Messages[f.Message].Type+" "+f.Path, stylePlain)
			}
		}
		if len(k.Context) > 0 {
			name := "context"
			if k.How == howExtract {
				name = "salt"
			}
			say(name, k.Context.String(), stylePlain)
		}
		if len(k.Input) > 0 {
			say("input", k.Input.String(), stylePlain)
		}
		switch {
		case len(k.Output) > 0:
			say("output", k.Output.String(), stylePlain)
		case k.Length > 0:
			say("output", count(k.Length, "byte")+", not shown", styleFaint)
		}
		if k.Agrees {
			say("agrees", strings.TrimSpace("yes ["+k.Section+"]"), styleGood)
		} else {
			say("agrees", "nothing here proves it ["+k.Section+"]", styleBad)
		}
	}
}

// formula says how a secret was derived.
func formula(r *Recording, k *Derivation) string {
	var in []string
	for _, id := range k.From {
		if id >= 0 && id < len(r.Keys) {
			in = append(in, fmt.Sprintf("[%d] %s", id, r.Keys[id].Name))
		}
	}
	if k.Label != "" {
		in = append(in, strconv.Quote(k.Label))
	}
	if k.UpTo >= 0 && k.UpTo < len(r.Messages) {
		in = append(in, "the transcript up to "+r.Messages[k.UpTo].Type)
	}
	if len(in) == 0 {
		return k.How
	}
	return k.How + "(" + strings.Join(in, ", ") + ")"
}

// checks shows what was computed anew.
func (p *page) checks(r *Recording) {
	if len(r.Checks) == 0 {
		return
	}
	p.title("Checks, computed anew")
	for i := range r.Checks {
		c := &r.Checks[i]
		s := stylePlain
		switch c.Result {
		case resultRight:
			s = styleGood
		case resultWrong:
			s = styleBad
		}
		p.line()
		p.text(0, c.Name+": "+c.Result, s)
		about := c.Text
		if c.Section != "" {
			about += " [" + c.Section + "]"
		}
		p.text(2, about, stylePlain)
		if len(c.Expected) > 0 {
			p.pair("  expected", 10, c.Expected.String(), stylePlain)
		}
		if len(c.Got) > 0 {
			p.pair("  got", 10, c.Got.String(), stylePlain)
		}
	}
}

// happenings shows what the watched side did inside.
func (p *page) happenings(r *Recording) {
	if len(r.Happenings) == 0 {
		return
	}
	p.title("Inside the " + string(r.Observed))
	for i := range r.Happenings {
		h := &r.Happenings[i]
		p.pair(fmt.Sprintf("%12s", clock(h.At)), 12, h.Text, stylePlain)
	}
}
