package tlsnet

import (
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"io"

	"github.com/tlswright/tlswright/tlscore"
)

// answer finds the answer to a question of the machine. It may take as long as the context lives.
func (c *Conn) answer(ctx context.Context, q *tlscore.Question) tlscore.Answer {
	switch q.Kind {
	case tlscore.NeedVerify:
		return c.verify(ctx, q)
	case tlscore.NeedSignature:
		return sign(ctx, q)
	case tlscore.NeedIdentity:
		id, err := c.set.choose(ctx, q, c.set.params.Identities())
		return tlscore.Chosen{Identity: id, Err: err}
	case tlscore.NeedSession:
		return c.findSession(ctx, q)
	case tlscore.NeedFresh:
		return tlscore.Fresh(c.fresh(q))
	case tlscore.NeedPSK:
		return c.lookUpPSK(ctx, q)
	case tlscore.NeedStaple:
		return c.stapling(ctx, q)
	case tlscore.NeedInner:
		return c.chooseInner(q)
	case tlscore.NeedTicket:
		return c.issue(q)
	}
	return nil // the machine refuses it as misuse: there is no such question
}

// sign lets the key of the identity sign.
func sign(ctx context.Context, q *tlscore.Question) tlscore.Signed {
	key, ok := q.KeyTag().(crypto.Signer)
	if !ok {
		return tlscore.Signed{Err: errors.New("the chosen identity is not one of the configuration: it has no key")}
	}
	if slow, ok := key.(ContextSigner); ok {
		key = boundSigner{ctx, slow}
	}
	sig, err := tlscore.SignWith(key, q)
	if err != nil {
		err = fmt.Errorf("signing with %v: %w", q.Scheme, err)
	}
	return tlscore.Signed{Signature: sig, Err: err}
}

// boundSigner ties one signature of a ContextSigner to a context.
type boundSigner struct {
	ctx context.Context
	ContextSigner
}

// Sign implements crypto.Signer. Keys in tokens have randomness of their own and may ignore ours.
func (s boundSigner) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if random == nil {
		random = rand.Reader
	}
	return s.SignContext(s.ctx, random, digest, opts)
}
