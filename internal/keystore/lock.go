package keystore

import (
	"fmt"

	"github.com/tlswright/tlswright/pki"
)

// LockedError says that somebody else is changing the same home folder.
type LockedError struct {
	Path  string
	Stale bool // the lock may have been left by a crash
}

// Error implements error.
func (e *LockedError) Error() string {
	text := fmt.Sprintf("another tlswright is at work there (lock %s)", pki.Printable(e.Path))
	if e.Stale {
		text += "; if none is running, remove that file"
	}
	return text
}
