//go:build !pkcs11 || !cgo

package keystore

import (
	"crypto"
	"fmt"
)

func openTokenKey(uri, _ string, _ PassphraseFunc) (crypto.Signer, error) {
	return nil, fmt.Errorf("open %s: %w", withoutPIN(uri), ErrNoTokens)
}
