package publish

import (
	"context"
	"sync"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/store"
)

// maxStatuses bounds how many statuses are kept for each issuer.
const maxStatuses = 20_000

// statuses keeps what is on file about certificates, for answers that have to be signed anew: until anything changes or
// nobody can tell whether it has. Only certificates are kept; a number that is not known now may be issued in the next
// moment.
type statuses struct {
	mu    sync.RWMutex
	kept  map[string]store.Status
	epoch int // counts how often all was forgotten
}

func (s *statuses) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = nil
	s.epoch++
}

// source looks here before it asks.
func (s *statuses) source(ask authority.StatusSource) authority.StatusSource {
	return func(ctx context.Context, serial []byte) (store.Status, error) {
		s.mu.RLock()
		found, ok := s.kept[string(serial)]
		epoch := s.epoch
		s.mu.RUnlock()
		if ok {
			return found, nil
		}
		found, err := ask(ctx, serial)
		if err == nil && (found.State == store.StateIssued || found.State == store.StateRevoked || found.State == store.StateOnHold) {
			s.keep(serial, found, epoch)
		}
		return found, err
	}
}

func (s *statuses) keep(serial []byte, found store.Status, epoch int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.epoch != epoch {
		return // something has changed since it was asked for
	}
	if s.kept == nil || len(s.kept) >= maxStatuses {
		s.kept = make(map[string]store.Status)
	}
	s.kept[string(serial)] = found
}
