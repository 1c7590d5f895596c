package fetch

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/ct"
)

// Consistency has the log prove that the tree of a newer head has grown from that of an older one. What it cannot prove
// is an error with [ErrLog] beneath.
func (l *Log) Consistency(ctx context.Context, older, newer ct.TreeHead) error {
	switch {
	case older.Size > newer.Size:
		return l.caught(l.shownAt(), "shows a tree of %d entries after one of %d", newer.Size, older.Size)
	case older.Size == newer.Size:
		if older.Root != newer.Root {
			return l.caught(l.shownAt(), "shows two different trees of %d entries", older.Size)
		}
		return nil
	case older.Size == 0:
		return nil
	case l.Tiled:
		return l.tiledConsistency(ctx, older, newer)
	}
	ask := at(l.URL, fmt.Sprintf("ct/v1/get-sth-consistency?first=%d&second=%d", older.Size, newer.Size))
	answer, err := l.get(ctx, ask, maxLogAnswer)
	if err != nil {
		return err
	}
	var in struct {
		Consistency [][]byte `json:"consistency"`
	}
	if err := parse(ask, answer, &in); err != nil {
		return err
	}
	proof, err := l.hashesOf(ask, in.Consistency)
	if err != nil {
		return err
	}
	if err := ct.CheckConsistency(older.Size, newer.Size, proof, older.Root, newer.Root); err != nil {
		return l.caught(ask, "cannot prove that its tree of %d entries has grown from that of %d: %v", newer.Size, older.Size, err)
	}
	return nil
}

// shownAt is where tree heads are asked for.
func (l *Log) shownAt() string {
	if l.Tiled {
		return at(l.MonitoringURL, "checkpoint")
	}
	return at(l.URL, "ct/v1/get-sth")
}

// ErrNotIncluded says that a log does not have the entry of a timestamp in the tree that it was asked about.
var ErrNotIncluded = errors.New("the entry is not in the log's tree")

// Inclusion has the log prove that the entry of a timestamp is in the tree of a head, and tells where. [ErrNotIncluded]
// is beneath the error where the log says that it is not: that is its right within its merge delay only.
func (l *Log) Inclusion(ctx context.Context, entry ct.Entry, s ct.SCT, head ct.TreeHead) (index uint64, err error) {
	leaf, err := entry.LeafHash(s)
	if err != nil {
		return 0, err
	}
	if !l.Tiled {
		return l.proofByHash(ctx, leaf, head)
	}
	index, ok := s.LeafIndex()
	if !ok {
		return 0, l.caught(l.shownAt(), "does not say in its timestamp where the entry stands")
	}
	if index >= head.Size {
		return 0, &Error{URL: pki.Printable(l.shownAt()), Reason: fmt.Sprintf("has %d entries, and this one will be number %d", head.Size, index), Err: ErrNotIncluded}
	}
	found, err := l.tiledLeaf(ctx, index, head)
	if err != nil {
		return 0, err
	}
	if found != leaf {
		return 0, l.caught(at(l.MonitoringURL, "tile"), "has another entry at the place %d that its timestamp names", index)
	}
	return index, nil
}

// proofByHash asks for the audit path of a leaf in the tree of a head (RFC 6962, Section 4.5), and checks it.
func (l *Log) proofByHash(ctx context.Context, leaf [32]byte, head ct.TreeHead) (uint64, error) {
	index, path, ask, err := l.pathOf(ctx, leaf, head.Size)
	if err != nil {
		return 0, err
	}
	if err := ct.CheckInclusion(leaf, index, head.Size, path, head.Root); err != nil {
		return 0, l.caught(ask, "cannot prove that the entry is in its tree: %v", err)
	}
	return index, nil
}

// pathOf asks for the audit path of a leaf in the tree of a size. It is not checked.
func (l *Log) pathOf(ctx context.Context, leaf [32]byte, size uint64) (index uint64, path [][32]byte, ask string, err error) {
	ask = at(l.URL, fmt.Sprintf("ct/v1/get-proof-by-hash?hash=%s&tree_size=%d", url.QueryEscape(base64.StdEncoding.EncodeToString(leaf[:])), size))
	answer, err := l.get(ctx, ask, maxLogAnswer)
	var status *StatusError
	if errors.As(err, &status) && (status.Status == http.StatusNotFound || status.Status == http.StatusBadRequest) {
		return 0, nil, ask, &Error{URL: pki.Printable(ask), Reason: fmt.Sprintf("does not have it in its tree of %d entries (HTTP status %d)", size, status.Status), Err: ErrNotIncluded}
	}
	if err != nil {
		return 0, nil, ask, err
	}
	var in struct {
		Index uint64   `json:"leaf_index"`
		Path  [][]byte `json:"audit_path"`
	}
	if err := parse(ask, answer, &in); err != nil {
		return 0, nil, ask, err
	}
	path, err = l.hashesOf(ask, in.Path)
	return in.Index, path, ask, err
}

// Frontier fetches what a watcher needs to read on from the first entries of a tree, so many as size says; it is proven
// against the head.
func (l *Log) Frontier(ctx context.Context, size uint64, head ct.TreeHead) (ct.Frontier, error) {
	if size == 0 {
		return ct.Frontier{}, nil
	}
	if size > head.Size {
		return ct.Frontier{}, fmt.Errorf("no %d entries in a tree of %d", size, head.Size)
	}
	if l.Tiled {
		return l.tiledFrontier(ctx, size, head)
	}
	last, err := l.Entries(ctx, size-1, size, head)
	if err != nil {
		return ct.Frontier{}, err
	}
	leaf, err := last[0].Hash()
	if err != nil {
		return ct.Frontier{}, err
	}
	index, path, ask, err := l.pathOf(ctx, leaf, size)
	switch {
	case errors.Is(err, ErrNotIncluded):
		return ct.Frontier{}, l.caught(ask, "does not find an entry of its own tree")
	case err != nil:
		return ct.Frontier{}, err
	case index != size-1:
		// An equal entry stands elsewhere, too: the path is not that of the last one.
		return ct.Frontier{}, &Error{URL: pki.Printable(ask), Reason: "has the last entry at another place, too: try again when it has grown"}
	}
	f, err := ct.FrontierOf(size, leaf, path)
	if err != nil {
		return ct.Frontier{}, l.caught(ask, "proves an entry by a path that does not fit")
	}
	// The tree of that size has no head; that the present one has grown from it proves it.
	return f, l.Consistency(ctx, ct.TreeHead{Size: size, Root: f.Root()}, head)
}

// maxAsked is how many entries are asked for at once.
const maxAsked = ct.TileWidth

// Entries fetches entries from the index first on, up to the index end, which does not belong to them: as many as the
// log gives at once, one at least. They are not proven by themselves: who reads on from a [ct.Frontier] compares the
// root in the end.
func (l *Log) Entries(ctx context.Context, first, end uint64, head ct.TreeHead) ([]ct.LogEntry, error) {
	if first >= end || end > head.Size {
		return nil, fmt.Errorf("no entries from %d to %d in a tree of %d", first, end, head.Size)
	}
	if l.Tiled {
		return l.tiledEntries(ctx, first, end, head)
	}
	for count := min(end-first, maxAsked); ; count /= 2 {
		entries, err := l.someEntries(ctx, first, count)
		if errors.Is(err, errTooLarge) && count > 1 {
			continue
		}
		return entries, err
	}
}

// someEntries asks once by get-entries (RFC 6962, Section 4.6).
func (l *Log) someEntries(ctx context.Context, first, count uint64) ([]ct.LogEntry, error) {
	ask := at(l.URL, fmt.Sprintf("ct/v1/get-entries?start=%d&end=%d", first, first+count-1))
	answer, err := l.get(ctx, ask, maxLogEntries)
	if err != nil {
		return nil, err
	}
	entries, err := parseEntries(answer, count)
	if err != nil {
		return nil, l.caught(ask, "answers with what are no entries: %s", pki.Printable(err.Error()))
	}
	return entries, nil
}
