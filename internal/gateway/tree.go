package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// tree is one folder that may be shown to the world, minus what must never be: names that start with a dot, private
// keys, the home of tlswright, and everything that a symbolic link would reach outside of the folder.
type tree struct {
	root    *os.Root
	private []os.FileInfo // folders that are never entered, wherever they lie
}

// notServed says why a path of the tree is not for the world. The world is told "not found"; the operator is told this.
type notServed struct{ reason string }

func (e *notServed) Error() string { return e.reason }

const (
	maxLinks     = 32
	keyScanWhole = 16 << 20 // bytes; files up to this size are looked through as a whole
	keyScanEnd   = 1 << 20  // bytes at each end of a larger file
)

// openTree opens dir for serving. A folder that is the home of tlswright, or lies inside it, is refused as a whole.
func openTree(dir, home string) (*tree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	t := &tree{root: root}
	info, err := os.Stat(home)
	if errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	t.private = append(t.private, info)
	inside, err := isInside(dir, info)
	if err == nil && inside {
		err = fmt.Errorf("%s holds private keys of tlswright and is never served", dir)
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	return t, nil
}

// isInside reports whether dir is the folder described by info, or lies below it.
func isInside(dir string, info os.FileInfo) (bool, error) {
	at, err := filepath.Abs(dir)
	if err == nil {
		at, err = filepath.EvalSymlinks(at)
	}
	if err != nil {
		return false, err
	}
	for {
		here, err := os.Stat(at)
		if err != nil {
			return false, err
		}
		if os.SameFile(here, info) {
			return true, nil
		}
		up := filepath.Dir(at)
		if up == at {
			return false, nil
		}
		at = up
	}
}

func (t *tree) close() error { return t.root.Close() }

// resolve follows name, a slash-separated path below the root, to what it finally means: a path without symbolic
// links. os.Root already holds every link inside the folder; walking them here as well makes sure that a link with a
// harmless name does not lead to a hidden file or into a private folder.
func (t *tree) resolve(name string) (string, os.FileInfo, error) {
	todo := splitPath(path.Clean("/" + name))
	at, links := ".", 0
	info, err := t.root.Lstat(at)
	for err == nil && len(todo) > 0 {
		step := todo[0]
		todo = todo[1:]
		switch {
		case step == "..":
			if at == "." {
				return "", nil, &notServed{"a link leads out of the folder"}
			}
			at = path.Dir(at)
		case strings.HasPrefix(step, "."):
			return "", nil, &notServed{"its name starts with a dot"}
		default:
			at = path.Join(at, step)
		}
		if info, err = t.root.Lstat(at); err != nil {
			break
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			if links++; links > maxLinks {
				return "", nil, &notServed{"too many links"}
			}
			target, err := t.root.Readlink(at)
			if err != nil {
				return "", nil, err
			}
			if path.IsAbs(filepath.ToSlash(target)) {
				return "", nil, &notServed{"a link leads out of the folder"}
			}
			todo = append(splitPath(filepath.ToSlash(target)), todo...)
			at = path.Dir(at)
			continue
		}
		if t.isPrivate(info) {
			return "", nil, &notServed{"it is the home of tlswright"}
		}
	}
	if err != nil {
		return "", nil, err
	}
	if info.Mode()&fs.ModeSymlink != 0 { // a link to "." as the last step
		info, err = t.root.Lstat(at)
	}
	return at, info, err
}

// splitPath returns the steps of p without empty ones and ".".
func splitPath(p string) []string {
	var steps []string
	for s := range strings.SplitSeq(p, "/") {
		if s != "" && s != "." {
			steps = append(steps, s)
		}
	}
	return steps
}

func (t *tree) isPrivate(info os.FileInfo) bool {
	for _, p := range t.private {
		if os.SameFile(p, info) {
			return true
		}
	}
	return false
}

// open opens a path that resolve returned, for reading. Anything but a regular file without a private key is refused.
func (t *tree) open(resolved string) (*os.File, os.FileInfo, error) {
	if hasKeySuffix(resolved) {
		return nil, nil, &notServed{"its name is one of a key file"}
	}
	// A named pipe must not be opened: that would wait for a writer.
	if info, err := t.root.Lstat(resolved); err != nil {
		return nil, nil, err
	} else if !info.Mode().IsRegular() {
		return nil, nil, &notServed{"it is no regular file"}
	}
	f, err := t.root.Open(resolved)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &notServed{"it is no regular file"}
	}
	if err == nil {
		err = refuseKey(f, info.Size())
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// list returns the entries of a folder that resolve returned which the world may see, sorted by name.
func (t *tree) list(resolved string) ([]os.FileInfo, error) {
	f, err := t.root.Open(resolved)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var seen []os.FileInfo
	for _, name := range names {
		if hasKeySuffix(name) {
			continue
		}
		_, info, err := t.resolve(path.Join(resolved, name))
		if err != nil || !info.IsDir() && !info.Mode().IsRegular() {
			continue
		}
		seen = append(seen, named{info, name})
	}
	return seen, nil
}

// named is a file's facts under the name of the link that leads to it.
type named struct {
	os.FileInfo
	name string
}

func (n named) Name() string { return n.name }

// hasKeySuffix knows the names under which keys and key stores usually go; their content is often not PEM.
func hasKeySuffix(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".key", ".p12", ".pfx", ".jks", ".keystore", ".pvk", ".ppk":
		return true
	}
	return false
}

// refuseKey looks for a PEM private key: everywhere in a file of up to keyScanWhole bytes, at both ends of a larger
// one. Certificates and their keys are small files; the limit keeps the look at a disk image short.
func refuseKey(f io.ReaderAt, size int64) error {
	spans := [][2]int64{{0, size}}
	if size > keyScanWhole {
		spans = [][2]int64{{0, keyScanEnd}, {size - keyScanEnd, keyScanEnd}}
	}
	buf := make([]byte, min(size, 64<<10))
	for _, span := range spans {
		found, err := scanForKey(io.NewSectionReader(f, span[0], span[1]), buf)
		if err != nil {
			return err
		}
		if found {
			return &notServed{"it holds a private key"}
		}
	}
	return nil
}

// scanForKey reads r to its end through buf. The tail of each piece is looked at again with the next one, so that a
// line on the border is seen whole.
func scanForKey(r io.Reader, buf []byte) (found bool, err error) {
	const tail = 80
	kept := 0
	for {
		n, err := io.ReadFull(r, buf[kept:])
		if holdsPrivateKey(buf[:kept+n]) {
			return true, nil
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if kept+n == len(buf) && len(buf) <= tail {
			return false, nil // the whole file fits into less than a line
		}
		kept = copy(buf, buf[len(buf)-tail:])
	}
}

// holdsPrivateKey reports whether text has the first line of a PEM private key of any kind: PKCS#8, encrypted, RSA,
// EC, OpenSSH, PGP.
func holdsPrivateKey(text []byte) bool {
	for {
		at := bytes.Index(text, []byte("PRIVATE KEY"))
		if at < 0 {
			return false
		}
		line := text[bytes.LastIndexByte(text[:at], '\n')+1 : at]
		if bytes.Contains(line, []byte("-----BEGIN ")) {
			return true
		}
		text = text[at+len("PRIVATE KEY"):]
	}
}
