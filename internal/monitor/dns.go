package monitor

import (
	"context"
	"net"
	"net/netip"

	"github.com/tlswright/tlswright/internal/resolve"
)

// restingLookUp finds addresses as the options say. A look that waits for the DNS gives its slot to another one meanwhile: a
// name server that does not answer must not keep those from being looked at that need none.
func restingLookUp(o *LookOptions) func(ctx context.Context, host string) ([]netip.Addr, error) {
	lookUp := o.LookUp
	switch {
	case lookUp != nil:
	case o.Resolver != "":
		lookUp = resolve.New(resolve.Options{Server: o.Resolver, Timeout: DefaultTimeout / 2}).Addresses
	default:
		lookUp = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	return func(ctx context.Context, host string) ([]netip.Addr, error) {
		back := offSeat(ctx)
		defer back()
		return lookUp(ctx, host)
	}
}
