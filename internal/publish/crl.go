package publish

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tlswright/tlswright/internal/authority"
)

// How often lists are made anew.
const (
	listAge   = time.Hour        // however quiet it is
	listPause = 10 * time.Second // however much is revoked: revoking stays cheap, and a flood of it makes few lists
)

// lists keeps the last list of each kind. Only one request at a time makes a new one; the others wait for it.
type lists struct {
	mu   sync.Mutex
	made map[string]*made
}

type made struct {
	mu     sync.Mutex
	der    []byte
	at     time.Time
	change int64
}

// get gives a list that knows every change up to the given one, unless the last was made a moment ago.
func (l *lists) get(kind string, change int64, now time.Time, age time.Duration, make func() ([]byte, error)) ([]byte, error) {
	l.mu.Lock()
	if l.made == nil {
		l.made = map[string]*made{}
	}
	m := l.made[kind]
	if m == nil {
		m = &made{}
		l.made[kind] = m
	}
	l.mu.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	old := now.Sub(m.at)
	if m.der != nil && old < age && (m.change == change || old < listPause) {
		return m.der, nil
	}
	der, err := make()
	if err != nil {
		return nil, err
	}
	m.der, m.at, m.change = der, now, change
	return der, nil
}

// crl gives /crl/NAME.crl, /crl/NAME-delta.crl, or of a partitioned list /crl/NAME/N.crl and /crl/NAME/N-delta.crl.
func (p *Publisher) crl(w http.ResponseWriter, r *http.Request, rest string) {
	name, isCRL := strings.CutSuffix(rest, ".crl")
	name, isDelta := strings.CutSuffix(name, "-delta")
	name, shard, isShard := strings.Cut(name, "/")
	i := p.issuers[name]
	if i == nil || !isCRL {
		http.NotFound(w, r)
		return
	}
	o := authority.CRLOptions{Delta: isDelta}
	shards := max(i.Authority.Publication.Shards, 1)
	if isShard != (shards > 1) {
		http.NotFound(w, r)
		return
	}
	if isShard {
		n, err := strconv.Atoi(shard)
		if err != nil || n < 0 || n >= shards || strconv.Itoa(n) != shard {
			http.NotFound(w, r)
			return
		}
		o.Shard, o.Shards = n, shards
	}
	der, err := i.lists.get(rest, p.change.Load(), p.o.Now(), listAge, func() ([]byte, error) { return i.Authority.CRL(r.Context(), o) })
	if err != nil {
		p.trouble(w, "make the CRL", err)
		return
	}
	p.send(w, "application/pkix-crl", der, 5*time.Minute)
}
