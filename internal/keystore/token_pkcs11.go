//go:build pkcs11 && cgo

package keystore

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"os"
	"strings"
	"sync"

	"github.com/miekg/pkcs11"

	"github.com/tlswright/tlswright/pki"
)

// TokenKey is a private key that stays in a token. It signs one thing at a time.
type TokenKey struct {
	module *pkcs11.Ctx
	uri    string // without PIN
	public crypto.PublicKey
	object pkcs11.ObjectHandle
	// pin is kept only for keys that want it again for every signature.
	pin string

	mu      sync.Mutex
	session pkcs11.SessionHandle
	closed  bool
}

// Public implements crypto.Signer.
func (k *TokenKey) Public() crypto.PublicKey { return k.public }

// TokenURI is the URI that the key was opened with, without a PIN.
func (k *TokenKey) TokenURI() string { return k.uri }

// Close ends the session with the token. The module stays loaded until the program
// ends, because other keys may be open in it.
func (k *TokenKey) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return nil
	}
	k.closed = true
	if err := k.module.CloseSession(k.session); err != nil {
		return fmt.Errorf("close the session with the token: %w", err)
	}
	return nil
}

// openTokenKey opens the key that a URI names; path is how the user called it.
func openTokenKey(text, path string, ask PassphraseFunc) (crypto.Signer, error) {
	key, err := openToken(text, path, ask)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", withoutPIN(path), err)
	}
	return key, nil
}

func openToken(text, path string, ask PassphraseFunc) (*TokenKey, error) {
	u, err := parseTokenURI(text)
	if err != nil {
		return nil, err
	}
	module, err := loadModule(u)
	if err != nil {
		return nil, err
	}
	slot, err := u.findSlot(module)
	if err != nil {
		return nil, err
	}
	session, err := module.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION)
	if err != nil {
		return nil, fmt.Errorf("open a session with the token: %w", err)
	}
	k := &TokenKey{module: module, uri: uriWithoutPIN(text), session: session}
	if err := k.find(u, path, ask); err != nil {
		return nil, errors.Join(err, module.CloseSession(session))
	}
	return k, nil
}

// uriWithoutPIN leaves PIN attributes out of a URI and keeps the others.
func uriWithoutPIN(text string) string {
	path, query, _ := strings.Cut(text, "?")
	var kept []string
	for attribute := range strings.SplitSeq(query, "&") {
		if attribute != "" && !strings.HasPrefix(attribute, "pin-value=") {
			kept = append(kept, attribute)
		}
	}
	if len(kept) == 0 {
		return path
	}
	return path + "?" + strings.Join(kept, "&")
}

// loadModule loads and initialises the module. It may have been already: it counts
// by process, so nobody here ever finalises it.
func loadModule(u tokenURI) (*pkcs11.Ctx, error) {
	path := u.module
	if path == "" {
		path = os.Getenv(ModuleVariable)
	}
	if path == "" {
		return nil, fmt.Errorf("no PKCS #11 module named: add ?module-path=/path/module.so or set %s", ModuleVariable)
	}
	module := pkcs11.New(path)
	if module == nil {
		return nil, fmt.Errorf("the PKCS #11 module %s cannot be loaded", pki.Printable(path))
	}
	if err := module.Initialize(); err != nil && !errors.Is(err, pkcs11.Error(pkcs11.CKR_CRYPTOKI_ALREADY_INITIALIZED)) {
		return nil, fmt.Errorf("initialise the PKCS #11 module %s: %w", pki.Printable(path), err)
	}
	return module, nil
}

// findSlot finds the one token that the URI describes.
func (u tokenURI) findSlot(module *pkcs11.Ctx) (uint, error) {
	slots, err := module.GetSlotList(true)
	if err != nil {
		return 0, fmt.Errorf("list the tokens: %w", err)
	}
	var found []uint
	for _, slot := range slots {
		info, err := module.GetTokenInfo(slot)
		if err != nil {
			continue // one that was pulled out
		}
		fits := func(want, got string) bool { return want == "" || want == strings.TrimRight(got, " \x00") }
		if (u.slot < 0 || uint(u.slot) == slot) && fits(u.token, info.Label) && fits(u.manufacturer, info.ManufacturerID) &&
			fits(u.serial, info.SerialNumber) && fits(u.model, info.Model) {
			found = append(found, slot)
		}
	}
	switch len(found) {
	case 0:
		return 0, errors.New("no such token is plugged in")
	case 1:
		return found[0], nil
	}
	return 0, fmt.Errorf("%d tokens fit: say more with token=, serial= or slot-id=", len(found))
}

// find logs in and looks for the key and its public half.
func (k *TokenKey) find(u tokenURI, path string, ask PassphraseFunc) error {
	pin, err := u.findPIN(path, ask)
	if err != nil {
		return err
	}
	defer clear(pin)
	err = k.module.Login(k.session, pkcs11.CKU_USER, string(pin))
	switch {
	case errors.Is(err, pkcs11.Error(pkcs11.CKR_PIN_INCORRECT)), errors.Is(err, pkcs11.Error(pkcs11.CKR_PIN_LEN_RANGE)), errors.Is(err, pkcs11.Error(pkcs11.CKR_PIN_INVALID)):
		return fmt.Errorf("%w: the token refuses the PIN", pki.ErrWrongPassphrase)
	case err != nil && !errors.Is(err, pkcs11.Error(pkcs11.CKR_USER_ALREADY_LOGGED_IN)):
		return fmt.Errorf("log in to the token: %w", err)
	}
	if k.object, err = k.one(u, pkcs11.CKO_PRIVATE_KEY); err != nil {
		return err
	}
	if again, err := k.attribute(k.object, pkcs11.CKA_ALWAYS_AUTHENTICATE); err == nil && bytes.Equal(again, []byte{1}) {
		k.pin = string(pin)
	}
	k.public, err = k.readPublic(u)
	return err
}

// one finds the one object of a class that the URI describes.
func (k *TokenKey) one(u tokenURI, class uint) (pkcs11.ObjectHandle, error) {
	template := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, class)}
	if u.object != "" {
		template = append(template, pkcs11.NewAttribute(pkcs11.CKA_LABEL, u.object))
	}
	if u.id != "" {
		template = append(template, pkcs11.NewAttribute(pkcs11.CKA_ID, []byte(u.id)))
	}
	if err := k.module.FindObjectsInit(k.session, template); err != nil {
		return 0, fmt.Errorf("search the token: %w", err)
	}
	found, _, err := k.module.FindObjects(k.session, 2)
	if err := errors.Join(err, k.module.FindObjectsFinal(k.session)); err != nil {
		return 0, fmt.Errorf("search the token: %w", err)
	}
	switch len(found) {
	case 0:
		return 0, errors.New("the token has no such key")
	case 1:
		return found[0], nil
	}
	return 0, errors.New("the token has several such keys: say more with object= and id=")
}

func (k *TokenKey) attribute(object pkcs11.ObjectHandle, kind uint) ([]byte, error) {
	list, err := k.module.GetAttributeValue(k.session, object, []*pkcs11.Attribute{pkcs11.NewAttribute(kind, nil)})
	if err != nil {
		return nil, err
	}
	if len(list) != 1 {
		return nil, errors.New("the token gives no such attribute")
	}
	return list[0].Value, nil
}

// readPublic reads the public key: of RSA from the private key's object, of curves
// from the public key beside it, which has the same identifier.
func (k *TokenKey) readPublic(u tokenURI) (crypto.PublicKey, error) {
	modulus, err := k.attribute(k.object, pkcs11.CKA_MODULUS)
	if err == nil && len(modulus) > 0 {
		exponent, err := k.attribute(k.object, pkcs11.CKA_PUBLIC_EXPONENT)
		if err != nil {
			return nil, fmt.Errorf("read the public key: %w", err)
		}
		e := new(big.Int).SetBytes(exponent)
		if !e.IsInt64() || e.Int64() > 1<<31-1 || len(modulus) > pki.MaxRSABits/8 {
			return nil, errors.New("an RSA key beyond all bounds")
		}
		return &rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: int(e.Int64())}, nil
	}
	if id, err := k.attribute(k.object, pkcs11.CKA_ID); err == nil && len(id) > 0 {
		u.id = string(id)
	}
	object, err := k.one(tokenURI{object: u.object, id: u.id}, pkcs11.CKO_PUBLIC_KEY)
	if err != nil {
		return nil, fmt.Errorf("find the public key: %w", err)
	}
	parameters, err := k.attribute(object, pkcs11.CKA_EC_PARAMS)
	if err != nil {
		return nil, fmt.Errorf("read the public key's curve: %w", err)
	}
	point, err := k.attribute(object, pkcs11.CKA_EC_POINT)
	if err != nil {
		return nil, fmt.Errorf("read the public key: %w", err)
	}
	return curveKey(parameters, point)
}

// curveKey makes a public key of CKA_EC_PARAMS and CKA_EC_POINT.
func curveKey(parameters, point []byte) (crypto.PublicKey, error) {
	var raw []byte
	if rest, err := asn1.Unmarshal(point, &raw); err != nil || len(rest) > 0 {
		raw = point // some tokens leave the OCTET STRING out
	}
	var oid asn1.ObjectIdentifier
	if rest, err := asn1.Unmarshal(parameters, &oid); err != nil || len(rest) > 0 {
		var name string
		if _, err := asn1.Unmarshal(parameters, &name); err == nil && name == "edwards25519" {
			oid = asn1.ObjectIdentifier{1, 3, 101, 112}
		}
	}
	switch oid.String() {
	case "1.2.840.10045.3.1.7":
		return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), raw)
	case "1.3.132.0.34":
		return ecdsa.ParseUncompressedPublicKey(elliptic.P384(), raw)
	case "1.3.132.0.35":
		return ecdsa.ParseUncompressedPublicKey(elliptic.P521(), raw)
	case "1.3.101.112":
		if len(raw) == ed25519.PublicKeySize {
			return ed25519.PublicKey(raw), nil
		}
	}
	return nil, errors.New("a key on a curve that is not used here")
}
