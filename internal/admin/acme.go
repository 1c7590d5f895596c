package admin

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/internal/order"
	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
)

func base64Text(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// decodeCSR reads a request that is PEM, or DER in base64 of any kind.
func decodeCSR(text string) ([]byte, error) {
	if text == "" {
		return nil, problem("malformed", "csr is missing")
	}
	if strings.Contains(text, "-----BEGIN") {
		return []byte(text), nil
	}
	text = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/", "\n", "", "\r", "").Replace(text), "=")
	der, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || !bytes.HasPrefix(der, []byte{0x30}) {
		return nil, problem("malformed", "csr is neither PEM nor DER in base64")
	}
	return der, nil
}

func accountQuery() []parameter {
	return pageQuery(
		parameter{name: "directory", kind: "string", about: "the name of an ACME directory, empty for the first"},
		parameter{name: "status", kind: "string", about: "how it stands", words: accountWords()},
		parameter{name: "contains", kind: "string", about: "part of a contact, or the beginning of its ID"},
	)
}

func accountWords() []string {
	return []string{acme.StatusValid, acme.StatusDeactivated, acme.StatusRevoked}
}

func (c *call) accounts() (any, error) {
	q := store.AccountQuery{Contains: c.query["contains"]}
	if d, ok := c.query["directory"]; ok {
		q.Directory = &d
	}
	var err error
	if q.Status, err = c.word("status", accountWords()); err != nil {
		return nil, err
	}
	if q.After, q.Limit, err = c.placed(); err != nil {
		return nil, err
	}
	rows, err := c.s.o.Store.ACMEAccountPage(c.Context(), q)
	if err != nil {
		return nil, err
	}
	answer := page[Account]{Items: []Account{}}
	for i := range rows {
		v, err := NewAccount(&rows[i])
		if err != nil {
			return nil, err
		}
		answer.Items = append(answer.Items, v)
	}
	if n := len(rows); n == q.Limit {
		answer.Next = placeToken(rows[n-1].CreatedAt, rows[n-1].ID)
	}
	return answer, nil
}

// named turns what is not on file into a problem that says what.
func named(v any, err error, what string) (any, error) {
	if errors.Is(err, store.ErrNotFound) {
		return nil, problem("not-found", "there is no such "+what)
	}
	return v, err
}

func (c *call) account() (any, error) {
	v, err := LoadAccount(c.Context(), c.s.o.Store, c.PathValue("id"))
	return named(v, err, "account")
}

func (c *call) deactivate() (any, error) {
	v, err := Deactivate(c.Context(), c.s.o.Store, c.PathValue("id"), c.by())
	if errors.Is(err, store.ErrTaken) {
		return nil, problem("conflict", "the account is not in use any more")
	}
	return named(v, err, "account")
}

func orderQuery() []parameter {
	return pageQuery(
		parameter{name: "account", kind: "string", about: "the account that ordered"},
		parameter{name: "status", kind: "string", about: "how it stood when it was last changed", words: orderWords()},
	)
}

func orderWords() []string {
	return []string{acme.StatusPending, acme.StatusReady, acme.StatusProcessing, acme.StatusValid, acme.StatusInvalid}
}

func (c *call) orders() (any, error) {
	q := store.OrderQuery{Account: c.query["account"]}
	var err error
	if q.Status, err = c.word("status", orderWords()); err != nil {
		return nil, err
	}
	if q.After, q.Limit, err = c.placed(); err != nil {
		return nil, err
	}
	rows, err := c.s.o.Store.ACMEOrderPage(c.Context(), q)
	if err != nil {
		return nil, err
	}
	answer := page[Order]{Items: []Order{}}
	for i := range rows {
		v, err := NewOrder(&rows[i], nil, c.s.o.Now())
		if err != nil {
			return nil, err
		}
		answer.Items = append(answer.Items, v)
	}
	if n := len(rows); n == q.Limit {
		answer.Next = placeToken(rows[n-1].CreatedAt, rows[n-1].ID)
	}
	return answer, nil
}

func (c *call) order() (any, error) {
	v, err := LoadOrder(c.Context(), c.s.o.Store, c.PathValue("id"), c.s.o.Now())
	return named(v, err, "order")
}

// Binding is a key for external account binding (RFC 8555, Section 7.3.4).
type Binding struct {
	KID       string    `json:"kid"`
	Key       string    `json:"hmac_key,omitempty"` // base64url, only where it was just made
	Directory string    `json:"directory"`          // "": the first
	Account   string    `json:"account,omitempty"`  // that has used it
	Names     []string  `json:"names"`              // that the account may have; none: all
	Networks  []string  `json:"networks"`           // likewise
	CreatedAt time.Time `json:"created_at"`
}

func newBinding(b *store.ACMEBinding) Binding {
	v := Binding{KID: b.KID, Directory: b.Directory, Account: b.Account, Names: []string{}, Networks: []string{}, CreatedAt: b.CreatedAt}
	var rights order.Rights
	if json.Unmarshal(b.Body, &rights) == nil { // what we wrote ourselves
		v.Names, v.Networks = append(v.Names, rights.DNS...), prefixTexts(rights.IP)
	}
	return v
}

func (c *call) bindings() (any, error) {
	all, err := c.s.o.Store.ACMEBindings(c.Context())
	views := []Binding{}
	for i := range all {
		views = append(views, newBinding(&all[i]))
	}
	return views, err
}

// BindingOrder asks for a key.
type BindingOrder struct {
	KID       string   `json:"kid"`
	Directory string   `json:"directory,omitempty"`
	Names     []string `json:"names,omitempty"`    // the account may have these and those below only
	Networks  []string `json:"networks,omitempty"` // likewise, as 10.0.0.0/8
}

// Bounds of a key for external account binding.
const (
	bindingKey = 32 // bytes
	maxKID     = 128
	maxRights  = 1000
)

func (c *call) bind() (any, error) {
	var want BindingOrder
	if err := c.decode(&want); err != nil {
		return nil, err
	}
	odd := func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsGraphic(r) || r == '/' || r == ' ' }
	if want.KID == "" || len(want.KID) > maxKID || strings.ContainsFunc(want.KID, odd) {
		return nil, problem("malformed", fmt.Sprintf("kid is a name of up to %d printable characters of ASCII, without spaces and slashes", maxKID))
	}
	if !slices.ContainsFunc(c.s.o.Issuers, func(i Issuer) bool { return i.Directory == want.Directory }) {
		return nil, problem("not-found", fmt.Sprintf("no directory is called %q", pki.Printable(want.Directory)))
	}
	if len(want.Names)+len(want.Networks) > maxRights {
		return nil, problem("malformed", fmt.Sprintf("more than %d names and networks", maxRights))
	}
	rights := order.Rights{DNS: want.Names}
	for _, name := range want.Names {
		if name == "" || pki.Printable(name) != name {
			return nil, problem("malformed", "a name is empty or cannot be printed")
		}
	}
	for _, text := range want.Networks {
		n, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, problem("malformed", fmt.Sprintf("%q is no network, such as 10.0.0.0/8", pki.Printable(text)))
		}
		rights.IP = append(rights.IP, n.Masked())
	}
	body, err := json.Marshal(rights)
	if err != nil {
		return nil, err
	}
	b := store.ACMEBinding{KID: want.KID, Directory: want.Directory, Key: make([]byte, bindingKey), Body: body, CreatedAt: c.s.o.Now()}
	_, _ = rand.Read(b.Key) // never fails
	if err := c.s.o.Store.AddACMEBinding(c.Context(), b, c.by()); err != nil {
		return nil, err
	}
	v := newBinding(&b)
	v.Key = base64Text(b.Key)
	return v, nil
}

func (c *call) unbind() (any, error) {
	return named(nil, c.s.o.Store.RemoveACMEBinding(c.Context(), c.PathValue("kid"), c.by()), "key")
}
