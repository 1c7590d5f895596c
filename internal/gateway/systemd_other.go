//go:build !unix

package gateway

import (
	"fmt"
	"net"
)

// inherited is what systemd would hand over: there is none here.
func inherited(name string) (net.Listener, error) {
	return nil, fmt.Errorf("systemd:%s: this system has no systemd", name)
}
