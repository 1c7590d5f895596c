//go:build !linux

package tlsnet

import (
	"errors"

	"github.com/tlswright/tlswright/wire"
)

// kernelSocket: only Linux has what is needed.
func kernelSocket(*Conn) (kernel, error) {
	return nil, errors.New("only Linux protects records in the kernel")
}

// sendRecord and receiveRecord are never called here.
func (c *Conn) sendRecord(wire.ContentType, []byte) (int, error) { return 0, errors.ErrUnsupported }

func (c *Conn) receiveRecord([]byte) (wire.ContentType, int, error) {
	return 0, 0, errors.ErrUnsupported
}
