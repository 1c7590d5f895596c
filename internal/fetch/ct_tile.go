package fetch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/ct"
)

// tileHeight is that of the static API: 256 hashes a tile.
const tileHeight = 8

// parseEntries reads the answer to get-entries: one to count entries.
func parseEntries(answer []byte, count uint64) ([]ct.LogEntry, error) {
	var in struct {
		Entries []struct {
			Leaf  []byte `json:"leaf_input"`
			Extra []byte `json:"extra_data"`
		} `json:"entries"`
	}
	if err := json.Unmarshal(answer, &in); err != nil {
		return nil, err
	}
	if n := uint64(len(in.Entries)); n == 0 || n > count {
		return nil, fmt.Errorf("%d of them where 1 to %d were asked for", n, count)
	}
	entries := make([]ct.LogEntry, 0, len(in.Entries))
	for _, one := range in.Entries {
		e, err := ct.ParseLogEntry(one.Leaf, one.Extra)
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// tilePath is the path of a tile in the static API, which has no height in it: all tiles have the same.
func tilePath(t tlog.Tile) string {
	return "tile/" + strings.TrimPrefix(t.Path(), fmt.Sprintf("tile/%d/", tileHeight))
}

// tile fetches a tile, or where a partial one is gone the full one: logs may drop the one once they have the other.
func (l *Log) tile(ctx context.Context, t tlog.Tile, limit int64) (data []byte, width int, err error) {
	data, err = l.get(ctx, at(l.MonitoringURL, tilePath(t)), limit)
	var status *StatusError
	if t.W == ct.TileWidth || !errors.As(err, &status) || status.Status != http.StatusNotFound && status.Status != http.StatusGone {
		return data, t.W, err
	}
	full := t
	full.W = ct.TileWidth
	if whole, wholeErr := l.get(ctx, at(l.MonitoringURL, tilePath(full)), limit); wholeErr == nil {
		return whole, ct.TileWidth, nil
	}
	return nil, 0, err
}

// tiles reads the hashes of a tiled log; what package tlog makes of it checks each against the tree head.
type tiles struct {
	ctx context.Context // of the one question that it lives for
	log *Log
	err error // the first trouble of the network, which is not the log's lie
}

// Height implements tlog.TileReader.
func (t *tiles) Height() int { return tileHeight }

// SaveTiles implements tlog.TileReader.
func (t *tiles) SaveTiles([]tlog.Tile, [][]byte) {}

// ReadTiles implements tlog.TileReader.
func (t *tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	list := make([][]byte, 0, len(wanted))
	for _, w := range wanted {
		data, width, err := t.log.tile(t.ctx, w, maxTile)
		if err == nil && len(data) != width*32 {
			err = &Error{URL: pki.Printable(at(t.log.MonitoringURL, tilePath(w))), Reason: fmt.Sprintf("answers with a tile of %d bytes", len(data)), Err: ErrLog}
		}
		if err != nil {
			t.err = err
			return nil, err
		}
		list = append(list, data[:w.W*32])
	}
	return list, nil
}

// inTree runs a reading of hashes of the tree of a head. Hashes that do not lead to its root are the log's lie.
func (l *Log) inTree(ctx context.Context, head ct.TreeHead, read func(tlog.HashReader) error) error {
	t := &tiles{ctx: ctx, log: l}
	err := read(tlog.TileHashReader(tlog.Tree{N: int64(head.Size), Hash: tlog.Hash(head.Root)}, t))
	switch {
	case err == nil:
		return nil
	case t.err != nil:
		return t.err
	}
	return l.caught(at(l.MonitoringURL, "tile"), "has tiles that do not fit its tree head: %s", pki.Printable(err.Error()))
}

// errOther is the verdict of the reading below; its text is never shown.
var errOther = errors.New("another tree")

func (l *Log) tiledConsistency(ctx context.Context, older, newer ct.TreeHead) error {
	return l.inTree(ctx, newer, func(r tlog.HashReader) error {
		root, err := tlog.TreeHash(int64(older.Size), r)
		if err == nil && [32]byte(root) != older.Root {
			err = fmt.Errorf("%w: that of %d entries has not grown from that of %d", errOther, newer.Size, older.Size)
		}
		return err
	})
}

func (l *Log) tiledLeaf(ctx context.Context, index uint64, head ct.TreeHead) (leaf [32]byte, err error) {
	err = l.inTree(ctx, head, func(r tlog.HashReader) error {
		found, err := r.ReadHashes([]int64{tlog.StoredHashIndex(0, int64(index))})
		if err == nil {
			leaf = found[0]
		}
		return err
	})
	return leaf, err
}

func (l *Log) tiledFrontier(ctx context.Context, size uint64, head ct.TreeHead) (f ct.Frontier, err error) {
	var wanted []int64
	var before uint64
	for level := 63; level >= 0; level-- {
		if leaves := uint64(1) << level; size&leaves != 0 {
			wanted = append(wanted, tlog.StoredHashIndex(level, int64(before>>level)))
			before += leaves
		}
	}
	err = l.inTree(ctx, head, func(r tlog.HashReader) error {
		found, err := r.ReadHashes(wanted)
		if err != nil {
			return err
		}
		f = ct.Frontier{Size: size}
		for _, h := range found {
			f.Hashes = append(f.Hashes, h)
		}
		return nil
	})
	return f, err
}

func (l *Log) tiledEntries(ctx context.Context, first, end uint64, head ct.TreeHead) ([]ct.LogEntry, error) {
	n := first / ct.TileWidth
	width := min(head.Size-n*ct.TileWidth, ct.TileWidth)
	t := tlog.Tile{H: tileHeight, L: -1, N: int64(n), W: int(width)}
	data, got, err := l.tile(ctx, t, maxLogEntries)
	if err != nil {
		return nil, err
	}
	entries, err := ct.ParseDataTile(data, got)
	if err != nil {
		return nil, l.caught(at(l.MonitoringURL, tilePath(t)), "answers with what are no entries: %s", pki.Printable(err.Error()))
	}
	from, to := first-n*ct.TileWidth, min(end-n*ct.TileWidth, width)
	return entries[from:to], nil
}
