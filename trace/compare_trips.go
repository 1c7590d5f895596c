package trace

import "github.com/tlswright/tlswright/wire"

// RoundTrips counts how often the path is crossed both ways before the client may send data that nobody can replay: the
// flights of the server that it has to wait for. known is false for a handshake that did not get that far.
func (r *Recording) RoundTrips() (n int, known bool) {
	last := Client
	for i := range r.Records {
		rec := &r.Records[i]
		if len(rec.Raw) == 0 {
			continue
		}
		kind := wire.ContentType(rec.Raw[0])
		if r.isNew() && kind == wire.ContentChangeCipherSpec {
			continue // means nothing, and nobody waits for it
		}
		if rec.From == Server && last == Client {
			n++
		}
		last = rec.From
		switch {
		case r.isOld() && rec.From == Server && kind == wire.ContentChangeCipherSpec:
			return n, true // its Finished follows
		case r.isNew() && rec.From == Client && kind == wire.ContentApplicationData && rec.Epoch != epochEarly && n > 0:
			return n, true // its Finished
		}
	}
	return n, false
}
