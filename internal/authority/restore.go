package authority

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
)

// Bounds on what a backup may hold.
const (
	maxManifest    = 4 << 20
	maxBackupFiles = 10000
	maxSmallFile   = 8 << 20 // any file but the database
	maxDatabase    = 1 << 42
)

// crlNumberGap is how far a restored CA jumps ahead with its CRL numbers: lists may
// have left after the backup was made, and their numbers must not come again.
const crlNumberGap = 1_000_000

// RestoreOptions say who restores, and when.
type RestoreOptions struct {
	Now   func() time.Time // nil: the system's clock
	Actor string           // for the audit log; "": tlswright
}

// Restored says what came back.
type Restored struct {
	MadeAt time.Time       // when the backup was made
	Audit  store.AuditHead // the end of the audit log in it
	// Lost are the serial numbers that were reserved at that moment: their certificates
	// may have been issued afterwards, and are not on file.
	Lost []store.Lost
}

// Restore puts the CA of a backup into a home folder that has none (else:
// [keystore.ErrCAExists]). Everything is checked before anything takes its place:
// every file by its hash, the database for damage, the audit log to its end. CRL
// numbers go on a million ahead. Certificates that were issued after the backup are
// not on file: OCSP says of them that they are unknown.
func Restore(ctx context.Context, r io.Reader, home string, o RestoreOptions) (restored Restored, err error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Actor == "" {
		o.Actor = "tlswright"
	}
	dir := filepath.Join(home, "ca")
	release, err := keystore.HoldVacant(home)
	if err != nil {
		return restored, err
	}
	defer func() { err = errors.Join(err, release()) }()
	temp, err := os.MkdirTemp(home, "ca.tlswright-tmp-*")
	if err != nil {
		return restored, fmt.Errorf("make room for the CA: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(temp))
		}
	}()
	m, err := unpack(r, temp)
	if err != nil {
		return restored, fmt.Errorf("read the backup: %w", err)
	}
	if restored, err = revive(ctx, filepath.Join(temp, DatabaseFile), m, o); err != nil {
		return restored, err
	}
	if err := os.Rename(temp, dir); err != nil {
		return restored, fmt.Errorf("put the CA in place: %w", err)
	}
	if err := syncFolder(home); err != nil {
		return restored, err
	}
	if _, err := keystore.ReadCA(home); err != nil {
		return restored, fmt.Errorf("the backup was restored, but: %w", err)
	}
	return restored, nil
}

// unpack writes the files of a backup below dir, each checked by its hash.
func unpack(r io.Reader, dir string) (m manifest, err error) {
	zip, err := gzip.NewReader(r)
	if err != nil {
		return m, err
	}
	archive := tar.NewReader(zip)
	first, err := archive.Next()
	if err != nil || first.Name != manifestFile {
		return m, errors.Join(errors.New("it does not begin with a manifest: it is no backup of a CA"), err)
	}
	text, err := io.ReadAll(io.LimitReader(archive, maxManifest+1))
	if err != nil {
		return m, err
	}
	if len(text) > maxManifest {
		return m, errors.New("its manifest is too long")
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("its manifest: %w", err)
	}
	if m.Format != backupFormat {
		return m, fmt.Errorf("its format is %d, this program knows %d", m.Format, backupFormat)
	}
	if len(m.Files) > maxBackupFiles {
		return m, fmt.Errorf("it has more than %d files", maxBackupFiles)
	}
	for _, item := range m.Files {
		header, err := archive.Next()
		if err != nil {
			return m, fmt.Errorf("%s is missing: %w", pki.Printable(item.Name), err)
		}
		if err := unpackFile(archive, header, item, dir); err != nil {
			return m, fmt.Errorf("%s: %w", pki.Printable(item.Name), err)
		}
	}
	if _, err := archive.Next(); !errors.Is(err, io.EOF) {
		return m, errors.Join(errors.New("more follows than its manifest says"), err)
	}
	// The checksum of gzip is at the end of it, and is checked only by reading up to there.
	if _, err := io.Copy(io.Discard, io.LimitReader(zip, 1<<20)); err != nil {
		return m, err
	}
	return m, nil
}

func unpackFile(archive *tar.Reader, header *tar.Header, item manifestItem, dir string) (err error) {
	limit := int64(maxSmallFile)
	if item.Name == DatabaseFile {
		limit = maxDatabase
	}
	switch {
	case header.Typeflag != tar.TypeReg || header.Name != "ca/"+item.Name || header.Size != item.Size:
		return errors.New("it is not what the manifest says")
	case !filepath.IsLocal(filepath.FromSlash(item.Name)) || strings.Contains(item.Name, `\`):
		return errors.New("its name leads out of the folder")
	case item.Size < 0 || item.Size > limit:
		return errors.New("it is too large")
	}
	path := filepath.Join(dir, filepath.FromSlash(item.Name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	// Whatever the backup says: what is not public is closed to others.
	mode := fs.FileMode(0o600)
	if strings.HasSuffix(item.Name, ".pem") || item.Name == PublicationFile {
		mode = fs.FileMode(item.Mode) & 0o644
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode|0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	hash := sha256.New()
	if _, err := io.Copy(io.MultiWriter(f, hash), archive); err != nil {
		return err
	}
	if hex.EncodeToString(hash.Sum(nil)) != item.SHA256 {
		return errors.New("its content was changed")
	}
	return f.Sync()
}

// revive checks the database of a backup and makes it fit to go on.
func revive(ctx context.Context, path string, m manifest, o RestoreOptions) (r Restored, err error) {
	s, err := store.Open(ctx, path)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.Check(ctx); err != nil {
		return r, err
	}
	head, err := s.VerifyAudit(ctx)
	if err != nil {
		return r, fmt.Errorf("the database of the backup: %w", err)
	}
	if err := sameAt(ctx, s, m); err != nil {
		return r, err
	}
	issuers, err := s.Issuers(ctx)
	if err != nil {
		return r, err
	}
	for _, i := range issuers {
		if err := s.RaiseCRLNumber(ctx, i.ID, i.CRLNumber+crlNumberGap); err != nil {
			return r, err
		}
	}
	detail := fmt.Sprintf("from the backup of %s; CRL numbers go on %d ahead", m.MadeAt.Format(time.RFC3339), crlNumberGap)
	if err := s.Note(ctx, store.Entry{At: o.Now(), Actor: o.Actor, Action: store.ActionRestored, Detail: detail}); err != nil {
		return r, err
	}
	return Restored{MadeAt: m.MadeAt, Audit: head, Lost: m.Lost}, nil
}

// sameAt makes sure that the audit log has the end that the manifest names.
func sameAt(ctx context.Context, s *store.Store, m manifest) error {
	for e, err := range s.Audit(ctx, m.AuditSeq) {
		if err != nil {
			return err
		}
		if hash := e.Hash(); e.Seq == m.AuditSeq && hex.EncodeToString(hash[:]) == m.AuditHash {
			return nil
		}
		break
	}
	return errors.New("the audit log in the backup is not the one that its manifest names")
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, os.ErrInvalid) {
		err = nil // some file systems have nothing to sync for folders
	}
	return errors.Join(err, d.Close())
}
