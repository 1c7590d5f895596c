package acmeserver

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	jose "github.com/go-jose/go-jose/v4"
	strict "github.com/go-jose/go-jose/v4/json"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
)

// maxBody is the largest request in bytes: a CSR of a hundred names with a large key fits many times.
const maxBody = 128 << 10

// signer says who may sign a request (RFC 8555, Section 6.2).
type signer uint8

const (
	byAccount signer = iota // an account, by its URL
	byKey                   // a key that the request carries
	byEither
)

// algorithms are those of account keys. RFC 8555, Section 6.2: no MAC, no "none"; ES256 must be among them.
func algorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.ES512, jose.EdDSA, jose.RS256, jose.PS256}
}

// request is a signed request that was checked.
type request struct {
	*http.Request
	dir        *directory
	url        string
	account    *store.ACMEAccount // nil: signed by a key that the request carries
	key        *jose.JSONWebKey
	thumbprint []byte
	payload    []byte // empty: POST-as-GET (RFC 8555, Section 6.3)
}

// isGet reports a request that only reads.
func (q *request) isGet() bool { return len(q.payload) == 0 }

// decode reads the payload into v. What is not JSON, or has an unfit type, is malformed; unknown members are passed over
// (RFC 8555, Section 7.4: a server must ignore what it does not know).
func (q *request) decode(v any) *acme.Problem {
	if q.isGet() {
		return malformed("the request has no payload")
	}
	d := json.NewDecoder(bytes.NewReader(q.payload))
	if err := d.Decode(v); err != nil {
		return malformed("the payload cannot be read: " + pki.Printable(err.Error()))
	}
	if d.More() {
		return malformed("there is something behind the payload")
	}
	return nil
}

func malformed(detail string) *acme.Problem { return acme.NewProblem(acme.Malformed, detail) }

// flattened is a JWS in flattened JSON serialization (RFC 7515, Section 7.2.2), the only form there is in ACME.
type flattened struct {
	Protected  *string           `json:"protected"`
	Payload    *string           `json:"payload"`
	Signature  *string           `json:"signature"`
	Header     strict.RawMessage `json:"header"`
	Signatures strict.RawMessage `json:"signatures"`
}

// header is the protected header of a request.
type header struct {
	Algorithm jose.SignatureAlgorithm `json:"alg"`
	Nonce     *string                 `json:"nonce"`
	URL       *string                 `json:"url"`
	KID       *string                 `json:"kid"`
	JWK       strict.RawMessage       `json:"jwk"`
	Critical  strict.RawMessage       `json:"crit"`
	B64       strict.RawMessage       `json:"b64"`
}

// parseJWS takes a JWS apart and checks its form (RFC 8555, Section 6.2). Its JSON is read strictly: no member twice, and
// none under another spelling.
func parseJWS(body []byte, allowed []jose.SignatureAlgorithm) (*jws, *header, *acme.Problem) {
	var f flattened
	if err := strict.Unmarshal(body, &f); err != nil {
		return nil, nil, malformed("the request is no JWS: " + pki.Printable(err.Error()))
	}
	switch {
	case f.Signatures != nil:
		return nil, nil, malformed("the JWS must have one signature, in flattened form (RFC 8555, Section 6.2)")
	case f.Header != nil:
		return nil, nil, malformed("the JWS must have no unprotected header (RFC 8555, Section 6.2)")
	case f.Protected == nil || f.Payload == nil || f.Signature == nil:
		return nil, nil, malformed("the JWS lacks protected, payload or signature")
	}
	raw, err := decodeBase64(*f.Protected)
	if err != nil {
		return nil, nil, malformed("the protected header is no base64url")
	}
	var h header
	if err := strict.Unmarshal(raw, &h); err != nil {
		return nil, nil, malformed("the protected header cannot be read: " + pki.Printable(err.Error()))
	}
	if h.Critical != nil || h.B64 != nil {
		return nil, nil, malformed("the protected header has an extension that ACME does not know (crit, b64)")
	}
	if !slices.Contains(allowed, h.Algorithm) {
		p := acme.NewProblem(acme.BadSignatureAlgorithm, fmt.Sprintf("signatures by %q are not taken", pki.Printable(string(h.Algorithm))))
		for _, a := range allowed {
			p.Algorithms = append(p.Algorithms, string(a))
		}
		return nil, nil, p
	}
	if h.JWK != nil {
		var key jose.JSONWebKey
		if err := key.UnmarshalJSON(h.JWK); err != nil || !key.IsPublic() || !key.Valid() {
			return nil, nil, acme.NewProblem(acme.BadPublicKey, "jwk is no public key that can be read")
		}
	}
	parsed := &jws{algorithm: h.Algorithm, signed: []byte(*f.Protected + "." + *f.Payload)}
	if parsed.payload, err = decodeBase64(*f.Payload); err != nil {
		return nil, nil, malformed("the payload is no base64url")
	}
	if parsed.signature, err = decodeBase64(*f.Signature); err != nil {
		return nil, nil, malformed("the signature is no base64url")
	}
	return parsed, &h, nil
}

// readJWS reads a request and checks all that RFC 8555, Section 6 wants checked before it is acted on.
func (s *Server) readJWS(r *http.Request, d *directory, auth signer) (*request, *acme.Problem) {
	body, problem := readBody(r)
	if problem != nil {
		return nil, problem
	}
	signed, h, problem := parseJWS(body, algorithms())
	if problem != nil {
		return nil, problem
	}
	q := &request{Request: r, dir: d, url: s.base(r) + r.URL.RequestURI()}
	if !s.knownHost(r) {
		return nil, acme.NewProblem(acme.Unauthorized, "this server is not known by that name")
	}
	if h.URL == nil || *h.URL != q.url {
		return nil, acme.NewProblem(acme.Unauthorized, "the url in the protected header is not that of the request (RFC 8555, Section 6.4)")
	}
	if h.Nonce == nil {
		return nil, acme.NewProblem(acme.BadNonce, "the request has no nonce (RFC 8555, Section 6.5)")
	}
	nonce, ok := s.nonces.known(*h.Nonce, s.o.Now())
	if !ok {
		return nil, acme.NewProblem(acme.BadNonce, "the nonce is not one of this server, or too old")
	}
	if problem := s.findKey(r.Context(), q, h, auth); problem != nil {
		return nil, problem
	}
	payload, err := signed.verify(q.key.Key)
	if err != nil {
		return nil, malformed("the signature does not fit the request and the key")
	}
	q.payload = payload
	fresh, err := s.useNonce(r.Context(), nonce)
	if err != nil {
		return nil, s.trouble("take the nonce", err)
	}
	if !fresh || s.o.Chaos.rejectsNonce() {
		return nil, acme.NewProblem(acme.BadNonce, "the nonce has been used")
	}
	return q, nil
}

// useNonce takes a nonce: true once for each, whichever node is asked.
func (s *Server) useNonce(ctx context.Context, id [16]byte) (bool, error) {
	if s.o.UseNonce != nil {
		return s.o.UseNonce(ctx, id, expiryOf(id))
	}
	return s.nonces.use(id, s.o.Now())
}

func readBody(r *http.Request) ([]byte, *acme.Problem) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/jose+json" {
		p := malformed("requests are of type application/jose+json (RFC 8555, Section 6.2)")
		p.Status = http.StatusUnsupportedMediaType
		return nil, p
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return nil, malformed("the request broke off")
	}
	if len(body) > maxBody {
		p := malformed(fmt.Sprintf("the request has more than %d bytes", maxBody))
		p.Status = http.StatusRequestEntityTooLarge
		return nil, p
	}
	return body, nil
}

// findKey finds the key that must have signed: that of the account, or the one in the request.
func (s *Server) findKey(ctx context.Context, q *request, h *header, auth signer) *acme.Problem {
	switch {
	case h.KID != nil && h.JWK != nil:
		return malformed("the protected header has both kid and jwk (RFC 8555, Section 6.2)")
	case h.KID == nil && h.JWK == nil:
		return malformed("the protected header has neither kid nor jwk")
	case h.KID != nil && auth == byKey:
		return malformed("this request is signed with jwk, not with kid")
	case h.JWK != nil && auth == byAccount:
		return malformed("this request is signed with kid, not with jwk")
	}
	if h.JWK != nil {
		key, print, problem := parseKey(h.JWK, string(h.Algorithm))
		q.key, q.thumbprint = key, print
		return problem
	}
	id, ok := strings.CutPrefix(*h.KID, s.accountURL(q.Request, q.dir, ""))
	if !ok || id == "" {
		return acme.NewProblem(acme.AccountDoesNotExist, "kid is not the URL of an account of this directory")
	}
	account, err := s.o.Store.ACMEAccount(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && account.Directory != q.dir.Name {
		return acme.NewProblem(acme.AccountDoesNotExist, "there is no such account")
	}
	if err != nil {
		return s.trouble("read the account", err)
	}
	if account.Status != acme.StatusValid {
		return deactivated("the account is " + account.Status)
	}
	key, err := s.keys.read(account.Key)
	if err != nil {
		return s.trouble("read the account's key", err)
	}
	if !fits(key.Key, string(h.Algorithm)) {
		return malformed("the algorithm does not go with the account's key")
	}
	q.account, q.key, q.thumbprint = &account, key, account.Thumbprint
	return nil
}

// parseKey reads an account key and refuses weak ones (RFC 8555, Section 6.7, badPublicKey).
func parseKey(raw []byte, algorithm string) (*jose.JSONWebKey, []byte, *acme.Problem) {
	bad := func(detail string) (*jose.JSONWebKey, []byte, *acme.Problem) {
		return nil, nil, acme.NewProblem(acme.BadPublicKey, detail)
	}
	var key jose.JSONWebKey
	if err := key.UnmarshalJSON(raw); err != nil {
		return bad("jwk is no key that can be read")
	}
	if !key.IsPublic() || !key.Valid() {
		return bad("jwk is no public key that an account can have")
	}
	if k, ok := key.Key.(*rsa.PublicKey); ok {
		switch bits := k.N.BitLen(); {
		case bits < 2048:
			return bad(fmt.Sprintf("the RSA key has %d bits, fewer than 2048", bits))
		case bits > 8192:
			return bad(fmt.Sprintf("the RSA key has %d bits, more than 8192", bits))
		case k.E < 3 || k.E%2 == 0:
			return bad("the RSA key's exponent is no odd number above 1")
		}
	}
	if !fits(key.Key, algorithm) {
		return nil, nil, malformed("the algorithm does not go with the key")
	}
	print, err := key.Thumbprint(acme.ThumbprintHash)
	if err != nil {
		return bad("jwk has no thumbprint")
	}
	return &jose.JSONWebKey{Key: key.Key}, print, nil
}

// fits reports whether a key can have signed by an algorithm.
func fits(key any, algorithm string) bool {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return algorithm == "ES256"
		case elliptic.P384():
			return algorithm == "ES384"
		case elliptic.P521():
			return algorithm == "ES512"
		}
	case *rsa.PublicKey:
		return algorithm == "RS256" || algorithm == "PS256"
	case ed25519.PublicKey:
		return algorithm == "EdDSA"
	}
	return false
}
