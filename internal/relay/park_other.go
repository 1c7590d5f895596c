//go:build !linux

package relay

import (
	"errors"
	"net"
)

// parking parks nothing here.
type parking struct{}

type (
	sockets struct{}
	place   struct{}
)

// socketsOf returns nil: nothing can be parked.
func socketsOf(net.Conn, net.Conn) *sockets { return nil }

func (*parking) take(*Pair, *sockets) (place, error) { return place{}, errors.ErrUnsupported }

func (*parking) vacate(place, *sockets) {}
