package tlsnet_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// Early data that is bound to its connection: both ends compute the same key from the ClientHello, before the server has
// answered. The first connection brings the ticket, the second one the early data.
func ExampleConn_ExportEarly() {
	ca := exampleCA("Example Root")
	listener, err := tlsnet.Listen("tcp", "127.0.0.1:0", &tlsnet.Config{
		Identities: []tlsnet.Identity{ca.identity(pki.ProfileServer, "www.example.org")}, Core: tlscore.Config{MaxEarlyData: 1 << 10}})
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()
	keys := make(chan []byte, 1)
	go func() {
		for range 2 {
			conn, err := listener.AcceptConn()
			if err != nil {
				log.Fatal(err)
			}
			early := make([]byte, 100)
			for n := 0; !errors.Is(err, io.EOF); n, err = conn.ReadEarly(early) {
				if n > 0 { // whoever repeats the early data gets the same key here
					key, err := conn.ExportEarly("EXPORTER-example", nil, 16)
					if err != nil {
						log.Fatal(err)
					}
					keys <- key
				}
			}
			fmt.Fprint(conn, "welcome")
			conn.Close()
		}
	}()

	dialer, err := tlsnet.NewDialer(&tlsnet.Config{Roots: ca.roots(), ServerName: "www.example.org"})
	if err != nil {
		log.Fatal(err)
	}
	for range 2 {
		conn, err := dialer.DialEarly(context.Background(), "tcp", listener.Addr().String(), []byte("a harmless request"))
		if err != nil {
			log.Fatal(err)
		}
		if conn.Facts().EarlyData == tlscore.EarlyDataAccepted {
			key, err := conn.ExportEarly("EXPORTER-example", nil, 16)
			if err != nil {
				log.Fatal(err)
			}
			fmt.Println("both have the same key:", bytes.Equal(key, <-keys))
		}
		conn.ForgetEarly()
		if _, err := io.ReadAll(conn); err != nil {
			log.Fatal(err)
		}
		conn.Close()
	}
	// Output: both have the same key: true
}
