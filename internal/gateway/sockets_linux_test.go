package gateway

import (
	"net"
	"syscall"
	"testing"
)

// TestPortsTowardsTargetsAreNotKeptFromOthers looks for the option by which connections to different targets may have the same
// local port: without it all targets together have one range of ports.
func TestPortsTowardsTargetsAreNotKeptFromOthers(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Logf("%s: %v", addr, err)
			continue
		}
		defer l.Close()
		c, err := dialTo("tcp", l.Addr().String())(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		raw, err := c.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		var isSet int
		if cerr := raw.Control(func(fd uintptr) {
			isSet, err = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_IP, ipBindAddressNoPort)
		}); cerr != nil || err != nil || isSet != 1 {
			t.Errorf("%s: the port was chosen for all targets: %d (%v, %v)", addr, isSet, cerr, err)
		}
	}
}
