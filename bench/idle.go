package main

import (
	"fmt"
	"runtime"

	"github.com/tlswright/tlswright/wire"
)

const idlePairs = 500

// reportIdle prints what connections hold in memory while nothing happens on them: heap after a collection, both ends
// together, less what plain TCP connections hold.
func reportIdle() error {
	c, err := newCertificates()
	if err != nil {
		return err
	}
	hosts, err := serveAll(c, wire.GroupX25519)
	if err != nil {
		return err
	}
	compared, floor := hosts[:len(hosts)-1], hosts[len(hosts)-1]
	fmt.Printf("\n| idle connections, both ends | stack | heap bytes a pair |\n| --- | --- | ---: |\n")
	for _, writes := range []int{0, 80} {
		least, err := idle(floor, writes)
		if err != nil {
			return err
		}
		for _, h := range compared {
			held, err := idle(h, writes)
			if err != nil {
				return err
			}
			fmt.Printf("| after %d writes of 16 KB each way | %s | %d |\n", writes, h.name, held-least)
		}
	}
	return nil
}

// idle makes connections, moves so many 16 KB writes each way, and returns the heap bytes that a pair holds afterwards.
func idle(h *host, writes int) (int64, error) {
	ends := make([]secure, 0, 2*idlePairs)
	defer func() {
		for _, c := range ends {
			c.Close()
		}
	}()
	data := make([]byte, 64<<10)
	before := heap()
	for range idlePairs {
		client, server, err := h.connect()
		if err != nil {
			return 0, err
		}
		ends = append(ends, client, server)
		for range writes {
			if err := thereAndBack(client, server, data); err != nil {
				return 0, err
			}
		}
	}
	held := (heap() - before) / idlePairs
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

func heap() int64 {
	var m runtime.MemStats
	for range 3 { // pools are emptied by the second collection
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
