package staple

import (
	"crypto/x509"
	"log/slog"
	"time"

	"github.com/tlswright/tlswright/internal/fetch"
)

// Options say how responses are kept.
type Options struct {
	// Dir is where they are kept over a restart; made if it is missing. "": nowhere.
	Dir string
	// Fetcher asks the responders. Nil: nobody is asked, and only what is on disk is sent.
	Fetcher *fetch.Fetcher
	// Issuers are certificates to find a leaf's issuer among, where its chain does not hold it.
	Issuers []*x509.Certificate
	// Changed is called, from a goroutine of its own, when Staple gives something else for a chain than before: a newer
	// response, or none any more. Nil: nobody is told.
	Changed func(chain [][]byte)
	Now     func() time.Time // nil: time.Now
	Log     *slog.Logger     // nil: nothing is logged
}

// Keeper keeps responses. It may be used concurrently. Close it after use.
type Keeper struct {
	o Options
}

// New makes a keeper.
func New(o Options) (*Keeper, error) { return &Keeper{o: o}, nil }

// Staple gives the response for the leaf of a chain (DER, leaf first): one that was verified and is in force and says
// good; nil: there is none. It asks nobody and never waits. A chain that is new is looked up on disk, and from then on its
// response is fetched ahead, until [Keeper.Retain] leaves it out.
func (k *Keeper) Staple(chain [][]byte) []byte { return nil }

// Retain forgets all chains but these.
func (k *Keeper) Retain(chains ...[][]byte) {}

// Status is how things stand for one chain.
type Status struct {
	Leaf       *x509.Certificate
	Responders []string // what the leaf names; none: there is nothing to staple
	ThisUpdate time.Time
	NextUpdate time.Time // zero: there is no response
	Next       time.Time // when the next one is asked for
	Revoked    bool      // the responder says so: the certificate has to be replaced
	Problem    string    // why the last attempt failed, fit to print; "": it did not
}

// Status lists all chains that are kept, in the order of their ends of validity.
func (k *Keeper) Status() []Status { return nil }

// Close ends all work in the background.
func (k *Keeper) Close() error { return nil }
