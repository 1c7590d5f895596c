package order

import (
	"crypto/rand"
	"encoding/base64"
	"time"

	"github.com/tlswright/tlswright/acme"
)

// Order is an order as it is kept.
type Order struct {
	ID             string            `json:"id"`
	Account        string            `json:"account"`
	Status         string            `json:"status"` // as stored; Observe brings it up to date
	Identifiers    []acme.Identifier `json:"identifiers"`
	Authorizations []string          `json:"authorizations"` // their IDs, in the order of Identifiers
	Created        time.Time         `json:"created"`
	Expires        time.Time         `json:"expires"`
	NotBefore      time.Time         `json:"notBefore,omitzero"`
	NotAfter       time.Time         `json:"notAfter,omitzero"`
	Profile        string            `json:"profile,omitempty"`
	Replaces       string            `json:"replaces,omitempty"` // identifier of RFC 9773
	Error          *acme.Problem     `json:"error,omitempty"`
	CSR            []byte            `json:"csr,omitempty"`    // DER, from finalize on
	Serial         string            `json:"serial,omitempty"` // of the certificate, hexadecimal
	Star           *Star             `json:"star,omitempty"`
	Client         Client            `json:"client,omitzero"` // who asked for it
}

// Authorization is an account's right to an identifier, or the way there.
type Authorization struct {
	ID         string          `json:"id"`
	Account    string          `json:"account"`
	Identifier acme.Identifier `json:"identifier"` // without the star of a wildcard
	Wildcard   bool            `json:"wildcard,omitempty"`
	Status     string          `json:"status"`
	Created    time.Time       `json:"created"`
	Expires    time.Time       `json:"expires"`
	Challenges []Challenge     `json:"challenges"`
}

// Challenge is one way to prove control.
type Challenge struct {
	ID        string        `json:"id"`
	Type      string        `json:"type"`
	Token     string        `json:"token"`
	Status    string        `json:"status"`
	Attempted time.Time     `json:"attempted,omitzero"`
	Validated time.Time     `json:"validated,omitzero"`
	Error     *acme.Problem `json:"error,omitempty"`
}

// NewID draws a name for an object: 130 bits, in letters and digits.
func NewID() string { return rand.Text() }

// newToken draws the token of a challenge: 256 bits (RFC 8555, Section 11.3 asks for 128), as base64url of whole bytes,
// because there are clients that decode it and encode it again.
func newToken() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Requested gives the identifier as the order had it, with the star of a wildcard.
func (a *Authorization) Requested() acme.Identifier {
	if a.Wildcard {
		return acme.Identifier{Type: a.Identifier.Type, Value: "*." + a.Identifier.Value}
	}
	return a.Identifier
}

// Challenge finds a challenge by its ID; nil: there is none.
func (a *Authorization) Challenge(id string) *Challenge {
	for i := range a.Challenges {
		if a.Challenges[i].ID == id {
			return &a.Challenges[i]
		}
	}
	return nil
}
