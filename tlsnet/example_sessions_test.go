package tlsnet_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// A program that runs for one connection resumes, when it runs again, what it left in a directory.
func ExampleFileSessions() {
	ca := exampleCA("Example Root")
	listener, err := tlsnet.Listen("tcp", "127.0.0.1:0", &tlsnet.Config{Identities: []tlsnet.Identity{ca.identity(pki.ProfileServer, "www.example.org")}})
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()
	go greet(listener)

	dir, err := os.MkdirTemp("", "sessions") // of your own: a folder that lasts, such as ~/.cache/app/sessions
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for run := range 2 { // each run of the program
		sessions, err := tlsnet.NewFileSessions(dir + "/kept")
		if err != nil {
			log.Fatal(err)
		}
		conn, err := tlsnet.Dial(context.Background(), "tcp", listener.Addr().String(), &tlsnet.Config{Roots: ca.roots(), Sessions: sessions})
		if err != nil {
			log.Fatal(err)
		}
		if _, err := io.ReadAll(conn); err != nil { // tickets come with what the server says
			log.Fatal(err)
		}
		fmt.Println("run", run+1, "resumed:", conn.Facts().Resumed)
		_ = conn.Close()
	}
	// Output:
	// run 1 resumed: false
	// run 2 resumed: true
}

// Several servers under one name open each other's tickets once they share the keys; a server that was started again opens
// those of before.
func ExampleTicketKeys() {
	ca := exampleCA("Example Root")
	first, second := tlsnet.NewTicketKeys(0, 0), tlsnet.NewTicketKeys(0, 0)
	if err := second.Import(first.Export(time.Now())); err != nil { // secrets: hand them on as such
		log.Fatal(err)
	}
	identity := ca.identity(pki.ProfileServer, "www.example.org")
	sessions := tlsnet.NewMemorySessions(0)
	for _, keys := range []*tlsnet.TicketKeys{first, second} {
		listener, err := tlsnet.Listen("tcp", "127.0.0.1:0", &tlsnet.Config{Identities: []tlsnet.Identity{identity}, TicketKeys: keys})
		if err != nil {
			log.Fatal(err)
		}
		go greet(listener)
		conn, err := tlsnet.Dial(context.Background(), "tcp", listener.Addr().String(), &tlsnet.Config{
			Roots: ca.roots(), ServerName: "www.example.org", Sessions: portless{sessions},
		})
		if err != nil {
			log.Fatal(err)
		}
		if _, err := io.ReadAll(conn); err != nil {
			log.Fatal(err)
		}
		fmt.Println("resumed:", conn.Facts().Resumed)
		_ = conn.Close()
		_ = listener.Close()
	}
	// Output:
	// resumed: false
	// resumed: true
}

// portless keeps sessions under one key, because the servers of this example differ in their ports. Behind one name
// and one port no such thing is needed.
type portless struct{ tlsnet.SessionStore }

func (p portless) Put(_ string, s *tlscore.Session)    { p.SessionStore.Put("example", s) }
func (p portless) Take(string) *tlscore.Session        { return p.SessionStore.Take("example") }
func (p portless) Remove(_ string, s *tlscore.Session) { p.SessionStore.Remove("example", s) }

// greet says a word on each connection, and closes it.
func greet(listener *tlsnet.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			fmt.Fprint(conn, "hello")
		}()
	}
}

// 0-RTT with the safety of HTTP: a request that somebody may have recorded and sent again reaches handlers only if its
// method is safe, and marked; a POST waits for the end of the handshake.
func ExampleHTTPServer_earlyData() {
	ca := exampleCA("Example Root")
	listener, err := tlsnet.Listen("tcp", "127.0.0.1:0", &tlsnet.Config{
		Identities: []tlsnet.Identity{ca.identity(pki.ProfileServer, "www.example.org")},
		Core:       tlscore.Config{MaxEarlyData: 16 << 10},
	})
	if err != nil {
		log.Fatal(err)
	}
	server := &tlsnet.HTTPServer{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Until the client's handshake is over, a request that came early has the header "Early-Data: 1".
		fmt.Fprint(w, r.Method)
	})}
	defer server.Close()
	go func() { _ = server.Serve(listener) }()

	transport := &tlsnet.Transport{Config: &tlsnet.Config{Roots: ca.roots(), Sessions: tlsnet.NewMemorySessions(0)}, EarlyData: true}
	client := &http.Client{Transport: transport}
	for _, method := range []string{http.MethodGet, http.MethodGet, http.MethodPost} {
		request, err := http.NewRequest(method, "https://"+listener.Addr().String(), http.NoBody)
		if err != nil {
			log.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			log.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil {
			log.Fatal(err)
		}
		_ = response.Body.Close()
		info, _ := tlsnet.InfoFromResponse(response)
		fmt.Printf("%s, early: %t\n", body, info.Facts.EarlyData == tlscore.EarlyDataAccepted)
		transport.CloseIdleConnections() // the next request makes a connection of its own
	}
	// Output:
	// GET, early: false
	// GET, early: true
	// POST, early: false
}
