package gateway

import (
	"sync"

	"github.com/tlswright/tlswright/tlscore"
)

// oneSession offers the last session everywhere, as an attacker would: the key is not looked at.
type oneSession struct {
	mu   sync.Mutex
	last *tlscore.Session
}

// Put implements tlsnet.SessionStore.
func (o *oneSession) Put(_ string, s *tlscore.Session) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last = s
}

// Take implements tlsnet.SessionStore.
func (o *oneSession) Take(string) *tlscore.Session {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.last
}

// Remove implements tlsnet.SessionStore.
func (o *oneSession) Remove(string, *tlscore.Session) {}
