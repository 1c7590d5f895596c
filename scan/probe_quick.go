package scan

import "context"

// quick asks only what one handshake and one small request tell.
func (h *host) quick(ctx context.Context) {}
