package tlsnet

import "sync"

const (
	// recordBufferLen holds one protected record of any legal size and the control records that may precede it. It is
	// rounded up to what the allocator hands out anyway.
	recordBufferLen = 18 << 10
	// flightBufferLen holds the two full records that one large Write sends in one system call (32 KiB of content),
	// their headers and tags, and queued control records.
	flightBufferLen = 40 << 10
	// smallReadLen is how much a read half without a buffer reads when the caller's slice is too short to read into.
	smallReadLen = 64
)

type (
	recordBuffer [recordBufferLen]byte
	flightBuffer [flightBufferLen]byte
)

// buffers lends the large buffers to connections for as long as they have bytes in them, so that an idle connection
// holds none. All connections of one compiled configuration share it.
type buffers struct {
	records sync.Pool // of *recordBuffer
	flights sync.Pool // of *flightBuffer
	lazy    lazyReads
	alarms  alarms
}

func (p *buffers) record() *recordBuffer {
	if b, ok := p.records.Get().(*recordBuffer); ok {
		return b
	}
	return new(recordBuffer)
}

func (p *buffers) flight() *flightBuffer {
	if b, ok := p.flights.Get().(*flightBuffer); ok {
		return b
	}
	return new(flightBuffer)
}

func (p *buffers) giveRecord(b *recordBuffer) {
	if b != nil {
		p.records.Put(b)
	}
}

func (p *buffers) giveFlight(b *flightBuffer) {
	if b != nil {
		p.flights.Put(b)
	}
}
