package scan

import "context"

// probeVersions asks which versions are there.
func probeVersions(ctx context.Context, h *host) {}
