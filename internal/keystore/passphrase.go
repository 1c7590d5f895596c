package keystore

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/tlswright/tlswright/pki"
)

// PassphraseFunc gets the passphrase of the private key at path, from a person or
// from wherever it is kept. It is called only for a key that is encrypted.
type PassphraseFunc func(path string) ([]byte, error)

// of binds the function to one path; nil stays nil, which tells encrypted keys
// apart.
func (f PassphraseFunc) of(path string) func() ([]byte, error) {
	if f == nil {
		return nil
	}
	return func() ([]byte, error) { return f(path) }
}

// maxPassphraseFile bounds a passphrase file, in bytes.
const maxPassphraseFile = 4096

// ReadPassphraseFile reads a passphrase: the first line of the file, without its
// line end, as openssl's file: source does. The file is refused with a
// [*PermissionError] if others can read it, as a private key would be. A pipe will
// do. An empty first line is an error.
func ReadPassphraseFile(path string) ([]byte, error) {
	text, err := readFile(path, checkSecretMode)
	if err != nil {
		return nil, fmt.Errorf("read passphrase: %w", err)
	}
	defer clear(text)
	line, _, _ := bytes.Cut(text, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	switch {
	case len(line) == 0:
		return nil, fmt.Errorf("read passphrase: the first line of %s is empty", pki.Printable(path))
	case len(line) > maxPassphraseFile:
		return nil, fmt.Errorf("read passphrase: the first line of %s has more than %d bytes", pki.Printable(path), maxPassphraseFile)
	case bytes.IndexByte(line, 0) >= 0:
		return nil, errors.New("read passphrase: a zero byte in it")
	}
	return bytes.Clone(line), nil
}
