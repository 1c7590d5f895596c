package relay

// Error says why a message was not taken, or not answered.
type Error struct {
	Status int    // what the client is answered: 400, 408, 413, 431, 501, 502, 504, 505; 0: nothing could be
	Reason Reason // a stable word
	Text   string // for people, fit to print
	Err    error  // beneath; nil: none
}

// Reason is why, as a stable word.
type Reason string

// Error implements error.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Text + ": " + e.Err.Error()
	}
	return e.Text
}

// Unwrap returns what is beneath.
func (e *Error) Unwrap() error { return e.Err }
