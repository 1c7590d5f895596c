package keystore

import (
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tlswright/tlswright/pki"
)

// The files of a live folder, named as certbot names them.
const (
	CertFile      = "cert.pem"      // the leaf
	ChainFile     = "chain.pem"     // what goes between leaf and root
	FullChainFile = "fullchain.pem" // both, in the order in which a server sends them
	KeyFile       = "privkey.pem"
)

// WriteLive writes cert.pem, chain.pem, fullchain.pem and privkey.pem into dir,
// which is made with mode 0700 if missing. All four are complete on disk before
// the first takes its name, so no crash leaves half a file; a crash between the
// four renames can leave files of two generations, which [LoadIdentity] notices.
func WriteLive(dir string, leaf []byte, chain [][]byte, key crypto.Signer) error {
	return writer{}.writeLive(dir, leaf, chain, key)
}

func (w writer) writeLive(dir string, leaf []byte, chain [][]byte, key crypto.Signer) (err error) {
	private, err := pki.MarshalPrivateKeyPEM(key)
	if err != nil {
		return err
	}
	defer clear(private)
	if err := prepareKeyDir(dir); err != nil {
		return err
	}
	release, alone, err := lockDir(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	full := append([][]byte{leaf}, chain...)
	files := []struct {
		name string
		text []byte
		mode fs.FileMode
	}{
		{KeyFile, private, keyMode},
		{CertFile, encode(full[:1]), certMode},
		{ChainFile, encode(chain), certMode},
		{FullChainFile, encode(full), certMode},
	}
	moves := make(map[string]string) // temporary name → final name, while not renamed
	defer func() {
		for temp := range moves {
			err = errors.Join(err, os.Remove(temp))
		}
	}()
	temps := make([]string, len(files))
	folders := make(map[string]bool) // more than one where the files are symlinks
	for i, f := range files {
		target, err := resolve(filepath.Join(dir, f.name))
		if err != nil {
			return err
		}
		folders[filepath.Dir(target)] = true
		if alone {
			if err := removeTemps(target); err != nil {
				return err
			}
		}
		if temps[i], err = w.writeTemp(target, f.text, f.mode); err != nil {
			return err
		}
		moves[temps[i]] = target
	}
	for _, temp := range temps {
		target := moves[temp]
		if err := os.Rename(temp, target); err != nil {
			return fmt.Errorf("put %s in place: %w", target, err)
		}
		delete(moves, temp)
		if err := w.reached(stepRenamed, target); err != nil {
			return err
		}
	}
	for folder := range folders {
		if err := syncDir(folder); err != nil {
			return err
		}
	}
	return nil
}
