package acmeserver

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"
)

// A nonce is 32 bytes: the second it was made in (8), chance (8), and a MAC over both (16). The key of the MAC is shared by
// all nodes, so each knows every nonce again without anything having been kept. What is kept is which were used: in memory,
// and as a line of a file that is written before the request is acted on, so that a nonce that was used before a crash is
// not taken afterwards. It is not waited for until the disk has it: after a power failure the clock has moved on, and a
// nonce lives for an hour only; the requests themselves are idempotent or refused by state.
const (
	nonceSize = 32
	nonceLife = time.Hour
)

type nonces struct {
	key  []byte
	path string // "": no file

	mu      sync.Mutex
	used    map[[16]byte]struct{} // since the last change of generation
	before  map[[16]byte]struct{} // in the generation before
	changed time.Time
	file    *os.File
}

// openNonces reads which nonces were used before.
func openNonces(key []byte, path string, now time.Time) (*nonces, error) {
	n := &nonces{key: key, path: path, used: make(map[[16]byte]struct{}), before: make(map[[16]byte]struct{}), changed: now}
	if path == "" {
		return n, nil
	}
	for _, p := range []string{path + ".old", path} {
		text, err := os.ReadFile(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read the nonces that were used: %w", err)
		}
		// A line that a crash cut off belongs to a request that was not acted on.
		for ; len(text) >= 16; text = text[16:] {
			n.before[[16]byte(text)] = struct{}{}
		}
	}
	return n, n.begin(now)
}

// begin starts a file, and keeps the last one as the old one.
func (n *nonces) begin(now time.Time) error {
	if n.file != nil {
		if err := n.file.Close(); err != nil {
			return err
		}
	}
	if n.path == "" {
		n.changed = now
		return nil
	}
	// What is in memory as the generation before is written anew, so that two files always hold all that counts.
	var old []byte
	for u := range n.before {
		old = append(old, u[:]...)
	}
	if err := os.WriteFile(n.path+".new", old, 0o600); err != nil {
		return fmt.Errorf("note the nonces that were used: %w", err)
	}
	if err := os.Rename(n.path+".new", n.path+".old"); err != nil {
		return fmt.Errorf("note the nonces that were used: %w", err)
	}
	f, err := os.OpenFile(n.path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("note the nonces that were used: %w", err)
	}
	n.file, n.changed = f, now
	return nil
}

func (n *nonces) mac(head []byte) []byte {
	m := hmac.New(sha256.New, n.key)
	m.Write(head)
	return m.Sum(nil)[:16]
}

// fresh makes a nonce.
func (n *nonces) fresh(now time.Time) string {
	var b [nonceSize]byte
	binary.BigEndian.PutUint64(b[:], uint64(now.Unix()))
	_, _ = rand.Read(b[8:16]) // never fails
	copy(b[16:], n.mac(b[:16]))
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// known reports whether a nonce is ours and not too old.
func (n *nonces) known(text string, now time.Time) (id [16]byte, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != nonceSize || !hmac.Equal(b[16:], n.mac(b[:16])) {
		return id, false
	}
	made := time.Unix(int64(binary.BigEndian.Uint64(b)), 0)
	if now.Sub(made) > nonceLife || made.Sub(now) > time.Minute {
		return id, false
	}
	return [16]byte(b), true
}

// expiryOf is when a nonce is not good any more, by any node's clock (see [nonces.known]).
func expiryOf(id [16]byte) time.Time {
	return time.Unix(int64(binary.BigEndian.Uint64(id[:8])), 0).Add(nonceLife + 10*time.Minute)
}

// use takes a nonce: true once for each. An error means that it could not be noted, and is not taken.
func (n *nonces) use(id [16]byte, now time.Time) (bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, again := n.used[id]; again {
		return false, nil
	}
	if _, again := n.before[id]; again {
		return false, nil
	}
	// A generation lasts as long as a nonce lives, so those of two cover every nonce that is still good.
	if now.Sub(n.changed) > nonceLife {
		n.before, n.used = n.used, make(map[[16]byte]struct{})
		if err := n.begin(now); err != nil {
			return false, err
		}
	}
	if n.file != nil {
		if _, err := n.file.Write(id[:]); err != nil {
			return false, fmt.Errorf("note a nonce: %w", err)
		}
	}
	n.used[id] = struct{}{}
	return true, nil
}

func (n *nonces) close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.file == nil {
		return nil
	}
	err := n.file.Close()
	n.file = nil
	return err
}
