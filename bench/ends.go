package main

import (
	"fmt"
	"net"

	"github.com/tlswright/tlswright/wire"
)

// endVariants are the handshakes of which each end's share is measured, too.
func endVariants() []variant {
	return []variant{
		{group: wire.GroupX25519}, {group: wire.GroupSecp256r1}, {group: wire.GroupX25519MLKEM768},
		{group: wire.GroupX25519, resume: true}, {group: wire.GroupX25519, mutual: true}, {group: wire.GroupX25519, tls12: true},
	}
}

// handshakeEnds is memoryHandshake with a figure for each end: "handshake13_x25519_ecdsa_full_client" and "…_server".
func handshakeEnds(c *certificates, v variant) (scenario, error) {
	s := scenario{name: v.name(), parts: []string{"client", "server"}, procs: 1}
	compared, err := stacks(c, v)
	if err != nil {
		return s, err
	}
	cost := clockCost()
	for _, st := range compared {
		ends := endsOf{st, v}
		if v.resume {
			if _, err := ends.handshake(newDuo(cpuTime, cost)); err != nil { // there is a session for the first that counts
				return s, err
			}
		}
		s.sides = append(s.sides, side{name: st.name, timed: func(n int) (sum parts, err error) {
			for range n {
				spent, err := ends.counted(newDuo(cpuTime, cost))
				if err != nil {
					return sum, err
				}
				for i := range sum {
					sum[i] += spent[i]
				}
			}
			return sum, nil
		}})
	}
	bound, err := primitiveEnds(c, v)
	if err != nil {
		return s, err
	}
	s.sides = append(s.sides, side{name: "primitives", bound: true, timed: func(n int) (spent parts, err error) {
		for i := range spent {
			start := cpuTime()
			for range n {
				if err := bound[i](); err != nil {
					return spent, err
				}
			}
			spent[i] = cpuTime() - start
		}
		return spent, nil
	}})
	return s, nil
}

// endsOf makes the handshakes of one stack.
type endsOf struct {
	stack
	variant variant
}

// handshaken is a handshake that was made.
type handshaken struct {
	spent   parts
	resumed bool
}

// counted makes a handshake that is of the kind that counts.
func (e endsOf) counted(d *duo) (parts, error) {
	h, err := e.handshake(d)
	if err == nil && h.resumed != e.variant.resume {
		err = fmt.Errorf("%s: resumed: %v", e.name, h.resumed)
	}
	return h.spent, err
}

// handshake makes one, and where sessions are resumed moves a byte behind it, with the ticket of the next one.
func (e endsOf) handshake(d *duo) (handshaken, error) {
	var client secure
	spent, err := d.run(func(nc net.Conn) (err error) {
		if client, err = e.client(nc); err != nil {
			return err
		}
		if err = client.Handshake(); err == nil && e.variant.resume {
			_, err = client.Read(make([]byte, 4<<10))
		}
		return err
	}, func(nc net.Conn) error {
		server, err := e.server(nc)
		if err != nil {
			return err
		}
		if err = server.Handshake(); err == nil && e.variant.resume {
			_, err = server.Write([]byte{0})
		}
		return err
	})
	if err != nil {
		return handshaken{}, fmt.Errorf("%s: %w", e.name, err)
	}
	return handshaken{spent, wasResumed(client)}, nil
}
