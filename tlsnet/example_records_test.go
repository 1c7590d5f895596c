package tlsnet_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"strings"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// A small device has no room for records of 16 KiB. It says so, and its peer keeps to it (RFC 8449); where the peer does
// not know that, MaxFragmentLength asks the older way. MaxRecord bounds what is sent without asking anybody.
func ExampleConfig_recordSize() {
	ca := exampleCA("Example Root")
	listener, err := tlsnet.Listen("tcp", "127.0.0.1:0", &tlsnet.Config{Identities: []tlsnet.Identity{ca.identity(pki.ProfileServer, "127.0.0.1")}})
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()
	go echo(listener)

	device := &tlsnet.Config{Roots: ca.roots(), Core: tlscore.Config{RecordSizeLimit: 512, MaxFragmentLength: 512, MaxRecord: 256}}
	conn, err := tlsnet.Dial(context.Background(), "tcp", listener.Addr().String(), device)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(strings.Repeat("x", 10_000))); err != nil {
		log.Fatal(err)
	}
	if err := conn.CloseWrite(); err != nil {
		log.Fatal(err)
	}
	echoed, err := io.ReadAll(conn)
	if err != nil {
		log.Fatal(err)
	}
	f := conn.Facts()
	fmt.Println(len(echoed), "bytes, in records of", f.RecordLimitRead, "at most")
	// Output: 10000 bytes, in records of 512 at most
}

// A client that looks different each time: with values that mean nothing, and the extensions in another order. A server
// that cannot cope with that is found out before something new has to be sent to it (RFC 8701).
func ExampleConfig_grease() {
	ca := exampleCA("Example Root")
	listener, err := tlsnet.Listen("tcp", "127.0.0.1:0", &tlsnet.Config{Identities: []tlsnet.Identity{ca.identity(pki.ProfileServer, "127.0.0.1")}})
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()
	go echo(listener)

	conn, err := tlsnet.Dial(context.Background(), "tcp", listener.Addr().String(), &tlsnet.Config{
		Roots: ca.roots(), Core: tlscore.Config{Grease: true, PermuteExtensions: true},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Println(conn.Facts().Version)
	// Output: TLS 1.3
}

// What is said here has eight sizes at most, in the handshake too, and the first bytes of an answer come in records that
// a peer on a slow line can use at once.
func ExampleConfig_padding() {
	config := &tlsnet.Config{
		Core:           tlscore.Config{Padding: tlscore.Padding{To: 2048, Everything: true}},
		DynamicRecords: true,
	}
	ca := exampleCA("Example Root")
	config.Identities = []tlsnet.Identity{ca.identity(pki.ProfileServer, "127.0.0.1")}
	listener, err := tlsnet.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()
	go echo(listener)

	conn, err := tlsnet.Dial(context.Background(), "tcp", listener.Addr().String(), &tlsnet.Config{
		Roots: ca.roots(), Core: tlscore.Config{Padding: tlscore.Padding{AtLeast: 1000, Random: 200}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("hello")); err != nil {
		log.Fatal(err)
	}
	answer := make([]byte, 5)
	if _, err := io.ReadFull(conn, answer); err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(answer))
	// Output: hello
}
