package revoked

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/crl"
)

// Bounds of a journal.
const (
	maxJournal   = 200_000 // entries
	maxEntry     = 1 << 10 // bytes of a line
	journalBytes = maxJournal * 400
	// rememberFor is how long an entry is kept whose certificate is not at hand to tell its end.
	rememberFor = 400 * 24 * time.Hour
)

// journal remembers which certificates were revoked, for as long as they would be valid. Nobody comes back from a revocation
// but those on hold, who are not in it. So an old statement that is still in force, given by somebody in between or after a
// restart without network, makes no certificate good again.
type journal struct {
	mu    sync.Mutex
	known map[key]memo
	file  *os.File // nil: only in memory
}

var errFull = fmt.Errorf("more than %d revoked certificates are remembered", maxJournal)

// memo is one revocation.
type memo struct {
	at     time.Time
	reason crl.Reason
	until  time.Time // the certificate's end
	by     string    // who said so, as in a result's Source
}

// line is a memo in the file.
type line struct {
	Issuer string    `json:"issuer"` // as IssuerKey
	Serial string    `json:"serial"`
	At     time.Time `json:"at"`
	Reason uint8     `json:"reason"`
	Until  time.Time `json:"until"`
	By     string    `json:"by"`
}

// openJournal reads the file and writes it anew, without what is over. A line that was torn by a crash is left out.
func openJournal(path string, now time.Time) (*journal, error) {
	j := &journal{known: make(map[key]memo)}
	if path == "" {
		return j, nil
	}
	data, err := readLimited(path, journalBytes)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var kept bytes.Buffer
	for text := bufio.NewScanner(bytes.NewReader(data)); text.Scan(); {
		k, m, err := readLine(text.Bytes())
		if err == nil && m.until.After(now) && len(j.known) < maxJournal {
			j.known[k] = m
			kept.Write(append(text.Bytes(), '\n'))
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if err := keystore.WriteFile(path, kept.Bytes(), 0o600); err != nil {
		return nil, err
	}
	j.file, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	return j, err
}

// readLine reads an entry.
func readLine(text []byte) (key, memo, error) {
	var l line
	if len(text) > maxEntry {
		return key{}, memo{}, errTooLarge
	}
	if err := json.Unmarshal(text, &l); err != nil {
		return key{}, memo{}, err
	}
	issuer, err1 := hex.DecodeString(l.Issuer)
	serial, err2 := hex.DecodeString(l.Serial)
	if err := errors.Join(err1, err2); err != nil {
		return key{}, memo{}, err
	}
	if len(issuer) != 32 || len(serial) == 0 || !crl.Reason(l.Reason).Valid() {
		return key{}, memo{}, fmt.Errorf("not an entry")
	}
	return key{[32]byte(issuer), string(serial)}, memo{l.At, crl.Reason(l.Reason), l.Until, l.By}, nil
}

// recall gives what is remembered of a certificate.
func (j *journal) recall(k key) (memo, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	m, ok := j.known[k]
	return m, ok
}

// remember keeps revocations, on disk before it returns, and gives those that are new. Those that are not final are passed
// over.
func (j *journal) remember(all map[key]memo) (fresh map[key]bool, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out bytes.Buffer
	for k, m := range all {
		if _, known := j.known[k]; known || m.reason == crl.CertificateHold || m.reason == crl.RemoveFromCRL {
			continue
		}
		if len(j.known) >= maxJournal {
			return fresh, errFull
		}
		j.known[k] = m
		if fresh == nil {
			fresh = make(map[key]bool)
		}
		fresh[k] = true
		text, err := json.Marshal(line{hex.EncodeToString(k.issuer[:]), hex.EncodeToString([]byte(k.serial)), m.at.UTC(), uint8(m.reason), m.until.UTC(), m.by})
		if err != nil {
			return fresh, err
		}
		out.Write(append(text, '\n'))
	}
	if j.file == nil || out.Len() == 0 {
		return fresh, nil
	}
	_, err = j.file.Write(out.Bytes())
	return fresh, errors.Join(err, j.file.Sync())
}

func (j *journal) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return nil
	}
	return j.file.Close()
}

// result is a memo as what is known of a certificate.
func (m memo) result() pki.RevocationResult {
	return pki.RevocationResult{
		Status: pki.RevocationRevoked, Source: sourceMemory, Reason: m.reason, At: m.at, Section: "RFC 5280, Section 5.3.1",
		Text: fmt.Sprintf("was revoked on %s (%v), said %s", stamp(m.at), m.reason, m.who()),
	}
}

// sourceMemory is the name of the journal in results.
const sourceMemory = "memory"

// who names the source in a sentence.
func (m memo) who() string {
	switch m.by {
	case "CRL":
		return "a CRL"
	case "OCSP":
		return "an OCSP answer"
	case sourceLive:
		return sourceLive
	}
	return "somebody who was asked before"
}

// stamp writes a time as package pki does.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }
