package starttls

import (
	"fmt"
	"strings"
)

// Kind says in one word why there will be no TLS.
type Kind uint8

// The kinds of refusal.
const (
	Malformed  Kind = iota // the server does not speak the protocol
	TooLong                // it says more than any server has to say
	NotOffered             // it does not offer TLS
	Refused                // it offers TLS, but says no
	Injected               // it said more than its answer: somebody may have slipped in plain text
	Broken                 // the connection failed; the cause is in Err
)

// String returns "malformed", "too long", "not offered", "refused", "injected" or "broken".
func (k Kind) String() string {
	names := [...]string{"malformed", "too long", "not offered", "refused", "injected", "broken"}
	if int(k) < len(names) {
		return names[k]
	}
	return "unknown"
}

// Error is why a connection could not go over to TLS.
type Error struct {
	Kind     Kind
	Protocol Protocol
	Step     string // what was answered: "greeting", "EHLO", "STARTTLS"
	Line     int    // of the answer, from 1; 0 where it has no lines
	Reason   string // lower case, no full stop
	Answer   string // the server's words, not made safe for a terminal; may be empty
	Err      error  // the cause of Broken
}

// Error tells place and reason, and quotes the server in an escaped form.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v, %s", e.Protocol, e.place())
	b.WriteString(": " + e.Reason)
	if e.Answer != "" {
		fmt.Fprintf(&b, ": %+q", e.Answer)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// IsTemporary reports whether the server has said that it will have time later: a greeting with code 421 of SMTP (RFC 5321,
// Section 3.8) and FTP, or 400 of NNTP (RFC 3977, Section 5.1).
func (e *Error) IsTemporary() bool {
	busy := "421"
	if e.Protocol == NNTP {
		busy = "400"
	}
	return e.Kind == Refused && e.Step == "greeting" && strings.HasPrefix(e.Answer, busy)
}

func (e *Error) place() string {
	switch {
	case e.Step == "greeting" && e.Line > 1:
		return fmt.Sprintf("greeting, line %d", e.Line)
	case e.Step == "greeting":
		return "greeting"
	case e.Line > 1:
		return fmt.Sprintf("answer to %s, line %d", e.Step, e.Line)
	}
	return "answer to " + e.Step
}

// Unwrap returns the error of the connection, if it was that.
func (e *Error) Unwrap() error { return e.Err }
