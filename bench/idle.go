package main

import (
	"fmt"
	"io"
	"runtime"
	"time"
)

const idlePairs = 500

// idleKind is what came before nothing happens.
type idleKind struct {
	name    string
	writes  int  // of 16 KB each way
	blocked bool // a goroutine waits in Read at either end
}

func idleKinds() []idleKind {
	return []idleKind{
		{"after 0 writes of 16 KB each way", 0, false},
		{"after 80 writes of 16 KB each way", 80, false},
		{"blocked in Read, heap and stacks", 0, true},
	}
}

// reportIdle prints what connections hold in memory while nothing happens on them: heap after a collection, and stacks
// where goroutines wait, both ends together, less what plain TCP connections hold.
func reportIdle(w io.Writer) error {
	c, err := newCertificates()
	if err != nil {
		return err
	}
	hosts, err := serveAll(c, plainVariant)
	if err != nil {
		return err
	}
	compared, floor := hosts[:len(hosts)-1], hosts[len(hosts)-1]
	fmt.Fprintf(w, "\n| idle connections, both ends | stack | bytes a pair |\n| --- | --- | ---: |\n")
	for _, kind := range idleKinds() {
		least, err := idle(floor, idleKind{writes: kind.writes}) // nobody reads, so that goroutines count for who is compared
		if err != nil {
			return err
		}
		for _, h := range compared {
			held, err := idle(h, kind)
			if err != nil {
				return err
			}
			fmt.Fprintf(w, "| %s | %s | %d |\n", kind.name, h.name, held-least)
		}
	}
	return nil
}

// idle makes connections, does what the kind says, and returns the bytes that a pair holds afterwards.
func idle(h *host, kind idleKind) (int64, error) {
	ends := make([]secure, 0, 2*idlePairs)
	defer func() {
		for _, c := range ends {
			c.Close()
		}
	}()
	data := make([]byte, 64<<10)
	before := memory(kind.blocked)
	for range idlePairs {
		client, server, err := h.connect()
		if err != nil {
			return 0, err
		}
		ends = append(ends, client, server)
		for range kind.writes {
			if err := thereAndBack(client, server, data); err != nil {
				return 0, err
			}
		}
	}
	if kind.blocked {
		for _, c := range ends {
			go readOne(c)
		}
		time.Sleep(100 * time.Millisecond) // until they wait; one that does not yet holds a little more
	}
	held := (memory(kind.blocked) - before) / idlePairs
	runtime.KeepAlive(data)
	return held, nil
}

// thereAndBack moves 16 KB each way. They fit into what the sockets hold, so that one goroutine can do it.
func thereAndBack(a, b secure, buf []byte) error {
	const size = 16 << 10
	for _, dir := range [][2]secure{{a, b}, {b, a}} {
		if _, err := dir[0].Write(buf[:size]); err != nil {
			return err
		}
		for n := 0; n < size; {
			k, err := dir[1].Read(buf)
			if err != nil {
				return err
			}
			n += k
		}
	}
	return nil
}

// readOne waits for a byte until the connection is closed.
func readOne(c secure) {
	var b [1]byte
	c.Read(b[:])
}

// memory is what the heap holds after a collection, and the stacks if they are asked for.
func memory(stacks bool) int64 {
	var m runtime.MemStats
	for range 4 { // pools are emptied by the second collection, and stacks shrink by half in each
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	if stacks {
		return int64(m.HeapAlloc + m.StackInuse)
	}
	return int64(m.HeapAlloc)
}
