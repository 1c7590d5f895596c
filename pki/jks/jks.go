package jks

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	keystore "github.com/pavlo-v-chernykh/keystore-go/v4"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

// Bounds on a file.
const (
	maxFile     = 8 << 20 // bytes
	maxEntries  = 4000
	maxChain    = 32        // certificates of one key
	maxAlias    = 1024      // bytes
	maxPassword = 1024      // bytes
	maxKey      = 128 << 10 // bytes, encrypted
	minPassword = 6         // characters, as keytool demands them
)

// ErrWrongPassword is returned when the password does not fit the file or a key in
// it, which cannot be told from a file that was damaged.
var ErrWrongPassword = errors.New("the password does not open the Java key store")

// Entry is one entry of a store.
type Entry struct {
	// Alias names the entry; Java does not tell capitals apart. It may hold anything:
	// make it printable before it is shown.
	Alias string
	// Created is when the entry was made, to the millisecond. Where it is zero, Encode
	// writes when the certificate became valid.
	Created time.Time
	// Key is the private key; nil: the entry is a certificate to trust.
	Key crypto.Signer
	// Chain is the chain of the key, leaf first; or the one certificate to trust.
	Chain []*x509.Certificate
}

// Is reports whether data looks like a Java key store: by its first four bytes.
func Is(data []byte) bool { return bytes.HasPrefix(data, []byte{0xfe, 0xed, 0xfe, 0xed}) }

// Decode reads a store of at most 8 MiB, entries in the order of their aliases.
// The passwords of the keys are that of the store unless keyPassword says
// otherwise; nil: it does not. A password that does not fit gives
// [ErrWrongPassword].
func Decode(data, password []byte, keyPassword func(alias string) ([]byte, error)) ([]Entry, error) {
	entries, err := decode(data, password, keyPassword)
	if err != nil {
		return nil, fmt.Errorf("read Java key store: %w", err)
	}
	return entries, nil
}

func decode(data, password []byte, keyPassword func(alias string) ([]byte, error)) ([]Entry, error) {
	if err := survey(data); err != nil {
		return nil, err
	}
	latin, err := latin1(password)
	if err != nil {
		return nil, err
	}
	defer clear(latin)
	store := keystore.New(keystore.WithOrderedAliases(), keystore.WithCaseExactAliases())
	if err := store.Load(bytes.NewReader(data), latin); err != nil {
		// The outline was sound, so it is the digest over all that failed.
		return nil, ErrWrongPassword
	}
	var entries []Entry
	for _, alias := range store.Aliases() {
		e := Entry{Alias: alias}
		if store.IsPrivateKeyEntry(alias) {
			err = e.readKey(store, latin, keyPassword)
		} else {
			err = e.readTrusted(store)
		}
		if err != nil {
			return nil, fmt.Errorf("entry %q: %w", pki.Printable(alias), err)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

func (e *Entry) readKey(store keystore.KeyStore, password []byte, keyPassword func(string) ([]byte, error)) error {
	if keyPassword != nil {
		secret, err := keyPassword(e.Alias)
		if err != nil {
			return fmt.Errorf("get its password: %w", err)
		}
		if password, err = latin1(secret); err != nil {
			return err
		}
		defer clear(password)
	}
	entry, err := store.GetPrivateKeyEntry(e.Alias, password)
	if err != nil {
		return ErrWrongPassword
	}
	defer clear(entry.PrivateKey)
	e.Created = entry.CreationTime.UTC()
	if e.Key, err = pki.ParsePrivateKeyDER(entry.PrivateKey, nil); err != nil {
		return err
	}
	for _, c := range entry.CertificateChain {
		if err := e.add(c); err != nil {
			return err
		}
	}
	return nil
}

func (e *Entry) readTrusted(store keystore.KeyStore) error {
	entry, err := store.GetTrustedCertificateEntry(e.Alias)
	if err != nil {
		return err
	}
	e.Created = entry.CreationTime.UTC()
	return e.add(entry.Certificate)
}

func (e *Entry) add(c keystore.Certificate) error {
	if c.Type != certificateType && c.Type != "X509" {
		return fmt.Errorf("a certificate of type %q", pki.Printable(c.Type))
	}
	cert, err := cert.ParseX509(c.Content)
	if err != nil {
		return err
	}
	e.Chain = append(e.Chain, cert)
	return nil
}

// certificateType is how Java calls X.509.
const certificateType = "X.509"

// Encode writes a store; keys are under the same password as the whole. What
// keytool could not open is refused with a [*pki.RefusedError]: a password of less
// than six characters, an alias that is there twice, a key without its
// certificate.
func Encode(entries []Entry, password []byte) ([]byte, error) {
	data, err := encode(entries, password)
	if err != nil {
		return nil, fmt.Errorf("write Java key store: %w", err)
	}
	return data, nil
}

func encode(entries []Entry, password []byte) ([]byte, error) {
	latin, err := latin1(password)
	if err != nil {
		return nil, err
	}
	defer clear(latin)
	switch {
	case len(latin) < minPassword:
		return nil, &pki.RefusedError{Reason: fmt.Sprintf("a password of less than %d characters, which Java refuses", minPassword), Hint: "choose a longer password"}
	case len(entries) == 0:
		return nil, &pki.RefusedError{Reason: "there is nothing to write", Hint: "give a private key with its certificate, or certificates to trust"}
	case len(entries) > maxEntries:
		return nil, &pki.RefusedError{Reason: fmt.Sprintf("%d entries are more than %d", len(entries), maxEntries), Hint: "write several stores"}
	}
	store := keystore.New(keystore.WithOrderedAliases(), keystore.WithMinPasswordLen(minPassword))
	seen := make(map[string]bool)
	for _, e := range entries {
		alias := strings.ToLower(e.Alias)
		if seen[alias] {
			return nil, &pki.RefusedError{Reason: fmt.Sprintf("the alias %q is there twice; capitals do not count", pki.Printable(alias)), Hint: "choose another alias"}
		}
		seen[alias] = true
		if err := e.store(store, alias, latin); err != nil {
			return nil, err
		}
	}
	var out bytes.Buffer
	if err := store.Store(&out, latin); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func (e Entry) store(store keystore.KeyStore, alias string, password []byte) error {
	switch {
	case alias == "" || len(alias) > maxAlias || !utf8.ValidString(alias) || strings.ContainsRune(alias, 0):
		return &pki.RefusedError{Reason: fmt.Sprintf("%q cannot be an alias", pki.Printable(alias)), Hint: "choose a short name"}
	case len(e.Chain) == 0 || slices.Contains(e.Chain, nil):
		return &pki.RefusedError{Reason: fmt.Sprintf("the entry %q has no certificate", pki.Printable(alias)), Hint: "give its certificate too"}
	case len(e.Chain) > maxChain, e.Key == nil && len(e.Chain) != 1:
		return &pki.RefusedError{Reason: fmt.Sprintf("the entry %q has %d certificates", pki.Printable(alias), len(e.Chain)), Hint: "give each certificate to trust an entry"}
	case e.Key != nil && e.Chain[0].PublicKey != nil && !pki.SameKey(e.Chain[0].PublicKey, e.Key.Public()):
		return &pki.RefusedError{Reason: fmt.Sprintf("the private key of %q does not belong to its first certificate", pki.Printable(alias)), Hint: "put the leaf first"}
	}
	created := e.Created
	if created.IsZero() {
		created = e.Chain[0].NotBefore
	}
	var chain []keystore.Certificate
	for _, c := range e.Chain {
		chain = append(chain, keystore.Certificate{Type: certificateType, Content: c.Raw})
	}
	if e.Key == nil {
		return store.SetTrustedCertificateEntry(alias, keystore.TrustedCertificateEntry{CreationTime: created, Certificate: chain[0]})
	}
	plain, err := pki.MarshalPrivateKeyDER(e.Key)
	if err != nil {
		return err
	}
	defer clear(plain)
	return store.SetPrivateKeyEntry(alias, keystore.PrivateKeyEntry{CreationTime: created, PrivateKey: plain, CertificateChain: chain}, password)
}

// latin1 is a password with one byte for each character. Java takes two; the
// library puts the upper one to zero.
func latin1(password []byte) ([]byte, error) {
	if len(password) > maxPassword {
		return nil, fmt.Errorf("a password of more than %d bytes", maxPassword)
	}
	out := make([]byte, 0, len(password))
	for _, r := range string(password) {
		if r > 0xff {
			return nil, errors.New("a password with characters beyond Latin-1, which this format is not read with")
		}
		out = append(out, byte(r))
	}
	return out, nil
}
