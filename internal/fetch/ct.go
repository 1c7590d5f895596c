package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/ct"
)

// Bounds on what logs of Certificate Transparency answer.
const (
	maxLogAnswer  = 64 << 10 // bytes of a timestamp, a tree head or a proof
	maxLogEntries = 32 << 20 // bytes of entries: 256 with chains of 90 KB each
	maxTile       = 8 << 10  // bytes: 256 hashes
	maxLogWords   = 200      // characters of what a log says when it refuses
	maxTree       = 1 << 50  // leaves
)

// ErrLog is beneath the errors that say that a log is caught: what it has signed, or what it answers, cannot be true.
var ErrLog = errors.New("the log misbehaves")

// errTooLarge is beneath the error for an answer that is beyond its bound.
var errTooLarge = errors.New("too large")

// StatusError is what a log answered in place of what it was asked for.
type StatusError struct {
	Status int    // of HTTP
	Words  string // what it said to it, printable; may be ""
	Later  string // its Retry-After, printable; may be ""
}

// Error implements error.
func (e *StatusError) Error() string {
	text := fmt.Sprintf("answers with HTTP status %d", e.Status)
	if e.Words != "" {
		text += ": " + e.Words
	}
	return text
}

// Log asks one log of Certificate Transparency, in the language of RFC 6962 or in that of the static API, as its entry in
// the list says. It believes nothing that the log's key has not signed and nothing that does not fit a tree head. It may
// be used concurrently. Redirects are not followed: a list of logs names the exact place.
type Log struct {
	*ct.Log
	fetcher *Fetcher
}

// Log makes a client for a log of a list.
func (f *Fetcher) Log(l *ct.Log) *Log { return &Log{Log: l, fetcher: f} }

// at joins a path to a URL of the log.
func at(base, path string) string { return strings.TrimSuffix(base, "/") + "/" + path }

// caught is the error for a log that is caught.
func (l *Log) caught(url, format string, args ...any) error {
	return &Error{URL: pki.Printable(url), Reason: fmt.Sprintf(format, args...), Err: ErrLog}
}

// get asks by GET; limit bounds the answer, unpacked.
func (l *Log) get(ctx context.Context, url string, limit int64) ([]byte, error) {
	return l.do(ctx, question{url: url, limit: limit, accept: "*/*"})
}

// do asks once and reads the answer. Failures are not remembered: who follows a log asks it again and again.
func (l *Log) do(ctx context.Context, q question) ([]byte, error) {
	if err := checkURL(q.url); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, l.fetcher.o.Timeout)
	defer cancel()
	response, err := l.fetcher.roundTrip(ctx, q, q.url)
	if err != nil {
		return nil, failed(q.url, err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, refusedBy(q.url, response)
	}
	var body io.Reader = response.Body
	if strings.EqualFold(response.Header.Get("Content-Encoding"), "gzip") {
		// Tiles are stored packed, and some logs send them so whether asked or not.
		unpacked, err := gzip.NewReader(io.LimitReader(body, q.limit+1))
		if err != nil {
			return nil, failed(q.url, err)
		}
		body = unpacked
	}
	answer, err := io.ReadAll(io.LimitReader(body, q.limit+1))
	if err != nil {
		return nil, failed(q.url, err)
	}
	if int64(len(answer)) > q.limit {
		return nil, &Error{URL: pki.Printable(q.url), Reason: fmt.Sprintf("answers with more than %d bytes", q.limit), Err: errTooLarge}
	}
	return answer, nil
}

// refusedBy makes an error of an answer that is none, with the first words of it: logs say there why they do not take a
// chain.
func refusedBy(url string, response *http.Response) error {
	said, _ := io.ReadAll(io.LimitReader(response.Body, 4*maxLogWords)) // what there is will do
	words := strings.Join(strings.Fields(string(said)), " ")
	if !utf8.ValidString(words) || strings.HasPrefix(words, "<") {
		words = ""
	}
	if r := []rune(words); len(r) > maxLogWords {
		words = string(r[:maxLogWords]) + "…"
	}
	err := &StatusError{Status: response.StatusCode, Words: pki.Printable(words), Later: pki.Printable(shorten(response.Header.Get("Retry-After")))}
	return &Error{URL: pki.Printable(url), Reason: err.Error(), Err: err}
}

// parse reads a JSON answer.
func parse(url string, answer []byte, into any) error {
	if err := json.Unmarshal(answer, into); err != nil {
		return &Error{URL: pki.Printable(url), Reason: "answers with what cannot be read: " + pki.Printable(err.Error()), Err: err}
	}
	return nil
}

// hashesOf turns the nodes of a proof into hashes.
func (l *Log) hashesOf(url string, nodes [][]byte) ([][32]byte, error) {
	list := make([][32]byte, 0, len(nodes))
	for _, n := range nodes {
		if len(n) != 32 {
			return nil, l.caught(url, "proves with a hash of %d bytes", len(n))
		}
		list = append(list, [32]byte(n))
	}
	return list, nil
}

// timestampJSON is the answer to add-chain and add-pre-chain (RFC 6962, Sections 4.1 and 4.2).
type timestampJSON struct {
	Version    uint8  `json:"sct_version"`
	ID         []byte `json:"id"`
	Timestamp  uint64 `json:"timestamp"`
	Extensions []byte `json:"extensions"`
	Signature  []byte `json:"signature"`
}

// parseTimestamp reads a log's answer to a submission.
func parseTimestamp(answer []byte) (ct.SCT, error) {
	var in timestampJSON
	if err := json.Unmarshal(answer, &in); err != nil {
		return ct.SCT{}, err
	}
	if in.Version != 0 || len(in.ID) != 32 {
		return ct.SCT{}, errors.New("no timestamp of version 1")
	}
	s := ct.SCT{LogID: [32]byte(in.ID), Timestamp: in.Timestamp, Extensions: in.Extensions}
	if err := s.SetSignature(in.Signature); err != nil {
		return ct.SCT{}, err
	}
	raw, err := s.Append(nil)
	if err != nil {
		return ct.SCT{}, err
	}
	return ct.ParseSCT(raw)
}

// Submit gives the log a chain, leaf first, DER: a certificate by add-chain, a precertificate by add-pre-chain. The entry
// is what the timestamp must be about; what the log signs is checked.
func (l *Log) Submit(ctx context.Context, chain [][]byte, entry ct.Entry) (ct.SCT, error) {
	path := "ct/v1/add-chain"
	if entry.Precertificate {
		path = "ct/v1/add-pre-chain"
	}
	body, err := json.Marshal(map[string][][]byte{"chain": chain})
	if err != nil {
		return ct.SCT{}, err
	}
	url := at(l.URL, path)
	answer, err := l.do(ctx, question{url: url, body: body, kind: "application/json", accept: "application/json", limit: maxLogAnswer})
	if err != nil {
		return ct.SCT{}, err
	}
	s, err := parseTimestamp(answer)
	if err != nil {
		return ct.SCT{}, &Error{URL: pki.Printable(url), Reason: "answers with what is no timestamp: " + pki.Printable(err.Error()), Err: err}
	}
	if s.LogID != l.ID {
		return ct.SCT{}, l.caught(url, "answers with a timestamp of another log")
	}
	if s.Source = ct.Extension; entry.Precertificate {
		s.Source = ct.Embedded
	}
	if err := ct.CheckSignature(s, entry, l.Key); err != nil {
		return ct.SCT{}, l.caught(url, "answers with a timestamp that does not hold: %v", err)
	}
	if l.Tiled {
		if _, ok := s.LeafIndex(); !ok {
			return ct.SCT{}, l.caught(url, "does not say in its timestamp where the entry will stand")
		}
	}
	return s, nil
}

// Head asks for the newest tree head and checks its signature.
func (l *Log) Head(ctx context.Context) (ct.TreeHead, error) {
	url := at(l.URL, "ct/v1/get-sth")
	if l.Tiled {
		url = at(l.MonitoringURL, "checkpoint")
	}
	answer, err := l.get(ctx, url, maxLogAnswer)
	if err != nil {
		return ct.TreeHead{}, err
	}
	var h ct.TreeHead
	if l.Tiled {
		h, err = ct.ParseCheckpoint(answer, ct.Origin(l.URL), l.ID)
	} else {
		h, err = parseHead(answer)
	}
	if err != nil {
		return ct.TreeHead{}, &Error{URL: pki.Printable(url), Reason: "answers with what is no tree head: " + pki.Printable(err.Error()), Err: err}
	}
	if err := h.CheckSignature(l.Key); err != nil {
		return ct.TreeHead{}, l.caught(url, "shows a tree head that its key has not signed: %v", err)
	}
	if h.Size > maxTree {
		return ct.TreeHead{}, l.caught(url, "claims to have %d entries", h.Size)
	}
	var none ct.Frontier
	if h.Size == 0 && h.Root != none.Root() {
		return ct.TreeHead{}, l.caught(url, "shows an empty tree with the root of another")
	}
	return h, nil
}

// parseHead reads the answer to get-sth (RFC 6962, Section 4.3).
func parseHead(answer []byte) (ct.TreeHead, error) {
	var in struct {
		Size      uint64 `json:"tree_size"`
		Timestamp uint64 `json:"timestamp"`
		Root      []byte `json:"sha256_root_hash"`
		Signature []byte `json:"tree_head_signature"`
	}
	if err := json.Unmarshal(answer, &in); err != nil {
		return ct.TreeHead{}, err
	}
	if len(in.Root) != 32 {
		return ct.TreeHead{}, fmt.Errorf("a root of %d bytes", len(in.Root))
	}
	h := ct.TreeHead{Size: in.Size, Timestamp: in.Timestamp, Root: [32]byte(in.Root)}
	return h, h.SetSignature(bytes.Clone(in.Signature))
}
