package follow

import (
	"context"
	"fmt"

	"github.com/tlswright/tlswright/internal/fetch"
	"github.com/tlswright/tlswright/pki/ct"
)

// Log is a log that is followed.
type Log struct {
	*fetch.Log
	From    *Position // where it was left; nil: it was never read
	Backlog int64     // of one that was never read: so many entries before its end are read, too; -1: all
	// Look is told every entry in turn, and says how many certificates it has found in it.
	Look func(index uint64, e ct.LogEntry) int
	// Keep keeps the position: what was looked at before must have been told by then. It is asked at the end, after each find,
	// and now and then.
	Keep func(*Position) error
	// Begun is told where a log that was never read is read from; nil: nobody is.
	Begun func(first uint64)
}

// Trouble is what is wrong with a log; fetch.ErrLog is beneath it where the log is caught.
type Trouble struct {
	Err           error
	Before, Shown *ct.TreeHead // the tree head that was known, and the one that does not go with it; nil: there is none
}

// Error implements error.
func (t *Trouble) Error() string { return t.Err.Error() }

// Unwrap returns the cause.
func (t *Trouble) Unwrap() error { return t.Err }

// Read reads the log up to its newest head. What is wrong with the log is a [*Trouble]; other errors are those of Keep, or of
// a position that cannot be read.
func (l *Log) Read(ctx context.Context) error {
	head, err := l.Head(ctx)
	if err != nil {
		return &Trouble{Err: err}
	}
	if l.From == nil {
		return l.begin(ctx, head)
	}
	before, frontier, err := l.From.Resume()
	if err != nil {
		return err
	}
	if head.Size < before.Size && head.Timestamp <= before.Timestamp {
		// An older head from another of the log's servers: nothing new, but it must be of the same tree.
		if err := l.Consistency(ctx, head, before); err != nil {
			return &Trouble{err, &before, &head}
		}
		return nil
	}
	if err := l.Consistency(ctx, before, head); err != nil {
		return &Trouble{err, &before, &head}
	}
	return l.read(ctx, head, frontier)
}

// begin takes up a log that was never read.
func (l *Log) begin(ctx context.Context, head ct.TreeHead) error {
	first := uint64(0)
	if l.Backlog >= 0 && uint64(l.Backlog) < head.Size {
		first = head.Size - uint64(l.Backlog)
	}
	frontier, err := l.Frontier(ctx, first, head)
	if err != nil {
		return &Trouble{err, nil, &head}
	}
	if first == head.Size && l.Begun != nil {
		l.Begun(first)
	}
	return l.read(ctx, head, frontier)
}

// keepEvery is after how many entries the position is kept, where nothing was found.
const keepEvery = 64 * ct.TileWidth

// read reads from a frontier up to a head.
func (l *Log) read(ctx context.Context, head ct.TreeHead, frontier ct.Frontier) error {
	unkept := uint64(0)
	for frontier.Size < head.Size {
		entries, err := l.Entries(ctx, frontier.Size, head.Size, head)
		if err != nil {
			return &Trouble{err, nil, &head}
		}
		found := 0
		for _, e := range entries {
			hash, err := e.Hash()
			if err != nil {
				return &Trouble{err, nil, &head}
			}
			found += l.Look(frontier.Size, e)
			frontier.Add(hash)
		}
		unkept += uint64(len(entries))
		if frontier.Size == head.Size {
			break
		}
		if found > 0 || unkept >= keepEvery {
			if err := l.Keep(newPosition(l.Log.Log, head, frontier)); err != nil {
				return err
			}
			unkept = 0
		}
	}
	if frontier.Root() != head.Root {
		return &Trouble{fmt.Errorf("the entries that it gave out are not those of its tree of %d: %w", head.Size, fetch.ErrLog), nil, &head}
	}
	return l.Keep(newPosition(l.Log.Log, head, frontier))
}
