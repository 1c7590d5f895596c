package freeport

import (
	"net"
	"strings"
	"sync"
	"testing"
)

func TestPortsAreFreeAndDiffer(t *testing.T) {
	var mu sync.Mutex
	seen := make(map[int]bool)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			ports, err := Numbers(20)
			mu.Lock()
			defer mu.Unlock()
			if err != nil || len(ports) != 20 {
				t.Errorf("%v %v", ports, err)
			}
			for _, p := range ports {
				if seen[p] || p < first || p >= first+count {
					t.Errorf("%d: again, or out of the range", p)
				}
				seen[p] = true
			}
		})
	}
	wg.Wait()
}

func TestTakenPortsArePassedOver(t *testing.T) {
	port, err := one()
	if err != nil {
		t.Fatal(err)
	}
	for _, network := range []string{"tcp", "udp"} {
		address := net.JoinHostPort("127.0.0.1", "0")
		var taken net.Addr
		if network == "tcp" {
			l, err := net.Listen(network, address)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			taken = l.Addr()
		} else {
			pc, err := net.ListenPacket(network, address)
			if err != nil {
				t.Fatal(err)
			}
			defer pc.Close()
			taken = pc.LocalAddr()
		}
		_, number, _ := strings.Cut(taken.String(), ":")
		taking, err := net.LookupPort(network, number)
		if err != nil {
			t.Fatal(err)
		}
		if isFree(taking) == nil {
			t.Errorf("%s %s counts as free", network, taken)
		}
	}
	if err := isFree(port); err != nil {
		t.Errorf("what was found is not left free: %v", err)
	}
}
