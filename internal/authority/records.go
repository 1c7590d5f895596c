package authority

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
)

// maxAddress bounds the address of a database, in bytes.
const maxAddress = 4096

// openRecords opens the records of the CA in a folder: in PostgreSQL if an address is given or the folder remembers one, else
// in a file there.
func openRecords(ctx context.Context, dir, address string) (*store.Store, error) {
	path := filepath.Join(dir, AddressFile)
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if len(text) > maxAddress || len(address) > maxAddress {
		return nil, errors.New("the address of the database is too long")
	}
	remembered := strings.TrimSpace(string(text))
	if address == "" {
		address = remembered
	}
	file := filepath.Join(dir, DatabaseFile)
	if address == "" {
		return store.Open(ctx, file)
	}
	// Certificates that are on file here would be nowhere for whoever asks there: not to be revoked, and "unknown" over OCSP.
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		return nil, &pki.RefusedError{Reason: "this CA has its records in " + pki.Printable(file) + ", and PostgreSQL would not know of them",
			Hint: "move them there with \"ca move\", or go on without --database"}
	}
	s, err := store.OpenPostgres(ctx, address)
	if err != nil {
		return nil, err
	}
	if address != remembered {
		if err := keystore.WriteFile(path, []byte(address+"\n"), 0o600); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}
