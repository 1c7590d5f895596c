package gateway

import (
	"io"
	"net/http"
	"time"

	"github.com/tlswright/tlswright/internal/relay"
)

// outcome notes what became of a response, of the writers that do not say so themselves.
type outcome struct {
	http.ResponseWriter
	status   int
	written  int64
	defaults []headerField
	stall    time.Duration // how long a Write may take
}

type writer interface {
	http.ResponseWriter
	relay.Outcome
	relay.Defaulter
}

// outcomeOf gives w, or wraps it: relay's own writers do better unwrapped.
func outcomeOf(w http.ResponseWriter, r *http.Request, stall time.Duration) writer {
	if o, ok := w.(writer); ok {
		return o
	}
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &patientBody{r.Body, http.NewResponseController(w), stall}
	}
	return &outcome{ResponseWriter: w, stall: stall}
}

// patientBody is the content of a request whose client may pause, but not for ever. A time for each Read, and not a
// deadline that stands: an upload may take as long as it moves.
type patientBody struct {
	io.ReadCloser
	control *http.ResponseController
	stall   time.Duration
}

// Read implements io.Reader.
func (b *patientBody) Read(p []byte) (int, error) {
	t := time.AfterFunc(b.stall, func() { _ = b.control.SetReadDeadline(time.Unix(1, 0)) })
	defer t.Stop()
	return b.ReadCloser.Read(p)
}

// patiently breaks a response off whose client does not take it, while the result has not been called.
func (w *outcome) patiently() func() bool {
	return time.AfterFunc(w.stall, func() { _ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Unix(1, 0)) }).Stop
}

// Status is the final status; 0: nothing was answered.
func (w *outcome) Status() int { return w.status }

// Written counts the bytes of content.
func (w *outcome) Written() int64 { return w.written }

// SetDefault sets a field that is sent unless the handler sets one of that name.
func (w *outcome) SetDefault(name, value string) {
	w.defaults = append(w.defaults, headerField{name: name, value: value})
}

// begin settles the header with the first final status.
func (w *outcome) begin(status int) {
	if w.status != 0 || status < 200 && status != http.StatusSwitchingProtocols {
		return
	}
	w.status = status
	h := w.Header()
	for _, f := range w.defaults {
		if _, has := h[f.name]; !has {
			h[f.name] = []string{f.value}
		}
	}
}

// Unwrap lets http.ResponseController reach the connection.
func (w *outcome) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (w *outcome) WriteHeader(status int) {
	w.begin(status)
	w.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (w *outcome) Write(p []byte) (int, error) {
	w.begin(http.StatusOK)
	defer w.patiently()()
	n, err := w.ResponseWriter.Write(p)
	w.written += int64(n)
	return n, err
}

// Flush implements http.Flusher.
func (w *outcome) Flush() {
	w.begin(http.StatusOK)
	defer w.patiently()()
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}
