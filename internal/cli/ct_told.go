package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

// toldSuffix names the file beside the state that holds what was told since that was last replaced: a line for each, with
// the end of the certificate's validity.
const toldSuffix = ".told"

// toldFile is that file, open for appending.
type toldFile struct{ file *os.File }

// openTold reads the file into seen, and opens it. A line that a crash cut off is dropped.
func openTold(path string, seen map[string]time.Time) (*toldFile, error) {
	data, err := readFileWithin(path, maxWatchState)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	whole := bytes.LastIndexByte(data, '\n') + 1
	if len(data) > maxWatchState {
		return nil, errors.New(path + " is too large for what was told")
	}
	for line := range bytes.Lines(data[:whole]) {
		if key, end, ok := parseTold(string(line)); ok {
			seen[key] = end
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	if whole < len(data) {
		if err := f.Truncate(int64(whole)); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return &toldFile{f}, nil
}

func parseTold(line string) (key string, end time.Time, ok bool) {
	var seconds string
	if n, err := fmt.Sscanf(line, "%32s %20s\n", &key, &seconds); err != nil || n != 2 || len(key) != 32 {
		return "", end, false
	}
	at, err := strconv.ParseInt(seconds, 10, 64)
	return key, time.Unix(at, 0).UTC(), err == nil
}

// add notes one, and brings it to disk.
func (t *toldFile) add(key string, end time.Time) error {
	if _, err := fmt.Fprintf(t.file, "%s %d\n", key, end.Unix()); err != nil {
		return err
	}
	return t.file.Sync()
}

// clear empties the file: the state has it all.
func (t *toldFile) clear() error { return t.file.Truncate(0) }
