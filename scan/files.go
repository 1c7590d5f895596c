package scan

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/pki"
)

// The kinds of files, as they stand in grade.FileFact.
const (
	fileKey     = "private key"
	fileCert    = "certificate"
	filePins    = "pin set"
	fileConfig  = "configuration"
	fileTickets = "ticket key" // of a server's session tickets: who has it reads TLS 1.2 connections made with them
	fileOther   = "other"
)

// FilesOptions say what else is known while files are looked at.
type FilesOptions struct {
	// Served are the pins of public keys, "sha256/BASE64", in the chains that servers send: a pin set needs one outside them.
	Served []string
}

// What is looked at of the files of a machine.
const (
	maxFiles      = 10000
	maxFileRead   = 1 << 20 // bytes of one file
	maxFilesDepth = 16      // of folders, and of configurations that include others
)

var errTooManyFiles = fmt.Errorf("more than %d files", maxFiles)

// Files looks at private keys, pin sets and the configurations of servers: who may read and replace them, and whether pins
// have a backup. A folder stands for all in it that is one of these; a configuration of nginx, Apache, HAProxy, Postfix,
// Dovecot, lighttpd or PostgreSQL stands for the files that it names, too. Nothing is changed, and no key is asked for its
// passphrase. The error is that of a path that was named and cannot be read.
func Files(paths []string, o FilesOptions) ([]grade.FileFact, error) {
	l := &fileLook{o: o, seen: make(map[string]bool), keys: make(map[string]string), owners: make(map[string]string), patterns: pinPatterns()}
	for _, p := range paths {
		if err := l.path(p); err != nil {
			return l.facts, err
		}
	}
	return l.facts, nil
}

// fileLook is one call of Files.
type fileLook struct {
	o        FilesOptions
	facts    []grade.FileFact
	seen     map[string]bool   // by real path
	keys     map[string]string // path of a key by its pin
	owners   map[string]string // names by number: "u0", "g0"
	patterns []pinPattern
}

// path looks at a file or folder that was named.
func (l *fileLook) path(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return l.file(path, "", true, 0)
	}
	base := strings.Count(filepath.Clean(path), string(filepath.Separator))
	return filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && p == path:
			return err
		case err != nil: // a folder that is closed to us is none of the ones that everybody reads
			if d != nil && d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			if strings.Count(filepath.Clean(p), string(filepath.Separator))-base > maxFilesDepth {
				return fs.SkipDir
			}
			return nil
		}
		return l.file(p, "", false, 0)
	})
}

// file looks at one file. hint is its kind by what names it, "" where nothing does; named files are reported whatever they
// are, those found in a folder only if they are of use.
func (l *fileLook) file(path, hint string, named bool, depth int) error {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return l.unreadable(path, hint, named, err)
	}
	if absolute, err := filepath.Abs(real); err == nil {
		real = absolute
	}
	if l.seen[real] {
		return nil
	}
	l.seen[real] = true
	info, err := os.Stat(real)
	if err != nil {
		return l.unreadable(path, hint, named, err)
	}
	if !info.Mode().IsRegular() {
		return nil
	}
	if len(l.seen) > maxFiles {
		return errTooManyFiles
	}
	content, readErr := readSome(real)
	f := grade.FileFact{Path: pki.Printable(path), Kind: cmpKind(hint, l.kindOf(content)), Mode: fmt.Sprintf("%04o", info.Mode().Perm())}
	l.describeOwner(&f, info)
	if readErr != nil {
		f.Text = "cannot be read: " + plainReason(readErr)
	}
	switch f.Kind {
	case fileKey, fileTickets:
		l.key(&f, real, info, content)
	case filePins:
		l.pins(&f, content)
	case fileConfig:
		return l.config(f, real, content, depth)
	case fileOther:
		if !named {
			return nil
		}
	case fileCert:
		if !named {
			return nil
		}
	}
	l.facts = append(l.facts, f)
	return nil
}

func cmpKind(hint, found string) string {
	if hint != "" && found == fileOther {
		return hint
	}
	return found
}

// unreadable reports a file that is named and not there.
func (l *fileLook) unreadable(path, hint string, named bool, err error) error {
	switch {
	case hint != "": // a configuration names it
		l.facts = append(l.facts, grade.FileFact{Path: pki.Printable(path), Kind: hint, Text: "cannot be read: " + plainReason(err)})
		return nil
	case named:
		return err
	}
	return nil
}

// plainReason is an error without the path, which stands beside it.
func plainReason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return pki.Printable(err.Error())
}

// readSome reads the beginning of a file.
func readSome(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFileRead))
}

// kindOf tells what a file is by what is in it.
func (l *fileLook) kindOf(content []byte) string {
	switch {
	case bytes.Contains(content, []byte("PRIVATE KEY-----")), pki.IsPrivateKeyDER(content), containerOf(content) != "":
		return fileKey
	case bytes.Contains(content, []byte("-----BEGIN CERTIFICATE-----")):
		return fileCert
	case bytes.IndexByte(content, 0) >= 0:
		return fileOther
	case len(namedFiles(content)) > 0:
		return fileConfig
	case len(l.findPins(content)) > 0:
		return filePins
	}
	return fileOther
}

// containerOf recognizes the key stores of Java and of PKCS #12 (RFC 7292, Section 4) by how they begin.
func containerOf(content []byte) string {
	switch {
	case bytes.HasPrefix(content, []byte{0xfe, 0xed, 0xfe, 0xed}):
		return "Java key store"
	case bytes.HasPrefix(content, []byte{0xce, 0xce, 0xce, 0xce}):
		return "Java key store (JCEKS)"
	case len(content) > 8 && content[0] == 0x30 && bytes.Contains(content[:8], []byte{0x02, 0x01, 0x03, 0x30}):
		return "PKCS #12"
	}
	return ""
}

// describeOwner notes whom a file belongs to.
func (l *fileLook) describeOwner(f *grade.FileFact, info fs.FileInfo) {
	user, group, ok := ownerOf(info)
	if !ok {
		return
	}
	f.Owner, f.Group = l.ownerName("u", user), l.ownerName("g", group)
}

// ownerName finds the name of a user ("u") or group ("g"), and remembers it.
func (l *fileLook) ownerName(kind, id string) string {
	name, known := l.owners[kind+id]
	if !known {
		name = pki.Printable(lookUpOwner(kind, id))
		l.owners[kind+id] = name
	}
	return name
}

// note adds to what is said of a file.
func note(f *grade.FileFact, text string) {
	if text == "" || slices.Contains(strings.Split(f.Text, "; "), text) {
		return
	}
	if f.Text != "" {
		f.Text += "; "
	}
	f.Text += text
}
