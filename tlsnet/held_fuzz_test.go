package tlsnet_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// FuzzHeldWrites: whatever is called, the same bytes come in the same order as without a delay, and nothing is left behind.
func FuzzHeldWrites(f *testing.F) {
	f.Add([]byte{1, 2, 3, 0xf0, 4, 5, 0xf1, 6, 0xf2, 7, 0xf3, 8})
	f.Add([]byte{100, 100, 100, 150, 0xf1, 150, 151, 10, 152, 0xf0, 0xf0, 200, 100, 201, 0xf1, 0xf1})
	f.Add(bytes.Repeat([]byte{90, 91, 92, 93, 94, 0xf3, 95}, 20))
	st := newSite(f)
	f.Fuzz(func(t *testing.T, calls []byte) {
		calls = calls[:min(len(calls), 200)]
		a, b := tcpPair(t)
		x := &switched{Conn: a}
		c, s := connected(t, delayed(st.clientConfig(), forever), st.serverConfig(), x, b)
		up := new(memory)
		x.out = up
		var want, sent []byte
		for i, call := range calls {
			var err error
			switch call {
			case 0xf0:
				err = c.Flush()
			case 0xf1:
				err = c.KeyUpdate(i%2 == 0)
			case 0xf2:
				c.SetWriteDeadline(time.Unix(1, 0))
				if n, err := c.Write([]byte("late")); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatalf("Write past the deadline: %d, %v", n, err)
				}
				c.SetWriteDeadline(time.Time{})
			case 0xf3:
				_, err = c.ReadFrom(bytes.NewReader(want[len(want)/2:]))
				want = append(want, want[len(want)/2:]...)
				want = want[:len(want):len(want)]
			default:
				// Up to 100 they are small, then about as long as a record, then as several.
				p := bytes.Repeat([]byte{call, byte(i)}, []int{int(call), 8100 + int(call), 200 * int(call)}[min(int(call)/100, 2)])
				want = append(want, p...)
				_, err = c.Write(p)
			}
			if err != nil {
				t.Fatalf("call %d: %#x: %v", i, call, err)
			}
			if len(want) > 4<<20 {
				break
			}
		}
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		go func() {
			io.Copy(a, bytes.NewReader(up.data))
			a.(*net.TCPConn).CloseWrite()
		}()
		sent, err := io.ReadAll(s)
		if err != nil || !bytes.Equal(sent, want) {
			t.Fatalf("%d bytes came, not the %d written: %v", len(sent), len(want), err)
		}
	})
}
