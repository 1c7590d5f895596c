package acmecheck

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/pki"
)

// tidyTime bounds the cleaning up.
const tidyTime = 2 * time.Minute

// cleanUp revokes what was obtained, gives up what is pending, and deactivates the accounts. It says what is left.
func (s *session) cleanUp(ctx context.Context) (left []string) {
	ctx, cancel := context.WithTimeout(ctx, tidyTime)
	defer cancel()
	for _, c := range s.obtained {
		if s.revoked[string(c.chain[0].Raw)] || s.dir.RevokeCert == "" {
			continue
		}
		a, err := s.send(ctx, message{by: &person{key: c.key}, url: s.dir.RevokeCert, payload: acme.Revocation{Certificate: b64(c.chain[0].Raw)}})
		if err != nil || a.status != http.StatusOK {
			left = append(left, fmt.Sprintf("the certificate %x is not revoked", c.chain[0].SerialNumber))
		}
	}
	if s.who != nil {
		for _, u := range s.open {
			// What is decided already refuses, and need not be given up.
			_, _ = s.post(ctx, u, acme.StatusChange{Status: acme.StatusDeactivated})
		}
	}
	for _, p := range s.people {
		a, err := s.postAs(ctx, p, p.url, acme.StatusChange{Status: acme.StatusDeactivated})
		if err != nil || a.status != http.StatusOK {
			left = append(left, "the account "+pki.Printable(p.url)+" is not deactivated")
		}
	}
	return left
}

// gone notes that an account needs no cleaning up any more.
func (s *session) gone(p *person) {
	for i := range s.people {
		if s.people[i] == p {
			s.people = append(s.people[:i:i], s.people[i+1:]...)
			return
		}
	}
}

// sealMAC makes a JWS by a MAC key (RFC 8555, Section 7.3.4).
func sealMAC(key []byte, header map[string]any, payload any) (map[string]any, error) {
	head, err := json.Marshal(header)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(payload)
	if err != nil {
		return nil, err
	}
	m := hmac.New(sha256.New, key)
	m.Write([]byte(b64(head) + "." + b64(body)))
	return map[string]any{"protected": b64(head), "payload": b64(body), "signature": b64(m.Sum(nil))}, nil
}

// tally holds what must be so of every answer; each field names the first answer of which it was not.
type tally struct {
	directory                                                                    string // which does not link to itself
	answers, posts, errors                                                       int
	noNonce, noIndex, noDocument, foreignType, topIdentifier, badRetry, badNonce string
	nonces                                                                       map[string]bool
	twice                                                                        string // a nonce that was handed out twice
}

// see looks at one answer.
func (t *tally) see(method, url string, a *answer) {
	t.answers++
	at := method + " " + url
	note := func(field *string, wrong bool, text string) {
		if wrong && *field == "" {
			*field = text
		}
	}
	nonce := a.header.Get("Replay-Nonce")
	if method == http.MethodPost && a.status < 300 {
		t.posts++
		note(&t.noNonce, nonce == "", at)
	}
	if nonce != "" {
		if t.nonces == nil {
			t.nonces = make(map[string]bool)
		}
		note(&t.twice, t.nonces[nonce], nonce)
		note(&t.badNonce, strings.Trim(nonce, base64url) != "", nonce)
		t.nonces[nonce] = true
	}
	if text := a.header.Get("Retry-After"); text != "" {
		_, err := http.ParseTime(text)
		note(&t.badRetry, strings.Trim(text, "0123456789") != "" && err != nil, at+": "+text)
	}
	// Behind a proxy, overload is answered by what knows nothing of ACME.
	if a.status == http.StatusServiceUnavailable {
		return
	}
	note(&t.noIndex, method == http.MethodPost && url != t.directory && len(a.links("index")) == 0, at)
	if a.status < 400 || method == http.MethodHead {
		return
	}
	t.errors++
	kind, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	p := a.problem()
	note(&t.noDocument, strings.TrimSpace(kind) != "application/problem+json" || p.Type == "" && p.Detail == "", fmt.Sprintf("%s: %s, %s", at, kind, a))
	note(&t.foreignType, strings.HasPrefix(p.Type, acme.ProblemPrefix) && !registered(p.Kind()), p.Type)
	note(&t.topIdentifier, p.Identifier != nil, at)
}

// base64url is the alphabet of nonces and tokens (RFC 7515, Section 2).
const base64url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// isHTTPS reports an absolute URL of https.
func isHTTPS(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Scheme == "https" && u.Host != ""
}

// registered reports an error type of the registry of RFC 8555, Section 9.7.4, with what came later.
func registered(t acme.ProblemType) bool {
	switch t {
	case acme.AccountDoesNotExist, acme.AlreadyRevoked, acme.BadCSR, acme.BadNonce, acme.BadPublicKey, acme.BadRevocationReason,
		acme.BadSignatureAlgorithm, acme.CAA, acme.Compound, acme.Connection, acme.DNS, acme.ExternalAccountRequired, acme.IncorrectResponse,
		acme.InvalidContact, acme.Malformed, acme.OrderNotReady, acme.RateLimited, acme.RejectedIdentifier, acme.ServerInternal, acme.TLS,
		acme.Unauthorized, acme.UnsupportedContact, acme.UnsupportedIdentifier, acme.UserActionRequired, acme.InvalidProfile,
		acme.AlreadyReplaced, acme.AutoRenewalCanceled, acme.AutoRenewalExpired, acme.AutoRenewalCancelInvalid, acme.AutoRenewalRevocationNever,
		"badAttestationStatement", "unknownDelegation", "onionCAARequired", "unexpectedUpdate":
		return true
	}
	return false
}

// tallies are the rules about every answer, judged at the end.
func tallies() []check {
	about := func(section, rule string, first func(*tally) string) check {
		return check{"every answer", section, rule, func(_ context.Context, s *session) error {
			if at := first(&s.tally); at != "" {
				return fmt.Errorf("not so: %s", at)
			}
			return nil
		}}
	}
	return []check{
		about("RFC 8555, Section 6.5", "successful answers to POST carry a nonce", func(t *tally) string { return t.noNonce }),
		about("RFC 8555, Section 6.5.1", "no nonce is handed out twice", func(t *tally) string { return t.twice }),
		about("RFC 8555, Section 6.5.1", "nonces are of the base64url alphabet", func(t *tally) string { return t.badNonce }),
		about("RFC 8555, Section 6.6", "Retry-After is a number of seconds or a date", func(t *tally) string { return t.badRetry }),
		about("RFC 8555, Section 6.7", "errors come with a problem document", func(t *tally) string { return t.noDocument }),
		about("RFC 8555, Section 6.7", "ACME's name space holds registered error types only", func(t *tally) string { return t.foreignType }),
		about("RFC 8555, Section 6.7.1", "identifiers stand in subproblems only", func(t *tally) string { return t.topIdentifier }),
		about("RFC 8555, Section 7.1", "answers to POST link to the directory", func(t *tally) string { return t.noIndex }),
	}
}
