package trace

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// MaxRFC8448 is the size of the largest text that ReadRFC8448 reads, in bytes.
const MaxRFC8448 = 64 << 20

// ErrRFC8448 is returned, wrapped, by ReadRFC8448 for what is no trace in the form of RFC 8448.
var ErrRFC8448 = errors.New("trace: not a trace in the form of RFC 8448")

const (
	maxTraceLine = 4096
	maxTraces    = 1024
)

// ReadRFC8448 reads traces in the form of RFC 8448: what WriteRFC8448 wrote, or the RFC itself, where each section with
// records is one. Records become segments and steps of the key schedule derivations; messages are not believed, as Decode
// finds them in the records. Page breaks are passed over, and each value must have as many bytes as it says. The error
// wraps ErrRFC8448, or is the reader's.
func ReadRFC8448(in io.Reader) ([]*Capture, error) {
	t := &traceReader{c: &Capture{}}
	lines := bufio.NewScanner(&io.LimitedReader{R: in, N: MaxRFC8448})
	lines.Buffer(nil, maxTraceLine)
	for lines.Scan() {
		t.number++
		if err := t.line(strings.TrimRight(lines.Text(), " \r\f")); err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrRFC8448, t.number, err)
		}
	}
	err := lines.Err()
	if errors.Is(err, bufio.ErrTooLong) {
		return nil, fmt.Errorf("%w: line %d is too long", ErrRFC8448, t.number+1)
	}
	if err != nil {
		return nil, err
	}
	if err := t.endTrace(); err != nil {
		return nil, fmt.Errorf("%w: line %d: %w", ErrRFC8448, t.number, err)
	}
	if len(t.all) == 0 {
		return nil, fmt.Errorf("%w: there is no record in it", ErrRFC8448)
	}
	return t.all, nil
}

// traceReader reads one text.
type traceReader struct {
	number int
	all    []*Capture
	c      *Capture
	sent   [2]uint64 // bytes

	side   Side // who does the step; "": none is open
	title  string
	values []traceValue
	open   bool // the last value may go on in the next line
}

// traceValue is a value of a step.
type traceValue struct {
	name  string
	size  int // as it says; -1: it does not
	bytes []byte
}

// line takes one line.
func (t *traceReader) line(line string) error {
	text := strings.TrimLeft(line, " \f")
	indent := len(line) - len(text)
	switch {
	case indent == 0 && isHeading(text):
		return t.endTrace()
	case indent == 0 || text == "":
		return nil // where a page ends and the next begins, maybe in the middle of a value
	case strings.HasPrefix(text, "{client}  "), strings.HasPrefix(text, "{server}  "):
		if err := t.endStep(); err != nil {
			return err
		}
		t.side, t.title = Side(text[1:7]), strings.TrimSuffix(text[10:], ":")
		return nil
	case t.side == "":
		return nil // prose
	case len(t.values) == 0 && indent == stepIndent && !strings.Contains(t.title, "record"):
		t.title += " " + strings.TrimSuffix(text, ":") // a title of two lines
		return nil
	}
	if name, rest, ok := strings.Cut(text, ":"); ok && indent <= valueIndent {
		return t.value(name, rest)
	}
	if t.open && indent >= continueIndent {
		return t.more(text)
	}
	t.open = false
	return nil
}

// isHeading recognizes "3.  Simple 1-RTT Handshake".
func isHeading(text string) bool {
	number, rest, ok := strings.Cut(text, ".  ")
	return ok && rest != "" && number != "" && strings.Trim(number, "0123456789") == ""
}

// value begins a value: "PRK (32 octets):  6f 26", or without a size.
func (t *traceReader) value(name, rest string) error {
	v := traceValue{name: name, size: -1}
	if short, size, ok := strings.Cut(strings.TrimSuffix(name, " octets)"), " ("); ok && strings.HasSuffix(name, " octets)") {
		n, err := strconv.ParseUint(size, 10, 31)
		if err != nil {
			return fmt.Errorf("%.40q is no size", size)
		}
		v.name, v.size = short, int(n)
	}
	if err := t.whole(); err != nil {
		return err
	}
	t.values = append(t.values, v)
	if rest = strings.TrimSpace(rest); rest == "(empty)" || strings.HasPrefix(rest, "0 (all zero") {
		t.open = false
		return nil
	}
	t.open = true
	return t.more(rest)
}

// more adds bytes to the last value.
func (t *traceReader) more(text string) error {
	v := &t.values[len(t.values)-1]
	packed := strings.ReplaceAll(text, " ", "")
	b, err := hex.DecodeString(packed)
	if err != nil {
		if v.size >= 0 {
			return fmt.Errorf("%q: %w", v.name, err)
		}
		t.open = false // words
		return nil
	}
	v.bytes = append(v.bytes, b...)
	return nil
}

// whole checks the size of the last value.
func (t *traceReader) whole() error {
	if len(t.values) == 0 {
		return nil
	}
	if v := &t.values[len(t.values)-1]; v.size >= 0 && v.size != len(v.bytes) {
		return fmt.Errorf("%q has %d octets, not %d", v.name, len(v.bytes), v.size)
	}
	return nil
}

// get gives the value of that name, nil if there is none.
func (t *traceReader) get(name string) []byte {
	if i := slices.IndexFunc(t.values, func(v traceValue) bool { return v.name == name }); i >= 0 {
		return t.values[i].bytes
	}
	return nil
}

// endStep makes of a step what it says.
func (t *traceReader) endStep() error {
	if err := t.whole(); err != nil {
		return err
	}
	for _, name := range []string{"complete record", "bytes"} {
		if b := t.get(name); len(b) > 0 && strings.HasPrefix(t.title, "send ") {
			i := index(t.side)
			t.c.Segments = append(t.c.Segments, Segment{From: t.side, Offset: t.sent[i], Data: b})
			t.sent[i] += uint64(len(b))
		}
	}
	t.derivations()
	t.side, t.title, t.values, t.open = "", "", nil, false
	return nil
}

// endTrace ends a section.
func (t *traceReader) endTrace() error {
	if err := t.endStep(); err != nil {
		return err
	}
	if len(t.c.Segments) > 0 {
		if len(t.all) >= maxTraces {
			return fmt.Errorf("more than %d traces", maxTraces)
		}
		t.all = append(t.all, t.c)
	}
	t.c, t.sent = &Capture{}, [2]uint64{}
	return nil
}

// derivations makes steps of the key schedule of a step.
func (t *traceReader) derivations() {
	label := quoted(t.title)
	if strings.HasPrefix(t.title, "calculate PSK binder") {
		label = "tls13 finished" // the RFC leaves it out
	}
	switch {
	case label == "" && strings.HasPrefix(t.title, "derive write traffic keys for "):
		base := t.base(strings.TrimPrefix(t.title, "derive write traffic keys for "))
		t.derived(base+" key", "key", nil, t.get("PRK"), t.get("key expanded"))
		t.derived(base+" iv", "iv", nil, t.get("PRK"), t.get("iv expanded"))
	case strings.HasPrefix(t.title, "extract secret "):
		t.derived(label+"_secret", "", nonEmpty(t.get("salt")), nonEmpty(t.get("IKM")), t.get("secret"))
	case strings.HasPrefix(t.title, "compute PRF "):
		t.derived(prfName(label), label, t.get("seed"), t.get("secret"), t.get("output"))
	case strings.HasPrefix(label, "tls13 "):
		label = strings.TrimPrefix(label, "tls13 ")
		t.derived(t.nameOf(label), label, t.get("hash"), t.get("PRK"), t.get("expanded"))
	}
}

func nonEmpty(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

// quoted gives what stands between quotes.
func quoted(title string) string {
	_, rest, _ := strings.Cut(title, `"`)
	text, _, ok := strings.Cut(rest, `"`)
	if !ok {
		return ""
	}
	return text
}

func (t *traceReader) derived(name, label string, context, input, output []byte) {
	if len(output) == 0 || len(t.c.Derivations) >= maxDerivations {
		return
	}
	k := Derivation{
		ID: len(t.c.Derivations), Name: name, Label: label, UpTo: -1, Length: len(output),
		Context: context, Input: input, Output: output,
	}
	for _, other := range t.c.Derivations { // the RFC has some twice, once for each side
		if other.Name == k.Name && bytes.Equal(other.Output, k.Output) && bytes.Equal(other.Input, k.Input) && bytes.Equal(other.Context, k.Context) {
			return
		}
	}
	t.c.Derivations = append(t.c.Derivations, k)
}

// base is the secret that the keys for some data come from.
func (t *traceReader) base(data string) string {
	side := string(t.side)
	switch data {
	case "early application data", "early data":
		return nameClientEarly
	case "handshake data":
		return side + "_handshake_traffic_secret"
	}
	number := "0"
	if _, n, ok := strings.Cut(strings.TrimSuffix(data, " data"), "+"); ok {
		number = n
	}
	return side + "_application_traffic_secret_" + number
}

// nameOf names the secret of a step with a label (RFC 8446, Section 7.1).
func (t *traceReader) nameOf(label string) string {
	switch label {
	case "c e traffic":
		return nameClientEarly
	case "e exp master":
		return "early_exporter_master_secret"
	case "c hs traffic":
		return nameClientHS
	case "s hs traffic":
		return nameServerHS
	case "c ap traffic":
		return nameClientApp + "0"
	case "s ap traffic":
		return nameServerApp + "0"
	case "exp master":
		return "exporter_master_secret"
	case "res master":
		return "resumption_master_secret"
	case "res binder", "ext binder", "imp binder":
		return "binder_key"
	case "resumption":
		return "resumption_master_secret resumption"
	case "derived":
		if strings.Contains(t.title, "for handshake") {
			return "early_secret derived"
		}
		return "handshake_secret derived"
	case "finished":
		if strings.HasPrefix(t.title, "calculate PSK binder") {
			return "binder_key finished"
		}
		for _, k := range t.c.Derivations { // after the handshake there are others
			if bytes.Equal(k.Output, t.get("PRK")) {
				return k.Name + " finished"
			}
		}
		return string(t.side) + "_handshake_traffic_secret finished"
	case "traffic upd":
		return t.updated()
	}
	return label
}

// updated counts the updates of a side's keys.
func (t *traceReader) updated() string {
	n := 1
	for _, k := range t.c.Derivations {
		if k.Label == "traffic upd" && strings.HasPrefix(k.Name, string(t.side)) {
			n++
		}
	}
	return string(t.side) + "_application_traffic_secret_" + strconv.Itoa(n)
}

// prfName names the output of the PRF of TLS 1.2.
func prfName(label string) string {
	switch label {
	case "key expansion":
		return nameKeyBlock
	case "master secret", "extended master secret":
		return nameMaster
	case "client finished", "server finished":
		return "verify_data"
	}
	return label
}
