package fetch

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/logtest"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki/ct"
)

// eachForm starts a log of each form, with a client for it.
func eachForm(t *testing.T, run func(t *testing.T, served *logtest.Log, l *Log)) {
	for _, isTiled := range []bool{false, true} {
		t.Run(fmt.Sprintf("tiled %v", isTiled), func(t *testing.T) {
			served := logtest.Start(t, "log", isTiled)
			run(t, served, clientOf(t, served))
		})
	}
}

func clientOf(t *testing.T, served *logtest.Log) *Log {
	t.Helper()
	text, err := logtest.List(served)
	if err != nil {
		t.Fatal(err)
	}
	list, err := ct.ParseLogList(text)
	if err != nil {
		t.Fatal(err)
	}
	return private(t).Log(list.Logs[0])
}

// submission is a chain with its entry.
type submission struct {
	chain [][]byte
	entry ct.Entry
}

func submissions(t *testing.T, n int) []submission {
	t.Helper()
	ca := pkitest.New(t, pkitest.P256)
	var list []submission
	for i := range n {
		leaf := ca.Server(pkitest.P256, fmt.Sprintf("host%d.example", i))
		c, err := x509.ParseCertificate(leaf.Chain[0])
		if err != nil {
			t.Fatal(err)
		}
		entry, err := ct.EntryOf(c, ca.Intermediate, ct.Extension)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, submission{[][]byte{c.Raw, ca.Intermediate.Raw}, entry})
	}
	return list
}

func submit(t *testing.T, l *Log, s submission) ct.SCT {
	t.Helper()
	sct, err := l.Submit(t.Context(), s.chain, s.entry)
	if err != nil {
		t.Fatal(err)
	}
	return sct
}

func head(t *testing.T, l *Log) ct.TreeHead {
	t.Helper()
	h, err := l.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestLogsAreFollowedFromHeadToHead(t *testing.T) {
	eachForm(t, func(t *testing.T, _ *logtest.Log, l *Log) {
		all := submissions(t, 12)
		older := head(t, l)
		var grown ct.Frontier
		for i, s := range all {
			sct := submit(t, l, s)
			newer := head(t, l)
			if err := l.Consistency(t.Context(), older, newer); err != nil {
				t.Fatalf("%d: %v", i, err)
			}
			if index, err := l.Inclusion(t.Context(), s.entry, sct, newer); err != nil || index != uint64(i) {
				t.Fatalf("%d: at %d, %v", i, index, err)
			}
			entries, err := l.Entries(t.Context(), uint64(i), newer.Size, newer)
			if err != nil || len(entries) != 1 {
				t.Fatalf("%d: %d entries, %v", i, len(entries), err)
			}
			hash, err := entries[0].Hash()
			if err != nil {
				t.Fatal(err)
			}
			grown.Add(hash)
			f, err := l.Frontier(t.Context(), newer.Size, newer)
			if err != nil || f.Root() != grown.Root() || grown.Root() != newer.Root {
				t.Fatalf("%d: the frontier does not fit: %v", i, err)
			}
			older = newer
		}
		var again ct.Frontier
		for size := range older.Size {
			f, err := l.Frontier(t.Context(), size, older)
			if err != nil || f.Root() != again.Root() {
				t.Fatalf("the frontier of the first %d: %v", size, err)
			}
			entries, err := l.Entries(t.Context(), size, size+1, older)
			if err != nil {
				t.Fatal(err)
			}
			hash, err := entries[0].Hash()
			if err != nil {
				t.Fatal(err)
			}
			again.Add(hash)
		}
	})
}

// A tree of more than one tile, and more entries than a log gives out at once.
func TestManyEntriesAreReadInPieces(t *testing.T) {
	eachForm(t, func(t *testing.T, _ *logtest.Log, l *Log) {
		s := submissions(t, 1)[0]
		for range 300 {
			submit(t, l, s)
		}
		h := head(t, l)
		var f ct.Frontier
		for f.Size < h.Size {
			entries, err := l.Entries(t.Context(), f.Size, h.Size, h)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				hash, err := e.Hash()
				if err != nil {
					t.Fatal(err)
				}
				f.Add(hash)
			}
		}
		if f.Root() != h.Root {
			t.Error("another root")
		}
	})
}

func TestLogsThatMisbehaveAreCaught(t *testing.T) {
	eachForm(t, func(t *testing.T, served *logtest.Log, l *Log) {
		all := submissions(t, 6)
		var scts []ct.SCT
		for _, s := range all[:5] {
			scts = append(scts, submit(t, l, s))
		}
		older := head(t, l)
		submit(t, l, all[5])
		newer := head(t, l)

		caught := func(f logtest.Fault, what string, run func() error) {
			t.Helper()
			served.Misbehave(f)
			if err := run(); !errors.Is(err, ErrLog) {
				t.Errorf("%s: %s: %v", f, what, err)
			}
			served.Misbehave(logtest.None)
		}
		caught(logtest.BadTimestamp, "timestamp", func() error {
			_, err := l.Submit(t.Context(), all[0].chain, all[0].entry)
			return err
		})
		caught(logtest.BadHead, "head", func() error { _, err := l.Head(t.Context()); return err })
		caught(logtest.BadProof, "consistency", func() error { return l.Consistency(t.Context(), older, newer) })
		caught(logtest.BadProof, "inclusion", func() error {
			_, err := l.Inclusion(t.Context(), all[1].entry, scts[1], newer)
			return err
		})
		caught(logtest.BadProof, "frontier", func() error { _, err := l.Frontier(t.Context(), newer.Size, newer); return err })
		for _, f := range []logtest.Fault{logtest.Fork, logtest.Shrink} {
			caught(f, "grown", func() error {
				other := head(t, l)
				if f == logtest.Shrink {
					return l.Consistency(t.Context(), head(t, l), older)
				}
				return l.Consistency(t.Context(), older, other)
			})
		}
		served.Misbehave(logtest.Forge)
		entries, err := l.Entries(t.Context(), 0, 1, newer)
		if err != nil {
			t.Fatal(err)
		}
		hash, err := entries[0].Hash()
		if want, wantErr := all[0].entry.LeafHash(scts[0]); err != nil || wantErr != nil || hash == want {
			t.Errorf("a forged entry has the hash of the true one (%v, %v)", err, wantErr)
		}
	})
}

func TestLogsThatDoNotAnswerAreToldApart(t *testing.T) {
	eachForm(t, func(t *testing.T, served *logtest.Log, l *Log) {
		all := submissions(t, 2)
		submit(t, l, all[0])
		served.Misbehave(logtest.Refuse)
		_, err := l.Head(t.Context())
		var status *StatusError
		if !errors.As(err, &status) || status.Status != http.StatusServiceUnavailable || status.Later != "1" {
			t.Errorf("refused: %v", err)
		}
		wantError(t, err, "come again later")
		served.Misbehave(logtest.Endless)
		_, err = l.Head(t.Context())
		wantError(t, err, "more than 65536 bytes")
		served.Misbehave(logtest.Garbage)
		_, err = l.Head(t.Context())
		wantError(t, err, "no tree head")
		_, err = l.Submit(t.Context(), all[0].chain, all[0].entry)
		wantError(t, err, "no timestamp")
		served.Misbehave(logtest.Hang)
		l.fetcher.o.Timeout = 50 * time.Millisecond // a bound, not a measure: what hangs stays so
		_, err = l.Head(t.Context())
		wantError(t, err, "in time")
		l.fetcher.o.Timeout = DefaultTimeout

		served.Misbehave(logtest.Postpone)
		sct := submit(t, l, all[1])
		if _, err = l.Inclusion(t.Context(), all[1].entry, sct, head(t, l)); !errors.Is(err, ErrNotIncluded) || errors.Is(err, ErrLog) {
			t.Errorf("postponed: %v", err)
		}
		if _, err := l.Submit(t.Context(), all[0].chain[:1], all[0].entry); err == nil {
			t.Error("a log took half a chain")
		}
	})
}

func TestAnotherLogsAnswersAreNotTaken(t *testing.T) {
	eachForm(t, func(t *testing.T, served *logtest.Log, l *Log) {
		other := *l.Log
		other.URL, other.MonitoringURL = served.URL, served.URL
		stranger := clientOf(t, logtest.Start(t, "log", served.Tiled))
		other.ID, other.Key = stranger.ID, stranger.Key
		wrong := l.fetcher.Log(&other)
		s := submissions(t, 1)[0]
		if _, err := wrong.Submit(t.Context(), s.chain, s.entry); !errors.Is(err, ErrLog) {
			t.Errorf("timestamp: %v", err)
		}
		if _, err := wrong.Head(t.Context()); err == nil {
			t.Error("the tree head of another log is taken")
		}
	})
}

func FuzzLogAnswers(f *testing.F) {
	f.Add([]byte(`{"sct_version":0,"id":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","timestamp":1,"extensions":"","signature":"BAMAAA=="}`))
	f.Add([]byte(`{"tree_size":1,"timestamp":1,"sha256_root_hash":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","tree_head_signature":"BAMAAA=="}`))
	f.Add([]byte(`{"entries":[{"leaf_input":"AAAAAAAAAAAAAAAAAAABAgAA","extra_data":"AAAA"}]}`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		if s, err := parseTimestamp(answer); err == nil {
			again, err := ct.ParseSCT(s.Raw)
			if err != nil || again.Timestamp != s.Timestamp {
				t.Errorf("%v", err)
			}
		}
		_, _ = parseHead(answer)
		if list, err := parseEntries(answer, 5); err == nil && (len(list) < 1 || len(list) > 5) {
			t.Errorf("%d entries", len(list))
		}
	})
}
