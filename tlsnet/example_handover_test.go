package tlsnet_test

import (
	"fmt"
	"log"
	"net"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlsnet"
)

// A server is replaced by a newer one while its clients stay connected. Here the other process is another variable; for a
// real one the descriptor of nc (its File method) travels over a Unix socket beside state, as a control message made by
// syscall.UnixRights, and net.FileConn makes a net.Conn of it again.
func ExampleConn_Detach() {
	ca := exampleCA("Example Root")
	config := &tlsnet.Config{Identities: []tlsnet.Identity{ca.identity(pki.ProfileServer, "www.example.org")}}
	clientConfig := &tlsnet.Config{Roots: ca.roots(), ServerName: "www.example.org"}
	here, there := net.Pipe()
	old, err := tlsnet.Server(here, config)
	if err != nil {
		log.Fatal(err)
	}
	client, err := tlsnet.Client(there, clientConfig)
	if err != nil {
		log.Fatal(err)
	}
	go client.Write([]byte("a question to the old process"))
	question := make([]byte, 100)
	n, err := old.Read(question)
	if err != nil {
		log.Fatal(err)
	}

	nc, state, err := old.Detach() // old is of no use from here on
	if err != nil {
		log.Fatal(err)
	}
	fresh, err := tlsnet.Attach(nc, config, state)
	if err != nil {
		log.Fatal(err)
	}
	clear(state) // it holds the keys

	go fmt.Fprintf(fresh, "an answer of the new process to %q", question[:n])
	answer := make([]byte, 100)
	if n, err = client.Read(answer); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", answer[:n])
	// Output: an answer of the new process to "a question to the old process"
}
