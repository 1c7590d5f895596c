package tlscore_test

import (
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/tlswright/tlswright/tlscore"
)

// An error has a code to switch on, somebody to blame, the alert that tells the peer, and the rule that was broken.
func ExampleError() {
	params, err := tlscore.Compile(tlscore.Config{})
	if err != nil {
		log.Fatal(err)
	}
	client := tlscore.NewClient(params, tlscore.Options{ServerName: "www.example.org"})
	if _, err := client.Start(time.Now(), nil); err != nil {
		log.Fatal(err)
	}
	_, err = client.Feed(time.Now(), []byte("HTTP/1.1 400 Bad Request\r\n"), nil)

	if code, ok := tlscore.CodeOf(err); ok && code == tlscore.CodeNotTLS {
		fmt.Println("the server does not speak TLS there")
	}
	var failure *tlscore.Error
	if errors.As(err, &failure) {
		fmt.Println(failure.Blame(), "-", failure.RFC())
	}
	// Output:
	// the server does not speak TLS there
	// peer - RFC 8446, Section 5.1
}
