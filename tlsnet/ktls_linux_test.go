package tlsnet

import (
	"bytes"
	"io"
	"net"
	"testing"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// TestFarewellThatWaitedIsNoData: the kernel makes a record of an alert that could not leave at once. A header of ours before
// it would be data to the peer. A socket without the kernel's part takes the content, and leaves the type out.
func TestFarewellThatWaitedIsNoData(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	peer, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	c := &Conn{nc: nc, raw: rawConn(nc), pool: new(buffers), kernel: &KernelTLS{Sent: true}, machine: joined(t, wire.TLS_AES_128_GCM_SHA256).Client.Machine}
	if err := c.machine.Offload(tlscore.Sent, func(tlscore.RecordKeys) error { return nil }); err != nil {
		t.Fatal(err)
	}
	rest, err := c.machine.CloseWrite(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.depart(rest, false); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(peer); err != nil || !bytes.Equal(got, []byte{1, 0}) {
		t.Errorf("%x, %v", got, err)
	}
}
