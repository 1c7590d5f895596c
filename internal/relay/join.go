package relay

import (
	"context"
	"io"
	"net"
	"sync"
	"time"
)

// Join carries bytes between a and b, both ways, until both have ended or ctx is done, and closes both. The end of one
// direction is passed on as a half-close where the other side has halves. idle is how long neither may say anything;
// 0: for ever. fromA and fromB count the bytes that were passed on. err is nil where both ended in order.
func Join(ctx context.Context, a, b net.Conn, idle time.Duration) (fromA, fromB int64, err error) {
	stop := context.AfterFunc(ctx, func() { a.Close(); b.Close() })
	defer stop()
	defer a.Close()
	defer b.Close()
	var wg sync.WaitGroup
	var errB error
	wg.Go(func() { fromB, errB = carry(a, b) })
	fromA, err = carry(b, a)
	wg.Wait()
	if err == nil {
		err = errB
	}
	return fromA, fromB, err
}

func carry(dst, src net.Conn) (int64, error) {
	n, err := io.Copy(dst, src)
	if err != nil {
		dst.Close()
		src.Close()
		return n, err
	}
	if half, ok := dst.(interface{ CloseWrite() error }); ok {
		err = half.CloseWrite()
	}
	return n, err
}
