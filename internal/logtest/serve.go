package logtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/tlswright/tlswright/pki/ct"
)

// errPlace is the answer to a question for what is not there.
var errPlace = errors.New("no such place")

// ServeHTTP implements http.Handler.
func (l *Log) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	fault := l.fault
	l.mu.Unlock()
	switch fault {
	case Hang:
		_, _ = io.Copy(io.Discard, r.Body) // before that the server does not notice that the client has gone
		<-r.Context().Done()
		return
	case Endless:
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
		return
	case Refuse:
		w.Header().Set("Retry-After", "1")
		http.Error(w, "come again later", http.StatusServiceUnavailable)
		return
	case Garbage:
		_, _ = w.Write([]byte("{\"tree_size\": \x00\x1b[2J"))
		return
	}
	path := strings.TrimPrefix(r.URL.Path, "/"+l.Name+"/")
	answer, err := l.answer(path, r)
	switch {
	case errors.Is(err, errPlace):
		http.Error(w, err.Error(), http.StatusNotFound)
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	default:
		_, _ = w.Write(answer)
	}
}

func (l *Log) answer(path string, r *http.Request) ([]byte, error) {
	switch path {
	case "ct/v1/add-chain", "ct/v1/add-pre-chain":
		return l.submission(r, path == "ct/v1/add-pre-chain")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	t, entries, err := l.shown()
	if err != nil {
		return nil, err
	}
	if l.Tiled {
		return l.static(path, t, entries)
	}
	switch path {
	case "ct/v1/get-sth":
		h, err := l.head(t)
		if err != nil {
			return nil, err
		}
		return json.Marshal(map[string]any{"tree_size": h.Size, "timestamp": h.Timestamp, "sha256_root_hash": h.Root[:], "tree_head_signature": h.AppendSignature(nil)})
	case "ct/v1/get-sth-consistency":
		return l.growth(r, t)
	case "ct/v1/get-proof-by-hash":
		return l.proof(r, t)
	case "ct/v1/get-entries":
		return l.span(r, entries)
	}
	return nil, errPlace
}

func (l *Log) submission(r *http.Request, isPre bool) ([]byte, error) {
	var in struct {
		Chain [][]byte `json:"chain"`
	}
	if r.Method != http.MethodPost {
		return nil, errors.New("this is for POST")
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, err
	}
	s, err := l.take(in.Chain, isPre)
	if err != nil {
		return nil, err
	}
	signature := ct.TreeHead{Hash: s.Hash, Algorithm: s.Algorithm, Signature: s.Signature}.AppendSignature(nil)
	return json.Marshal(map[string]any{"sct_version": 0, "id": s.LogID[:], "timestamp": s.Timestamp, "extensions": s.Extensions, "signature": signature})
}

func number(r *http.Request, name string) int64 {
	n, err := strconv.ParseInt(r.URL.Query().Get(name), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// nodes are the hashes of a proof, one too many where it shall not hold.
func (l *Log) nodes(proof []tlog.Hash) [][]byte {
	list := [][]byte{}
	for _, h := range proof {
		list = append(list, append([]byte(nil), h[:]...))
	}
	if l.fault == BadProof {
		list = append(list, make([]byte, 32))
	}
	return list
}

func (l *Log) growth(r *http.Request, t *tree) ([]byte, error) {
	first, second := number(r, "first"), number(r, "second")
	if first < 1 || second < first || second > t.size {
		return nil, errors.New("no such trees")
	}
	proof, err := tlog.ProveTree(second, first, t)
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{"consistency": l.nodes(proof)})
}

func (l *Log) proof(r *http.Request, t *tree) ([]byte, error) {
	size, hash := number(r, "tree_size"), r.URL.Query().Get("hash")
	if size < 1 || size > t.size {
		return nil, errors.New("no such tree")
	}
	for i := range size {
		if t.stored[tlog.StoredHashIndex(0, i)].String() != hash {
			continue
		}
		proof, err := tlog.ProveRecord(size, i, t)
		if err != nil {
			return nil, err
		}
		return json.Marshal(map[string]any{"leaf_index": i, "audit_path": l.nodes(proof)})
	}
	return nil, errPlace
}

func (l *Log) span(r *http.Request, entries []ct.LogEntry) ([]byte, error) {
	start, end := number(r, "start"), number(r, "end")
	if start < 0 || end < start || start >= int64(len(entries)) {
		return nil, errors.New("no such entries")
	}
	end = min(end+1, int64(len(entries)), start+MaxEntries)
	list := []map[string][]byte{}
	for _, e := range entries[start:end] {
		if l.fault == Forge {
			e.Timestamp++
		}
		leaf, err := e.Leaf()
		if err != nil {
			return nil, err
		}
		extra, err := e.Extra()
		if err != nil {
			return nil, err
		}
		list = append(list, map[string][]byte{"leaf_input": leaf, "extra_data": extra})
	}
	return json.Marshal(map[string]any{"entries": list})
}

// static answers in the static API.
func (l *Log) static(path string, t *tree, entries []ct.LogEntry) ([]byte, error) {
	if path == "checkpoint" {
		h, err := l.head(t)
		if err != nil {
			return nil, err
		}
		return h.AppendCheckpoint(nil, ct.Origin(l.URL), l.key.Public())
	}
	rest, ok := strings.CutPrefix(path, "tile/")
	tile, err := tlog.ParseTilePath("tile/8/" + rest)
	if !ok || err != nil {
		return nil, errPlace
	}
	if tile.L >= 0 {
		data, err := tlog.ReadTileData(tile, t)
		if err != nil {
			return nil, errPlace
		}
		if l.fault == BadProof {
			data[0] ^= 1
		}
		return data, nil
	}
	first := tile.N * ct.TileWidth
	if first+int64(tile.W) > int64(len(entries)) {
		return nil, errPlace
	}
	var data []byte
	for _, e := range entries[first : first+int64(tile.W)] {
		if l.fault == Forge {
			e.Timestamp++
		}
		if data, err = e.AppendDataTile(data); err != nil {
			return nil, fmt.Errorf("write a tile: %w", err)
		}
	}
	return data, nil
}
