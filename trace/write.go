package trace

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

// Options are how a Recording is written. The zero Options write for a terminal of unknown width, without colour and
// without secrets.
type Options struct {
	// Secrets lets what the Recording holds of secrets through. Without it, Write works on [Recording.WithoutSecrets].
	Secrets bool
	// Width is the number of columns of the text formats; 0 is 100, and less than 60 is 60.
	Width int
	// Color marks text with the colours of a terminal (ECMA-48).
	Color bool
	// All shows every byte in the text formats, even of long ciphertexts and application data, which are otherwise cut.
	All bool
}

// ErrNoFormat is returned, wrapped, by Write for a format that it does not know.
var ErrNoFormat = errors.New("trace: no such format")

// ErrNoSecrets is returned, wrapped, by Write for a format that consists of secrets when there are none to be written:
// the Recording has none, or the Options do not allow it.
var ErrNoSecrets = errors.New("trace: no secrets to write")

// format is one way to write a Recording.
type format struct {
	name  string
	write func(w io.Writer, r *Recording, o Options) error
}

var formats = []format{
	{"text", WriteText},
	{"brief", WriteBrief},
	{"json", writeJSON},
	{"rfc8448", func(w io.Writer, r *Recording, _ Options) error { return WriteRFC8448(w, r) }},
	{"keylog", writeKeyLogOf},
	{"pcapng", func(w io.Writer, r *Recording, _ Options) error { return WritePcapng(w, r.Capture()) }},
	{"html", func(w io.Writer, r *Recording, _ Options) error { return WriteHTML(w, r, HTMLOptions{}) }},
}

// Formats returns the names of the formats that Write knows, those for a reader at a terminal first.
func Formats() []string {
	names := make([]string, len(formats))
	for i, f := range formats {
		names[i] = f.name
	}
	return names
}

// Write writes the Recording in one of [Formats], without secrets unless the Options ask for them. The error wraps
// ErrNoFormat or ErrNoSecrets, or is that of w.
func Write(w io.Writer, r *Recording, name string, o Options) error {
	i := slices.IndexFunc(formats, func(f format) bool { return f.name == name })
	if i < 0 {
		return fmt.Errorf("%w: %.40q", ErrNoFormat, name)
	}
	if !o.Secrets {
		r = r.WithoutSecrets()
	}
	return formats[i].write(w, r, o)
}

func writeJSON(w io.Writer, r *Recording, _ Options) error {
	b, err := r.JSON()
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}

func writeKeyLogOf(w io.Writer, r *Recording, _ Options) error {
	lines := r.Capture().KeyLog
	if len(lines) == 0 {
		return fmt.Errorf("%w as a key log", ErrNoSecrets)
	}
	return WriteKeyLog(w, lines)
}
