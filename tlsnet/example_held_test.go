package tlsnet_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlsnet"
)

// A library that writes in small pieces, and knows nothing of buffers, is given a connection that collects them: a
// thousand Writes leave in one record here. They do so without Flush, too: when the program reads the answer, or
// after a millisecond.
func ExampleConn_Flush() {
	ca := exampleCA("Example Root")
	listener, err := tlsnet.Listen("tcp", "127.0.0.1:0", &tlsnet.Config{Identities: []tlsnet.Identity{ca.identity(pki.ProfileServer, "127.0.0.1")}})
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()
	go echo(listener)

	conn, err := tlsnet.Dial(context.Background(), "tcp", listener.Addr().String(), &tlsnet.Config{
		Roots: ca.roots(), WriteDelay: time.Millisecond,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	for i := range 1000 {
		if _, err := fmt.Fprintf(conn, "%d ", i); err != nil { // of a Write before
			log.Fatal(err)
		}
	}
	if err := conn.Flush(); err != nil { // of all of them
		log.Fatal(err)
	}
	answer := make([]byte, 10)
	if _, err := io.ReadFull(conn, answer); err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(answer))
	// Output: 0 1 2 3 4
}
