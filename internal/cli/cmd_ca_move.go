package cli

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/store"
)

const caMoveLong = `Move the records of the CA from their file into a PostgreSQL database, so that
several nodes can serve it (see "ca serve --help"). The database must be empty,
and nothing else may work on the CA meanwhile.

Everything goes over in one transaction, with the serial numbers, the audit log
and what ACME clients have; the log is verified there, and the rows are counted.
Only then the file is closed for ever, and the home remembers the new address.
The file stays, as ca.db.moved. A move that was cut off is done again.

Keys are not in the database: they stay in the home.`

// movedReport is `ca move --json`.
type movedReport struct {
	Rows    int64  `json:"rows"`
	Entries int64  `json:"log_entries"`
	Hash    string `json:"log_hash"` // of the last entry
	File    string `json:"file"`     // what the old database is called now
}

func newCAMove(a *app) *cobra.Command {
	var address string
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "move --database URL",
		Short:   "Move the records into PostgreSQL",
		Long:    caMoveLong,
		Example: "  tlswright ca move --database postgres://ca@db.corp.example/ca",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if address == "" {
				return usagef(cmd, "move where? --database names a PostgreSQL database")
			}
			if err := a.chooseDatabase(cmd, address); err != nil {
				return err
			}
			return a.caMove(cmd, address, asJSON)
		},
	}
	cmd.Flags().StringVar(&address, "database", "", "`URL` of an empty PostgreSQL database")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) caMove(cmd *cobra.Command, address string, asJSON bool) error {
	home, err := a.home()
	if err != nil {
		return err
	}
	moved, err := authority.Move(cmd.Context(), home, address, authority.MoveOptions{Now: a.now, Actor: actor()})
	switch {
	case errors.Is(err, store.ErrShared):
		return &failure{kind: kindLocal, text: "somebody works on this CA", hint: "end \"ca serve\" and whatever else uses it, and try again", err: err}
	case errors.Is(err, store.ErrNotEmpty):
		return &failure{kind: kindLocal, text: "there are other records in that database", hint: "give it one that is empty", err: err}
	case err != nil:
		return caFailure(err, "moving the records")
	}
	r := movedReport{Rows: moved.Rows, Entries: moved.Audit.Seq, Hash: hex.EncodeToString(moved.Audit.Hash[:]), File: moved.File}
	if asJSON {
		return a.ui.printJSON(r)
	}
	a.ui.write(&a.ui.out, a.ui.out.paint(bold, "moved the records")+"\n"+a.ui.out.rows([]row{
		{label: "rows", value: fmt.Sprint(r.Rows)}, {label: "log", value: entriesText(r.Entries) + ", the last one " + r.Hash}, {label: "old file", value: r.File}}))
	return nil
}
