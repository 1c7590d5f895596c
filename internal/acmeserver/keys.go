package acmeserver

import (
	"sync"

	jose "github.com/go-jose/go-jose/v4"
)

// maxKeys bounds how many account keys are remembered as they were read.
const maxKeys = 4096

// keys remembers what texts of keys mean. The text itself is looked up in the store for every request, so that nothing here
// can be out of date: an account with another key, or on another node, has another text.
type keys struct {
	mu    sync.RWMutex
	known map[string]*jose.JSONWebKey
}

// read gives the key of a text.
func (k *keys) read(text []byte) (*jose.JSONWebKey, error) {
	k.mu.RLock()
	key := k.known[string(text)]
	k.mu.RUnlock()
	if key != nil {
		return key, nil
	}
	key = &jose.JSONWebKey{}
	if err := key.UnmarshalJSON(text); err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.known == nil || len(k.known) >= maxKeys {
		k.known = make(map[string]*jose.JSONWebKey)
	}
	k.known[string(text)] = key
	return key, nil
}
