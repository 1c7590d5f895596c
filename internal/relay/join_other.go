//go:build !unix

package relay

import (
	"errors"
	"syscall"
)

// canReadLazily says that a descriptor cannot be read without waiting.
const canReadLazily = false

func (c *carrier) lazily(syscall.RawConn) error { return errors.ErrUnsupported }
