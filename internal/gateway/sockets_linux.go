package gateway

import (
	"net"
	"net/netip"
	"syscall"
)

// Times after which a connection without a sign of life is asked for one, in seconds, and how often.
const (
	keepIdle     = 30
	keepInterval = 15
	keepCount    = 4
)

// listenConfig has a listening socket hand its options down to the connections that it accepts, which saves four system
// calls for each of them.
func listenConfig() net.ListenConfig {
	return net.ListenConfig{KeepAlive: -1, Control: keepAlive}
}

// ipBindAddressNoPort is IP_BIND_ADDRESS_NO_PORT of ip(7): binding to no port leaves the choice to connecting.
const ipBindAddressNoPort = 24

// dialer makes the connections to upstreams without HTTP. On the same machine none is lost without a word.
//
// [net.Dialer.DialTCP] binds even where no local address is asked for, and a port that is chosen by binding is nobody else's: all
// targets together would have the system's 28,000, those of connections of the last minute included. One that is chosen
// by connecting is taken for that target alone.
func dialer() *net.Dialer {
	return &net.Dialer{Timeout: dialTime, KeepAlive: -1, Control: func(network, address string, c syscall.RawConn) error {
		if err := c.Control(func(fd uintptr) {
			_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, ipBindAddressNoPort, 1)
		}); err != nil {
			return err
		}
		if a, err := netip.ParseAddrPort(address); err == nil && a.Addr().IsLoopback() {
			return nil
		}
		return keepAlive(network, address, c)
	}}
}

// keepAlive sets the options. A socket that has none, as one of Unix, does without.
func keepAlive(network, _ string, c syscall.RawConn) error {
	if network != "tcp" && network != "tcp4" && network != "tcp6" {
		return nil
	}
	return c.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1)
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, keepIdle)
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, keepInterval)
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, keepCount)
	})
}
