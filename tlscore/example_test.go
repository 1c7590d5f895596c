package tlscore_test

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"log"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
)

// end drives one machine. It is all that a transport needs: bytes go in, bytes to send come out.
type end struct {
	machine *tlscore.Machine
	roots   []*x509.Certificate // a client's
	in      []byte              // arrived, not yet consumed
	said    []byte              // what the peer said
}

// receive takes bytes from the transport, as many or few as there are, and returns the bytes to send.
func (e *end) receive(data []byte) (out []byte, err error) {
	e.in = append(e.in, data...)
	for {
		step, err := e.machine.Feed(time.Now(), e.in, out)
		e.in, out = e.in[step.N:], step.Out
		for err == nil && step.Event.Question != nil {
			q := step.Event.Question
			step, err = e.machine.Resume(time.Now(), q.ID, e.answer(q), out)
			out = step.Out
		}
		if err != nil {
			return out, err // a *tlscore.Error; out may hold the alert that tells the peer
		}
		if step.Event.Kind == tlscore.Data {
			e.said = append(e.said, step.Event.Data...)
		}
		if step.N == 0 && step.Event.Kind == tlscore.NoEvent {
			return out, nil // nothing more to be had from these bytes
		}
	}
}

// answer judges, signs and chooses, which the machine leaves to its caller. This may take its time, and need a network.
func (e *end) answer(q *tlscore.Question) tlscore.Answer {
	switch q.Kind {
	case tlscore.NeedVerify:
		_, err := pki.Verify(q.Chain[0], pki.VerifyOptions{Roots: e.roots, Intermediates: q.Chain[1:], Time: time.Now(), ServerName: q.ServerName})
		return tlscore.Verified{Err: err}
	case tlscore.NeedSignature:
		signature, err := tlscore.SignWith(q.Identity.Tag.(crypto.Signer), q)
		return tlscore.Signed{Signature: signature, Err: err}
	}
	panic("this configuration asks nothing else")
}

// Two machines meet without a socket: what carries the bytes from one to the other is the caller's, here two variables.
// A pipe, a channel, a message queue or a serial line would do as well, in pieces of any size.
func ExampleMachine() {
	certificate, key := exampleIdentity()
	serverParams, err := tlscore.Compile(tlscore.Config{Identities: []tlscore.Identity{{Chain: [][]byte{certificate.Raw}, Tag: key}}})
	if err != nil {
		log.Fatal(err)
	}
	clientParams, err := tlscore.Compile(tlscore.Config{})
	if err != nil {
		log.Fatal(err)
	}
	server := &end{machine: tlscore.NewServer(serverParams, tlscore.Options{})}
	client := &end{machine: tlscore.NewClient(clientParams, tlscore.Options{ServerName: "www.example.org"}), roots: []*x509.Certificate{certificate}}

	if _, err := server.machine.Start(time.Now(), nil); err != nil { // a server has nothing to say yet
		log.Fatal(err)
	}
	toServer, err := client.machine.Start(time.Now(), nil)
	for err == nil && len(toServer) > 0 {
		var toClient []byte
		if toClient, err = server.receive(toServer); err == nil {
			toServer, err = client.receive(toClient)
		}
	}
	if err != nil {
		log.Fatal(err)
	}

	_, toServer, err = client.machine.Seal([]byte("hello, no sockets here"), nil)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := server.receive(toServer); err != nil {
		log.Fatal(err)
	}
	facts := client.machine.Facts()
	fmt.Println(facts.Version, facts.ServerName)
	fmt.Printf("%s\n", server.said)
	// Output:
	// TLS 1.3 www.example.org
	// hello, no sockets here
}

// exampleIdentity makes a certificate that is its own root.
func exampleIdentity() (*x509.Certificate, crypto.Signer) {
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		log.Fatal(err)
	}
	certificate, err := pki.SelfSign(pki.Request{Profile: pki.ProfileServer, SANs: []string{"www.example.org"}}, key, time.Now())
	if err != nil {
		log.Fatal(err)
	}
	return certificate, key
}
