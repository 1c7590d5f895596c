// Package freeport finds ports of loopback for programs that cannot be told to choose one themselves. For tests and
// measurements only.
//
// A port that the kernel gives out may be gone before the program takes it: it comes from the range from which outgoing
// connections get theirs, too. So these come from below that range.
package freeport

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"strconv"
	"sync"
)

// The range: above what services are assigned, below what Linux (32768), the BSDs and Windows (49152) give out. A process
// takes ports piece by piece.
const (
	first = 10240
	count = 32768 - first
	piece = 256
)

// next counts through the range, so that nobody in this process gets a port twice.
var next = struct {
	sync.Mutex
	offset, left int            // of the piece that ports are taken from
	held         []net.Listener // see begin
}{}

// Numbers gives n different ports on which nobody listens at the moment, neither over TCP nor over UDP.
func Numbers(n int) ([]int, error) {
	var ports []int
	for len(ports) < n {
		port, err := one()
		if err != nil {
			return nil, err
		}
		ports = append(ports, port)
	}
	return ports, nil
}

// Number is one of [Numbers], as text.
func Number() (string, error) {
	port, err := one()
	return strconv.Itoa(port), err
}

// Address is one of [Numbers], with the address of loopback: "127.0.0.1:port".
func Address() (string, error) {
	port, err := one()
	return fmt.Sprintf("127.0.0.1:%d", port), err
}

func one() (int, error) {
	next.Lock()
	defer next.Unlock()
	var last error
	for range count {
		if next.left == 0 {
			begin()
		}
		port := first + next.offset
		next.offset++
		next.left--
		if last = isFree(port); last == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no port from %d to %d is free: %w", first, first+count-1, last)
}

// begin turns to another piece. Where there are names that end with the process that holds them, it is one that no other
// process has: what is free is given out there, too, long before it is listened on.
func begin() {
	start := rand.IntN(count / piece)
	next.offset, next.left = start*piece, piece
	if runtime.GOOS != "linux" {
		return
	}
	for i := range count / piece {
		n := (start + i) % (count / piece)
		if l, err := net.Listen("unix", fmt.Sprintf("@tlswright-freeport-%d", n)); err == nil {
			next.held = append(next.held, l)
			next.offset = n * piece
			return
		}
	}
}

// isFree tries the port on all addresses, as some programs listen there whatever they are told.
func isFree(port int) error {
	address := fmt.Sprintf(":%d", port)
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	pc, err := net.ListenPacket("udp", address)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	return errors.Join(l.Close(), pc.Close())
}
