//go:build !linux

package gateway

import "net"

// listenConfig is what the system offers unasked.
func listenConfig() net.ListenConfig { return net.ListenConfig{} }

// dialer makes the connections to upstreams without HTTP.
func dialer() *net.Dialer { return &net.Dialer{Timeout: dialTime} }
