package acmecheck

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/tlswright/tlswright/acme"
)

// Bounds on what a server sends and how long it may make us wait.
const (
	maxAnswer  = 1 << 20
	maxWait    = 15 * time.Second
	maxRetries = 12
	maxLost    = 3 // connections lost without an answer to one request
	oneRequest = time.Minute
)

// person is a key with the account that it has made, if any.
type person struct {
	key crypto.Signer
	url string // of the account; "": none yet
}

func newPerson() (*person, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return &person{key: key}, nil
}

func (p *person) jwk() jose.JSONWebKey { return jose.JSONWebKey{Key: p.key.Public()} }

func (p *person) thumbprint() ([]byte, error) {
	k := p.jwk()
	return k.Thumbprint(acme.ThumbprintHash)
}

// message is a signed request, with what is to be wrong about it.
type message struct {
	by      *person
	url     string
	payload any  // nil: POST-as-GET; []byte: as it is
	asKey   bool // signed with jwk where the person has an account
	// header and body damage the protected header and the JWS.
	header func(map[string]any)
	body   func(map[string]any)
	kind   string // content type; "": the right one
	// nonce is to be used instead of a good one, and a refusal of it is the answer.
	nonce *string
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a *answer) problem() *acme.Problem {
	var p acme.Problem
	_ = json.Unmarshal(a.body, &p) // no problem document: no type
	return &p
}

// String says what came, in short.
func (a *answer) String() string {
	if p := a.problem(); p.Type != "" {
		return fmt.Sprintf("status %d, %s", a.status, p.Error())
	}
	return fmt.Sprintf("status %d, %.80q", a.status, a.body)
}

// into reads the JSON of an answer.
func (a *answer) into(v any) error {
	if err := json.Unmarshal(a.body, v); err != nil {
		return fmt.Errorf("the answer cannot be read: %w", err)
	}
	return nil
}

// links are the targets of a relation in the Link headers.
func (a *answer) links(rel string) []string {
	var found []string
	for _, line := range a.header.Values("Link") {
		for part := range strings.SplitSeq(line, ",") {
			target, attributes, _ := strings.Cut(part, ";")
			for at := range strings.SplitSeq(attributes, ";") {
				key, value, _ := strings.Cut(strings.TrimSpace(at), "=")
				if strings.EqualFold(key, "rel") && slices.Contains(strings.Fields(strings.Trim(value, `"`)), rel) {
					found = append(found, strings.Trim(strings.TrimSpace(target), "<>"))
				}
			}
		}
	}
	return found
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// send sends a request until the server looks at it: nonces refused for no reason, overload and lost connections are no
// answers.
func (s *session) send(ctx context.Context, m message) (*answer, error) {
	lost := 0
	for try := 0; ; try++ {
		body, err := s.sign(ctx, m)
		if err != nil {
			return nil, err
		}
		kind := m.kind
		if kind == "" {
			kind = "application/jose+json"
		}
		a, err := s.once(ctx, http.MethodPost, m.url, kind, body)
		if err != nil {
			if lost++; ctx.Err() != nil || lost > maxLost {
				return nil, err
			}
		} else {
			again := a.status == http.StatusServiceUnavailable || a.status == http.StatusTooManyRequests ||
				m.nonce == nil && a.problem().Kind() == acme.BadNonce
			if !again || try >= maxRetries {
				return a, nil
			}
		}
		if err := pause(ctx, a); err != nil {
			return nil, err
		}
	}
}

// pause waits as long as an answer says; not at all after a refused nonce.
func pause(ctx context.Context, a *answer) error {
	wait := 200 * time.Millisecond
	switch {
	case a == nil:
	case a.problem().Kind() == acme.BadNonce:
		return ctx.Err()
	default:
		wait = min(max(retryAfter(a), wait), maxWait)
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// retryAfter reads Retry-After: seconds or a date (RFC 9110, Section 10.2.3); 0: there is none that can be read.
func retryAfter(a *answer) time.Duration {
	text := a.header.Get("Retry-After")
	if n, err := strconv.Atoi(text); err == nil && n >= 0 && n < 1<<30 {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return time.Until(at)
	}
	return 0
}

// get fetches without a signature.
func (s *session) get(ctx context.Context, url string) (*answer, error) {
	return s.plain(ctx, http.MethodGet, url)
}

func (s *session) plain(ctx context.Context, method, url string) (*answer, error) {
	lost := 0
	for try := 0; ; try++ {
		a, err := s.once(ctx, method, url, "", nil)
		if err != nil {
			if lost++; ctx.Err() != nil || lost > maxLost {
				return nil, err
			}
		} else if a.status != http.StatusServiceUnavailable && a.status != http.StatusTooManyRequests || try >= maxRetries {
			return a, nil
		}
		if err := pause(ctx, a); err != nil {
			return nil, err
		}
	}
}

// once makes one request, and keeps the nonce that comes with the answer.
func (s *session) once(ctx context.Context, method, url, kind string, body []byte) (*answer, error) {
	if s.requests++; s.requests > maxRequests {
		return nil, fmt.Errorf("%d requests are enough", maxRequests)
	}
	ctx, cancel := context.WithTimeout(ctx, oneRequest)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if kind != "" {
		q.Header.Set("Content-Type", kind)
	}
	q.Header.Set("User-Agent", s.o.UserAgent)
	q.Header.Set("Accept-Language", "en")
	r, err := s.web.Do(q)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Body.Close() }()
	a := &answer{status: r.StatusCode, header: r.Header}
	if a.body, err = io.ReadAll(io.LimitReader(r.Body, maxAnswer)); err != nil {
		return nil, err
	}
	if n := r.Header.Get("Replay-Nonce"); n != "" && len(n) < 4096 {
		s.nonces = append(s.nonces, n)
		s.nonces = s.nonces[max(0, len(s.nonces)-20):]
	}
	s.tally.see(method, url, a)
	return a, nil
}

// nonce takes one that was not used, or fetches one.
func (s *session) nonce(ctx context.Context) (string, error) {
	if n := len(s.nonces); n > 0 {
		last := s.nonces[n-1]
		s.nonces = s.nonces[:n-1]
		return last, nil
	}
	if _, err := s.plain(ctx, http.MethodHead, s.dir.NewNonce); err != nil {
		return "", err
	}
	if len(s.nonces) == 0 {
		return "", errors.New("the server gives no nonce")
	}
	return s.nonce(ctx)
}

// sign makes the JWS of a message.
func (s *session) sign(ctx context.Context, m message) ([]byte, error) {
	h := map[string]any{"alg": algorithmOf(m.by.key), "url": m.url}
	if m.nonce != nil {
		h["nonce"] = *m.nonce
	} else {
		n, err := s.nonce(ctx)
		if err != nil {
			return nil, err
		}
		h["nonce"] = n
	}
	if m.by.url != "" && !m.asKey {
		h["kid"] = m.by.url
	} else {
		h["jwk"] = m.by.jwk()
	}
	if m.header != nil {
		m.header(h)
	}
	jws, err := seal(m.by.key, h, m.payload)
	if err != nil {
		return nil, err
	}
	if m.body != nil {
		m.body(jws)
	}
	return json.Marshal(jws)
}

// seal signs a payload under a header, in flattened form.
func seal(key crypto.Signer, header map[string]any, payload any) (map[string]any, error) {
	raw, isRaw := payload.([]byte)
	if payload != nil && !isRaw {
		var err error
		if raw, err = json.Marshal(payload); err != nil {
			return nil, err
		}
	}
	head, err := json.Marshal(header)
	if err != nil {
		return nil, err
	}
	input := b64(head) + "." + b64(raw)
	signature, err := rawSignature(key, input)
	if err != nil {
		return nil, err
	}
	return map[string]any{"protected": b64(head), "payload": b64(raw), "signature": b64(signature)}, nil
}

func algorithmOf(key crypto.Signer) string {
	if _, ok := key.(*rsa.PrivateKey); ok {
		return string(jose.RS256)
	}
	return string(jose.ES256)
}

// rawSignature signs as JWS wants it: of ECDSA both numbers at full length (RFC 7518, Section 3.4).
func rawSignature(key crypto.Signer, input string) ([]byte, error) {
	sum := sha256.Sum256([]byte(input))
	digest := sum[:]
	k, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return key.Sign(rand.Reader, digest, crypto.SHA256)
	}
	r, sig, err := ecdsa.Sign(rand.Reader, k, digest)
	if err != nil {
		return nil, err
	}
	return append(r.FillBytes(make([]byte, 32)), sig.FillBytes(make([]byte, 32))...), nil
}
