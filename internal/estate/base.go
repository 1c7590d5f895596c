package estate

import (
	"log/slog"
	"sync"
	"time"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/keystore"
)

// Base is what all parts of an estate share.
type Base struct {
	Home       string // folder of the estate; it need not exist yet
	Now        func() time.Time
	Passphrase keystore.PassphraseFunc // for encrypted keys of the CA; nil: there is nobody to ask
	Database   string                  // URL of a PostgreSQL database with the CA's records; "": as the home says
	Actor      string                  // whom the CA's log names
	Version    string                  // of this program
	// Log takes what people who run the estate should know: what was made for them at Info, trouble at Warn and above. A
	// record's attribute "part" names the part of the estate.
	Log *slog.Logger

	whole *whole // what the parts of one estate know of each other; nil: this part is alone
}

// whole is what the other parts of an estate know of its CA.
type whole struct {
	mu        sync.RWMutex
	ca        *config.CA // nil: there is none
	directory string     // of ACME
	plain     string     // where OCSP, CRLs and issuers are had, without a path; "": nowhere
	probes    probes     // of its monitor
}

// records is the database with the records of the CA; "": as the home says.
func (b *Base) records() string {
	if b.whole == nil {
		return b.Database
	}
	b.whole.mu.RLock()
	defer b.whole.mu.RUnlock()
	if b.whole.ca == nil || b.whole.ca.Database == "" {
		return b.Database
	}
	return b.whole.ca.Database
}

// lifetime is how long certificates of the own CA live; 0: as the profile says.
func (w *whole) lifetime() time.Duration {
	if w == nil {
		return 0
	}
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.ca == nil {
		return 0
	}
	return w.ca.Lifetime
}

// publication says where relying parties find what the own CA publishes, where nothing else was said.
func (w *whole) publication(p authority.Publication) authority.Publication {
	if w == nil {
		return p
	}
	w.mu.RLock()
	defer w.mu.RUnlock()
	return publicationBelow(w.plain, p, keystore.DefaultIntermediate)
}

// hasCA reports whether a CA is a part of this estate.
func (w *whole) hasCA() bool {
	if w == nil {
		return false
	}
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.ca != nil
}

// usualDirectory is where `ca serve` has ACME on this machine.
const usualDirectory = "https://localhost:9443/acme/directory"

// acmeDirectory is that of the own CA.
func (w *whole) acmeDirectory() string {
	if w == nil {
		return usualDirectory
	}
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.directory == "" {
		return usualDirectory
	}
	return w.directory
}
