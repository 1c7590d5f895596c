package acmeclient

import (
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
)

// The folders of a tree.
const (
	liveDir     = "live"
	archiveDir  = "archive"
	renewalDir  = "renewal"
	accountsDir = "accounts"
	nextKeyFile = "nextkey.pem"
)

// parts are the files of a generation, the key first: whoever reads between two links finds a certificate that is older
// than its key, and tries again.
func parts() []string { return []string{"privkey", "cert", "chain", "fullchain"} }

// Tree is the folder in which certificates are kept.
type Tree struct {
	dir   string
	group int // gid that may read keys; -1: nobody but the owner
}

// OpenTree opens a folder, which is made if it is missing, and repairs what a crash left.
func OpenTree(dir string) (*Tree, error) {
	t := &Tree{dir: dir, group: -1}
	for _, d := range []string{"", liveDir, archiveDir, renewalDir, accountsDir} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return nil, err
		}
	}
	return t, t.repair()
}

// Dir is the folder.
func (t *Tree) Dir() string { return t.dir }

// Live is the folder of links of a certificate.
func (t *Tree) Live(name string) string { return filepath.Join(t.dir, liveDir, name) }

// ErrNotFound is returned, wrapped, for a certificate that is not in the tree.
var ErrNotFound = errors.New("there is no certificate of that name")

// Certificate is a certificate of the tree with the way it was obtained.
type Certificate struct {
	Name       string
	Generation int
	Chain      [][]byte // DER, leaf first
	Renewal    Renewal
}

// Renewal says how a certificate was obtained, and is to be again.
type Renewal struct {
	Server     string    `json:"server"`
	Names      []string  `json:"names"`
	KeyType    string    `json:"key_type"` // one of pki.KeyTypes; "": P-256
	Profile    string    `json:"profile,omitempty"`
	ReuseKey   bool      `json:"reuse_key,omitempty"`
	StageKey   bool      `json:"stage_key,omitempty"` // keep a key for the next generation ready
	MustStaple bool      `json:"must_staple,omitempty"`
	Challenge  Challenge `json:"challenge"`
	Hooks      Hooks     `json:"hooks,omitzero"`
	// PreferredChain is the common name of an authority: of several chains that the server offers, the one in which it
	// issued is kept.
	PreferredChain string `json:"preferred_chain,omitempty"`
	// Installer is the server that is to use the certificate: [NginxServer] or "". InstallPending says that it could not be
	// told of the newest one, which is tried again.
	Installer      string    `json:"installer,omitempty"`
	Nginx          *Nginx    `json:"nginx,omitempty"`
	InstallPending bool      `json:"install_pending,omitempty"`
	Obtained       time.Time `json:"obtained"`
	// NextTry is not before when a renewal is tried again after one that failed.
	NextTry time.Time `json:"next_try,omitzero"`
	Fails   int       `json:"fails,omitempty"`
	// WindowStart and WindowEnd are what the server suggested (RFC 9773), and Chosen the moment in it.
	WindowStart time.Time `json:"window_start,omitzero"`
	WindowEnd   time.Time `json:"window_end,omitzero"`
	Chosen      time.Time `json:"chosen,omitzero"`
	AskAgain    time.Time `json:"ask_again,omitzero"`
}

// validName refuses names that are no file names: they come from people and from wildcards.
func validName(name string) error {
	if name == "" || strings.HasPrefix(name, ".") || strings.ContainsAny(name, "/\\\x00") || len(name) > 200 || pki.Printable(name) != name {
		return fmt.Errorf("%q cannot be the name of a certificate", pki.Printable(name))
	}
	return nil
}

// NameFor is what a certificate is called unless somebody says otherwise: its first name, without the star.
func NameFor(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return strings.ReplaceAll(strings.TrimPrefix(names[0], "*."), ":", "-")
}

// List lists the certificates, by name.
func (t *Tree) List() ([]*Certificate, error) {
	entries, err := os.ReadDir(filepath.Join(t.dir, renewalDir))
	if err != nil {
		return nil, err
	}
	var all []*Certificate
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".json")
		if !ok || validName(name) != nil {
			continue
		}
		c, err := t.Find(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, c)
	}
	return all, nil
}

// Find reads a certificate of the tree; [ErrNotFound].
func (t *Tree) Find(name string) (*Certificate, error) {
	if err := validName(name); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(t.renewalFile(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", name, ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	c := &Certificate{Name: name}
	if err := json.Unmarshal(text, &c.Renewal); err != nil {
		return nil, fmt.Errorf("%s: %w", t.renewalFile(name), err)
	}
	if c.Generation, err = t.newest(name); err != nil {
		return nil, err
	}
	if c.Generation == 0 {
		return c, nil
	}
	certificates, err := keystore.ReadCertificates(t.archived(name, "fullchain", c.Generation))
	if err != nil {
		return nil, err
	}
	for _, x := range certificates {
		c.Chain = append(c.Chain, x.Raw)
	}
	return c, nil
}

func (t *Tree) renewalFile(name string) string {
	return filepath.Join(t.dir, renewalDir, name+".json")
}

func (t *Tree) archived(name, part string, generation int) string {
	return filepath.Join(t.dir, archiveDir, name, part+strconv.Itoa(generation)+".pem")
}

func (t *Tree) nextKey(name string) string {
	return filepath.Join(t.dir, archiveDir, name, nextKeyFile)
}

// newest is the number of the last generation that is whole; 0: there is none.
func (t *Tree) newest(name string) (int, error) {
	entries, err := os.ReadDir(filepath.Join(t.dir, archiveDir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	have := make(map[int]int)
	for _, e := range entries {
		for _, p := range parts() {
			number, ok := strings.CutPrefix(strings.TrimSuffix(e.Name(), ".pem"), p)
			if n, err := strconv.Atoi(number); ok && err == nil && n > 0 && strconv.Itoa(n) == number {
				have[n]++
			}
		}
	}
	best := 0
	for n, count := range have {
		if count == len(parts()) && n > best {
			best = n
		}
	}
	return best, nil
}

// saveRenewal writes how a certificate is renewed.
func (t *Tree) saveRenewal(name string, r Renewal) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return keystore.WriteFile(t.renewalFile(name), append(text, '\n'), 0o600)
}

// save files a new generation and turns the links to it. The fullchain goes last: a generation without it does not count.
func (t *Tree) save(name string, chain [][]byte, key crypto.Signer, r Renewal) (int, error) {
	last, err := t.newest(name)
	if err != nil {
		return 0, err
	}
	n := last + 1
	for _, d := range []string{filepath.Join(t.dir, archiveDir, name), t.Live(name)} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return 0, err
		}
	}
	keyPEM, err := pki.MarshalPrivateKeyPEM(key)
	if err != nil {
		return 0, err
	}
	var rest []byte
	for _, der := range chain[1:] {
		rest = pki.AppendCertificatePEM(rest, der)
	}
	leaf := pki.AppendCertificatePEM(nil, chain[0])
	for _, f := range []struct {
		part string
		data []byte
		mode fs.FileMode
	}{{"privkey", keyPEM, 0o600}, {"cert", leaf, 0o644}, {"chain", rest, 0o644}, {"fullchain", slices.Concat(leaf, rest), 0o644}} {
		if err := keystore.WriteFile(t.archived(name, f.part, n), f.data, f.mode); err != nil {
			return 0, err
		}
	}
	if err := t.saveRenewal(name, r); err != nil {
		return 0, err
	}
	return n, t.link(name, n)
}

// link turns the links of a certificate to a generation, each atomically.
func (t *Tree) link(name string, generation int) error {
	for _, p := range parts() {
		link := filepath.Join(t.Live(name), p+".pem")
		target := filepath.Join("..", "..", archiveDir, name, p+strconv.Itoa(generation)+".pem")
		if now, err := os.Readlink(link); err == nil && now == target {
			continue
		}
		fresh := link + ".new"
		if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.Symlink(target, fresh); err != nil {
			return err
		}
		if err := os.Rename(fresh, link); err != nil {
			return err
		}
	}
	return syncDir(t.Live(name))
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return f.Sync()
}

// repair turns links that a crash left on two generations to the newest whole one.
func (t *Tree) repair() error {
	entries, err := os.ReadDir(filepath.Join(t.dir, liveDir))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() || validName(e.Name()) != nil {
			continue
		}
		n, err := t.newest(e.Name())
		if err != nil {
			return err
		}
		if n == 0 {
			continue
		}
		if _, err := os.Stat(t.renewalFile(e.Name())); err != nil {
			continue // being deleted, or not ours
		}
		if err := t.link(e.Name(), n); err != nil {
			return err
		}
	}
	return nil
}

// Delete removes a certificate with its keys, its links last: what still uses it goes on until it reads them again.
func (t *Tree) Delete(name string) error {
	if _, err := t.Find(name); err != nil {
		return err
	}
	if err := os.Remove(t.renewalFile(name)); err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(t.Live(name)), os.RemoveAll(filepath.Join(t.dir, archiveDir, name)))
}
