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

	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
)

// manifestFile is the first file of a backup: it says what follows.
const manifestFile = "manifest.json"

// backupFormat is the version of the layout below.
const backupFormat = 1

// manifest is what a backup says of itself.
type manifest struct {
	Format    int            `json:"format"`
	MadeAt    time.Time      `json:"madeAt"`
	AuditSeq  int64          `json:"auditSeq"`  // the end of the audit log
	AuditHash string         `json:"auditHash"` // its hash, hexadecimal
	Lost      []store.Lost   `json:"lost,omitempty"`
	Files     []manifestItem `json:"files"`
}

type manifestItem struct {
	Name   string `json:"name"` // below the folder of the CA, with slashes
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
	Mode   uint32 `json:"mode"`
}

// Backup writes everything of the CA into w: a gzipped tar archive of its folder,
// with the database as it is at one moment while others go on writing. The private
// keys are in it as they are on disk, so it must be kept like them. The folder
// live/ is not part of it. Only an authority of OpenHome can do this.
func (a *Authority) Backup(ctx context.Context, w io.Writer) (err error) {
	if a.Store.Path() == "" {
		return &pki.RefusedError{Reason: "the records are in PostgreSQL", Hint: "back them up by its own means, such as pg_dump, and copy the folder of the CA for the keys"}
	}
	dir := filepath.Dir(a.Store.Path())
	if err := a.Store.Note(ctx, store.Entry{At: a.Now(), Actor: a.Actor, Action: store.ActionBackup, Detail: "a backup is made"}); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(dir, "backup-*")
	if err != nil {
		return fmt.Errorf("make room for the copy of the database: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	snapshot := filepath.Join(temp, DatabaseFile)
	if err := a.Store.Snapshot(ctx, snapshot); err != nil {
		return err
	}
	head, lost, err := headOf(ctx, snapshot)
	if err != nil {
		return fmt.Errorf("the database would not make a good backup: %w", err)
	}
	m := manifest{Format: backupFormat, MadeAt: a.Now().UTC().Truncate(time.Second), AuditSeq: head.Seq, AuditHash: hex.EncodeToString(head.Hash[:]), Lost: lost}
	sources := map[string]string{DatabaseFile: snapshot}
	names, err := filesOf(dir)
	if err != nil {
		return err
	}
	for _, name := range append([]string{DatabaseFile}, names...) {
		if sources[name] == "" {
			sources[name] = filepath.Join(dir, filepath.FromSlash(name))
		}
		item, err := itemOf(name, sources[name])
		if err != nil {
			return err
		}
		m.Files = append(m.Files, item)
	}
	return writeArchive(w, m, sources)
}

// RemoveUnfinished removes what backups that were killed left in the folder of a
// CA: copies of the database. The caller sees to it that none is being made.
func RemoveUnfinished(dir string) error {
	left, err := filepath.Glob(filepath.Join(globEscaped(dir), "backup-*"))
	for _, path := range left {
		if info, statErr := os.Lstat(path); statErr == nil && info.IsDir() {
			err = errors.Join(err, os.RemoveAll(path))
		}
	}
	return err
}

// headOf opens a copy of a database to verify it. What was reserved at that moment
// is closed in the copy, as lost.
func headOf(ctx context.Context, path string) (head store.AuditHead, lost []store.Lost, err error) {
	if err := os.Chmod(path, 0o600); err != nil {
		return head, nil, err
	}
	s, err := store.Open(ctx, path)
	if err != nil {
		return head, nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.Check(ctx); err != nil {
		return head, nil, err
	}
	head, err = s.VerifyAudit(ctx)
	return head, s.Lost(), err
}

// filesOf lists the files of a CA's folder that belong into a backup: all but the
// database, which is copied, locks, and what is unfinished.
func filesOf(dir string) (names []string, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		base := d.Name()
		switch {
		case d.IsDir() && (strings.Contains(base, ".tlswright-tmp-") || strings.HasPrefix(name, "backup-")):
			return fs.SkipDir
		case !d.Type().IsRegular(), strings.HasPrefix(name, DatabaseFile), strings.HasSuffix(base, ".lock"), strings.Contains(base, ".tlswright-tmp-"):
			return nil
		}
		names = append(names, filepath.ToSlash(name))
		return nil
	})
	return names, err
}

func itemOf(name, path string) (item manifestItem, err error) {
	f, err := os.Open(path)
	if err != nil {
		return item, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return item, err
	}
	hash := sha256.New()
	size, err := io.Copy(hash, f)
	if err != nil {
		return item, err
	}
	return manifestItem{Name: name, Size: size, SHA256: hex.EncodeToString(hash.Sum(nil)), Mode: uint32(info.Mode().Perm())}, nil
}

func writeArchive(w io.Writer, m manifest, sources map[string]string) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	zip := gzip.NewWriter(w)
	archive := tar.NewWriter(zip)
	header := tar.Header{Name: manifestFile, Mode: 0o600, Size: int64(len(text)), ModTime: m.MadeAt, Format: tar.FormatPAX}
	if err := archive.WriteHeader(&header); err != nil {
		return err
	}
	if _, err := archive.Write(text); err != nil {
		return err
	}
	for _, item := range m.Files {
		if err := addFile(archive, item, sources[item.Name], m.MadeAt); err != nil {
			return fmt.Errorf("back up %s: %w", pki.Printable(item.Name), err)
		}
	}
	if err := archive.Close(); err != nil {
		return err
	}
	return zip.Close()
}

func addFile(archive *tar.Writer, item manifestItem, path string, at time.Time) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	header := tar.Header{Name: "ca/" + item.Name, Mode: int64(item.Mode), Size: item.Size, ModTime: at, Format: tar.FormatPAX}
	if err := archive.WriteHeader(&header); err != nil {
		return err
	}
	// A file that has changed since it was hashed is noticed when it is restored.
	_, err = io.Copy(archive, f)
	return err
}
