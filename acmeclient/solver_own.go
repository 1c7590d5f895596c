package acmeclient

import (
	"context"
	"errors"

	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"

	wireacme "github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/tlsnet"
)

// Running is the way of a server that answers challenges by itself, on the ports where it listens anyway: see
// [Options].Answerer. It is not for a person to choose.
const Running = "running"

// Proof is what a server shows to prove that it controls a name.
type Proof struct {
	Type       string // "http-01" or "tls-alpn-01"
	Identifier wireacme.Identifier
	// Of http-01: the path that is asked for by plain HTTP, and what it has to be answered with.
	Path, Content string
	// Of tls-alpn-01: the server name that a client with the protocol acme-tls/1 asks for, and what it is shown.
	ServerName string
	Identity   tlsnet.Identity
}

// Answerer is a server that shows proofs.
type Answerer interface {
	// Types lists the challenges that can be answered, "http-01" and "tls-alpn-01". The CA's choice counts.
	Types() []string
	// Present has a proof shown from when it returns.
	Present(ctx context.Context, p Proof) error
	// CleanUp has it shown no longer.
	CleanUp(ctx context.Context, p Proof) error
}

// running makes the solvers of an Answerer.
func (c *Client) running() (map[string]acmez.Solver, error) {
	if c.o.Answerer == nil {
		return nil, errors.New("this certificate is renewed by the running server that uses it")
	}
	out := make(map[string]acmez.Solver)
	for _, kind := range c.o.Answerer.Types() {
		switch kind {
		case acme.ChallengeTypeHTTP01, acme.ChallengeTypeTLSALPN01:
			out[kind] = &ownSolver{client: c}
		}
	}
	if len(out) == 0 {
		return nil, errors.New("the server answers no challenge that we know")
	}
	return out, nil
}

// ownSolver hands proofs to the Answerer.
type ownSolver struct{ client *Client }

func (s *ownSolver) proof(ch acme.Challenge) Proof {
	id := wireacme.Identifier{Type: ch.Identifier.Type, Value: ch.Identifier.Value}
	p := Proof{Type: ch.Type, Identifier: id}
	if ch.Type == acme.ChallengeTypeHTTP01 {
		p.Path, p.Content = ch.HTTP01ResourcePath(), ch.KeyAuthorization
	} else {
		p.ServerName = wireacme.TLSALPN01ServerName(id)
	}
	return p
}

// Present has the proof shown.
func (s *ownSolver) Present(ctx context.Context, ch acme.Challenge) error {
	p := s.proof(ch)
	if p.Type == acme.ChallengeTypeTLSALPN01 {
		var err error
		if p.Identity, err = proofIdentity(p.Identifier, ch.KeyAuthorization, s.client.o.Now()); err != nil {
			return err
		}
	}
	return s.client.o.Answerer.Present(ctx, p)
}

// CleanUp has it shown no longer.
func (s *ownSolver) CleanUp(ctx context.Context, ch acme.Challenge) error {
	return s.client.o.Answerer.CleanUp(ctx, s.proof(ch))
}
