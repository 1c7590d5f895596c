package scan

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/pki"
)

// Who may do what, in the bits of a mode.
const (
	groupReads   fs.FileMode = 0o040
	groupWrites  fs.FileMode = 0o020
	othersRead   fs.FileMode = 0o004
	othersWrite  fs.FileMode = 0o002
	closedToAll              = "chmod 600"
	closedFolder             = "chmod o-w"
)

// key says who may read and replace a private key.
func (l *fileLook) key(f *grade.FileFact, real string, info fs.FileInfo, content []byte) {
	l.describeKey(f, content)
	if f.Owner == "" {
		note(f, "who may read it is not known on this system")
		return
	}
	mode := info.Mode().Perm()
	problem := func(format string, args ...any) { f.Problems = append(f.Problems, fmt.Sprintf(format, args...)) }
	switch {
	case mode&othersWrite != 0:
		problem("everybody on this machine can read and replace it (mode %s): %s %s", f.Mode, closedToAll, f.Path)
	case mode&othersRead != 0:
		problem("everybody on this machine can read it (mode %s): %s %s", f.Mode, closedToAll, f.Path)
	}
	if mode&othersRead == 0 && mode&groupReads != 0 {
		if isKeyGroup(f.Group, f.Owner) {
			note(f, "the group "+f.Group+" can read it")
		} else {
			problem("the group %s can read it (mode %s): chmod g-r %s", f.Group, f.Mode, f.Path)
		}
	}
	if mode&othersWrite == 0 && mode&groupWrites != 0 && f.Group != f.Owner {
		problem("the group %s can replace it (mode %s): chmod g-w %s", f.Group, f.Mode, f.Path)
	}
	if folder := openFolder(real); folder != "" {
		problem("everybody can put another file in its place, for the folder %s can be written by all: %s %s", pki.Printable(folder), closedFolder, pki.Printable(folder))
	}
	if f.Owner == "nobody" {
		problem("it belongs to the user nobody, as whom other services run: give it an owner of its own")
	}
}

// isKeyGroup knows the groups that may read keys: root's, the owner's own, and the one that Debian has for the purpose.
func isKeyGroup(group, owner string) bool {
	switch group {
	case "root", "wheel", "ssl-cert", owner:
		return true
	}
	return false
}

// openFolder finds a folder on the way to a file in which everybody may put a file in the place of another; "": none.
func openFolder(path string) string {
	for folder := filepath.Dir(path); ; folder = filepath.Dir(folder) {
		info, err := os.Stat(folder)
		if err == nil && info.Mode().Perm()&othersWrite != 0 && info.Mode()&fs.ModeSticky == 0 {
			return folder
		}
		if folder == filepath.Dir(folder) {
			return ""
		}
	}
}

// describeKey says which key it is, whether a passphrase protects it, and where else it lies.
func (l *fileLook) describeKey(f *grade.FileFact, content []byte) {
	if kind := containerOf(content); kind != "" {
		note(f, kind+", which has a password of its own")
		return
	}
	if f.Kind == fileTickets {
		note(f, "who has it reads the TLS 1.2 connections whose tickets it made")
		return
	}
	if len(content) == 0 {
		return
	}
	key, err := pki.ParsePrivateKeyPEM(content)
	if err != nil && pki.IsPrivateKeyDER(content) {
		key, err = pki.ParsePrivateKeyDER(content, nil)
	}
	switch {
	case errors.Is(err, pki.ErrEncryptedKey):
		note(f, "encrypted")
		return
	case err != nil:
		note(f, "cannot be understood: "+pki.Printable(err.Error()))
		return
	}
	f.Key = pki.DescribeKey(key.Public())
	note(f, "not encrypted")
	pin, err := pki.PinPublicKey(key.Public())
	if err != nil {
		return
	}
	if first, known := l.keys[pin.String()]; known {
		note(f, "the same key as in "+first)
	} else {
		l.keys[pin.String()] = f.Path
	}
	for _, served := range l.o.Served {
		if served == pin.String() {
			note(f, "the key of a server that was scanned")
			break
		}
	}
}
