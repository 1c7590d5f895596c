package estate

import (
	"errors"
	"fmt"
	"net"
	"syscall"
)

// Kind says whose fault a problem is.
type Kind int

// The kinds of problems.
const (
	Local   Kind = iota // of this machine: files, keys, ports
	Usage               // of what was asked for
	Finding             // of what a check found
)

// Problem is an error that says what to do about it.
type Problem struct {
	Text   string // one line, lower case, no full stop
	Key    string // the key of its section that it is about; "": none, or the text says it
	Advice string // what to do; may be ""
	Kind   Kind
	Err    error // the cause; may be nil
}

// Error implements error.
func (p *Problem) Error() string { return p.Text }

// Unwrap gives the cause.
func (p *Problem) Unwrap() error { return p.Err }

// Hint says what to do.
func (p *Problem) Hint() string { return p.Advice }

// doing says what was being done when an error came up. One that has words of its own keeps them.
func doing(err error, what string) error {
	var known *Problem
	if err == nil || errors.As(err, &known) {
		return err
	}
	return fmt.Errorf("%s: %w", what, err)
}

// listenProblem says why an address cannot be listened on; what is what would be there, "" for what the key says by itself.
func listenProblem(key, what string, err error) error {
	p := &Problem{Key: key, Text: err.Error(), Err: err}
	if what != "" {
		p.Text = what + ": " + p.Text
	}
	var at *net.OpError
	var hinted interface{ Hint() string }
	switch {
	case errors.As(err, &hinted):
		p.Advice = hinted.Hint()
	case errors.Is(err, syscall.EADDRINUSE):
		p.Advice = "the port is taken: by another tlswright? port 0 takes a free one"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		p.Advice = "no interface of this machine has that address"
	case errors.Is(err, syscall.EACCES) && errors.As(err, &at):
		p.Advice = "ports below 1024 are for root, and for programs with CAP_NET_BIND_SERVICE"
	}
	return p
}
