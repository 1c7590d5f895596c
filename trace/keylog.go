package trace

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Bounds on what ReadKeyLog reads.
const (
	// MaxKeyLog is the size of the largest key log that is read, in bytes.
	MaxKeyLog = 64 << 20
	// MaxKeyLogLines is how many secrets are read from it.
	MaxKeyLogLines = 1 << 18

	maxKeyLogLine   = 4096 // bytes of a line that counts; longer ones belong to a label that we do not know
	maxKeyLogSecret = 64   // bytes: the size of the largest hash
)

// ErrKeyLog is returned, wrapped, by ReadKeyLog for what is no key log.
var ErrKeyLog = errors.New("trace: not a key log")

// WriteKeyLog writes lines in the form of SSLKEYLOGFILE (RFC 9850). Whoever reads it can read the connections it names.
func WriteKeyLog(w io.Writer, lines []KeyLogLine) error {
	_, err := w.Write(appendKeyLog(nil, lines))
	return err
}

func appendKeyLog(b []byte, lines []KeyLogLine) []byte {
	for _, l := range lines {
		b = append(b, l.Label...)
		b = append(b, ' ')
		b = hex.AppendEncode(b, l.ClientRandom)
		b = append(b, ' ')
		b = hex.AppendEncode(b, l.Secret)
		b = append(b, '\n')
	}
	return b
}

// ReadKeyLog reads a file in the form of SSLKEYLOGFILE (RFC 9850, Section 2). Comments, empty lines and lines whose label
// does not belong to TLS 1.2 or 1.3 are passed over, as are an unfinished last line and what is not text; a line with a
// known label and something else behind it than a random and a secret is an error. The error wraps ErrKeyLog, or is the
// reader's.
func ReadKeyLog(in io.Reader) ([]KeyLogLine, error) {
	r := bufio.NewReaderSize(&io.LimitedReader{R: in, N: MaxKeyLog + 1}, maxKeyLogLine)
	var lines []KeyLogLine
	total := 0
	for number := 1; ; number++ {
		line, err := r.ReadSlice('\n')
		total += len(line)
		for errors.Is(err, bufio.ErrBufferFull) { // too long for any line of ours: skip it
			line = nil
			var more []byte
			more, err = r.ReadSlice('\n')
			total += len(more)
		}
		if total > MaxKeyLog {
			return nil, fmt.Errorf("%w: more than %d bytes", ErrKeyLog, MaxKeyLog)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		parsed, ok, bad := parseKeyLogLine(line)
		switch {
		case bad && err == nil:
			return nil, fmt.Errorf("%w: line %d is neither a comment nor LABEL RANDOM SECRET", ErrKeyLog, number)
		case ok && len(lines) >= MaxKeyLogLines:
			return nil, fmt.Errorf("%w: more than %d secrets", ErrKeyLog, MaxKeyLogLines)
		case ok:
			lines = append(lines, parsed)
		}
		if err != nil {
			return lines, nil
		}
	}
}

// parseKeyLogLine takes a line apart. Neither ok nor bad is a line that does not concern us.
func parseKeyLogLine(line []byte) (l KeyLogLine, ok, bad bool) {
	parts := bytes.Fields(line)
	if len(parts) == 0 || !knownKeyLogLabel(string(parts[0])) {
		return l, false, false
	}
	if len(parts) != 3 || hex.DecodedLen(len(parts[2])) > maxKeyLogSecret {
		return l, false, true
	}
	l.Label = string(parts[0])
	var err error
	if l.ClientRandom, err = hex.DecodeString(string(parts[1])); err != nil || len(l.ClientRandom) != 32 {
		return l, false, true
	}
	if l.Secret, err = hex.DecodeString(string(parts[2])); err != nil || len(l.Secret) == 0 {
		return l, false, true
	}
	return l, true, false
}

// knownKeyLogLabel reports whether the label is one of RFC 9850, Sections 2.1 and 2.2.
func knownKeyLogLabel(label string) bool {
	switch label {
	case "CLIENT_RANDOM", "CLIENT_EARLY_TRAFFIC_SECRET", "EARLY_EXPORTER_SECRET", "EARLY_EXPORTER_MASTER_SECRET",
		"CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET", "EXPORTER_SECRET":
		return true
	}
	for _, prefix := range []string{"CLIENT_TRAFFIC_SECRET_", "SERVER_TRAFFIC_SECRET_"} {
		if n, ok := strings.CutPrefix(label, prefix); ok {
			return n != "" && strings.Trim(n, "0123456789") == ""
		}
	}
	return false
}
