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
	l, err := w.holdLive(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	return l.Write(leaf, chain, key)
}

// Live is a live folder that nobody else writes to meanwhile.
type Live struct {
	w         writer
	dir       string
	release   func() error
	alone     bool // the file system has locks, and the folder's is ours
	made      bool // the folder was not there before
	isWritten bool
}

// HoldLive makes dir with mode 0700 if it is missing, and keeps others from writing
// to it until [Live.Close]: who has something signed that must not be lost holds
// the folder first. Where another process does, the error is a [*LockedError].
func HoldLive(dir string) (*Live, error) { return writer{}.holdLive(dir) }

func (w writer) holdLive(dir string) (*Live, error) {
	_, err := os.Lstat(dir)
	l := &Live{w: w, dir: dir, made: errors.Is(err, fs.ErrNotExist)}
	if err := prepareKeyDir(dir); err != nil {
		return nil, err
	}
	before, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("look at %s: %w", dir, err)
	}
	if l.release, l.alone, err = lockDir(dir); err != nil {
		return nil, err
	}
	// Who closed it just now may have taken the empty folder away, and then the lock is on nothing.
	if after, err := os.Stat(dir); err != nil || !os.SameFile(before, after) {
		return nil, errors.Join(&LockedError{Path: dir}, l.release())
	}
	return l, nil
}

// Close lets others in. A folder that was made for nothing is removed.
func (l *Live) Close() error {
	if l.made && !l.isWritten {
		_ = os.Remove(l.dir) // what somebody else put there stays
	}
	return l.release()
}

// Write does what [WriteLive] says.
func (l *Live) Write(leaf []byte, chain [][]byte, key crypto.Signer) (err error) {
	private, err := pki.MarshalPrivateKeyPEM(key)
	if err != nil {
		return err
	}
	defer clear(private)
	l.isWritten = true
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
		target, err := resolve(filepath.Join(l.dir, f.name))
		if err != nil {
			return err
		}
		folders[filepath.Dir(target)] = true
		if l.alone {
			if err := removeTemps(target); err != nil {
				return err
			}
		}
		if temps[i], err = l.w.writeTemp(target, f.text, f.mode); err != nil {
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
		if err := l.w.reached(stepRenamed, target); err != nil {
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
