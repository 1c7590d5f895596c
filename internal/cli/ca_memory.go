package cli

import (
	"os"
	"runtime/debug"
)

// serviceGC is how much the heap of a service may grow between two collections, in percent of what lives.
const serviceGC = 200

// spareCollector lets garbage pile up to twice what lives: a CA's service keeps a few megabytes, and makes many for
// each order that are of no use a moment later. Whoever sets GOGC has decided for himself. undo puts things back.
func spareCollector() (undo func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	before := debug.SetGCPercent(serviceGC)
	return func() { debug.SetGCPercent(before) }
}
