package keystore

import (
	"crypto"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tlswright/tlswright/pki"
)

// maxFile bounds what is read from one file, in bytes.
const maxFile = 8 << 20

// PermissionError is a key that others may read or change, or a folder in which
// others could swap it.
type PermissionError struct {
	Path string
	Mode fs.FileMode
	Hint string // the command that puts it right

	passphrase bool // it is not a key but a passphrase
}

// Error implements error.
func (e *PermissionError) Error() string {
	if e.Mode.IsDir() {
		return fmt.Sprintf("folder %s is open to others to write (mode %04o), so a private key in it is not safe", pki.Printable(e.Path), e.Mode.Perm())
	}
	what := "private key"
	if e.passphrase {
		what = "passphrase"
	}
	return fmt.Sprintf("%s %s is open to others (mode %04o)", what, pki.Printable(e.Path), e.Mode.Perm())
}

// WriteKey writes a private key as PKCS #8 PEM, mode 0600, atomically. Missing
// folders are made with mode 0700; an existing folder that others may write to is
// refused with a [*PermissionError].
func WriteKey(path string, key crypto.Signer) error {
	return writer{}.writeKey(path, key, nil, "")
}

// WriteEncryptedKey is [WriteKey] with the key under a passphrase, as
// [pki.MarshalEncryptedPrivateKeyPEM] writes it. An empty passphrase is an error.
func WriteEncryptedKey(path string, key crypto.Signer, passphrase []byte, kdf pki.KDF) error {
	text, err := pki.MarshalEncryptedPrivateKeyPEM(key, passphrase, kdf)
	if err != nil {
		return err
	}
	return writer{}.writeKeyText(path, text)
}

// writeKey encrypts the key if there is a passphrase. Of a key in a token its URI
// is written.
func (w writer) writeKey(path string, key crypto.Signer, passphrase []byte, kdf pki.KDF) error {
	var text []byte
	var err error
	if token, ok := key.(tokenKeyed); ok {
		text = []byte(token.TokenURI() + "\n")
	} else if len(passphrase) > 0 {
		text, err = pki.MarshalEncryptedPrivateKeyPEM(key, passphrase, kdf)
	} else {
		text, err = pki.MarshalPrivateKeyPEM(key)
	}
	if err != nil {
		return err
	}
	defer clear(text)
	return w.writeKeyText(path, text)
}

func (w writer) writeKeyText(path string, text []byte) error {
	if err := prepareKeyDir(filepath.Dir(path)); err != nil {
		return err
	}
	return w.writeFile(path, text, keyMode)
}

// prepareKeyDir makes dir, or checks one that is there.
func prepareKeyDir(dir string) error {
	if err := makeDir(dir, keyDirMode); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("look at %s: %w", dir, err)
	}
	// In a sticky folder (/tmp) others may add files but not replace ours.
	if permissionsCount && info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0 {
		return &PermissionError{Path: dir, Mode: info.Mode(), Hint: "chmod go-w " + quote(dir)}
	}
	return nil
}

// ReadKey is [ReadKeyWith] for keys without a passphrase; an encrypted one gives
// [pki.ErrEncryptedKey].
func ReadKey(path string) (crypto.Signer, error) { return ReadKeyWith(path, nil) }

// ReadKeyWith reads a private key in any form that [pki.ParsePrivateKeyPEMWith]
// knows. A key file that is too open is refused with a [*PermissionError]: one of
// our own must be closed to everybody else; one that belongs to another user
// (root, a deployment tool) may be readable to a group, because that is how it
// reaches us. The passphrase is asked for only if the key is encrypted; one that
// does not open it gives [pki.ErrWrongPassphrase].
//
// A path that begins with "pkcs11:" is the URI of a key in a token (RFC 7512),
// and so may be the one line that such a file holds. The passphrase is then the
// token's PIN, if the URI names none. Builds without PKCS #11 give [ErrNoTokens].
func ReadKeyWith(path string, passphrase PassphraseFunc) (crypto.Signer, error) {
	if IsTokenURI(path) {
		return openTokenKey(path, path, passphrase)
	}
	text, err := readFile(path, checkKeyMode)
	if err != nil {
		return nil, fmt.Errorf("read private key: %w", err)
	}
	defer clear(text)
	if line := strings.TrimSpace(string(text[:min(len(text), maxTokenURI+1)])); IsTokenURI(line) {
		return openTokenKey(line, path, passphrase)
	}
	key, err := pki.ParsePrivateKeyPEMWith(text, passphrase.of(path))
	if err != nil {
		return nil, fmt.Errorf("read private key %s: %w", pki.Printable(path), err)
	}
	return key, nil
}

// ReadSecret reads a file that holds secrets, of any form. One that is too open
// is refused as a private key would be.
func ReadSecret(path string) ([]byte, error) {
	text, err := readFile(path, checkKeyMode)
	if err != nil {
		return nil, fmt.Errorf("read secret: %w", err)
	}
	return text, nil
}

func checkKeyMode(path string, info fs.FileInfo) error {
	return checkMode(path, info, false)
}

// checkSecretMode is checkKeyMode for passphrases.
func checkSecretMode(path string, info fs.FileInfo) error {
	return checkMode(path, info, true)
}

func checkMode(path string, info fs.FileInfo, passphrase bool) error {
	if !permissionsCount || !info.Mode().IsRegular() {
		return nil // a pipe from a secret manager has no mode worth looking at
	}
	forbidden := fs.FileMode(0o077)
	if !ownedByUs(info) {
		forbidden = 0o027
	}
	if info.Mode().Perm()&forbidden != 0 {
		return &PermissionError{Path: path, Mode: info.Mode(), Hint: "chmod 600 " + quote(path), passphrase: passphrase}
	}
	return nil
}

// readFile reads a whole file of at most maxFile bytes. The check sees the file
// that was opened, not what the path names a moment later.
func readFile(path string, check func(string, fs.FileInfo) error) (text []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, fmt.Errorf("%s is a folder, not a file", pki.Printable(path))
	}
	if check != nil {
		if err := check(path, info); err != nil {
			return nil, err
		}
	}
	text, err = io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s has more than %d bytes", pki.Printable(path), maxFile)
	}
	return text, nil
}

// quote makes a path safe to paste into a shell.
func quote(path string) string {
	for _, r := range path {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		case r == '/', r == '.', r == '-', r == '_':
		default:
			return shellQuoted(path)
		}
	}
	return path
}

func shellQuoted(path string) string {
	out := []byte{'\''}
	for i := range len(path) {
		if path[i] == '\'' {
			out = append(out, `'\''`...)
			continue
		}
		out = append(out, path[i])
	}
	return pki.Printable(string(append(out, '\'')))
}
