// Package logtest is a small log of Certificate Transparency for tests, in the form of RFC 6962 or in that of the static
// API, which can misbehave on request as no log should.
//
// It knows how a log takes chains, signs, grows its tree and proves. It keeps everything in memory, takes any chain whose
// signatures fit, and does NOT know roots, storage, limits or witnesses: it is no log to run.
package logtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/tlswright/tlswright/pki/ct"
)

// Fault is a way to misbehave.
type Fault string

// The faults.
const (
	None         Fault = ""
	BadTimestamp Fault = "bad-timestamp" // signs timestamps wrong
	BadHead      Fault = "bad-head"      // signs tree heads wrong
	Fork         Fault = "fork"          // shows a tree with another first entry
	Shrink       Fault = "shrink"        // shows a tree that is one entry smaller
	BadProof     Fault = "bad-proof"     // proves with a hash too many or a wrong tile
	Forge        Fault = "forge"         // gives out entries that are not those of the tree
	Hang         Fault = "hang"          // does not answer
	Endless      Fault = "endless"       // answers without an end
	Refuse       Fault = "refuse"        // answers with 503
	Garbage      Fault = "garbage"       // answers with what nobody can read
	Postpone     Fault = "postpone"      // takes entries, and does not put them into its tree
)

// MaxEntries is how many entries it gives out at once in the form of RFC 6962.
const MaxEntries = 100

// Log is a log. Its methods may be called while it serves.
type Log struct {
	Name  string
	Tiled bool
	URL   string // after Start

	mu      sync.Mutex
	key     crypto.Signer
	entries []ct.LogEntry
	waiting []ct.LogEntry
	tree    tree
	issuers map[[32]byte][]byte
	fault   Fault
	now     func() time.Time
}

// New makes a log with a fresh key.
func New(name string, isTiled bool) (*Log, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return &Log{Name: name, Tiled: isTiled, key: key, issuers: make(map[[32]byte][]byte), now: time.Now}, nil
}

// Start makes a log and has it served on loopback until the test ends.
func Start(t testing.TB, name string, isTiled bool) *Log {
	t.Helper()
	l, err := New(name, isTiled)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(l)
	t.Cleanup(s.Close)
	l.URL = s.URL + "/" + name + "/"
	return l
}

// Misbehave takes up a fault, or ends it.
func (l *Log) Misbehave(f Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault = f
	if f != Postpone {
		for _, e := range l.waiting {
			l.grow(e)
		}
		l.waiting = nil
	}
}

// Public is its key.
func (l *Log) Public() crypto.PublicKey { return l.key.Public() }

// Size is how many entries its tree has.
func (l *Log) Size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.entries)
}

// Entries are those of its tree.
func (l *Log) Entries() []ct.LogEntry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.entries)
}

// tree is a Merkle tree as package tlog stores it.
type tree struct {
	size   int64
	stored []tlog.Hash
}

// ReadHashes implements tlog.HashReader.
func (t *tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var out []tlog.Hash
	for _, i := range indexes {
		if i < 0 || i >= int64(len(t.stored)) {
			return nil, fmt.Errorf("no hash %d", i)
		}
		out = append(out, t.stored[i])
	}
	return out, nil
}

func (t *tree) add(e ct.LogEntry) error {
	hash, err := e.Hash()
	if err != nil {
		return err
	}
	h, err := tlog.StoredHashesForRecordHash(t.size, tlog.Hash(hash), t)
	if err != nil {
		return err
	}
	t.stored, t.size = append(t.stored, h...), t.size+1
	return nil
}

func (l *Log) grow(e ct.LogEntry) {
	if err := l.tree.add(e); err != nil {
		panic(err) // a test's own mistake
	}
	l.entries = append(l.entries, e)
}

// take signs a timestamp for a chain.
func (l *Log) take(chain [][]byte, isPre bool) (ct.SCT, error) {
	var certificates []*x509.Certificate
	for _, der := range chain {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return ct.SCT{}, err
		}
		certificates = append(certificates, c)
	}
	switch {
	case len(certificates) < 2:
		return ct.SCT{}, errors.New("the chain ends too early")
	case ct.IsPrecertificate(certificates[0]) != isPre:
		return ct.SCT{}, errors.New("a precertificate at the wrong door")
	}
	for i, c := range certificates[:len(certificates)-1] {
		up := certificates[i+1]
		if err := up.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature); err != nil {
			return ct.SCT{}, fmt.Errorf("certificate %d was not signed by the next: %w", i, err)
		}
	}
	entry, err := ct.EntryOf(certificates[0], certificates[1], ct.Extension)
	if err != nil {
		return ct.SCT{}, err
	}
	return l.put(entry, chain)
}

func (l *Log) put(entry ct.Entry, chain [][]byte) (ct.SCT, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.now()
	e := ct.LogEntry{Entry: entry, Timestamp: uint64(at.UnixMilli()), Chain: chain[1:]}
	if entry.Precertificate {
		e.Submitted = chain[0]
	}
	for _, der := range chain[1:] {
		sum := sha256.Sum256(der)
		l.issuers[sum], e.Fingerprints = der, append(e.Fingerprints, sum)
	}
	if l.Tiled {
		e.Extensions = ct.LeafIndexExtension(uint64(len(l.entries) + len(l.waiting)))
	}
	s, err := ct.Sign(entry, at, e.Extensions, l.key)
	if err != nil {
		return ct.SCT{}, err
	}
	if l.fault == BadTimestamp {
		s.Timestamp++
	}
	if l.fault == Postpone {
		l.waiting = append(l.waiting, e)
	} else {
		l.grow(e)
	}
	return s, nil
}

// head signs the head of a tree.
func (l *Log) head(t *tree) (ct.TreeHead, error) {
	size := t.size
	if l.fault == Shrink && size > 0 {
		size--
	}
	root, err := tlog.TreeHash(size, t)
	if err != nil {
		return ct.TreeHead{}, err
	}
	h := ct.TreeHead{Size: uint64(size), Timestamp: uint64(l.now().UnixMilli()), Root: [32]byte(root)}
	if size == 0 {
		h.Root = sha256.Sum256(nil)
	}
	err = h.Sign(l.key)
	if l.fault == BadHead {
		h.Timestamp++
	}
	return h, err
}

// shown is the tree that it shows: its own, or that of a fork.
func (l *Log) shown() (*tree, []ct.LogEntry, error) {
	if l.fault != Fork || len(l.entries) == 0 {
		return &l.tree, l.entries, nil
	}
	other := append([]ct.LogEntry(nil), l.entries...)
	other[0].Timestamp++
	t := &tree{}
	for _, e := range other {
		if err := t.add(e); err != nil {
			return nil, nil, err
		}
	}
	return t, other, nil
}

// List is a log list with these logs, all usable, each with an operator of its own.
func List(logs ...*Log) ([]byte, error) {
	type object = map[string]any
	var operators []object
	for i, l := range logs {
		der, err := x509.MarshalPKIXPublicKey(l.key.Public())
		if err != nil {
			return nil, err
		}
		id := sha256.Sum256(der)
		entry := object{"description": l.Name, "log_id": base64.StdEncoding.EncodeToString(id[:]), "key": base64.StdEncoding.EncodeToString(der), "mmd": 60,
			"state": object{"usable": object{"timestamp": "2020-01-01T00:00:00Z"}}}
		operator := object{"name": fmt.Sprintf("Operator %d", i+1), "logs": []object{}, "tiled_logs": []object{}}
		if l.Tiled {
			entry["submission_url"], entry["monitoring_url"] = l.URL, l.URL
			operator["tiled_logs"] = []object{entry}
		} else {
			entry["url"] = l.URL
			operator["logs"] = []object{entry}
		}
		operators = append(operators, operator)
	}
	return json.Marshal(object{"version": "1", "log_list_timestamp": time.Now().UTC().Format(time.RFC3339), "operators": operators})
}
