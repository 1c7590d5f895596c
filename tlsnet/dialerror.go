package tlsnet

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/tlswright/tlswright/tlscore"
)

// Failure says in one word why a connection could not be made.
type Failure uint8

// The failures that a person wants told apart.
const (
	FailureNetwork  Failure = iota // no route, reset, bad address, …
	FailureDNS                     // the name could not be resolved
	FailureRefused                 // nobody listens there
	FailureTimeout                 // no answer in time
	FailureTLS                     // the handshake failed, by one side's decision or for lack of agreement
	FailureCanceled                // the caller's context was cancelled
)

// String returns "network", "dns", "refused", "timeout", "tls" or "canceled".
func (f Failure) String() string {
	names := [...]string{"network", "dns", "refused", "timeout", "tls", "canceled"}
	if int(f) < len(names) {
		return names[f]
	}
	return "unknown"
}

// DialError is why [Dial] made no connection. errors.As finds the *tlscore.Error, the *pki.VerifyError or the
// *net.OpError within.
type DialError struct {
	Failure   Failure
	Address   string           // as given to Dial
	Handshake bool             // the connection beneath was made; the handshake failed
	Peer      Peer             // the peer's certificates, if they came
	ECH       tlscore.ECHFacts // what became of Encrypted ClientHello; with tlscore.CodeECHRejected what the server wants
	Err       error
}

// Error says what failed, and where.
func (e *DialError) Error() string {
	if e.Handshake {
		return "handshake with " + e.Address + ": " + e.Err.Error()
	}
	return "connecting to " + e.Address + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *DialError) Unwrap() error { return e.Err }

// Timeout reports whether there was no answer in time, as net.Error does.
func (e *DialError) Timeout() bool { return e.Failure == FailureTimeout }

// connectFailure judges an error of name look-up and connecting.
func connectFailure(ctx context.Context, err error) Failure {
	var dns *net.DNSError
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return FailureCanceled
	case errors.As(err, &dns):
		return FailureDNS
	case errors.Is(err, syscall.ECONNREFUSED):
		return FailureRefused
	case timedOut(err):
		return FailureTimeout
	}
	return FailureNetwork
}

// handshakeFailure judges an error of the handshake.
func handshakeFailure(ctx context.Context, err error) Failure {
	var tls *tlscore.Error
	switch {
	case errors.As(err, &tls):
		return FailureTLS
	case errors.Is(ctx.Err(), context.Canceled):
		return FailureCanceled
	case timedOut(err):
		return FailureTimeout
	case errors.Is(err, io.ErrUnexpectedEOF):
		return FailureTLS
	}
	return FailureNetwork
}

func timedOut(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout() || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}
