package trace

import (
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/tlswright/tlswright/pki"
)

// The layout of RFC 8448, in columns.
const (
	stepIndent     = 3
	valueIndent    = 6
	continueIndent = 9
	rfcWidth       = 72
)

// WriteRFC8448 writes the connection in the form of RFC 8448: each message, each record, and, if the Recording has
// secrets, each step of the key schedule with all that went into it. ReadRFC8448 reads it again. TLS 1.2 is written in the
// same manner, with steps that the RFC does not have. The error is that of w.
func WriteRFC8448(w io.Writer, r *Recording) error {
	t := &traceWriter{w: w, r: r}
	t.line(0, fmt.Sprintf("1.  %s", traceTitle(&r.Summary)))
	after := t.places()
	t.steps(after[0])
	begun := 0
	for i := range r.Records {
		for ; begun < len(r.Messages) && firstRecord(&r.Messages[begun]) <= i; begun++ {
			t.message(&r.Messages[begun])
		}
		t.record(&r.Records[i])
		t.steps(after[i+1])
		if t.err != nil {
			return t.err
		}
	}
	for i := range r.Rest {
		t.step(r.Rest[i].From, "send bytes that are no record")
		t.value("bytes", r.Rest[i].Raw)
	}
	return t.flush()
}

func traceTitle(s *Summary) string {
	words := []string{}
	for _, word := range []string{s.Version, s.CipherSuite, s.Group} {
		if word != "" {
			words = append(words, word)
		}
	}
	if len(words) == 0 {
		return "No handshake"
	}
	return strings.Join(words, ", ")
}

// firstRecord is where a message begins; 0 for one that lies nowhere.
func firstRecord(m *Message) int {
	if len(m.Spans) == 0 {
		return 0
	}
	return m.Spans[0].Record
}

// traceWriter writes steps. The first error of w is kept.
type traceWriter struct {
	w   io.Writer
	r   *Recording
	buf []byte
	err error
}

func (t *traceWriter) flush() error {
	if t.err == nil {
		_, t.err = t.w.Write(t.buf)
	}
	t.buf = t.buf[:0]
	return t.err
}

func (t *traceWriter) line(indent int, text string) {
	if text = strings.TrimRight(pki.Printable(text), " "); text != "" {
		t.buf = append(t.buf, strings.Repeat(" ", indent)+text...)
	}
	t.buf = append(t.buf, '\n')
	if len(t.buf) > 1<<15 {
		_ = t.flush() // it is kept, and returned in the end
	}
}

// step begins a step of one side.
func (t *traceWriter) step(side Side, what string) {
	t.line(0, "")
	t.line(stepIndent, "{"+string(side)+"}  "+what+":")
}

// value writes bytes under a name.
func (t *traceWriter) value(name string, b []byte) {
	head := fmt.Sprintf("%s (%d octets):  ", name, len(b))
	if len(b) == 0 {
		head += "(empty)"
	}
	t.filled(head, b)
}

// filled fills lines with bytes.
func (t *traceWriter) filled(head string, b []byte) {
	t.line(0, "")
	line := []byte(head)
	indent := valueIndent
	for i := range b {
		if indent+len(line)+2 > rfcWidth {
			t.line(indent, string(line))
			line, indent = line[:0], continueIndent
		}
		line = hex.AppendEncode(line, b[i:i+1])
		line = append(line, ' ')
	}
	t.line(indent, string(line))
}

func (t *traceWriter) message(m *Message) {
	article := "a"
	if strings.ContainsAny(m.Type[:min(1, len(m.Type))], "AEIOU") {
		article = "an"
	}
	t.step(m.From, fmt.Sprintf("construct %s %s handshake message", article, m.Type))
	t.value(m.Type, m.Raw)
}

func (t *traceWriter) record(rec *Record) {
	kind := rec.Inner
	if kind == "" {
		kind = rec.Type
	}
	t.step(rec.From, "send "+kind+" record")
	if len(rec.Content) > 0 || rec.ContentLength == 0 && (rec.Opened || rec.Epoch == epochPlaintext) {
		t.value("payload", rec.Content)
	}
	t.value("complete record", rec.Raw)
}

// places says which steps of the key schedule come after which record: as soon as all that goes into them is there. The
// first place is before all records.
func (t *traceWriter) places() [][]*Derivation {
	r := t.r
	after := make([][]*Derivation, len(r.Records)+1)
	at := make([]int, len(r.Keys))
	ends := func(message int) int {
		if message < 0 || message >= len(r.Messages) {
			return 0
		}
		return min(lastRecord(&r.Messages[message]), len(r.Records)-1) + 1
	}
	for i := range r.Keys {
		k := &r.Keys[i]
		at[i] = max(0, ends(k.UpTo))
		for _, id := range k.From {
			if id >= 0 && id < i {
				at[i] = max(at[i], at[id])
			}
		}
		for _, f := range k.Fed {
			at[i] = max(at[i], ends(f.Message))
		}
		if len(k.Output) > 0 {
			after[at[i]] = append(after[at[i]], k)
		}
	}
	return after
}

// steps writes steps of the key schedule. Key and IV of one secret are one step.
func (t *traceWriter) steps(keys []*Derivation) {
	for i := 0; i < len(keys); i++ {
		k := keys[i]
		switch {
		case k.How == howExtract:
			t.extract(k)
		case k.How == howPRF:
			t.step(owner(k), fmt.Sprintf("compute PRF %q", k.Label))
			t.value("secret", k.Input)
			t.value("seed", k.Context)
			t.value("output", k.Output)
		case k.How != howExpand && k.How != howDerive:
		case k.Label == "key":
			t.step(owner(k), "derive write traffic keys for "+epochWords(k.Epoch))
			t.value("PRK", k.Input)
			t.expanded("key ", k)
			if i+1 < len(keys) && keys[i+1].Label == "iv" && string(keys[i+1].Input) == string(k.Input) {
				i++
				t.expanded("iv ", keys[i])
			}
		case k.Label == "iv":
			t.step(owner(k), "derive write traffic keys for "+epochWords(k.Epoch))
			t.value("PRK", k.Input)
			t.expanded("iv ", k)
		default:
			t.step(owner(k), titleOf(k))
			t.value("PRK", k.Input)
			t.value("hash", k.Context)
			t.expanded("", k)
			if mac := t.finished(k); k.Label == "finished" && mac != nil {
				t.value("finished", mac)
			}
		}
	}
}

// finished is the MAC that was made with a finished key: of a Finished message, or a binder.
func (t *traceWriter) finished(k *Derivation) []byte {
	for i := range t.r.Checks {
		c := &t.r.Checks[i]
		if slices.Contains(c.Keys, k.ID) && c.Result == resultRight && len(c.Got) == k.Length {
			return c.Got
		}
	}
	return nil
}

// owner is whose keys they are. What both sides derive is said of the one that can do it first.
func owner(k *Derivation) Side {
	switch {
	case k.Side.known():
		return k.Side
	case k.Epoch == epochEarly:
		return Client
	}
	return Server
}

// extract writes an HKDF-Extract. What was left out is zeros, as many as the hash has (RFC 5869, Section 2.2).
func (t *traceWriter) extract(k *Derivation) {
	t.step(owner(k), fmt.Sprintf("extract secret %q", strings.TrimSuffix(k.Name, "_secret")))
	if len(k.Context) == 0 {
		t.filled("salt:  0 (all zero octets)", nil)
	} else {
		t.value("salt", k.Context)
	}
	if len(k.Input) == 0 {
		t.filled("IKM:  0 (all zero octets)", nil)
	} else {
		t.value("IKM", k.Input)
	}
	t.value("secret", k.Output)
}

func (t *traceWriter) expanded(prefix string, k *Derivation) {
	t.value(prefix+"info", hkdfLabel(k.Label, k.Context, len(k.Output)))
	t.value(prefix+"expanded", k.Output)
}

// epochWords are the RFC's words for an epoch.
func epochWords(epoch string) string {
	if epoch == epochEarly {
		return "early application data"
	}
	return epoch + " data"
}

// titleOf is the RFC's title of a step.
func titleOf(k *Derivation) string {
	label := fmt.Sprintf("%q", "tls13 "+k.Label)
	switch k.Label {
	case "finished":
		if strings.HasPrefix(k.Name, "binder") {
			return "calculate PSK binder " + label
		}
		return "calculate finished " + label
	case "resumption":
		return "generate resumption secret " + label
	case "derived":
		if strings.HasPrefix(k.Name, "early") {
			return "derive secret for handshake " + label
		}
		return "derive secret for master " + label
	}
	return "derive secret " + label
}
