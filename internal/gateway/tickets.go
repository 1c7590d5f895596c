package gateway

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlsnet"
)

// Bounds on a file of ticket keys.
const (
	maxTicketFile = 16 << 10 // bytes
	maxTicketKeys = 32
	ticketSecret  = 48 // bytes of a line, at least 32: what OpenSSL makes for nginx and HAProxy will do
)

// ticketKeys makes the keys of session tickets: our own, or those of a file that several nodes share.
func ticketKeys(file string, now time.Time) (*tlsnet.TicketKeys, error) {
	keys := tlsnet.NewTicketKeys(0, 0)
	if file == "" {
		return keys, nil
	}
	list, err := readTicketFile(file, now)
	if err != nil {
		return nil, fmt.Errorf("tickets: %w", err)
	}
	return keys, keys.Import(list)
}

// readTickets takes over the keys of a file that has changed. Connections of before keep being resumed while their key
// is in it.
func (g *Gateway) readTickets(file string) error {
	list, err := readTicketFile(file, g.o.Now())
	if err != nil {
		return err
	}
	if err := g.tickets.Import(list); err != nil {
		return err
	}
	g.metrics.reloads.WithLabelValues("tickets", "done").Inc()
	return nil
}

// readTicketFile reads keys, newest first, a line each in base64: `openssl rand -base64 48`. A line may begin with the
// time from which its key seals (RFC 3339) and a space, so that all nodes have it before the first one uses it. Name and
// key in the sense of tickets are derived from the secret, the same on every node.
func readTicketFile(file string, now time.Time) ([]tlsnet.TicketKey, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, &keystore.PermissionError{Path: file, Mode: info.Mode(), Hint: "chmod 600 " + file}
	}
	if info.Size() > maxTicketFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", file, maxTicketFile)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	keys, err := parseTicketFile(text, now)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return keys, nil
}

// parseTicketFile reads the text of such a file.
func parseTicketFile(text []byte, now time.Time) ([]tlsnet.TicketKey, error) {
	var keys []tlsnet.TicketKey
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		since := time.Time{}
		if at, rest, ok := strings.Cut(line, " "); ok {
			var err error
			if since, err = time.Parse(time.RFC3339, at); err != nil {
				return nil, fmt.Errorf("line %d: %q is no time; write it like 2026-01-02T15:04:05Z", n, pki.Printable(at))
			}
			line = strings.TrimSpace(rest)
		}
		secret, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(secret) < 32 || len(secret) > 256 {
			return nil, fmt.Errorf("line %d: a key is 32 bytes or more in base64: openssl rand -base64 %d", n, ticketSecret)
		}
		if len(keys) == maxTicketKeys {
			return nil, fmt.Errorf("line %d: more than %d keys", n, maxTicketKeys)
		}
		k := tlsnet.TicketKey{Since: since, Key: sha256.Sum256(append([]byte("tlswright ticket key\x00"), secret...))}
		name := sha256.Sum256(append([]byte("tlswright ticket name\x00"), secret...))
		k.Name = [16]byte(name[:])
		keys = append(keys, k)
	}
	if err := lines.Err(); err != nil {
		return nil, errors.New("a line is too long")
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no key in it")
	}
	// Keys without a time: each counts as a little older than the one before it in the file.
	for i := range keys {
		if keys[i].Since.IsZero() {
			keys[i].Since = now.Add(-time.Duration(i+1) * time.Second).UTC()
		}
	}
	return keys, nil
}
