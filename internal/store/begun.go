package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// begunSuffix names a mark beside the database: it says that there have been records here. Without it a database that was
// deleted or emptied could not be told from one that was never made, and a CA would forget its revocations without a word.
const begunSuffix = ".begun"

// checkNotLost refuses to begin anew where there have been records.
func checkNotLost(path string) error {
	switch _, err := os.Stat(path + begunSuffix); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &FileError{Path: path, Trouble: TroubleLost, Err: errors.New("the file is gone")}
	case err != nil:
		return err
	case info.Size() > 0:
		return nil
	}
	// Before its first checkpoint all of a database may lie in the log beside it.
	if wal, err := os.Stat(path + "-wal"); err == nil && wal.Size() > 0 {
		return nil
	}
	return &FileError{Path: path, Trouble: TroubleLost, Err: errors.New("the file is empty")}
}

// markBegun leaves the mark. It is made once the schema is in place: a crash before that leaves nothing that could be lost.
func markBegun(path string) error {
	f, err := os.OpenFile(path+begunSuffix, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("mark the database as begun: %w", err)
	}
	return errors.Join(f.Sync(), f.Close())
}
