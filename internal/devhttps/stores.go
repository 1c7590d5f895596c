package devhttps

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/trust"
	"github.com/tlswright/tlswright/pki"
)

// Store is a trust store of this machine, as far as it concerns the local root.
type Store struct {
	trust.Store
	Program   string // whose store it is: "system", "Chromium", "Firefox", "Java"
	NeedsRoot bool   // this process may not change it
	Missing   error  // why it cannot be changed at all: a program is not installed; nil: it can
	isNew     bool   // a database that is made with the first installation
}

// Stores are the stores of this machine, and what is remembered about them.
type Stores struct {
	All  []*Store
	ca   *CA // without a key: the root alone is known
	note note
}

// note is what must be known to undo everything, and to be quick the next time.
type note struct {
	Made     []string         `json:"made,omitempty"`     // NSS databases that were not there before
	Declined []string         `json:"declined,omitempty"` // stores that the user wants to be left alone
	Shown    map[string]stamp `json:"shown,omitempty"`    // files of stores when a handshake last showed that they trust us
}

// stamp tells whether a file is still the same.
type stamp struct {
	Size int64     `json:"size"`
	Time time.Time `json:"time"`
}

const noteFile = "stores.json"

// FindStores finds the stores of this machine.
func FindStores(ca *CA, o trust.Options) (*Stores, error) {
	found, err := trust.Stores(o)
	if err != nil {
		return nil, err
	}
	s := &Stores{ca: ca}
	if err := s.read(); err != nil {
		return nil, err
	}
	isThere := func(program string) bool {
		return slices.ContainsFunc(s.All, func(st *Store) bool { return st.Program == program })
	}
	for _, f := range found {
		s.All = append(s.All, &Store{Store: f, Program: programOf(f), NeedsRoot: trust.NeedsRoot(f), Missing: trust.CanWork(f)})
	}
	if o.Home == "" {
		if o.Home, err = os.UserHomeDir(); err != nil {
			return nil, fmt.Errorf("find the user's folder: %w", err)
		}
	}
	if !isThere(chromium) && trust.HasChromium() {
		st := trust.NSS(trust.ChromiumDatabase(o.Home))
		s.All = append(s.All, &Store{Store: st, Program: chromium, Missing: trust.CanWork(st), isNew: true})
	}
	return s, nil
}

const chromium = "Chromium"

// programOf names whose store it is.
func programOf(s trust.Store) string {
	switch {
	case s.Kind() == "system":
		return "system"
	case s.Kind() == "java":
		return "Java"
	case trust.IsChromium(s):
		return chromium
	}
	return "Firefox"
}

// Prove makes the handshake that shows whether a store trusts the local root. A Java store takes seconds to read: for one
// whose file has not changed since the last time, that time counts.
func (s *Stores) Prove(ctx context.Context, st *Store, now time.Time) error {
	if st.isNew {
		return errors.New("it does not exist yet")
	}
	if st.Missing != nil && st.Kind() == "nss" {
		return st.Missing
	}
	file, at := st.Where(), stamp{}
	if st.Kind() == "java" {
		if at = stampOf(file); at != (stamp{}) && s.note.Shown[file] == at {
			return nil
		}
	}
	err := trust.Prove(ctx, st.Store, s.issuer(), s.ca.Chain(), now)
	if at == (stamp{}) {
		return err
	}
	delete(s.note.Shown, file)
	if err == nil {
		if s.note.Shown == nil {
			s.note.Shown = map[string]stamp{}
		}
		s.note.Shown[file] = at
	}
	return errors.Join(err, s.write())
}

func stampOf(file string) stamp {
	info, err := os.Stat(file)
	if err != nil {
		return stamp{}
	}
	return stamp{Size: info.Size(), Time: info.ModTime().UTC()}
}

// Declined reports whether the user once wanted a store to be left alone.
func (s *Stores) Declined(st *Store) bool { return slices.Contains(s.note.Declined, st.Where()) }

// Decline remembers that the user wants a store to be left alone.
func (s *Stores) Decline(st *Store) error {
	if s.Declined(st) {
		return nil
	}
	s.note.Declined = append(s.note.Declined, st.Where())
	return s.write()
}

// Install puts the local root into a store. It does not show that this has helped: [Stores.Prove] does.
func (s *Stores) Install(ctx context.Context, st *Store) error {
	if st.Missing != nil {
		return st.Missing
	}
	if st.isNew {
		// On file before it is there: what is made must be found again when it is to be undone.
		s.note.Made = append(s.note.Made, st.Where())
		if err := s.write(); err != nil {
			return err
		}
		made, err := trust.MakeNSS(ctx, st.Where())
		if err != nil {
			return err
		}
		st.Store, st.isNew = made, false
	}
	if s.Declined(st) {
		s.note.Declined = slices.DeleteFunc(s.note.Declined, func(w string) bool { return w == st.Where() })
		if err := s.write(); err != nil {
			return err
		}
	}
	return st.Store.Install(ctx, s.ca.Root)
}

// Remove takes the local root out of a store, and the store away if [Stores.Install] made it and nobody else has put
// anything into it. held says whether the root was there; that it is not any more was read back and, where the CA has its
// keys still, shown by a handshake.
func (s *Stores) Remove(ctx context.Context, st *Store, now time.Time) (held bool, err error) {
	if st.isNew {
		return false, nil
	}
	if st.Missing != nil && st.Kind() == "nss" && !slices.Contains(s.note.Made, st.Where()) {
		// Without its program we cannot have put anything into it.
		return false, nil
	}
	roots, err := st.Roots(ctx)
	if err != nil {
		return false, err
	}
	if held = slices.ContainsFunc(roots, s.ca.Root.Equal); held {
		if err := st.Store.Remove(ctx, s.ca.Root); err != nil {
			return held, err
		}
		if err := s.proveGone(ctx, st, now); err != nil {
			return held, err
		}
	}
	if slices.Contains(s.note.Made, st.Where()) {
		return held, removeMade(ctx, st)
	}
	return held, nil
}

// proveGone makes sure that a store does not trust the local root any more.
func (s *Stores) proveGone(ctx context.Context, st *Store, now time.Time) error {
	roots, err := st.Roots(ctx)
	if err != nil {
		return err
	}
	still := slices.ContainsFunc(roots, s.ca.Root.Equal)
	if !still && s.ca.Intermediate != nil && len(roots) > 0 {
		still = trust.ProveWith(ctx, st.Store, roots, s.issuer(), s.ca.Chain(), now) == nil
	}
	if still {
		return errors.New("it trusts the local root still: under another name, or put there by other means")
	}
	return nil
}

// issuer makes the certificates of handshakes that show something.
func (s *Stores) issuer() pki.Issuer {
	i := s.ca.Issuer()
	i.Chain = []*x509.Certificate{s.ca.Root}
	return i
}

// removeMade removes a database that we made, unless it is used by now, and the folders that became empty by that.
func removeMade(ctx context.Context, st *Store) error {
	empty, err := trust.IsEmpty(ctx, st.Store)
	if err != nil || !empty {
		return err
	}
	for _, name := range []string{"cert9.db", "key4.db", "pkcs11.txt"} {
		if err := os.Remove(filepath.Join(st.Where(), name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	// A folder with something else in it stays, and so do those above it.
	if os.Remove(st.Where()) == nil {
		_ = os.Remove(filepath.Dir(st.Where()))
	}
	return nil
}

func (s *Stores) read() error {
	text, err := os.ReadFile(filepath.Join(s.ca.Dir, noteFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(text, &s.note)
	}
	if err != nil {
		return fmt.Errorf("read what is known about stores: %w", err)
	}
	return nil
}

func (s *Stores) write() error {
	text, err := json.MarshalIndent(s.note, "", "  ")
	if err != nil {
		return err
	}
	return keystore.WriteFile(filepath.Join(s.ca.Dir, noteFile), append(text, '\n'), 0o600)
}
