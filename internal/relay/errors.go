package relay

import "net/http"

// Error says why a message was not taken, or not answered.
type Error struct {
	Status int    // what the client is answered, 400 to 599; 0: nothing could be
	Reason Reason // a stable word
	Text   string // one sentence for people; it quotes nobody
	Err    error  // beneath; nil: none
}

// Reason is why, as a stable word.
type Reason string

// The reasons for which a message is not taken, whoever sent it.
const (
	ReasonLine        Reason = "line-ending"     // a line that ends otherwise than in CR LF, or a CR inside one
	ReasonStart       Reason = "start-line"      // the first line
	ReasonVersion     Reason = "version"         // another version of HTTP
	ReasonMethod      Reason = "method"          // one that cannot be relayed
	ReasonTarget      Reason = "target"          // the address that is asked for
	ReasonHost        Reason = "host"            // none, several, or one that is none
	ReasonField       Reason = "field"           // a name or a value that cannot be one, a space before a colon, a folded line
	ReasonLength      Reason = "content-length"  // not one number
	ReasonCoding      Reason = "transfer-coding" // anything but chunked, or beside a Content-Length
	ReasonChunk       Reason = "chunk"           // chunked content that is malformed
	ReasonTrailer     Reason = "trailer"         // a field that has no business behind the content
	ReasonExpectation Reason = "expectation"     // other than 100-continue
	ReasonTooLarge    Reason = "too-large"       // a head or content beyond the limits
	ReasonTimeout     Reason = "timeout"         // what was begun did not come in time
	ReasonCutOff      Reason = "cut-off"         // the sender went away in the middle
)

// The reasons for which an upstream did not answer a request.
const (
	ReasonConnect  Reason = "connect"    // no connection, or no handshake
	ReasonNoAnswer Reason = "no-answer"  // the connection ended before an answer
	ReasonSlow     Reason = "no-time"    // no answer in time
	ReasonBroken   Reason = "bad-answer" // an answer that is not HTTP, or could be read in two ways
	ReasonClient   Reason = "client"     // the client went away, or sent content that could not be read
)

// Error implements error.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Text + ": " + e.Err.Error()
	}
	return e.Text
}

// Unwrap returns what is beneath.
func (e *Error) Unwrap() error { return e.Err }

// bad is the error for a message that is not understood.
func bad(r Reason, text string) *Error {
	return &Error{Status: http.StatusBadRequest, Reason: r, Text: text}
}
