package cli

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/keystore"
)

type caBackupFlags struct {
	force  bool
	asJSON bool
}

const caBackupLong = `Write the whole CA into one file: certificates, keys, and the records as they
are at this moment, while others may go on issuing. The private keys are in it
as they are on disk, encrypted or not: keep the file like them. Nothing that "ca
issue" wrote below live/ is in it.

A dash writes to standard output, for a program that encrypts.`

// backupReport is `ca backup --json` and `ca restore --json`.
type backupReport struct {
	File    string    `json:"file,omitempty"`
	Folder  string    `json:"folder"`
	MadeAt  time.Time `json:"made_at"`
	Bytes   int64     `json:"bytes,omitempty"`
	Entries int64     `json:"log_entries"`
	Hash    string    `json:"log_hash"` // of the last entry
	Lost    []string  `json:"lost"`     // serial numbers without a certificate
}

func newCABackup(a *app) *cobra.Command {
	o := &caBackupFlags{}
	cmd := &cobra.Command{
		Use:     "backup FILE",
		Short:   "Write the CA with its keys and records into one file",
		Long:    caBackupLong,
		Example: "  tlswright ca backup ca-2026-11-30.tgz\n  tlswright ca backup - | age -r age1… > ca.tgz.age",
		Args:    oneArg("the FILE to write, or - for standard output"),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.caBackup(cmd, o, args[0]) },
	}
	cmd.Flags().BoolVar(&o.force, "force", false, "replace the file")
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) caBackup(cmd *cobra.Command, o *caBackupFlags, file string) (err error) {
	switch {
	case file == "-" && o.asJSON:
		return usagef(cmd, "--json needs a FILE, for the backup goes to standard output otherwise")
	case file == "-" && a.ui.out.width > 0:
		return &failure{kind: kindUsage, text: "a backup is nothing for a terminal", hint: "name a file, or send it to another program"}
	case file != "-" && !o.force:
		if err := refuseToReplace(file); err != nil {
			return err
		}
	}
	if err := needFolder(file); err != nil {
		return err
	}
	if err := a.refuseCAFile(file); file != "-" && err != nil {
		return err
	}
	au, err := a.openAuthority(cmd.Context(), &caFlags{}, false)
	if err != nil {
		return err
	}
	defer closing(au, &err)
	home, err := a.home()
	if err != nil {
		return err
	}
	held, err := a.holdLive(cmd.Context(), filepath.Join(home, "ca"))
	if err != nil {
		return err
	}
	defer letGo(held, &err)
	if err := authority.RemoveUnfinished(filepath.Join(home, "ca")); err != nil {
		return cannotRun(err, "removing what an earlier backup left")
	}
	if file == "-" {
		if err := au.Backup(cmd.Context(), a.ui.out.w); err != nil {
			return caFailure(err, "making the backup")
		}
		return nil
	}
	size, err := backupInto(cmd.Context(), au, file)
	if err != nil {
		return err
	}
	head, err := au.VerifyAudit(cmd.Context())
	if err != nil {
		return caFailure(err, "reading the log")
	}
	r := backupReport{File: file, Folder: filepath.Join(home, "ca"), MadeAt: a.now().UTC(), Bytes: size, Entries: head.Seq, Hash: hex.EncodeToString(head.Hash[:]), Lost: []string{}}
	if o.asJSON {
		return a.ui.printJSON(r)
	}
	out := &a.ui.out
	a.ui.write(out, out.paint(bold, "backed up the CA in "+r.Folder)+"\n"+out.rows([]row{
		{label: "file", value: fmt.Sprintf("%s, %s", file, byteCount(size))}, {label: "log", value: entriesText(head.Seq) + ", the last one " + r.Hash},
	}))
	a.ui.notef("the private keys are in it: keep it like them")
	return nil
}

// backupInto writes a file that takes its name when it is whole. What a backup that was killed left of itself is removed, for
// there are private keys in it: the caller holds the CA, so that no other is at work.
func backupInto(ctx context.Context, au *authority.Authority, file string) (size int64, err error) {
	if err := removeUnfinished(file); err != nil {
		return 0, cannotRun(err, "removing what an earlier backup left")
	}
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+unfinishedMark+"*") // mode 0600
	if err != nil {
		return 0, cannotRun(err, "making the backup")
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	if err := au.Backup(ctx, f); err != nil {
		return 0, caFailure(err, "making the backup")
	}
	if size, err = f.Seek(0, io.SeekCurrent); err != nil {
		return 0, cannotRun(err, "making the backup")
	}
	if err := f.Sync(); err != nil {
		return 0, cannotRun(err, "making the backup")
	}
	if err := f.Close(); err != nil {
		return 0, cannotRun(err, "making the backup")
	}
	if err := os.Rename(f.Name(), file); err != nil {
		return 0, cannotRun(err, "making the backup")
	}
	return size, nil
}

// unfinishedMark is in the name of a backup that is not whole yet.
const unfinishedMark = ".tlswright-tmp-"

// removeUnfinished removes what is left of a file that was never finished.
func removeUnfinished(file string) error {
	dir := filepath.Dir(file)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), filepath.Base(file)+unfinishedMark) {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

const caRestoreLong = `Put the CA of a backup into a home folder that has none. Everything is checked
first: each file, the records, and the log to its end.

Certificates that were issued after the backup are not on record then, and CRL
numbers go on a million ahead, so that no number comes twice. Issue a CRL soon.`

func newCARestore(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "restore FILE",
		Short:   "Bring a CA back from a backup",
		Long:    caRestoreLong,
		Example: "  tlswright ca restore ca-2026-11-30.tgz --home /srv/tlswright\n  age -d ca.tgz.age | tlswright ca restore -",
		Args:    oneArg("the FILE of the backup, or - for standard input"),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.caRestore(cmd, args[0], asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) caRestore(cmd *cobra.Command, file string, asJSON bool) error {
	home, err := a.home()
	if err != nil {
		return err
	}
	in := a.ui.in
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return cannotRun(err, "")
		}
		defer f.Close()
		in = f
	}
	restored, err := authority.Restore(cmd.Context(), bufio.NewReader(in), home, authority.RestoreOptions{Now: a.now, Actor: actor()})
	if errors.Is(err, keystore.ErrCAExists) {
		return &failure{kind: kindLocal, err: err, text: err.Error(), hint: "name another place with --home, or move the folder ca there out of the way"}
	}
	if err != nil {
		return caFailure(err, "restoring the CA")
	}
	r := backupReport{
		Folder: filepath.Join(home, "ca"), MadeAt: restored.MadeAt.UTC(), Entries: restored.Audit.Seq, Hash: hex.EncodeToString(restored.Audit.Hash[:]), Lost: []string{},
	}
	if file != "-" {
		r.File = file
	}
	for _, l := range restored.Lost {
		r.Lost = append(r.Lost, authority.SerialText(serialOf(l.Serial)))
	}
	if asJSON {
		return a.ui.printJSON(r)
	}
	out := &a.ui.out
	rows := []row{
		{label: "made", value: restored.MadeAt.UTC().Format(time.DateTime) + " UTC"},
		{label: "log", value: entriesText(r.Entries) + " in the backup, the last one " + r.Hash},
	}
	rows = append(rows, many("lost", r.Lost, caution)...)
	a.ui.write(out, out.paint(bold, "restored the CA into "+r.Folder)+"\n"+out.rows(rows))
	a.ui.notef("what was issued or revoked since then is not on record: make a new CRL, and revoke again what has to be")
	return nil
}

// entriesText counts entries of the log.
func entriesText(n int64) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}
