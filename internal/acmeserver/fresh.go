package acmeserver

import "sync"

// maxFresh bounds how many certificates are remembered.
const maxFresh = 1024

// fresh remembers certificates that were issued here a moment ago, because most are fetched at once and never again. Whose
// they are and what they are never changes, so none of it can be out of date; what is not here is in the store.
type fresh struct {
	mu    sync.Mutex
	known map[string]freshOne
}

type freshOne struct {
	directory, account string
	der                []byte
}

// keep remembers a certificate, by its serial number, that is on disk.
func (f *fresh) keep(serial string, one freshOne) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.known == nil || len(f.known) >= maxFresh {
		f.known = make(map[string]freshOne)
	}
	f.known[serial] = one
}

// find gives a certificate of a directory.
func (f *fresh) find(directory, serial string) (one freshOne, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	one, ok = f.known[serial]
	return one, ok && one.directory == directory
}
