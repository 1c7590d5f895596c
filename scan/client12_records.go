package scan

import (
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/tlswright/tlswright/internal/legacy"
	"github.com/tlswright/tlswright/wire"
)

// record takes the next record, opened where there are keys. The error is an *alertError for an alert that ends the
// connection or refuses a renegotiation; other warnings are passed over.
func (s *session12) record() (wire.ContentType, []byte, error) {
	for range maxEmptyInRow {
		typ, v, payload, err := s.readRecord()
		if err != nil {
			return 0, nil, err
		}
		if s.in != nil {
			raw := wire.AppendRecordHeader(nil, wire.RecordHeader{Type: typ, Version: v, Length: len(payload)})
			if typ, payload, err = s.in.Open(append(raw, payload...)); err != nil {
				return 0, nil, fmt.Errorf("%w: %w", errHandshake12, err)
			}
		}
		switch {
		case typ == wire.ContentAlert:
			alert, err := wire.ParseAlert(payload)
			if err != nil {
				return 0, nil, fmt.Errorf("%w: %w", errHandshake12, err)
			}
			passing := alert.Level == wire.AlertLevelWarning && alert.Code != wire.AlertCloseNotify && alert.Code != wire.AlertNoRenegotiation
			if !passing {
				return 0, nil, &alertError{alert}
			}
		case len(payload) > 0: // an empty record of application data hides the IV of the next one in old versions
			return typ, payload, nil
		}
	}
	return 0, nil, errTooMuch
}

// appendRecord appends a record, sealed where there are keys.
func (s *session12) appendRecord(out []byte, v wire.Version, typ wire.ContentType, content []byte) ([]byte, error) {
	for first := true; first || len(content) > 0; first = false {
		n := min(len(content), wire.MaxPlaintext)
		if s.out == nil {
			out = wire.AppendRecordHeader(out, wire.RecordHeader{Type: typ, Version: v, Length: n})
			out = append(out, content[:n]...)
		} else {
			var err error
			if out, err = s.out.Seal(out, typ, content[:n]); err != nil {
				return out, err
			}
		}
		content = content[n:]
	}
	return out, nil
}

// send sends one record's worth of content, or several.
func (s *session12) send(typ wire.ContentType, content []byte) error {
	out, err := s.appendRecord(nil, s.a.Version, typ, content)
	if err != nil {
		return err
	}
	_, err = s.link.Write(out)
	return err
}

// sendDamaged sends one record of application data that craft has had a hand in. Only records with CBC and the MAC inside
// can be damaged.
func (s *session12) sendDamaged(content []byte, craft func(*legacy.Parts)) error {
	out, err := s.out.SealCrafted(nil, wire.ContentApplicationData, content, craft)
	if err != nil {
		return err
	}
	_, err = s.link.Write(out)
	return err
}

// Answer is what the server said in the handshake.
func (s *session12) Answer() *answer { return s.a }

// Version is what was negotiated.
func (s *session12) Version() wire.Version { return s.a.Version }

// Write sends application data, as one step.
func (s *session12) Write(p []byte) (int, error) {
	if err := s.step(); err != nil {
		return 0, err
	}
	if err := s.send(wire.ContentApplicationData, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Read reads application data. It waits at most one step from the last Write on. The error is io.EOF after close_notify,
// and where the server closes without it io.ErrUnexpectedEOF.
func (s *session12) Read(p []byte) (int, error) {
	const maxQuiet = 64 // records without application data
	for range maxQuiet {
		if len(s.rest) > 0 {
			n := copy(p, s.rest)
			s.rest = s.rest[n:]
			return n, nil
		}
		if s.ended != nil {
			return 0, s.ended
		}
		typ, content, err := s.record()
		var alert *alertError
		switch {
		case errors.As(err, &alert) && alert.Code == wire.AlertCloseNotify:
			s.ended = io.EOF
		case errors.Is(err, io.EOF):
			s.ended = io.ErrUnexpectedEOF
		case err != nil:
			s.ended = err
		case typ == wire.ContentApplicationData:
			s.rest = content
		}
	}
	return 0, errTooMuch
}

// Close says goodbye and closes.
func (s *session12) Close() error {
	if s.out != nil {
		// The connection may be gone already.
		_ = s.send(wire.ContentAlert, []byte{byte(wire.AlertLevelWarning), byte(wire.AlertCloseNotify)})
	}
	return s.link.Close()
}

// connectionReset reports whether an error says that the connection was torn down.
func connectionReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
