package trace

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// MaxJSON is the size of the largest Recording that ReadJSON reads, in bytes of JSON.
const MaxJSON = 128 << 20

// ErrSchema is returned, wrapped, by ReadJSON for what is no Recording in the form of [Schema].
var ErrSchema = errors.New("trace: not a " + Schema + " recording")

// JSON gives the recording in the form of [Schema], indented, with a line feed at the end.
func (r *Recording) JSON() ([]byte, error) {
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return nil, err
	}
	return append(b, '\n'), nil
}

// ReadJSON reads a Recording. It does not believe it blindly: sizes are bounded, and each number that points into
// something else must point into it, so that a renderer can follow it. The error wraps ErrSchema, or is the reader's.
func ReadJSON(in io.Reader) (*Recording, error) {
	data, err := io.ReadAll(io.LimitReader(in, MaxJSON+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxJSON {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrSchema, MaxJSON)
	}
	var head struct {
		Schema string `json:"schema"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSchema, err)
	}
	if head.Schema != Schema {
		return nil, fmt.Errorf("%w: schema is %.40q", ErrSchema, head.Schema)
	}
	r := new(Recording)
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSchema, err)
	}
	if err := r.sound(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSchema, err)
	}
	return r, nil
}

// sound reports the first reference that leads nowhere.
func (r *Recording) sound() error {
	for i := range r.Records {
		if err := r.soundRecord(i); err != nil {
			return err
		}
	}
	for i := range r.Messages {
		if err := r.soundMessage(i); err != nil {
			return err
		}
	}
	for i, k := range r.Keys {
		// Each step comes after those it is made of, so that nobody who follows them goes round in circles.
		if k.ID != i || !within(k.UpTo, len(r.Messages), true) || !allWithin(k.From, i) || k.Length < 0 {
			return fmt.Errorf("keys[%d] refers to what is not there", i)
		}
		for _, f := range k.Fed {
			if !within(f.Message, len(r.Messages), false) {
				return fmt.Errorf("keys[%d] refers to what is not there", i)
			}
		}
	}
	for i, c := range r.Checks {
		if c.ID != i || !within(c.Message, len(r.Messages), true) || !allWithin(c.Keys, len(r.Keys)) || !allWithin(c.Records, len(r.Records)) {
			return fmt.Errorf("checks[%d] refers to what is not there", i)
		}
	}
	if r.Failure != nil && !within(r.Failure.After, len(r.Messages), true) {
		return errors.New("failure refers to what is not there")
	}
	for i, rest := range r.Rest {
		if !rest.From.known() {
			return fmt.Errorf("rest[%d] comes from nobody", i)
		}
	}
	return nil
}

func (r *Recording) soundRecord(i int) error {
	rec := &r.Records[i]
	switch {
	case rec.ID != i || !rec.From.known() || !allWithin(rec.Messages, len(r.Messages)):
		return fmt.Errorf("records[%d] refers to what is not there", i)
	case rec.ContentLength < 0 || rec.Padding < 0 || len(rec.Content) > rec.ContentLength:
		return fmt.Errorf("records[%d] has impossible lengths", i)
	case !fieldsWithin(rec.Fields, len(rec.Raw)) || !fieldsWithin(rec.Inside, rec.ContentLength):
		return fmt.Errorf("records[%d] has fields outside its bytes", i)
	}
	return nil
}

func (r *Recording) soundMessage(i int) error {
	m := &r.Messages[i]
	if m.ID != i || !m.From.known() {
		return fmt.Errorf("messages[%d] refers to what is not there", i)
	}
	if !fieldsWithin(m.Fields, len(m.Raw)) {
		return fmt.Errorf("messages[%d] has fields outside its bytes", i)
	}
	total := 0
	for _, s := range m.Spans {
		if !within(s.Record, len(r.Records), false) {
			return fmt.Errorf("messages[%d] lies in no record", i)
		}
		if !inside(s.Offset, s.Length, r.Records[s.Record].ContentLength) {
			return fmt.Errorf("messages[%d] lies outside its record", i)
		}
		total += s.Length
	}
	if total != len(m.Raw) {
		return fmt.Errorf("messages[%d] has %d bytes in records, not %d", i, total, len(m.Raw))
	}
	return nil
}

// known reports whether this is one of the two sides.
func (s Side) known() bool { return s == Client || s == Server }

// within reports whether an ID is one of n, or -1 where that may stand for none.
func within(id, n int, none bool) bool { return id >= 0 && id < n || none && id == -1 }

func allWithin(ids []int, n int) bool {
	for _, id := range ids {
		if !within(id, n, false) {
			return false
		}
	}
	return true
}

// inside reports whether the bytes from offset on lie inside size bytes.
func inside(offset, length, size int) bool {
	return offset >= 0 && length >= 0 && offset <= size && length <= size-offset
}

func fieldsWithin(fields []Field, size int) bool {
	for _, f := range fields {
		if !inside(f.Offset, f.Length, size) {
			return false
		}
	}
	return true
}
