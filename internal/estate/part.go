package estate

import (
	"context"
	"errors"

	"github.com/tlswright/tlswright/internal/config"
)

// part is one service of an estate. It is opened once: ports are bound and files read, so that whatever is wrong is known
// before anything runs. close may be called at any time after, whether or not run was; it must be called.
type part interface {
	name() string // "ca", "gateway" or "monitor": its section in the file
	links() []Link
	run(ctx context.Context) error // until ctx ends, which is no error
	// apply takes over the settings of next while it runs. errReopen: they need a part that is opened anew. With any other
	// error nothing has changed.
	apply(ctx context.Context, next *config.Estate) error
	close() error
}

// errReopen says that settings cannot be taken over by a part that runs: it is closed, and another one opened.
var errReopen = errors.New("these settings need a part that is opened anew")

// Link is something that a person or a program can open.
type Link struct {
	Part string `json:"part"`
	What string `json:"what"` // "site", "ACME directory", "dashboard", ...
	URL  string `json:"url"`
}

// Change is one difference between the settings in force and those that were read again.
type Change struct {
	Part string `json:"part"`
	What string `json:"what"` // the key, and the name where several have it: "site app", "lifetime"
	How  string `json:"how"`  // "added", "removed", "90d -> 5m"
}

// String is the change on one line.
func (c Change) String() string { return c.Part + ": " + c.What + " " + c.How }
